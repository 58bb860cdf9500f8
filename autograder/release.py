"""Make the student version of an assignment, and prove that it gives nothing away.

nbgrader removes solutions and hidden tests; this adds the cell that installs the course package on Colab, and
then compares the result with the source: a solution that was pasted a second time outside its markers is an
error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.bridge import generate_release, nbgrader_config
from autograder.config import Course
from autograder.errors import ReleaseError
from autograder.notebooks import (
    BEGIN_HIDDEN,
    BEGIN_MARKING,
    BEGIN_SOLUTION,
    END_HIDDEN,
    END_MARKING,
    END_SOLUTION,
    grade_id,
    inside,
    is_solution,
    outside,
    read_notebook,
    write_notebook,
)

_COLAB_CELL = """\
# Colab only: install the course package. Anywhere else this cell does nothing.
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("{package}") is None:
    {install}"""

_MARKERS = ((BEGIN_SOLUTION, END_SOLUTION), (BEGIN_HIDDEN, END_HIDDEN), (BEGIN_MARKING, END_MARKING))

_NOT_SET = (
    "raise RuntimeError(\n"
    '        "This notebook is not ready for Colab: the instructor must set colab_requirement "\n'
    '        "in [tool.autograder] of pyproject.toml and release it again."\n'
    "    )"
)


def release(course: Course, name: str) -> Path:
    """Make the student version of one assignment; a version from before is replaced, grades stay.

    Returns:
        Path of the student's notebook.

    Raises:
        AssignmentError: there is no such assignment.
        ReleaseError: nbgrader refuses the source, or the result would give something away.
    """
    source = read_notebook(course.source_notebook(name))
    _check_markers(source, name)
    generate_release(course, name)
    path = course.release_notebook(name)
    student_version = read_notebook(path)
    _insert_colab_cell(student_version, course)
    write_notebook(student_version, path)
    config = nbgrader_config(course)
    leaks = list(find_leaks(source, student_version, config.ClearSolutions.text_stub))
    if leaks:
        path.unlink()
        raise ReleaseError(
            f"The release of {name} would give something away, so it was deleted. " + " ".join(leaks)
        )
    return path


def _check_markers(source: NotebookNode, name: str) -> None:
    """A marker without its partner would leave text in the release."""
    for number, cell in enumerate(source.cells, start=1):
        for begin, end in _MARKERS:
            markers = [
                marker for line in cell.source.split("\n") for marker in (begin, end) if marker in line
            ]
            if markers != [begin, end] * (len(markers) // 2):
                label = grade_id(cell) or f"number {number}"
                raise ReleaseError(f"In {name}, cell {label}: {begin!r} and {end!r} do not come in pairs.")


def _insert_colab_cell(notebook: NotebookNode, course: Course) -> None:
    """Put the cell for Colab before the first code cell."""
    requirement = course.settings.colab_requirement
    install = f'%pip install --quiet "{requirement}"' if requirement else _NOT_SET
    cell = new_code_cell(
        _COLAB_CELL.format(package=course.settings.course_package, install=install),
        id="colab-setup",
        metadata={"tags": ["colab", "nbval-skip"]},
    )
    first = next(
        (index for index, each in enumerate(notebook.cells) if each.cell_type == "code"), len(notebook.cells)
    )
    notebook.cells.insert(first, cell)


def find_leaks(source: NotebookNode, student_version: NotebookNode, text_stub: str) -> Iterator[str]:
    """One sentence for everything in a student version that students must not get."""
    secrets = list(_secrets(source))
    for number, cell in enumerate(student_version.cells, start=1):
        label = grade_id(cell) or f"number {number}"
        for marker in (marker for pair in _MARKERS for marker in pair):
            if marker in cell.source:
                yield f"Cell {label} has the marker {marker!r}."
        squeezed = _squeeze(cell.source)
        for owner, kind, secret in secrets:
            if secret in squeezed:
                yield f"Cell {label} has the {kind} of {owner}."
        if cell.get("outputs"):
            yield f"Cell {label} has outputs."
        if is_solution(cell) and cell.cell_type == "markdown" and text_stub not in cell.source:
            yield f"Cell {label} has a written answer."


def _secrets(source: NotebookNode) -> Iterator[tuple[str, str, str]]:
    """(cell, kind, text without white space) of everything that the release must not contain.

    A whole region is a secret; so is each of its lines, unless the same line stands outside the regions as
    well (students may see it there), or is too short to tell anything.
    """
    public = {
        _squeeze(line)
        for cell in source.cells
        if not (is_solution(cell) and BEGIN_SOLUTION not in cell.source)
        for line in outside(
            outside(cell.source, BEGIN_SOLUTION, END_SOLUTION), BEGIN_HIDDEN, END_HIDDEN
        ).split("\n")
    }
    for cell in source.cells:
        name = grade_id(cell) or "?"
        whole = cell.source if is_solution(cell) and BEGIN_SOLUTION not in cell.source else ""
        solution = inside(cell.source, BEGIN_SOLUTION, END_SOLUTION) or whole
        for kind, region in (
            ("solution", solution),
            ("hidden test", inside(cell.source, BEGIN_HIDDEN, END_HIDDEN)),
        ):
            if region.strip():
                yield from ((name, kind, text) for text in {_squeeze(region)} if len(text) > 12)
            for line in region.split("\n"):
                text = _squeeze(line)
                if len(text) > 20 and text not in public:
                    yield name, kind, text


def _squeeze(text: str) -> str:
    """Text without any white space."""
    return "".join(text.split())
