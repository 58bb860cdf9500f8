"""What an executed notebook shows of each exercise, whatever points it gets: the likely mistake, in words.

A course's checks report what they found (see `reports`); ordinary asserts work as well, they only have less
to say.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from nbformat import NotebookNode

from autograder.assignment import Exercise
from autograder.hidden import redact
from autograder.notebooks import grade_id, one_line
from autograder.reports import CheckReport, Measure, check_reports, measures_from

DELEGATED = "Delegated"
"""Name of the error that takes an exercise's points when the work was left to a library."""
TIMEOUTS = frozenset({"CellTimeoutError", "NotebookTimeout"})
_TIMED_OUT_MESSAGE = "The cell ran into the time limit and was stopped; is there a loop that never ends?"
_HIDDEN_MESSAGE = "A hidden test failed: it uses other inputs than the test that you can see."
_CELL_FILE = re.compile(r"\((?:\d+\.py|<ipython-input-[^>]*>), (line \d+)\)")
_ASSERTIONS = frozenset({"AssertionError", "CheckFailed"})


class Ending(StrEnum):
    """How the tests of an exercise ended."""

    PLAIN = "plain"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    DELEGATED = "delegated"


@dataclass(frozen=True)
class Finding:
    """What the executed cells of one exercise show.

    Attributes:
        untouched: the student's cells are as they were released.
        ending: how its tests ended.
        misconception: short name of the recognised mistake.
        message: what went wrong, for the instructor; empty when nothing did.
        told: the same for the student, without what would give a hidden test away.
        section: where to read again.
        measures: what a check measured of it, for a leaderboard.
    """

    untouched: bool
    ending: Ending = Ending.PLAIN
    misconception: str | None = None
    message: str = ""
    told: str = ""
    section: str | None = None
    measures: tuple[Measure, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For `finding_from_json`."""
        return asdict(self)


@dataclass(frozen=True)
class _Error:
    """An error among a cell's outputs."""

    name: str
    value: str

    def __str__(self) -> str:
        if self.name == "MemoryError" and not self.value:
            return "MemoryError: it asked for more memory than a submission may have."
        return f"{self.name}: {self.value}" if self.value else self.name


def finding_from_json(data: dict[str, Any]) -> Finding:
    """A finding from its fields, as JSON has them."""
    measures = measures_from(data.get("measures", []))
    return Finding(**{**data, "ending": Ending(data["ending"]), "measures": measures})


def find(
    exercises: Sequence[Exercise], notebook: NotebookNode, unchanged: Collection[str]
) -> dict[str, Finding]:
    """The findings of an executed notebook, by exercise.

    Args:
        exercises: of the assignment.
        notebook: executed.
        unchanged: ``grade_id`` of the cells that are as they were released.
    """
    cells = {name: cell for cell in notebook.cells if (name := grade_id(cell))}
    return {exercise.name: _find(exercise, cells, exercise.name in unchanged) for exercise in exercises}


def _find(exercise: Exercise, cells: Mapping[str, NotebookNode], untouched: bool) -> Finding:
    if exercise.manual:
        return Finding(untouched, section=exercise.section or None)
    solution = [cells[exercise.name]] if exercise.name in cells else []
    tests = [cells[name] for name in exercise.points if name in cells and name != exercise.name]
    report, errors = _telling_report(tests), list(_errors([*solution, *tests]))
    message = _explain(report, errors, tests)
    return Finding(
        untouched=untouched,
        ending=_ending(report, errors),
        misconception=report.misconception if report else None,
        message=message,
        told=message and _explain_without_hidden(solution, tests),
        section=(report.section if report else None) or exercise.section or None,
        measures=_measures(tests),
    )


def _ending(report: CheckReport | None, errors: list[_Error]) -> Ending:
    names = {error.name for error in errors}
    if DELEGATED in names:
        return Ending.DELEGATED
    if names & TIMEOUTS or (report and report.symptom == "timeout"):
        return Ending.TIMED_OUT
    if report is None and errors and errors[0].name not in _ASSERTIONS:
        return Ending.CRASHED
    return Ending.PLAIN


def _explain_without_hidden(solution: list[NotebookNode], tests: list[NotebookNode]) -> str:
    """What a student may read of it."""
    seen = [redact(cell) for cell in tests]
    return _explain(_telling_report(seen), list(_errors([*solution, *seen])), seen) or _HIDDEN_MESSAGE


def _explain(report: CheckReport | None, errors: list[_Error], tests: list[NotebookNode]) -> str:
    """What went wrong, in a sentence: the check's own words, otherwise the first error."""
    for error in errors:
        if error.name == DELEGATED:
            return error.value
        if error.name in TIMEOUTS:
            return error.value or _TIMED_OUT_MESSAGE
    if report:
        return report.message
    return str(errors[0]) if errors else _wrote_to_stderr(tests)


def _telling_report(tests: list[NotebookNode]) -> CheckReport | None:
    """The failed check that says most: one that recognised the mistake before one that only has a message."""
    failed = [report for cell in tests for report in check_reports(cell) if not report.passed]
    return next((report for report in failed if report.misconception), failed[0] if failed else None)


def _measures(tests: list[NotebookNode]) -> tuple[Measure, ...]:
    """What was measured last, by a hidden check if there was one: the visible ones are for practice."""
    reports = [report for cell in tests for report in check_reports(cell) if report.measures]
    hidden = [report for report in reports if report.hidden]
    return (hidden or reports)[-1].measures if reports else ()


def _errors(cells: list[NotebookNode]) -> Iterator[_Error]:
    """The errors among the outputs of cells."""
    for cell in cells:
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                value = _CELL_FILE.sub(r"(\1)", one_line(output.get("evalue", "")))
                yield _Error(one_line(output.get("ename", ""), 80), value)


def _wrote_to_stderr(tests: list[NotebookNode]) -> str:
    """Why a test without an error scores 0: nbgrader counts any text on stderr as a failure."""
    for cell in tests:
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream" and output["name"] == "stderr":
                return f"A test wrote a warning, which counts as a failure: {one_line(output['text'], 200)}"
    return ""
