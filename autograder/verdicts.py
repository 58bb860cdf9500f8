"""From findings and grades to a verdict on each exercise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from autograder.assignment import Assignment, Exercise
from autograder.bridge import Grade
from autograder.findings import Ending, Finding
from autograder.reports import Measure


class Verdict(StrEnum):
    """What became of one exercise."""

    RIGHT = "right"
    PARTLY = "partly"
    WRONG = "wrong"
    NOT_ATTEMPTED = "not attempted"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    DELEGATED = "not own work"
    AWAITING = "awaiting manual grading"
    NOT_GRADED = "not graded"


_OF_ENDING = {
    Ending.DELEGATED: Verdict.DELEGATED,
    Ending.TIMED_OUT: Verdict.TIMED_OUT,
    Ending.CRASHED: Verdict.CRASHED,
    Ending.PLAIN: Verdict.WRONG,
}
_EXPLAINED = frozenset({Verdict.PARTLY, *_OF_ENDING.values()})


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
        measures: numbers for a leaderboard.
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
    measures: tuple[Measure, ...] = ()


def judge(
    assignment: Assignment,
    findings: Mapping[str, Finding],
    grades: Mapping[str, Grade],
    comments: Mapping[str, str],
) -> dict[str, ExerciseResult]:
    """The results of a submission, by exercise."""
    return {
        exercise.name: _judge_one(exercise, findings[exercise.name], grades, comments)
        for exercise in assignment.exercises
        if exercise.name in findings
    }


def not_graded(assignment: Assignment) -> dict[str, ExerciseResult]:
    """The results of a submission that could not be graded: nothing, everywhere."""
    return {
        exercise.name: ExerciseResult(exercise.name, 0.0, exercise.max_score, Verdict.NOT_GRADED)
        for exercise in assignment.exercises
    }


def _judge_one(
    exercise: Exercise, finding: Finding, grades: Mapping[str, Grade], comments: Mapping[str, str]
) -> ExerciseResult:
    own = [grades[name] for name in exercise.points if name in grades]
    score = sum(grade.score for grade in own)
    if exercise.manual:
        verdict = _manual_verdict(exercise, own, score, finding.untouched)
    else:
        verdict = _verdict(exercise, score, finding)
    explained = verdict in _EXPLAINED and not exercise.manual
    return ExerciseResult(
        name=exercise.name,
        score=score,
        max_score=exercise.max_score,
        verdict=verdict,
        misconception=finding.misconception if explained else None,
        message=finding.message if explained else "",
        told=finding.told if explained else "",
        section=finding.section,
        measures=finding.measures,
        comment="\n".join(
            comments[name] for name in {exercise.name: 0, **exercise.points} if name in comments
        ),
    )


def _verdict(exercise: Exercise, score: float, finding: Finding) -> Verdict:
    """The verdict on an exercise that tests score."""
    if score >= exercise.max_score:
        return Verdict.RIGHT
    if score > 0:
        return Verdict.PARTLY
    if finding.untouched and finding.ending in (Ending.CRASHED, Ending.PLAIN):
        return Verdict.NOT_ATTEMPTED
    return _OF_ENDING[finding.ending]


def _manual_verdict(exercise: Exercise, own: list[Grade], score: float, untouched: bool) -> Verdict:
    if all(grade.manual is None for grade in own):
        return Verdict.NOT_ATTEMPTED if untouched else Verdict.AWAITING
    if score >= exercise.max_score:
        return Verdict.RIGHT
    return Verdict.PARTLY if score > 0 else Verdict.WRONG
