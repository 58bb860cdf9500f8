"""One page a student: the score, the likely mistakes in words, where to read again, and the executed
notebook.

The pages lie where nbgrader's are (``feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html``), so that ``nbgrader
release_feedback`` hands them back. Students whose submission could not be graded get a page that says why.
"""

from __future__ import annotations

from pathlib import Path

from autograder.assignment import Assignment, load_assignment
from autograder.config import Course
from autograder.notebooks import read_notebook
from autograder.pages import render
from autograder.rendering import CellView, cell_views, code_style
from autograder.results import StudentResult, collect, executed_notebook


def write_feedback(course: Course, name: str) -> list[Path]:
    """Write the feedback pages of all students of an assignment.

    Raises:
        NotGradedYet: the assignment was never graded in this workspace.
    """
    assignment = load_assignment(course, name)
    return [_write_page(course, assignment, student) for student in collect(course, assignment).students]


def _write_page(course: Course, assignment: Assignment, student: StudentResult) -> Path:
    cells: list[CellView] = []
    if student.graded:
        notebook = read_notebook(executed_notebook(course, assignment.name, student.student))
        cells = list(cell_views(notebook, assignment.release))
    page = render(
        "feedback.html.j2", assignment=assignment, student=student, cells=cells, code_style=code_style()
    )
    path = course.feedback / student.student / assignment.name / f"{assignment.name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path
