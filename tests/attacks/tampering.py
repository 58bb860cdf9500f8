"""Row 16: cells and their settings edited. The released cells come back, with the student's own text."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output

from autograder.notebooks import grade_id, is_graded, is_solution

from .attack import ALL, SEE_ABOVE, Attack
from .rewriting import WRONG

_SOME = ("channel_statistics", "GroupNorm")


def tests(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if is_graded(cell) and not is_solution(cell)]


def _each_test(change: Callable[[NotebookNode], Any]) -> Callable[[NotebookNode], None]:
    def spoil(notebook: NotebookNode) -> None:
        for cell in tests(notebook):
            change(cell)

    return spoil


def _facts(**changes: object) -> Callable[[NotebookNode], None]:
    return _each_test(lambda cell: cell.metadata.nbgrader.update(changes))


def _tags(*tags: str) -> Callable[[NotebookNode], None]:
    return _each_test(lambda cell: cell.metadata.update(tags=list(tags)))


def _delete(notebook: NotebookNode) -> None:
    unwanted = tests(notebook)
    notebook.cells = [cell for cell in notebook.cells if cell not in unwanted]


def _duplicate(notebook: NotebookNode) -> None:
    for cell in tests(notebook):
        copied = deepcopy(cell)
        copied.update(id=f"{cell.id}-again", source="pass")
        notebook.cells.append(copied)


def _duplicate_first(notebook: NotebookNode) -> None:
    for cell in tests(notebook):
        copied = deepcopy(cell)
        copied.update(id=f"{cell.id}-again", source="pass")
        notebook.cells.insert(0, copied)


def _reverse(notebook: NotebookNode) -> None:
    notebook.cells.reverse()


def _tests_first(notebook: NotebookNode) -> None:
    wanted = tests(notebook)
    notebook.cells = wanted + [cell for cell in notebook.cells if cell not in wanted]


def _swap_names(notebook: NotebookNode) -> None:
    cells = tests(notebook)
    names = [grade_id(cell) for cell in cells]
    for cell, name in zip(cells, reversed(names), strict=True):
        cell.metadata.nbgrader.grade_id = name


def _solution_as_test(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if is_solution(cell) and cell.cell_type == "code":
            cell.metadata.nbgrader.update(grade=True, points=50)


def _as_markdown(cell: NotebookNode) -> None:
    cell.cell_type = "markdown"
    cell.pop("outputs", None)
    cell.pop("execution_count", None)


def _new_test(notebook: NotebookNode) -> None:
    facts = {
        "grade": True,
        "solution": False,
        "locked": True,
        "task": False,
        "schema_version": 3,
        "points": 50,
    }
    for number in range(3):
        cell = new_code_cell(
            "pass", metadata={"nbgrader": {**facts, "grade_id": f"GroupNorm-bonus-{number}"}}
        )
        notebook.cells.append(cell)


def _invisible_names(notebook: NotebookNode) -> None:
    for cell in tests(notebook):
        copied = deepcopy(cell)
        copied.update(id=f"{cell.id}-x", source="pass")
        copied.metadata.nbgrader.grade_id += "\u200b"
        notebook.cells.append(copied)


def _forged_outputs(cell: NotebookNode) -> None:
    cell.outputs = [new_output("execute_result", data={"text/plain": "100"}, execution_count=1)]
    cell.execution_count = 1


def _imports_gone(notebook: NotebookNode) -> None:
    notebook.cells = [cell for cell in notebook.cells if cell.get("id") != "imports"]


def _into_the_test(cell: NotebookNode) -> None:
    cell.source = "from course import normalization as reference\n" + cell.source.replace(
        '", ', '", reference.', 1
    )


_STATISTICS = """\
def channel_statistics(images):
    return images.mean(0), images.mean((0, 2, 3)), images.std((0, 2, 3), unbiased=False)
"""


def _tampered(
    name: str, story: str, spoil: Callable[[NotebookNode], None], says: str = "", at_most: bool = False
) -> Attack:
    return Attack(
        name,
        16,
        story,
        solves=_SOME,
        at_most=at_most,
        spoil=spoil,
        says=says,
        answers={name: "# see above" for name in ALL if name not in _SOME},
        first=WRONG,
    )


ATTACKS = (
    _tampered("points-edited", "every test is worth 50 points", _facts(points=50), "restored"),
    _tampered("points-negative", "every test is worth -1 points", _facts(points=-1), "restored"),
    _tampered("points-odd", "every test is worth nan points", _facts(points=float("nan")), "restored"),
    _tampered("points-text", "points are a text", _facts(points="many"), "restored"),
    _tampered(
        "unlocked",
        "the lock of every test is taken off, and its text replaced",
        _each_test(lambda cell: (cell.metadata.nbgrader.update(locked=False), cell.update(source="pass"))),
        "restored",
    ),
    _tampered(
        "test-replaced",
        "the text of every test is replaced, lock and all else untouched",
        _each_test(lambda cell: cell.update(source="pass")),
    ),
    _tampered("test-on-the-reference", "every test tests the course's reference", _each_test(_into_the_test)),
    _tampered("test-renamed", "grade_ids exchanged among the tests", _swap_names),
    _tampered(
        "test-unnamed",
        "grade_ids that do not exist",
        _each_test(lambda cell: cell.metadata.nbgrader.update(grade_id=f"my-{grade_id(cell)}")),
    ),
    _tampered(
        "test-as-solution", "every test says that it is a solution cell", _facts(solution=True), "restored"
    ),
    _tampered("test-ungraded", "every test says that it is not graded", _facts(grade=False), "restored"),
    _tampered(
        "test-as-task", "every test says that it is a task for a person", _facts(task=True), "restored"
    ),
    _tampered("test-as-markdown", "every test is a text cell", _each_test(_as_markdown), "restored"),
    _tampered(
        "test-without-settings",
        "the tests have no settings any more",
        _each_test(lambda cell: cell.metadata.pop("nbgrader")),
    ),
    _tampered(
        "settings-broken",
        "the settings of every test are a list",
        _each_test(lambda cell: cell.metadata.update(nbgrader=["grade"])),
    ),
    _tampered(
        "settings-strange", "grade_id is a number, points a table", _facts(grade_id=7, points={"a": 1})
    ),
    _tampered("settings-old", "settings of another version of nbgrader", _facts(schema_version=99)),
    _tampered("tests-deleted", "every test is deleted", _delete, "missing"),
    _tampered(
        "tests-copied", "a second copy of every test, which says pass, after it", _duplicate, "more than one"
    ),
    _tampered(
        "tests-copied-before", "a second copy of every test before it", _duplicate_first, "more than one"
    ),
    # GroupNorm needs the imports, which stand behind it then.
    _tampered("cells-reversed", "all cells in reverse order", _reverse, "order|moved", at_most=True),
    _tampered("tests-first", "all tests before all answers", _tests_first, "order|moved"),
    _tampered("solution-as-test", "the answers are worth 50 points each", _solution_as_test, "restored"),
    _tampered("new-tests", "three new tests, worth 50 points each", _new_test, "ignored"),
    _tampered(
        "invisible-names", "new tests whose names differ by a letter that nobody sees", _invisible_names
    ),
    _tampered(
        "tag-experiment", "every test is tagged as an experiment, which is not run", _tags("experiment")
    ),
    _tampered(
        "tag-raises",
        "every test is tagged raises-exception, skip-execution and the like",
        _tags("raises-exception", "skip-execution", "nbval-skip", "remove_cell", "gpu"),
    ),
    _tampered("forged-outputs", "every test comes with an output of 100", _each_test(_forged_outputs)),
    _tampered(
        "checksum-edited",
        "checksums of the changed tests",
        _each_test(
            lambda cell: (cell.update(source="pass"), cell.metadata.nbgrader.update(checksum="0" * 32))
        ),
    ),
    Attack(
        "imports-gone",
        16,
        "the cell with the imports is deleted",
        spoil=_imports_gone,
        earns=("channel_statistics",),
        answers={"channel_statistics": "import torch\n" + _STATISTICS},
    ),
    Attack(
        "cells-on-the-run",
        16,
        "changes its own notebook's later cells while it runs",
        answers=SEE_ABOVE,
        first="import glob, json, pathlib\n"
        "for path in glob.glob('*.ipynb') + glob.glob('@WORKSPACE@/*/@STUDENT@/*/*.ipynb'):\n"
        "    text = pathlib.Path(path).read_text()\n"
        "    pathlib.Path(path).write_text(text.replace('check(', 'print('))\n" + WRONG,
    ),
)
