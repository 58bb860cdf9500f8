"""``docs/benchmarks.md`` from the kept results: ``python -m benchmarks.page`` writes it again.

The page holds no figure that a command did not print.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import kernels, kill, scaling, throughput
from benchmarks.figures import RESULTS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"

INTRODUCTION = """\
# How fast, how large, how sturdy

Written by `python -m benchmarks.page` from `benchmarks/results/`; `make bench` measures again (most of an
hour on two cores), `python -m benchmarks --quick` says the same about less in some minutes.

The class is made up: of every 20 students 12 are right by routes of their own, 5 made one mistake, 2
stopped half way and 1 handed in the release. No two notebooks are equal. Both sides of a comparison run in
one go on the same machine, and every measurement stands with its range.
"""

THROUGHPUT = """\
## Submissions per second

- **nbgrader** is stock `nbgrader autograde` with this course's nbgrader_config.py, which spares it the
  experiments and the slow end of a kernel. It takes one submission after the other and the same time for
  each, so a sample is enough; its start is not counted.
- **nbgrader by its defaults** runs the experiments as well, as it does without this course's settings. Its
  factor is made with the mean of the sample.
- **otter** is `otter run` on the same notebooks: each test cell is one of its test files, with the same
  calls of `check` for the same points.
- **ours** is the whole command `autograder grade` on a fresh workspace, its start included.
- **bare** is what no grader can do without: the cells of the same notebooks in one warm process that has
  everything imported, with no fork, no sandbox and no notebook written.
"""

SCALING = """\
## Large classes

Each size is graded from the beginning while the memory of all processes is sampled once a second. It is the
proportional set size: pages that processes share count once. *Growth* is the trend over the middle of the
run, in MB for the whole run. *Wrong* counts lost, doubled and unequal grades: students who wrote the same
must get the same.
"""

KILL = """\
## Killed runs

Each run grades a small class, part of which was graded and read by a person before; it is killed with
SIGKILL at a random moment and started again, until it ends. Then the gradebook (scores, manual scores,
comments, times, late penalties) and the executed notebooks are compared with those of a run that nobody
disturbed.
"""

KERNELS = """\
## Warm kernels

nbclient, nbgrader and nbval with [warm kernels](kernels.md) and without; a fork server runs already.
"""

PARTS: dict[str, tuple[str, Any]] = {
    "throughput": (THROUGHPUT, throughput),
    "scaling": (SCALING, scaling),
    "kill": (KILL, kill),
    "kernels": (KERNELS, kernels),
}


def page(folder: Path = RESULTS) -> str:
    """The page, with those results that are there."""
    parts = [INTRODUCTION]
    for name, (text, benchmark) in PARTS.items():
        path = folder / f"{name}.json"
        if path.is_file():
            result = json.loads(path.read_text(encoding="utf-8"))
            facts = ", ".join(f"{key} {fact}" for key, fact in result["machine"].items())
            parts.append(f"{text}\n```text\n{benchmark.report(result)}\n```\n\nMeasured on: {facts}.\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"docs/{PAGE.name} is written")


if __name__ == "__main__":
    main()
