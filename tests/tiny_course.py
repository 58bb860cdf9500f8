"""A course with one small assignment and a fake `check`, so that testing the grader needs no lesson."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.config import Course, find_course

PROJECT = Path(__file__).resolve().parent.parent
NAME = "tiny"
HIDDEN_PROBE = "424242"
SECONDS_PER_CELL = 3

PYPROJECT = """
[tool.autograder]
colab_requirement = "tiny-course @ https://example.org/tiny.zip"
course_package = "tiny_course_package"
"""

CHECK = '''
from IPython.display import display

def check(exercise, function, group, cases, hidden=False):
    """Compare function(x) with y for all cases, and report in the way of the course's checks."""
    wrong = [f"expected {y} for {x}, got {got}" for x, y in cases if (got := function(x)) != y]
    squared = bool(wrong) and all(function(x) == x * x for x, y in cases)
    report = {
        "exercise": exercise, "group": group, "hidden": hidden, "passed": not wrong,
        "aspects": [{"name": f"{group} of {len(cases)} cases", "passed": not wrong}],
        "misconception": "squares" if squared else None,
        "message": "" if not wrong else "You square the number." if squared else "The result is wrong.",
        "section": "1.1 Doubling" if wrong else None,
    }
    display({"application/vnd.autograder.check+json": report, "text/plain": str(wrong or "ok")}, raw=True)
    assert not wrong, "; ".join(wrong)
'''

DOUBLE = '''
def double(x):
    """Twice the number."""
    ### BEGIN SOLUTION
    twice_the_number = x + x
    return twice_the_number
    ### END SOLUTION
'''

LAST = """
def last(items):
    ### BEGIN SOLUTION
    return list(items)[len(items) - 1]
    ### END SOLUTION
"""


def _solution(name: str, source: str) -> NotebookNode:
    return new_code_cell(source.strip(), id=name, metadata={"nbgrader": _facts(name, solution=True)})


def _test(name: str, points: int, source: str, hidden: str = "") -> NotebookNode:
    if hidden:
        source = f"{source}\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
    facts = _facts(name, grade=True, locked=True, points=points)
    return new_code_cell(source.strip(), id=name, metadata={"nbgrader": facts})


def _facts(name: str, **given: object) -> dict[str, object]:
    basis = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    return {**basis, "grade_id": name, **given}


def source_notebook() -> NotebookNode:
    """`double` (two groups of tests), `last` (plain asserts) and a written answer; 10 points."""
    cells = [
        new_markdown_cell("# A tiny lesson\n\n## 1.1 Doubling", id="title"),
        new_code_cell(CHECK.strip(), id="check"),
        _solution("double", DOUBLE),
        _test(
            "double-small",
            3,
            'check("double", double, "small", [(1, 2), (3, 6)])',
            f'check("double", double, "small", [({HIDDEN_PROBE}, 2 * {HIDDEN_PROBE})], hidden=True)',
        ),
        _test("double-text", 1, 'check("double", double, "text", [("ab", "abab")])'),
        new_code_cell(
            'raise RuntimeError("experiments are not run in grading")',
            id="try",
            metadata={"tags": ["experiment"]},
        ),
        new_markdown_cell("## 1.2 The last one", id="second"),
        _solution("last", LAST),
        _test(
            "last-item",
            2,
            "assert last([1, 2]) == 2",
            f"assert last([{HIDDEN_PROBE}]) == {HIDDEN_PROBE}",
        ),
        new_markdown_cell("## 1.3 Think", id="third"),
        new_markdown_cell(
            "Because addition and doubling are the same here.",
            id="why",
            metadata={"nbgrader": _facts("why", grade=True, solution=True, points=4)},
        ),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=cells, metadata=metadata)


def make_course(root: Path, notebook: NotebookNode | None = None, settings: str = "") -> Course:
    """The tiny course in a folder, with the project's own nbgrader_config.py and a short time limit."""
    (root / "pyproject.toml").write_text(f"{PYPROJECT}{settings}\n")
    config = (PROJECT / "nbgrader_config.py").read_text(encoding="utf-8")
    (root / "nbgrader_config.py").write_text(
        f"{config}\nc.Execute.timeout = {SECONDS_PER_CELL}\n", encoding="utf-8"
    )
    write(root / "source_notebooks" / NAME / f"{NAME}.ipynb", notebook or source_notebook())
    return find_course(root)


def write(path: Path, notebook: NotebookNode) -> Path:
    """Write a notebook, making folders where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def read(path: Path) -> NotebookNode:
    """Read a notebook."""
    return nbformat.read(path, as_version=4)


def released(course: Course) -> NotebookNode:
    """The student version."""
    return read(course.release / NAME / f"{NAME}.ipynb")


def cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """The cell with that grade_id."""
    return next(each for each in notebook.cells if each.metadata.get("nbgrader", {}).get("grade_id") == name)


def answer(notebook: NotebookNode, **sources: str) -> NotebookNode:
    """The notebook with other text in the cells of these names."""
    for name, source in sources.items():
        cell(notebook, name).source = source
    return notebook


def hand_in(course: Course, student: str, content: NotebookNode | bytes, file: str = f"{NAME}.ipynb") -> Path:
    """Put a submission into the workspace."""
    path = course.submitted / student / NAME / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else nbformat.writes(content).encode())
    return path


def as_json(notebook: NotebookNode) -> bytes:
    """The notebook's file content."""
    return json.dumps(notebook).encode()


RIGHT = {"double": "def double(x):\n    return 2 * x", "last": "def last(items):\n    return items[-1]"}


def autograder(course, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as an instructor calls it, with a PATH that does not know the virtual environment."""
    command = Path(sys.executable).parent / "autograder"
    environment = {**os.environ, "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [command, *arguments], cwd=course.root, env=environment, capture_output=True, text=True, timeout=120
    )
