"""The results of a class, read from the gradebook, the executed notebooks and the problems that grading
noted.

They are read anew for each page, so scores that a person gave in formgrader show up without grading again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.assignment import Assignment
from autograder.bridge import GradebookEntry, read_gradebook
from autograder.config import Course
from autograder.errors import NotGradedYet
from autograder.intake import Submission
from autograder.notebooks import read_notebook
from autograder.verdicts import ExerciseResult, Verdict, judge, not_graded


@dataclass(frozen=True)
class StudentResult:
    """One student's result; `graded` is False when the submission could not be graded and scores 0."""

    student: str
    score: float
    max_score: float
    exercises: dict[str, ExerciseResult]
    problems: tuple[str, ...]
    graded: bool

    @property
    def fraction(self) -> float:
        """Score as a part of the points that can be had."""
        return self.score / self.max_score if self.max_score else 0.0

    def count(self, verdict: Verdict) -> int:
        """How many exercises have this verdict."""
        return sum(result.verdict is verdict for result in self.exercises.values())


@dataclass(frozen=True)
class ClassResult:
    """The results of all students in one assignment, sorted by student."""

    assignment: str
    students: tuple[StudentResult, ...]

    @property
    def failed(self) -> tuple[StudentResult, ...]:
        """Students whose submission could not be graded."""
        return tuple(student for student in self.students if not student.graded)

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How often each verdict was given, over all students and exercises."""
        return Counter(result.verdict for student in self.students for result in student.exercises.values())

    def to_json(self) -> dict[str, Any]:
        """The document that `autograder grade --json` prints."""
        return {
            "assignment": self.assignment,
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
                        }
                        for name, result in student.exercises.items()
                    },
                    "problems": list(student.problems),
                }
                for student in self.students
            ],
        }


def executed_notebook(course: Course, assignment: str, student: str) -> Path:
    """Path of a student's executed notebook."""
    return course.autograded / student / assignment / f"{assignment}.ipynb"


def save_problems(course: Course, assignment: str, submissions: Iterable[Submission]) -> None:
    """Keep what intake and engine noted, for `collect` in a later command."""
    noted = {each.student: {"graded": each.gradable, "problems": each.problems} for each in submissions}
    path = _problems_file(course, assignment)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(noted, indent=1, ensure_ascii=False), encoding="utf-8")
    new.replace(path)


def forget_problems(course: Course, assignment: str) -> None:
    """From here on the assignment counts as not graded, until `save_problems`.

    A run that is stopped leaves some submissions graded, some as they were and some half executed.
    """
    _problems_file(course, assignment).unlink(missing_ok=True)


def collect(course: Course, assignment: Assignment) -> ClassResult:
    """The results of the last grading run, with the scores that the gradebook has now.

    Raises:
        NotGradedYet: the assignment was never graded in this workspace.
    """
    path = _problems_file(course, assignment.name)
    if not path.is_file():
        raise NotGradedYet(
            f"{assignment.name} is not graded yet, or grading was stopped. "
            f"Run `autograder grade {assignment.name}` first."
        )
    noted = json.loads(path.read_text(encoding="utf-8"))
    entries = read_gradebook(course, assignment.name, noted)
    students = [
        _student_result(course, assignment, student, note["graded"], note["problems"], entries.get(student))
        for student, note in sorted(noted.items())
    ]
    return ClassResult(assignment=assignment.name, students=tuple(students))


def _problems_file(course: Course, assignment: str) -> Path:
    return course.logs(assignment) / "problems.json"


def _student_result(
    course: Course,
    assignment: Assignment,
    student: str,
    graded: bool,
    problems: list[str],
    entry: GradebookEntry | None,
) -> StudentResult:
    notebook = executed_notebook(course, assignment.name, student)
    if graded and entry is not None and notebook.is_file():
        exercises = judge(assignment, read_notebook(notebook), entry.grades, entry.comments)
        penalty = entry.late_penalty
    else:
        graded, exercises, penalty = False, not_graded(assignment), 0.0
    if penalty:
        problems = [*problems, f"The submission was late and loses {penalty:g} points."]
    score = max(0.0, sum(result.score for result in exercises.values()) - penalty)
    return StudentResult(student, score, assignment.max_score, exercises, tuple(problems), graded)
