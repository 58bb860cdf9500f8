"""The bare run: the cells of a class in one warm process, and nothing else.

    python -m benchmarks.bare SITE STUDENT...

The student's cells and the test cells, visible and hidden half, go through IPython's ``run_cell``;
experiments are left out. torch, the course and matplotlib are imported before the clock runs, and one
submission is run before it to warm up. No fork, no sandbox, no kernel, no notebook written: a grader cannot
do with less, so its wall time is given as a multiple of this.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.classes import LESSON

SKIPPED = "experiment"


def cells_to_run(notebook: Mapping[str, Any], tests: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(name of a test cell or "", source) of each code cell that grading runs; the tests are the source's."""
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code" or SKIPPED in cell["metadata"].get("tags", ()):
            continue
        name = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        yield (name, tests[name]) if name in tests else ("", "".join(cell["source"]))


def hidden_tests(source: Mapping[str, Any]) -> dict[str, str]:
    """Name → text of the test cells of a source notebook, with their hidden half."""
    return {
        cell["metadata"]["nbgrader"]["grade_id"]: "".join(cell["source"])
        for cell in source["cells"]
        if cell["cell_type"] == "code" and cell["metadata"].get("nbgrader", {}).get("grade")
    }


def main() -> None:
    """Run the students that the command line names; print what each cost and passed as JSON."""
    site, *students = sys.argv[1:]
    os.environ["MPLBACKEND"] = "agg"
    import matplotlib.pyplot  # noqa: F401
    import torch  # noqa: F401
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    import course.checks  # noqa: F401

    source = json.loads((Path(site) / "source_notebooks" / LESSON / f"{LESSON}.ipynb").read_text("utf-8"))
    tests = hidden_tests(source)
    shell = InteractiveShell.instance()
    results = {}
    for number, student in enumerate([students[0], *students]):
        path = Path(site) / "workspace" / "submitted" / student / LESSON / f"{LESSON}.ipynb"
        cells = list(cells_to_run(json.loads(path.read_text("utf-8")), tests))
        shell.reset()
        passed = {}
        wall, cpu = time.perf_counter(), time.process_time()
        with capture_output():
            for name, text in cells:
                success = shell.run_cell(text, store_history=True).success
                if name:
                    passed[name] = success
        cost = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        if number:  # the first one only warms up
            results[student] = {**cost, "passed": passed}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
