"""A course whose gradebook is made directly, and ways to look into it and to change it as a person would."""

from __future__ import annotations

import shutil
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import tiny_course as tiny
from nbgrader import api
from nbgrader.api import Base, Grade, Gradebook, SubmittedAssignment
from nbgrader.plugins import CsvExportPlugin
from sqlalchemy import create_engine

from autograder import gradebook
from autograder.bridge import nbgrader_config, open_gradebook, prepare_environment
from autograder.config import Course
from autograder.gradebook import CellGrade, Graded

DUE = datetime(2026, 11, 1, 12)

# A rule of a course: a tenth of the points for each day; one student is fined more than there is to lose, one
# less than nothing, and one is forgiven.
PLUGIN = """
from nbgrader.plugins import BasePlugin

class Tenths(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        if student_id == "broken":
            raise RuntimeError("no such student")
        odd = {"harsh": 1000, "generous": -5, "forgiven": None}
        return odd.get(student_id, score * total_seconds_late / 864000)
"""


@contextmanager
def quick_new_databases() -> Iterator[None]:
    """nbgrader starts a program to learn the version of a new database, which takes a second each time."""
    prepare_environment()
    newest = api.get_alembic_version()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "get_alembic_version", lambda: newest)
        yield


def make_course(folder: Path, *settings: str) -> Course:
    """Two tests, a written answer, a solution; due on DUE, with the plugin above."""
    course = tiny.make_course(folder)
    use_plugin(course)
    for line in settings:
        configure(course, line)
    fill(course)
    return course


def copy_course(course: Course, folder: Path) -> Course:
    """The same course and class in another folder."""
    shutil.copytree(course.root, folder, dirs_exist_ok=True)
    return replace(course, root=folder, workspace=folder / "workspace")


def use_plugin(course: Course, name: str = "tenths.Tenths") -> None:
    (course.root / "tenths.py").write_text(PLUGIN)
    configure(course, f"c.AssignLatePenalties.plugin_class = {name!r}")


def configure(course: Course, line: str) -> None:
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"{line}\n")


def fill(course: Course) -> None:
    with open_gradebook(course) as book:
        book.add_assignment(tiny.NAME, duedate=DUE)
        book.add_notebook(tiny.NAME, tiny.NAME, kernelspec='{"name": "python3"}')
        for name, kind, points in (("test-a", "code", 2), ("test-b", "code", 3), ("written", "markdown", 5)):
            book.add_grade_cell(name, tiny.NAME, tiny.NAME, max_score=points, cell_type=kind)
        for name in ("written", "code"):
            book.add_solution_cell(name, tiny.NAME, tiny.NAME)
        for name, kind, locked in (
            ("code", "code", False),
            ("test-a", "code", True),
            ("text", "markdown", True),
        ):
            book.add_source_cell(
                name, tiny.NAME, tiny.NAME, cell_type=kind, locked=locked, source=f"# {name}", checksum=name
            )


def graded(
    student: str = "ada", a: float = 2, b: float = 0, written: float | None = None, **rest: Any
) -> Graded:
    """A submission; the written answer is there, the solution is as released."""
    cells = (
        CellGrade("code", None, True),
        CellGrade("test-a", a, False),
        CellGrade("test-b", b, False),
        CellGrade("written", written, written is not None),
    )
    return Graded(student, rest.pop("timestamp", None), cells, **rest)


@contextmanager
def nbgraders(course: Course) -> Iterator[Gradebook]:
    """The gradebook as nbgrader's own programs open it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_gradebook(course) as book:
            yield book


@contextmanager
def person(course: Course, student: str, cell: str) -> Iterator[Grade]:
    """A person changes a grade in formgrader."""
    with nbgraders(course) as book:
        yield book.find_grade(cell, tiny.NAME, tiny.NAME, student)
        book.db.commit()


def gives(course: Course, student: str, cell: str, score: float, extra: float | None = None) -> None:
    """What formgrader does when a person enters a score."""
    with person(course, student, cell) as grade:
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = score, extra, False


def entries(course: Course) -> dict[str, Any]:
    """All that the gradebook says of the students, without ids."""
    with nbgraders(course) as book:
        return {
            submission.student.id: {
                "timestamp": submission.timestamp,
                "extension": submission.extension,
                "notebooks": {
                    notebook.name: {
                        "penalty": notebook.late_submission_penalty,
                        "flagged": notebook.flagged,
                        "score": notebook.score,
                        "grades": {
                            (each.name, each.cell.type): (
                                each.auto_score,
                                each.manual_score,
                                each.extra_credit,
                                each.needs_manual_grade,
                            )
                            for each in notebook.grades
                        },
                        "comments": {
                            (each.name, each.cell.type): (each.auto_comment, each.manual_comment)
                            for each in notebook.comments
                        },
                    }
                    for notebook in submission.notebooks
                },
            }
            for submission in book.db.query(SubmittedAssignment)
        } | {"students": sorted(student.id for student in book.students)}


def grades(course: Course, student: str = "ada") -> dict[str, tuple[Any, ...]]:
    """(auto_score, manual_score, extra_credit, needs_manual_grade) by cell."""
    found = entries(course)[student]["notebooks"][tiny.NAME]["grades"]
    return {name: values for (name, _), values in found.items()}


def comments(course: Course, student: str = "ada") -> dict[str, tuple[Any, ...]]:
    found = entries(course)[student]["notebooks"][tiny.NAME]["comments"]
    return {name: values for (name, _), values in found.items()}


def penalty(course: Course, student: str = "ada") -> float | None:
    return entries(course)[student]["notebooks"][tiny.NAME]["penalty"]


def rows(course: Course) -> dict[str, set[tuple[Any, ...]]]:
    """Every row of every table."""
    engine = create_engine(nbgrader_config(course).CourseDirectory.db_url)
    with engine.connect() as connection:
        found = {
            name: {tuple(row) for row in connection.execute(table.select())}
            for name, table in Base.metadata.tables.items()
        }
    engine.dispose()
    return found


def export(course: Course) -> str:
    """What `nbgrader export` writes."""
    with nbgraders(course) as book:
        plugin = CsvExportPlugin()
        plugin.to = str(course.root / "grades.csv")
        plugin.export(book)
    return (course.root / "grades.csv").read_text()


@contextmanager
def between_reading_and_writing(monkeypatch, action: Callable[[], None]) -> Iterator[None]:
    """Do something when a batch has read what there is and has not written yet."""
    plan = gradebook.plan

    def act_and_plan(*arguments: Any) -> Any:
        action()
        return plan(*arguments)

    monkeypatch.setattr(gradebook, "plan", act_and_plan)
    yield
    monkeypatch.setattr(gradebook, "plan", plan)


def in_thread(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread
