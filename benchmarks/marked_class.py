"""A small class with everything that a gradebook can hold: scores of a person, comments, late submissions.

Some students were graded before; a person read their answers, and half of them handed in again. What grading
must keep, change and leave alone is all there, so two gradebooks of this class are worth comparing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.classes import LESSON, Member, fill
from benchmarks.sites import BenchmarkError, Site, new_site

GRADED_BEFORE = 4
LATE = '\nc.LateSubmissionPlugin.penalty_method = "zero"\n'
DUE = "2026-01-15 12:00:00.000000"
IN_TIME, TOO_LATE = "2026-01-14 08:00:00 UTC", "2026-01-16 08:00:00 UTC"
WRITTEN_ANSWER = "internal_covariate_shift"

ROWS = """
UPDATE {table} SET {change} WHERE id IN (
    SELECT {table}.id FROM {table}
    JOIN base_cell ON base_cell.id = {table}.cell_id
    JOIN submitted_notebook ON submitted_notebook.id = {table}.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    WHERE base_cell.name = ? AND submitted_assignment.student_id = ?)
"""
GRADE = ROWS.format(table="grade", change="manual_score = ?, needs_manual_grade = 0")
COMMENT = ROWS.format(table="comment", change="manual_comment = ?")


def prepare(folder: Path, count: int, grade: Callable[[Site], int]) -> Site:
    """A site with a class, part of it graded before and read by a person.

    Args:
        folder: of the site; made here.
        count: how many students.
        grade: grades a site and returns the exit code.
    """
    site = new_site(folder)
    with (site.root / "nbgrader_config.py").open("a") as config:
        config.write(LATE)
    members = fill(site.lesson(), site.submitted, count, seed=3)
    early = [member.name for member in members[:GRADED_BEFORE]]
    later = site.root / "later"
    later.mkdir()
    for member in members[GRADED_BEFORE:]:
        (site.submitted / member.name).rename(later / member.name)
    if code := grade(site):
        raise BenchmarkError(f"the first grading ended with {code}: {site.root / 'grade.log'}")
    _read_by_a_person(site, early)
    for name in early[: GRADED_BEFORE // 2]:
        _hand_in_again(site, name)
    for folder in later.iterdir():
        folder.rename(site.submitted / folder.name)
    later.rmdir()
    _timestamps(site, members)
    return site


def _read_by_a_person(site: Site, students: Sequence[str]) -> None:
    """Scores and comments as formgrader writes them, and a due date."""
    with closing(sqlite3.connect(site.gradebook)) as connection:
        for points, student in enumerate(students, start=1):
            connection.execute(GRADE, (points, WRITTEN_ANSWER, student))
            connection.execute(COMMENT, (f"Well seen, {student}.", WRITTEN_ANSWER, student))
        connection.execute("UPDATE assignment SET duedate = ?", (DUE,))
        connection.commit()


def _hand_in_again(site: Site, student: str) -> None:
    """The same notebook with one more remark in the written answer."""
    path = site.submitted / student / LESSON / f"{LESSON}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == WRITTEN_ANSWER:
            cell["source"] = [*cell["source"], "\n\nOne more thought."]
    path.write_text(json.dumps(notebook), encoding="utf-8")


def _timestamps(site: Site, members: Sequence[Member]) -> None:
    """Two of three say when they handed in, half of those too late."""
    for number, member in enumerate(members):
        if number % 3:
            text = IN_TIME if number % 3 == 1 else TOO_LATE
            (site.submitted / member.name / LESSON / "timestamp.txt").write_text(text)
