"""nbgrader's rules for what a graded submission changes in the gradebook, on plain rows.

`SaveAutoGrades`: the score of each test, whether a person has to look, and "No response." where nothing was
written. `AssignLatePenalties`: the points that a late notebook loses, at most all of them. What a person
entered (manual scores, extra credit, comments, flags, extensions) is never changed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from time import time_ns
from typing import Any
from uuid import uuid4

from autograder.errors import ConfigError

MOST_LETTERS = 128
"""Of a student's id in nbgrader's tables. SQLite takes longer ones, PostgreSQL does not."""


@dataclass(frozen=True)
class CellGrade:
    """What grading found out about one nbgrader cell.

    Attributes:
        name: its grade_id.
        auto_score: points; None where a person has to give them. Solution cells that are not graded
            themselves have None.
        unchanged: whether it is still as it was released.
    """

    name: str
    auto_score: float | None
    unchanged: bool

    def __post_init__(self) -> None:
        if self.auto_score is not None and not math.isfinite(self.auto_score):
            raise ValueError(f"{self.name}: a score of {self.auto_score} cannot be entered")


@dataclass(frozen=True)
class Graded:
    """One submission that was graded.

    Attributes:
        student: the student's id.
        timestamp: when it was handed in, in UTC where it has no time zone; None keeps what is known.
        cells: those of the assignment's notebook.
        resubmitted: whether this is other work than was graded before, so that a person has to look again at
            all that they graded. Another timestamp says so as well.
    """

    student: str
    timestamp: datetime | None
    cells: tuple[CellGrade, ...]
    resubmitted: bool = False


@dataclass
class ReleasedNotebook:
    """A notebook of an assignment; the ids of its cells by name. A task cell has a grade and a comment."""

    id: str
    name: str
    graded: dict[str, str] = field(default_factory=dict)
    commented: dict[str, str] = field(default_factory=dict)
    tasks: set[str] = field(default_factory=set)


@dataclass
class Released:
    """An assignment as the gradebook knows it; `graded` is the notebook that has its name."""

    id: str
    duedate: datetime | None
    notebooks: list[ReleasedNotebook]
    graded: ReleasedNotebook


@dataclass
class Rows:
    """What the database has of a batch.

    Submissions by student, notebooks by (submission, released notebook), grades and comments by (notebook,
    cell).
    """

    students: set[str]
    submissions: dict[str, Any]
    notebooks: dict[tuple[str, str], Any]
    grades: dict[tuple[str, str], Any]
    comments: dict[tuple[str, str], Any]


@dataclass
class Changes:
    """Rows to add and rows to change (named by `row_id`), by table, each table's with the same columns."""

    new: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    changed: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))


LatePenalty = Callable[[str, float, float], float | None]
"""The points that a late notebook loses, from student, score and seconds late."""


def plan(
    released: Released, there: Rows, wanted: Mapping[str, Graded | None], late_penalty: LatePenalty
) -> Changes:
    """What a batch changes.

    Args:
        released: the assignment.
        there: the rows that there are.
        wanted: the submissions by student; None for one that could not be graded and has no points.
        late_penalty: the course's rule.

    Raises:
        ConfigError: a cell is not part of the assignment.
    """
    planner = _Planner(released, there, late_penalty)
    for student, graded in wanted.items():
        planner.submission(student, graded)
    return planner.changes


def name_fault(student: str) -> str:
    """Why the gradebook cannot hold a student of this name, or nothing."""
    try:
        student.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    return f"has more than {MOST_LETTERS} letters" if len(student) > MOST_LETTERS else ""


class _Planner:
    def __init__(self, released: Released, there: Rows, late_penalty: LatePenalty) -> None:
        self.released = released
        self.there = there
        self.late_penalty = late_penalty
        self.changes = Changes()

    def submission(self, student: str, graded: Graded | None) -> None:
        if student not in self.there.students:
            self._add("student", id=student)
        timestamp = None if graded is None else _naive(graded.timestamp)
        again = graded is not None and graded.resubmitted
        row = self.there.submissions.get(student)
        if row is None:
            submission_id, extension = _new_id(), None
            self._add(
                "submitted_assignment",
                id=submission_id,
                assignment_id=self.released.id,
                student_id=student,
                timestamp=timestamp,
            )
        else:
            submission_id, extension = row.id, row.extension
            if timestamp is None:
                timestamp = row.timestamp
            elif timestamp != row.timestamp:
                again = True
                self._change("submitted_assignment", row, timestamp=timestamp)
        late = _seconds_late(timestamp, self.released.duedate, extension)
        for notebook in self.released.notebooks:
            self._notebook(student, submission_id, notebook, graded, late, again)

    def _notebook(
        self,
        student: str,
        submission_id: str,
        notebook: ReleasedNotebook,
        graded: Graded | None,
        late: float,
        again: bool,
    ) -> None:
        row = self.there.notebooks.get((submission_id, notebook.id))
        notebook_id = _new_id() if row is None else row.id
        is_graded = graded is not None and notebook is self.released.graded
        cells = _cells(graded, notebook) if graded is not None and is_graded else {}
        # Another notebook of the assignment starts with no points, as where nbgrader finds no file.
        zero = graded is None or (row is None and not is_graded)
        score = self._grades(notebook, notebook_id, cells, again, zero)
        self._comments(notebook, notebook_id, cells)
        penalty = old = None if row is None else row.late_submission_penalty
        if graded is None or is_graded:
            asked = self.late_penalty(student, score, late) if late > 0 else None
            penalty = None if asked is None else min(max(asked, 0.0), score)
        if row is None:
            self._add(
                "submitted_notebook",
                id=notebook_id,
                assignment_id=submission_id,
                notebook_id=notebook.id,
                flagged=False,
                late_submission_penalty=penalty,
            )
        elif penalty != old:
            self._change("submitted_notebook", row, late_submission_penalty=penalty)

    def _grades(
        self,
        notebook: ReleasedNotebook,
        notebook_id: str,
        cells: Mapping[str, CellGrade],
        again: bool,
        zero: bool,
    ) -> float:
        """Plan a notebook's grades; return its score, in which a person's counts before the tests'."""
        total = 0.0
        for name, cell_id in notebook.graded.items():
            row = self.there.grades.get((notebook_id, cell_id))
            auto, needs = (None, True) if row is None else (row.auto_score, bool(row.needs_manual_grade))
            manual, extra = (None, None) if row is None else (row.manual_score, row.extra_credit)
            old = auto, needs
            if zero:
                auto, needs = 0.0, False
            elif name in cells:
                auto = None if name in notebook.tasks else cells[name].auto_score
                if again or auto != old[0]:
                    needs = manual is not None or auto is None
            new = {"auto_score": auto, "needs_manual_grade": needs}
            if row is None:
                self._add("grade", id=_next_id(), notebook_id=notebook_id, cell_id=cell_id, **new)
            elif (auto, needs) != old:
                self._change("grade", row, **new)
            score = auto if manual is None else manual
            total += 0.0 if score is None else score + (extra or 0.0)
        return total

    def _comments(self, notebook: ReleasedNotebook, notebook_id: str, cells: Mapping[str, CellGrade]) -> None:
        for name, cell_id in notebook.commented.items():
            row = self.there.comments.get((notebook_id, cell_id))
            comment = old = None if row is None else row.auto_comment
            if name in cells:
                no_response = cells[name].unchanged and name not in notebook.tasks
                comment = "No response." if no_response else None
            if row is None:
                self._add(
                    "comment", id=_next_id(), notebook_id=notebook_id, cell_id=cell_id, auto_comment=comment
                )
            elif comment != old:
                self._change("comment", row, auto_comment=comment)

    def _add(self, table: str, **values: Any) -> None:
        self.changes.new[table].append(values)

    def _change(self, table: str, row: Any, **values: Any) -> None:
        self.changes.changed[table].append({"row_id": row.id, **values})


def _cells(graded: Graded, notebook: ReleasedNotebook) -> dict[str, CellGrade]:
    cells = {cell.name: cell for cell in graded.cells}
    if unknown := cells.keys() - notebook.graded.keys() - notebook.commented.keys():
        raise ConfigError(
            f"The gradebook does not know the cell {min(unknown)} of {notebook.name}. "
            f"Run `autograder release {notebook.name}` again."
        )
    return cells


def _new_id() -> str:
    """An id like nbgrader's. Formgrader sorts anonymous submissions by it, so it must tell nothing."""
    return uuid4().hex


def _next_id() -> str:
    """An id that grows with time, for the many rows that nobody sorts by it.

    Random ones lie all over the index of a large table, and each row of a batch would write another page.
    """
    return f"{time_ns():016x}{token_hex(8)}"


def _naive(time: datetime | None) -> datetime | None:
    """The time in UTC without saying so, as nbgrader has it."""
    return time.astimezone(UTC).replace(tzinfo=None) if time is not None and time.tzinfo else time


def _seconds_late(timestamp: datetime | None, duedate: datetime | None, extension: timedelta | None) -> float:
    if timestamp is None or duedate is None:
        return 0.0
    return max(0.0, (timestamp - duedate - (extension or timedelta(0))).total_seconds())
