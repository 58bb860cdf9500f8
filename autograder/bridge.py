"""The only module that imports nbgrader: its settings, converters and gradebook, for one workspace.

Two of nbgrader's habits are dealt with here. It runs the program ``alembic`` when it makes a database, which
is not on PATH when this command is called as ``.venv/bin/autograder``. And several processes write its SQLite
file: each connection waits for the others instead of failing with "database is locked".
"""

from __future__ import annotations

import io
import logging
import os
import re
import sqlite3
import sys
import traceback
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import BaseCell, Comment, Gradebook, MissingEntry, SubmittedAssignment, SubmittedNotebook
from nbgrader.api import Grade as Grade_
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.dbutil import ALEMBIC_DIR
from nbgrader.utils import parse_utc
from sqlalchemy import event, make_url, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder.config import NBGRADER_CONFIG, Course
from autograder.database import check_version
from autograder.errors import ConfigError, ReleaseError

SECONDS_TO_WAIT_FOR_DATABASE = 120


@dataclass(frozen=True)
class Grade:
    """What the gradebook knows of a graded cell; `auto` is by the tests, `manual` by a person."""

    score: float
    max_score: float
    manual: float | None
    needs_manual_grade: bool
    auto: float | None = None


@dataclass(frozen=True)
class GradebookEntry:
    """What the gradebook knows of one submission; grades and comments by cell, the penalty in points."""

    grades: dict[str, Grade]
    comments: dict[str, str]
    late_penalty: float


def nbgrader_config(course: Course) -> Config:
    """The course's nbgrader_config.py, pointed at the course's workspace.

    Raises:
        ConfigError: the file cannot be executed.
    """
    try:
        config: Config = PyFileConfigLoader(NBGRADER_CONFIG, path=str(course.root)).load_config()
    except Exception as error:
        raise ConfigError(
            f"{course.root / NBGRADER_CONFIG} fails: {type(error).__name__}: {error}."
        ) from error
    directory = config.CourseDirectory
    if course.workspace != (course.root / course.settings.workspace).resolve():
        directory.db_url = f"sqlite:///{course.workspace / 'gradebook.db'}"
    # nbgrader makes regular expressions of these: it escapes the root, but not an absolute folder.
    directory.root = str(course.workspace)
    directory.source_directory = os.path.relpath(course.source, course.workspace)
    for folder in (course.release, course.submitted, course.autograded, course.feedback):
        directory[f"{folder.name}_directory"] = folder.name
    return config


def prepare_environment() -> None:
    """Put this Python's programs on PATH and make all database connections patient. Once a process."""
    programs = str(Path(sys.executable).parent)
    if programs not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, (programs, os.environ.get("PATH"))))
    if not event.contains(Engine, "connect", _wait_for_other_writers):
        event.listen(Engine, "connect", _wait_for_other_writers)


def _wait_for_other_writers(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute(f"PRAGMA busy_timeout = {SECONDS_TO_WAIT_FOR_DATABASE * 1000}")


@contextmanager
def open_gradebook(course: Course) -> Iterator[Gradebook]:
    """nbgrader's gradebook of the workspace.

    Raises:
        ConfigError: the database cannot be read or written.
    """
    prepare_environment()
    course.workspace.mkdir(parents=True, exist_ok=True)
    directory = nbgrader_config(course).CourseDirectory
    # Before nbgrader looks: it adds its tables to whatever database it finds.
    check_version(directory.db_url, Path(ALEMBIC_DIR), SECONDS_TO_WAIT_FOR_DATABASE)
    try:
        with warnings.catch_warnings(), Gradebook(directory.db_url, directory.course_id) as gradebook:
            warnings.simplefilter(
                "ignore", SAWarning
            )  # nbgrader's own queries, nothing to do with the course
            yield gradebook
    except SQLAlchemyError as error:
        address = make_url(directory.db_url).render_as_string(hide_password=True)
        raise ConfigError(f"The gradebook {address} cannot be used: {str(error).splitlines()[0]}.") from error


def generate_release(course: Course, assignment: str) -> None:
    """nbgrader's generate_assignment: write the student version and enter the assignment into the gradebook.

    Grades that are in the gradebook stay.

    Raises:
        ReleaseError: nbgrader refuses the notebook.
    """
    with open_gradebook(course):
        pass  # the database must exist before nbgrader's converter asks for it
    config = nbgrader_config(course)
    config.CourseDirectory.assignment_id = assignment
    with _captured_log() as log:
        converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
        converter.force = True
        converter.create_assignment = True
        try:
            converter.start()
        except Exception as error:
            (course.logs(assignment) / "release.log").write_text(log.getvalue() + traceback.format_exc())
            raise ReleaseError(
                f"nbgrader cannot release {assignment}: {_last_error(log.getvalue()) or error}"
            ) from error


def _last_error(log: str) -> str:
    """The first line of the form "SomeError: what happened" in nbgrader's log."""
    found = re.findall(r"^[\w.]*(?:Error|Exception): .*$", log, re.MULTILINE)
    return found[0] if found else ""


@contextmanager
def _captured_log() -> Iterator[io.StringIO]:
    """nbgrader's log lines as text instead of on stderr."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logger = logging.getLogger("traitlets")
    logger.addHandler(handler)
    try:
        yield text
    finally:
        logger.removeHandler(handler)


def read_gradebook(course: Course, assignment: str, students: Collection[str]) -> dict[str, GradebookEntry]:
    """What the gradebook knows of these students' submissions; students without one are left out.

    A few queries for the whole class: nbgrader's own objects ask once for each cell of each student.
    """
    wanted = set(students)
    with open_gradebook(course) as gradebook:
        try:
            notebook = gradebook.find_notebook(assignment, assignment)
        except MissingEntry:
            return {}
        cells = {cell.id: cell for cell in (*notebook.grade_cells, *notebook.task_cells)}
        names = {row.id: row.name for row in gradebook.db.execute(select(BaseCell.id, BaseCell.name))}
        submitted = gradebook.db.execute(
            select(
                SubmittedNotebook.id,
                SubmittedAssignment.student_id,
                SubmittedNotebook.late_submission_penalty,
            )
            .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .where(SubmittedNotebook.notebook_id == notebook.id)
        )
        entries = {
            row.id: (row.student_id, GradebookEntry({}, {}, float(row.late_submission_penalty or 0)))
            for row in submitted
            if row.student_id in wanted
        }
        columns = (Grade_.auto_score, Grade_.manual_score, Grade_.score, Grade_.needs_manual_grade)
        for row in gradebook.db.execute(
            select(Grade_.notebook_id, Grade_.cell_id, *columns).where(Grade_.cell_id.in_(cells))
        ):
            if row.notebook_id in entries:
                entries[row.notebook_id][1].grades[names[row.cell_id]] = Grade(
                    score=float(row.score or 0),
                    max_score=float(cells[row.cell_id].max_score),
                    manual=None if row.manual_score is None else float(row.manual_score),
                    needs_manual_grade=bool(row.needs_manual_grade),
                    auto=None if row.auto_score is None else float(row.auto_score),
                )
        for row in gradebook.db.execute(
            select(Comment.notebook_id, Comment.cell_id, Comment.manual_comment).where(
                Comment.manual_comment != ""
            )
        ):
            if row.notebook_id in entries:
                entries[row.notebook_id][1].comments[names[row.cell_id]] = row.manual_comment
    return dict(entries.values())


def parse_timestamp(text: str) -> datetime:
    """A submission's time, as nbgrader reads it.

    Raises:
        ValueError: it is not a time.
    """
    try:
        time: datetime = parse_utc(text.strip())
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        raise ValueError(f"not a time: {text!r}") from error
    return time
