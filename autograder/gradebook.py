"""nbgrader's gradebook, read and written for a whole batch of submissions at once.

nbgrader's autograde takes hundreds of queries a student and a commit for every cell. The rows written here
are the same (tests compare them), but a batch is one transaction: a few queries read what is there, `rules`
says what changes, one statement a table writes it. A killed run leaves a batch written or not written.

In one thing the rule is kinder than nbgrader's: grading the same work again with the same outcome changes
nothing, so it does not ask a person to look again at what they have graded. New work does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbgrader.api import (
    Assignment,
    Base,
    BaseCell,
    Comment,
    Grade,
    GradeCell,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from nbgrader.api import SourceCell as _SourceCell
from nbgrader.coursedir import CourseDirectory
from nbgrader.dbutil import ALEMBIC_DIR
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy import Connection, bindparam, insert, select, update

from autograder.bridge import SECONDS_TO_WAIT_FOR_DATABASE, nbgrader_config
from autograder.config import NBGRADER_CONFIG, Course
from autograder.database import Collision, NoGradebook, transaction
from autograder.errors import ConfigError
from autograder.rules import (
    CellGrade,
    Changes,
    Graded,
    LatePenalty,
    Released,
    ReleasedNotebook,
    Rows,
    name_fault,
    plan,
)
from autograder.task import SourceCell

__all__ = ["CellGrade", "Graded", "kernelspec", "source_cells", "write", "write_zero"]

_TRIES = 3
_STUDENTS_A_QUERY = 1000
# Rows that others point to come first.
_TABLES = ("student", "submitted_assignment", "submitted_notebook", "grade", "comment")


def source_cells(course: Course, assignment: str) -> dict[str, SourceCell]:
    """The nbgrader cells of an assignment as released, by grade_id.

    Raises:
        ConfigError: the assignment was not released into this database, or the database cannot be used.
    """
    with _open(course, assignment) as connection:
        notebook = _read_released(connection, assignment).graded
        points: dict[str, float] = {}
        for kind in (GradeCell, TaskCell):
            graded = select(kind.id, kind.max_score).where(kind.notebook_id == notebook.id)
            points |= {cell_id: float(most) for cell_id, most in connection.execute(graded)}
        rows = connection.execute(
            select(
                _SourceCell.name,
                _SourceCell.source,
                _SourceCell.cell_type,
                _SourceCell.locked,
                _SourceCell.checksum,
            ).where(_SourceCell.notebook_id == notebook.id)
        ).all()
    return {
        row.name: SourceCell(
            source=row.source or "",
            cell_type=row.cell_type,
            locked=bool(row.locked),
            checksum=row.checksum,
            points=points.get(notebook.graded.get(row.name, "")),
            grade=row.name in notebook.graded and row.name not in notebook.tasks,
            solution=row.name in notebook.commented and row.name not in notebook.tasks,
            task=row.name in notebook.tasks,
        )
        for row in rows
    }


def kernelspec(course: Course, assignment: str) -> dict[str, Any] | None:
    """The kernel that the released notebook names; None where it names none.

    Raises:
        ConfigError: the assignment was not released into this database, or the database cannot be used.
    """
    with _open(course, assignment) as connection:
        notebook = _read_released(connection, assignment).graded
        text = connection.execute(select(Notebook.kernelspec).where(Notebook.id == notebook.id)).scalar()
    found: dict[str, Any] | None = json.loads(text) if text else None
    return found or None


def write(
    course: Course,
    assignment: str,
    batch: Sequence[Graded],
    *,
    patience: float = SECONDS_TO_WAIT_FOR_DATABASE,
) -> None:
    """Enter graded submissions, all or (when this raises) none.

    Args:
        course: the course.
        assignment: its name, which is also its notebook's.
        batch: the submissions; of several by one student the last counts.
        patience: seconds to wait for another program that is writing.

    Raises:
        ConfigError: the database cannot be used, or the assignment was released with other cells.
    """
    _enter(course, assignment, {graded.student: graded for graded in batch}, patience)


def write_zero(
    course: Course,
    assignment: str,
    students: Iterable[str],
    *,
    patience: float = SECONDS_TO_WAIT_FOR_DATABASE,
) -> None:
    """Enter submissions that could not be graded, with no points; grades that a person gave stay.

    Raises:
        ConfigError: the database cannot be used; nothing was written.
    """
    _enter(course, assignment, dict.fromkeys(students), patience)


@contextmanager
def _open(
    course: Course, assignment: str, *, write: bool = False, patience: float = SECONDS_TO_WAIT_FOR_DATABASE
) -> Iterator[Connection]:
    address = CourseDirectory(config=nbgrader_config(course)).db_url
    try:
        with transaction(address, Path(ALEMBIC_DIR), write=write, patience=patience) as connection:
            yield connection
    except NoGradebook as error:
        raise _not_released(assignment) from error


def _not_released(assignment: str) -> ConfigError:
    return ConfigError(
        f"The gradebook does not know {assignment} yet. Run `autograder release {assignment}` first."
    )


def _read_released(connection: Connection, assignment: str) -> Released:
    """The assignment and its cells."""
    found = connection.execute(
        select(Assignment.id, Assignment.duedate).where(Assignment.name == assignment)
    ).one_or_none()
    if found is None:
        raise _not_released(assignment)
    names = select(Notebook.id, Notebook.name).where(Notebook.assignment_id == found.id)
    notebooks = {row.id: ReleasedNotebook(row.id, row.name) for row in connection.execute(names)}
    cells = BaseCell.__table__.c
    for row in connection.execute(
        select(cells.id, cells.name, cells.type, cells.notebook_id).where(cells.notebook_id.in_(notebooks))
    ):
        notebook = notebooks[row.notebook_id]
        if row.type != "SolutionCell":
            notebook.graded[row.name] = row.id
        if row.type != "GradeCell":
            notebook.commented[row.name] = row.id
        if row.type == "TaskCell":
            notebook.tasks.add(row.name)
    for notebook in notebooks.values():
        if notebook.name == assignment:
            return Released(found.id, found.duedate, list(notebooks.values()), notebook)
    raise _not_released(assignment)


def _read_rows(connection: Connection, released: Released, students: Sequence[str]) -> Rows:
    """What there is of these students, by the indexes that nbgrader's unique constraints have.

    Their first columns are the released notebook and the cell: a query that names only the submissions would
    read the whole table.
    """

    def read(query: Any, column: Any, values: Sequence[str]) -> list[Any]:
        starts = range(0, len(values), _STUDENTS_A_QUERY)
        parts = (query.where(column.in_(values[start : start + _STUDENTS_A_QUERY])) for start in starts)
        return [row for part in parts for row in connection.execute(part)]

    notebooks = released.notebooks
    submitted = read(
        select(
            SubmittedAssignment.id,
            SubmittedAssignment.student_id,
            SubmittedAssignment.timestamp,
            SubmittedAssignment.extension,
        ).where(SubmittedAssignment.assignment_id == released.id),
        SubmittedAssignment.student_id,
        students,
    )
    done = read(
        select(
            SubmittedNotebook.id,
            SubmittedNotebook.assignment_id,
            SubmittedNotebook.notebook_id,
            SubmittedNotebook.late_submission_penalty,
        ).where(SubmittedNotebook.notebook_id.in_([each.id for each in notebooks])),
        SubmittedNotebook.assignment_id,
        [row.id for row in submitted],
    )
    # For update: what a person enters in formgrader from here on waits until this batch is written.
    grades = read(
        select(
            Grade.id,
            Grade.notebook_id,
            Grade.cell_id,
            Grade.auto_score,
            Grade.manual_score,
            Grade.extra_credit,
            Grade.needs_manual_grade,
        )
        .where(Grade.cell_id.in_([cell for each in notebooks for cell in each.graded.values()]))
        .with_for_update(),
        Grade.notebook_id,
        [row.id for row in done],
    )
    comments = read(
        select(Comment.id, Comment.notebook_id, Comment.cell_id, Comment.auto_comment).where(
            Comment.cell_id.in_([cell for each in notebooks for cell in each.commented.values()])
        ),
        Comment.notebook_id,
        [row.id for row in done],
    )
    return Rows(
        students={row.id for row in read(select(Student.id), Student.id, students)},
        submissions={row.student_id: row for row in submitted},
        notebooks={(row.assignment_id, row.notebook_id): row for row in done},
        grades={(row.notebook_id, row.cell_id): row for row in grades},
        comments={(row.notebook_id, row.cell_id): row for row in comments},
    )


def _enter(course: Course, assignment: str, wanted: Mapping[str, Graded | None], patience: float) -> None:
    """Write a batch; None stands for a submission that could not be graded."""
    if not wanted:
        return
    for student in wanted:
        if fault := name_fault(student):
            raise ConfigError(f"The gradebook cannot hold the student {student!r}: the name {fault}.")
    late_penalty = _late_penalty(course)
    for attempt in range(1, _TRIES + 1):
        try:
            with _open(course, assignment, write=True, patience=patience) as connection:
                released = _read_released(connection, assignment)
                there = _read_rows(connection, released, list(wanted))
                _apply(connection, plan(released, there, wanted, late_penalty))
            return
        except Collision:
            if attempt == _TRIES:
                raise


def _apply(connection: Connection, changes: Changes) -> None:
    for name in _TABLES:
        table = Base.metadata.tables[name]
        if rows := changes.new.get(name):
            connection.execute(insert(table), rows)
        if rows := changes.changed.get(name):
            connection.execute(update(table).where(table.c.id == bindparam("row_id")), rows)


def _late_penalty(course: Course) -> LatePenalty:
    """The course's late submission plugin.

    Raises:
        ConfigError: it cannot be imported; from the returned function: it fails.
    """
    # nbgrader's commands find a plugin beside nbgrader_config.py in the same way.
    if str(course.root) not in sys.path:
        sys.path.append(str(course.root))
    config = nbgrader_config(course)
    try:
        assign = AssignLatePenalties(config=config)
        assign.init_plugin()
    except Exception as error:
        raise ConfigError(
            f"The late submission plugin {config.AssignLatePenalties.plugin_class} cannot be loaded: "
            f"{error.__cause__ or error}. Correct c.AssignLatePenalties.plugin_class in {NBGRADER_CONFIG}."
        ) from error
    name = f"{assign.plugin_class.__module__}.{assign.plugin_class.__qualname__}"

    def penalty(student: str, score: float, seconds: float) -> float | None:
        try:
            points = assign.plugin_inst.late_submission_penalty(student, score, seconds)
            return None if points is None else float(points)
        except Exception as error:
            raise ConfigError(
                f"The late submission plugin {name} fails for {student}: {type(error).__name__}: {error}. "
                "Nothing of this batch was written."
            ) from error

    return penalty
