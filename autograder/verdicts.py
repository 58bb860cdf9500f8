"""From an executed notebook and its grades to a verdict and the likely mistake, exercise by exercise.

A course's checks report what they found (see `reports`); ordinary asserts work as well, they only have less
to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from nbformat import NotebookNode

from autograder.assignment import Assignment, Exercise
from autograder.bridge import Grade, is_unchanged
from autograder.hidden import redact
from autograder.notebooks import grade_id, one_line
from autograder.reports import CheckReport, check_reports

_TIMEOUT = "CellTimeoutError"
_TIMED_OUT_MESSAGE = "The cell ran into the time limit and was stopped; is there a loop that never ends?"
_HIDDEN_MESSAGE = "A hidden test failed: it uses other inputs than the test that you can see."
_CELL_FILE = re.compile(r"\(\d+\.py, (line \d+)\)")
_ASSERTIONS = frozenset({"AssertionError", "CheckFailed"})


class Verdict(StrEnum):
    """What became of one exercise."""

    RIGHT = "right"
    PARTLY = "partly"
    WRONG = "wrong"
    NOT_ATTEMPTED = "not attempted"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    AWAITING = "awaiting manual grading"
    NOT_GRADED = "not graded"


@dataclass(frozen=True)
class ExerciseResult:
    """One exercise of one student.

    Attributes:
        name: the exercise.
        score: points, also those that a person gave.
        max_score: points that can be had.
        verdict: what became of it.
        misconception: short name of the recognised mistake.
        message: what went wrong, for the instructor.
        told: the same for the student, without what would give a hidden test away.
        section: where to read again.
        comment: what a person wrote in formgrader.
    """

    name: str
    score: float
    max_score: float
    verdict: Verdict
    misconception: str | None = None
    message: str = ""
    told: str = ""
    section: str | None = None
    comment: str = ""


@dataclass(frozen=True)
class _Error:
    """An error among a cell's outputs."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}: {self.value}" if self.value else self.name


def judge(
    assignment: Assignment, notebook: NotebookNode, grades: Mapping[str, Grade], comments: Mapping[str, str]
) -> dict[str, ExerciseResult]:
    """The results of an executed submission, by exercise."""
    cells = {name: cell for cell in notebook.cells if (name := grade_id(cell))}
    return {exercise.name: _judge_one(exercise, cells, grades, comments) for exercise in assignment.exercises}


def not_graded(assignment: Assignment) -> dict[str, ExerciseResult]:
    """The results of a submission that could not be graded: nothing, everywhere."""
    return {
        exercise.name: ExerciseResult(exercise.name, 0.0, exercise.max_score, Verdict.NOT_GRADED)
        for exercise in assignment.exercises
    }


def _judge_one(
    exercise: Exercise,
    cells: Mapping[str, NotebookNode],
    grades: Mapping[str, Grade],
    comments: Mapping[str, str],
) -> ExerciseResult:
    own = [grades[name] for name in exercise.points if name in grades]
    score = sum(grade.score for grade in own)
    solution = [cells[exercise.name]] if exercise.name in cells else []
    tests = [cells[name] for name in exercise.points if name in cells and name != exercise.name]
    untouched = all(is_unchanged(cell) for cell in solution)
    report = _telling_report(tests)
    if exercise.manual:
        verdict = _manual_verdict(exercise, own, score, untouched)
    else:
        verdict = _verdict(exercise, score, untouched, solution, tests)
    explained = (
        verdict in (Verdict.PARTLY, Verdict.WRONG, Verdict.CRASHED, Verdict.TIMED_OUT) and not exercise.manual
    )
    return ExerciseResult(
        name=exercise.name,
        score=score,
        max_score=exercise.max_score,
        verdict=verdict,
        misconception=report.misconception if report and explained else None,
        message=_explain(solution, tests) if explained else "",
        told=(_explain(solution, [redact(cell) for cell in tests]) or _HIDDEN_MESSAGE) if explained else "",
        section=(report.section if report else None) or exercise.section or None,
        comment="\n".join(
            comments[name] for name in {exercise.name: 0, **exercise.points} if name in comments
        ),
    )


def _verdict(
    exercise: Exercise, score: float, untouched: bool, solution: list[NotebookNode], tests: list[NotebookNode]
) -> Verdict:
    """The verdict on an exercise that tests score."""
    if score >= exercise.max_score:
        return Verdict.RIGHT
    if score > 0:
        return Verdict.PARTLY
    errors = list(_errors([*solution, *tests]))
    report = _telling_report(tests)
    if any(error.name == _TIMEOUT for error in errors) or (report and report.symptom == "timeout"):
        return Verdict.TIMED_OUT
    if untouched:
        return Verdict.NOT_ATTEMPTED
    if report is None and errors and errors[0].name not in _ASSERTIONS:
        return Verdict.CRASHED
    return Verdict.WRONG


def _explain(solution: list[NotebookNode], tests: list[NotebookNode]) -> str:
    """What went wrong, in a sentence: the check's own words, otherwise the first error."""
    errors = list(_errors([*solution, *tests]))
    if any(error.name == _TIMEOUT for error in errors):
        return _TIMED_OUT_MESSAGE
    report = _telling_report(tests)
    if report:
        return report.message
    return str(errors[0]) if errors else _wrote_to_stderr(tests)


def _manual_verdict(exercise: Exercise, own: list[Grade], score: float, untouched: bool) -> Verdict:
    if all(grade.manual is None for grade in own):
        return Verdict.NOT_ATTEMPTED if untouched else Verdict.AWAITING
    if score >= exercise.max_score:
        return Verdict.RIGHT
    return Verdict.PARTLY if score > 0 else Verdict.WRONG


def _telling_report(tests: list[NotebookNode]) -> CheckReport | None:
    """The failed check that says most: one that recognised the mistake before one that only has a message."""
    failed = [report for cell in tests for report in check_reports(cell) if not report.passed]
    return next((report for report in failed if report.misconception), failed[0] if failed else None)


def _errors(cells: list[NotebookNode]) -> Iterator[_Error]:
    """The errors among the outputs of cells."""
    for cell in cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                value = _CELL_FILE.sub(r"(\1)", one_line(output.get("evalue", "")))
                yield _Error(one_line(output.get("ename", ""), 80), value)


def _wrote_to_stderr(tests: list[NotebookNode]) -> str:
    """Why a test without an error scores 0: nbgrader counts any text on stderr as a failure."""
    for cell in tests:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                return f"A test wrote a warning, which counts as a failure: {one_line(output.text, 200)}"
    return ""
