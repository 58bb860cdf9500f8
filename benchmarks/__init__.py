"""How fast, how large and how sturdy the grader is: ``python -m benchmarks``, or ``make bench``.

    classes      made-up classes of any size
    answers      what students write, right and wrong
    marked_class a small class with everything that a gradebook can hold
    sites        courses in a scratch folder, timed commands
    processes    a running grader from outside: its processes and their memory
    gradebooks   grades and notebooks as plain data, compared
    figures      medians, slopes, tables
    stock, otter, bare      the other sides: nbgrader, otter, the cells and nothing else
    throughput   all sides, side by side (they are in sides)
    scaling      time and memory of large classes
    kill         a hundred runs, each killed in the middle
    page         docs/benchmarks.md from the kept results
    attack_table what hostile submissions get from nbgrader and from the grader

Both sides of a comparison run in one go on the same machine. Everything is written below one scratch folder;
the workspace of the project is not touched.
"""
