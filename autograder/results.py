"""The results of a class, read from the gradebook and from what the last run noted.

They are read anew for each page, so scores that a person gave in formgrader show up without grading again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.assignment import Assignment
from autograder.bridge import GradebookEntry, read_gradebook
from autograder.config import Course
from autograder.errors import NotGradedYet
from autograder.findings import Finding, finding_from_json
from autograder.flags import Flag
from autograder.flags.pairs import Pair
from autograder.verdicts import ExerciseResult, Verdict, judge, not_graded


@dataclass(frozen=True)
class StudentResult:
    """One student's result.

    Attributes:
        graded: False when the submission could not be graded and scores 0.
        flags: what an instructor should look at; never shown to the student.
        lower_trust: names of test cells that ran in the same process as the student's code.
        seconds: how long grading took.
    """

    student: str
    score: float
    max_score: float
    exercises: dict[str, ExerciseResult]
    problems: tuple[str, ...]
    graded: bool
    flags: tuple[Flag, ...] = ()
    lower_trust: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def fraction(self) -> float:
        """Score as a part of the points that can be had."""
        return self.score / self.max_score if self.max_score else 0.0

    def count(self, verdict: Verdict) -> int:
        """How many exercises have this verdict."""
        return sum(result.verdict is verdict for result in self.exercises.values())


@dataclass(frozen=True)
class ClassResult:
    """The results of all students in one assignment, sorted by student.

    Attributes:
        sandboxed: whether all submissions were confined while they ran.
        pairs: similar submissions.
    """

    assignment: str
    students: tuple[StudentResult, ...]
    sandboxed: bool = True
    pairs: tuple[Pair, ...] = ()

    @property
    def failed(self) -> tuple[StudentResult, ...]:
        """Students whose submission could not be graded."""
        return tuple(student for student in self.students if not student.graded)

    @property
    def flagged(self) -> tuple[StudentResult, ...]:
        """Students with a flag."""
        return tuple(student for student in self.students if student.flags)

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How often each verdict was given, over all students and exercises."""
        return Counter(result.verdict for student in self.students for result in student.exercises.values())

    def to_json(self) -> dict[str, Any]:
        """The document that `autograder grade --json` prints."""
        return {
            "assignment": self.assignment,
            "sandboxed": self.sandboxed,
            "students": [
                {
                    "student": student.student,
                    "score": student.score,
                    "max_score": student.max_score,
                    "exercises": {
                        name: {
                            "score": result.score,
                            "max_score": result.max_score,
                            "verdict": str(result.verdict),
                            "misconception": result.misconception,
                            "message": result.message,
                            **_measures(result),
                        }
                        for name, result in student.exercises.items()
                    },
                    "problems": list(student.problems),
                    "flags": [flag.to_json() for flag in student.flags],
                    "lower_trust": list(student.lower_trust),
                    "seconds": student.seconds,
                }
                for student in self.students
            ],
            "similar": [pair.to_json() for pair in self.pairs],
        }


def _measures(result: ExerciseResult) -> dict[str, dict[str, float]]:
    """What was measured of an exercise, by name; nothing where nothing was."""
    return {"measures": {each.name: each.value for each in result.measures}} if result.measures else {}


def executed_notebook(course: Course, assignment: str, student: str) -> Path:
    """Path of a student's executed notebook."""
    return course.autograded / student / assignment / f"{assignment}.ipynb"


@dataclass
class Noted:
    """What a run noted about one submission, beside its scores."""

    graded: bool
    problems: list[str]
    flags: list[Flag] = field(default_factory=list)
    lower_trust: list[str] = field(default_factory=list)
    seconds: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Noted:
        """What `save_run` wrote."""
        flags = [Flag.from_json(flag) for flag in data["flags"]]
        findings = {name: finding_from_json(each) for name, each in data["findings"].items()}
        return Noted(**{**data, "flags": flags, "findings": findings})


def save_run(
    course: Course, assignment: str, noted: Mapping[str, Noted], sandboxed: bool, pairs: Sequence[Pair]
) -> None:
    """Keep what a run noted, for `collect` in a later command."""
    run = {
        "sandboxed": sandboxed,
        "students": {
            student: {
                "graded": each.graded,
                "problems": each.problems,
                "flags": [flag.to_json() for flag in each.flags],
                "lower_trust": each.lower_trust,
                "seconds": each.seconds,
                "findings": {name: finding.to_json() for name, finding in each.findings.items()},
            }
            for student, each in noted.items()
        },
        "pairs": [pair.to_json() for pair in pairs],
    }
    path = course.last_run(assignment)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(run), encoding="utf-8")
    new.replace(path)


def forget_run(course: Course, assignment: str) -> None:
    """From here on the assignment counts as not graded, until `save_run`.

    A run that is stopped leaves some submissions graded, some as they were and some half executed.
    """
    course.last_run(assignment).unlink(missing_ok=True)


def collect(course: Course, assignment: Assignment) -> ClassResult:
    """The results of the last grading run, with the scores that the gradebook has now.

    Raises:
        NotGradedYet: the assignment was never graded in this workspace.
    """
    path = course.last_run(assignment.name)
    if not path.is_file():
        raise NotGradedYet(
            f"{assignment.name} is not graded yet, or grading was stopped. "
            f"Run `autograder grade {assignment.name}` first."
        )
    run = json.loads(path.read_text(encoding="utf-8"))
    noted = {student: Noted.from_json(each) for student, each in run["students"].items()}
    entries = read_gradebook(course, assignment.name, noted)
    students = [
        _student_result(course, assignment, student, each, entries.get(student))
        for student, each in sorted(noted.items())
    ]
    pairs = tuple(Pair.from_json(pair) for pair in run["pairs"])
    return ClassResult(assignment.name, tuple(students), run["sandboxed"], pairs)


def _student_result(
    course: Course, assignment: Assignment, student: str, noted: Noted, entry: GradebookEntry | None
) -> StudentResult:
    notebook = executed_notebook(course, assignment.name, student)
    problems = list(noted.problems)
    graded = noted.graded and entry is not None and notebook.is_file()
    if graded and entry is not None:
        exercises = judge(assignment, noted.findings, entry.grades, entry.comments)
        penalty = entry.late_penalty
    else:
        exercises, penalty = not_graded(assignment), 0.0
    if penalty:
        problems.append(f"The submission was late and loses {penalty:g} points.")
    return StudentResult(
        student=student,
        score=max(0.0, sum(result.score for result in exercises.values()) - penalty),
        max_score=assignment.max_score,
        exercises=exercises,
        problems=tuple(problems),
        graded=graded,
        flags=tuple(noted.flags),
        lower_trust=tuple(noted.lower_trust),
        seconds=noted.seconds,
    )
