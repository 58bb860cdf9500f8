"""Put outcomes where they belong, in an order that a kill at any moment cannot spoil.

For each submission: first the executed notebook in ``autograded/``, then the record of the result, last, in
batches, the scores in the gradebook. The next run takes a record only together with its notebook, and writes
to the gradebook again whatever it takes; a score that is there already is not touched. That a student handed
in other work shows only until its notebook is written: it is noted before, and forgotten after the scores.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from datetime import datetime
from typing import Any

from autograder.assignment import Assignment
from autograder.config import Course
from autograder.gradebook import CellGrade, Graded, write, write_zero
from autograder.identity import conditions_key, submission_key, test_keys
from autograder.notebooks import grade_id, parse_notebook
from autograder.rules import name_fault
from autograder.store import Store, key, recover, write_folder_atomically
from autograder.task import KnownTest, Outcome, Task, Terms

BATCH = 50
SECONDS = 2.0
"""Scores wait in memory until there are this many, or for this long."""


class Recorder:
    """Keeps the results of one assignment."""

    def __init__(self, course: Course, assignment: Assignment, terms: Terms) -> None:
        self._course = course
        self._name = assignment.name
        self._terms = terms
        self._conditions = conditions_key(terms)
        self._tests = test_keys(terms)
        self._store = Store(course.workspace / ".results" / assignment.name)
        self._store.sweep()
        self._keys: dict[str, str] = {}
        self._batch: list[Graded] = []
        self._refused: list[str] = []
        self._written = time.monotonic()
        self._timestamps: dict[str, datetime | None] = {}
        self._files: dict[str, dict[str, bytes]] = {}

    def look_up(self, task: Task, timestamp: datetime | None) -> tuple[Outcome | None, dict[str, KnownTest]]:
        """What an earlier run found out about a submission.

        Returns:
            The whole outcome when nothing has changed, otherwise None and the tests that are still good.
        """
        recover(self._folder(task.student).parent)
        name = self._keys[task.student] = submission_key(self._conditions, task)
        self._timestamps[task.student] = timestamp
        record = self._store.get(name)
        notebook = self._notebook(task.student)
        if record is None or notebook is None or _digest(notebook) != record.get("notebook"):
            self._files[task.student] = task.files
            return None, {}
        outcome = Outcome.from_record(record["outcome"])
        if record["tests"] == self._tests:
            return outcome, {}
        self._files[task.student] = task.files
        return None, self._good_tests(outcome, record["tests"], notebook)

    def keep(self, outcome: Outcome) -> None:
        """Keep a new outcome: its notebook, its record, its scores."""
        student = outcome.student
        if outcome.refused:
            self.refuse(student)
            return
        notebook = outcome.notebook.encode()
        files = {name: data for name, data in self._files.pop(student, {}).items()} | self._terms.own_files
        files[f"{self._name}.ipynb"] = notebook
        if self._is_other_work(student, notebook):
            self._store.put(_other_work(student), {})
        write_folder_atomically(self._folder(student), files)
        record: dict[str, Any] = {
            "outcome": outcome.to_record(),
            "tests": self._tests,
            "notebook": _digest(notebook),
        }
        self._store.put(self._keys[student], record)
        self.enter(outcome)

    def enter(self, outcome: Outcome) -> None:
        """Enter the scores of an outcome into the gradebook, soon."""
        resubmitted = self._store.get(_other_work(outcome.student)) is not None
        cells = tuple(CellGrade(name, cell.score, cell.unchanged) for name, cell in outcome.cells.items())
        timestamp = self._timestamps.pop(outcome.student, None)
        self._batch.append(Graded(outcome.student, timestamp, cells, resubmitted))
        if len(self._batch) >= BATCH or time.monotonic() - self._written > SECONDS:
            self.flush()

    def refuse(self, student: str) -> None:
        """A submission that could not be graded: no executed notebook, no points."""
        self._files.pop(student, None)
        shutil.rmtree(self._folder(student), ignore_errors=True)
        if not name_fault(student):
            self._refused.append(student)

    def flush(self) -> None:
        """Write the scores that wait."""
        batch, self._batch = self._batch, []
        refused, self._refused = self._refused, []
        if batch:
            write(self._course, self._name, batch)
            for graded in batch:
                if graded.resubmitted:
                    self._store.remove(_other_work(graded.student))
        if refused:
            write_zero(self._course, self._name, refused)
        self._written = time.monotonic()

    def _folder(self, student: str) -> Any:
        return self._course.autograded / student / self._name

    def _notebook(self, student: str) -> bytes | None:
        try:
            content: bytes = (self._folder(student) / f"{self._name}.ipynb").read_bytes()
        except OSError:
            return None
        return content

    def _is_other_work(self, student: str, notebook: bytes) -> bool:
        """Whether the student's own cells are others than those that were graded before."""
        before = self._notebook(student)
        return before is not None and _own_cells(before) != _own_cells(notebook)

    def _good_tests(
        self, outcome: Outcome, judged_by: dict[str, str], notebook: bytes
    ) -> dict[str, KnownTest]:
        """The tests of an earlier outcome that have not changed since."""
        outputs = {
            grade_id(cell): cell.get("outputs", []) for cell in parse_notebook(notebook.decode()).cells
        }
        return {
            name: KnownTest(outputs.get(name, []), cell.judged, cell.trust, cell.delegation)
            for name, cell in outcome.cells.items()
            if cell.judged is not None and name in self._tests and judged_by.get(name) == self._tests[name]
        }


def _own_cells(notebook: bytes) -> dict[str | None, str]:
    """What the student wrote in the cells that are theirs to write."""
    try:
        cells = json.loads(notebook)["cells"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {
        facts["grade_id"]: cell["source"]
        for cell in cells
        if (facts := cell["metadata"].get("nbgrader", {})).get("solution")
    }


def _other_work(student: str) -> str:
    """Name of the record that a student's work is not the work that is in the gradebook."""
    return key("other work", student)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
