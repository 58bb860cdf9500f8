"""What an assignment consists of, read from its student version.

An *exercise* is a cell in which students write, known by its ``grade_id``, with the test cells that are worth
points: ``BatchNorm2d`` is tested by ``BatchNorm2d-forward``, ``BatchNorm2d-running-stats``, … A written
answer has no test cells; it carries the points itself and is graded by hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nbformat import NotebookNode

from autograder.config import Course
from autograder.errors import AssignmentError
from autograder.notebooks import facts, grade_id, is_graded, is_solution, read_notebook

_TITLE = re.compile(r"^#{1,4}\s+(.*\S)\s*$", re.MULTILINE)
# Deeper headings are of single exercises ("Exercise `LayerNorm`, 8 points"): no place to read again.
_SECTION = re.compile(r"^##?\s+(.*\S)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Exercise:
    """One exercise of an assignment.

    Attributes:
        name: ``grade_id`` of the cell in which students write.
        points: ``grade_id`` of each cell that is worth points → the points.
        manual: a person grades it.
        section: the nearest heading of level 1 or 2 above it, e.g. "3.3 Normalize a batch".
    """

    name: str
    points: dict[str, float]
    manual: bool
    section: str

    @property
    def max_score(self) -> float:
        """Points of the whole exercise."""
        return sum(self.points.values())


@dataclass(frozen=True)
class Assignment:
    """An assignment as students got it.

    Attributes:
        name: its folder's and notebook's name.
        title: its first heading.
        exercises: in the order of the notebook.
        release: the student version.
    """

    name: str
    title: str
    exercises: tuple[Exercise, ...]
    release: NotebookNode

    @property
    def max_score(self) -> float:
        """Points of the whole assignment."""
        return sum(exercise.max_score for exercise in self.exercises)


def load_assignment(course: Course, name: str) -> Assignment:
    """The assignment of that name.

    Raises:
        AssignmentError: it does not exist, is not released, or has no exercise.
    """
    release = read_notebook(course.release_notebook(name))
    exercises = find_exercises(release)
    if not exercises:
        raise AssignmentError(f"{name} has no exercise: none of its cells is an nbgrader solution cell.")
    return Assignment(name=name, title=_title(release, name), exercises=exercises, release=release)


def find_exercises(notebook: NotebookNode) -> tuple[Exercise, ...]:
    """The exercises of a notebook with nbgrader's metadata, in order.

    Raises:
        AssignmentError: a test cell belongs to no exercise.
    """
    sections = _sections(notebook)
    solutions = [cell for cell in notebook.cells if is_solution(cell) and grade_id(cell)]
    points: dict[str, dict[str, float]] = {str(grade_id(cell)): {} for cell in solutions}
    for cell in notebook.cells:
        name = grade_id(cell)
        if name is not None and is_graded(cell):
            points[_owner(name, points)][name] = float(facts(cell)["points"])
    return tuple(
        Exercise(name=name, points=points[name], manual=is_graded(cell), section=sections[name])
        for cell in solutions
        if points[name := str(grade_id(cell))]
    )


def _owner(test: str, exercises: dict[str, dict[str, float]]) -> str:
    """The exercise that a graded cell belongs to: the longest name that the cell's own name starts with."""
    owners = [name for name in exercises if test == name or test.startswith(f"{name}-")]
    if not owners:
        raise AssignmentError(
            f"The test cell {test!r} belongs to no exercise. "
            "Name it after the solution cell that it tests: EXERCISE-GROUP, e.g. 'BatchNorm2d-forward'."
        )
    return max(owners, key=len)


def _sections(notebook: NotebookNode) -> dict[str, str]:
    """For every nbgrader cell, the section that it is in."""
    heading = ""
    sections = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (_SECTION.findall(cell.source) or [heading])[-1]
        if name := grade_id(cell):
            sections[name] = heading
    return sections


def _title(notebook: NotebookNode, default: str) -> str:
    """The first heading of a notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := _TITLE.search(cell.source)):
            return found.group(1)
    return default
