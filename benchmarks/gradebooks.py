"""Gradebooks and executed notebooks as plain data, to compare two runs.

nbgrader's database is read with SQL, without nbgrader and without the grader, so that a mistake there cannot
hide itself. Rows have random keys; what is compared are names and values.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GRADES = """
SELECT submitted_assignment.student_id, base_cell.name, grade.auto_score, grade.manual_score,
       grade.extra_credit, grade.needs_manual_grade, grade_cells.max_score
FROM grade
JOIN base_cell ON base_cell.id = grade.cell_id
JOIN grade_cells ON grade_cells.id = base_cell.id
JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
JOIN assignment ON assignment.id = submitted_assignment.assignment_id
WHERE assignment.name = ?
"""
COMMENTS = """
SELECT submitted_assignment.student_id, base_cell.name, comment.auto_comment, comment.manual_comment
FROM comment
JOIN base_cell ON base_cell.id = comment.cell_id
JOIN submitted_notebook ON submitted_notebook.id = comment.notebook_id
JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
JOIN assignment ON assignment.id = submitted_assignment.assignment_id
WHERE assignment.name = ?
"""
SUBMISSIONS = """
SELECT submitted_assignment.student_id, submitted_assignment.timestamp, submitted_assignment.extension,
       submitted_notebook.late_submission_penalty, submitted_notebook.flagged
FROM submitted_assignment
JOIN assignment ON assignment.id = submitted_assignment.assignment_id
LEFT JOIN submitted_notebook ON submitted_notebook.assignment_id = submitted_assignment.id
WHERE assignment.name = ?
"""

_CHANGING = ((re.compile(r"0x[0-9a-f]{6,}"), "0x…"), (re.compile(r"ipykernel_\d+/\d+\.py"), "ipykernel_…"))
"""What a right run may print differently each time: addresses of objects, names of temporary files."""


@dataclass
class Grades:
    """All that a gradebook knows of one assignment.

    Attributes:
        cells: (student, cell) → (auto, manual, extra credit, needs a manual grade, maximum).
        comments: (student, cell) → (automatic, a person's).
        submissions: student → (timestamp, extension, late penalty, flagged).
        students: students in the gradebook, also those without a submission.
        doubled: rows that are there more than once, which must not be.
    """

    cells: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)
    comments: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)
    submissions: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    students: frozenset[str] = frozenset()
    doubled: tuple[str, ...] = ()

    def scores(self) -> dict[str, float]:
        """Student → what the machine gave, over all cells."""
        total = dict.fromkeys(self.submissions, 0.0)
        for (student, _), row in self.cells.items():
            total[student] += row[0] or 0.0
        return total

    def only(self, students: Iterable[str]) -> Grades:
        """The same for some students."""
        kept = frozenset(students)
        return Grades(
            {key: row for key, row in self.cells.items() if key[0] in kept},
            {key: row for key, row in self.comments.items() if key[0] in kept},
            {key: row for key, row in self.submissions.items() if key in kept},
            self.students & kept,
            self.doubled,
        )


def read_grades(database: Path, assignment: str) -> Grades:
    """The contents of a gradebook."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60)) as connection:
        cells = connection.execute(GRADES, (assignment,)).fetchall()
        comments = connection.execute(COMMENTS, (assignment,)).fetchall()
        submissions = connection.execute(SUBMISSIONS, (assignment,)).fetchall()
        students = connection.execute("SELECT id FROM student").fetchall()
    keys = Counter(
        [f"grade of {row[0]} for {row[1]}" for row in cells]
        + [f"comment to {row[0]} for {row[1]}" for row in comments]
        + [f"submission of {row[0]}" for row in submissions]
    )
    return Grades(
        {(row[0], row[1]): tuple(row[2:]) for row in cells},
        {(row[0], row[1]): tuple(row[2:]) for row in comments},
        {row[0]: tuple(row[1:]) for row in submissions},
        frozenset(row[0] for row in students),
        tuple(key for key, count in keys.items() if count > 1),
    )


def differences(expected: Grades, got: Grades) -> list[str]:
    """Every difference between two gradebooks as a sentence; none when they say the same."""
    found = [f"{each} is there twice" for each in (*expected.doubled, *got.doubled)]
    found += _compare("the grade of", expected.cells, got.cells)
    found += _compare("the comment to", expected.comments, got.comments)
    found += _compare("the submission of", expected.submissions, got.submissions)
    if expected.students != got.students:
        found.append(f"students differ: {sorted(expected.students ^ got.students)}")
    return found


def _compare(what: str, expected: Mapping[Any, Any], got: Mapping[Any, Any]) -> list[str]:
    found = []
    for key in sorted(expected.keys() | got.keys()):
        if expected.get(key) != got.get(key):
            label = " for ".join(key) if isinstance(key, tuple) else key
            found.append(f"{what} {label}: {expected.get(key, 'missing')} and {got.get(key, 'missing')}")
    return found


def contents(notebook: Path) -> list[tuple[Any, ...]]:
    """What counts of an executed notebook: its cells, their nbgrader metadata and their outputs."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [
        (
            cell.get("id"),
            cell["cell_type"],
            "".join(cell["source"]),
            json.dumps(cell["metadata"].get("nbgrader"), sort_keys=True),
            _settled(json.dumps(cell.get("outputs"), sort_keys=True)),
        )
        for cell in cells
    ]


def _settled(text: str) -> str:
    for pattern, replacement in _CHANGING:
        text = pattern.sub(replacement, text)
    return text


def notebook_differences(expected: Path, got: Path) -> list[str]:
    """Where two executed notebooks differ, as sentences."""
    if not expected.is_file() or not got.is_file():
        missing = [str(path.name) for path in (expected, got) if not path.is_file()]
        return [f"{' and '.join(missing)} is missing"] if expected.is_file() != got.is_file() else []
    first, second = contents(expected), contents(got)
    if len(first) != len(second):
        return [f"{len(first)} cells and {len(second)} cells"]
    parts = ("id", "type", "source", "metadata", "outputs")
    return [
        f"cell {a[0]} differs in {', '.join(n for n, x, y in zip(parts, a, b, strict=True) if x != y)}"
        for a, b in zip(first, second, strict=True)
        if a != b
    ]
