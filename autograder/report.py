"""A page about the class in one lesson: scores, success, misconceptions, who needs help, what is broken."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from autograder.assignment import load_assignment
from autograder.charts import score_histogram, success_by_exercise
from autograder.config import Course
from autograder.flags.page import MOST_STUDENTS, flagged_views, pair_views
from autograder.leaderboard import leaderboards
from autograder.pages import render
from autograder.results import ClassResult, StudentResult, collect
from autograder.verdicts import Verdict

NEEDS_HELP_BELOW = 0.5
"""Part of the points below which a student is listed as needing help."""


@dataclass
class Misconception:
    """A recognised mistake: its name and sentence, who made it, and in which exercises."""

    name: str
    message: str
    students: list[str] = field(default_factory=list)
    exercises: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Summary:
    """The class in numbers; scores (0 to 1) are of the graded submissions only."""

    students: int
    graded: int
    mean: float
    median: float
    best: float
    full_marks: int
    awaiting: int


def write_report(course: Course, name: str) -> Path:
    """Write the page about an assignment to ``workspace/reports/ASSIGNMENT.html``.

    Raises:
        NotGradedYet: the assignment was never graded in this workspace.
    """
    assignment = load_assignment(course, name)
    result = collect(course, assignment)
    page = render(
        "report.html.j2",
        assignment=assignment,
        result=result,
        summary=summarize(result),
        misconceptions=misconceptions(result),
        in_need=students_in_need(result),
        histogram=score_histogram(result),
        success=success_by_exercise(result),
        limit=NEEDS_HELP_BELOW,
        leaderboards=leaderboards(result.students),
        lower_trust=sorted({test for student in result.students for test in student.lower_trust}),
        slowest=slowest(result),
        flagged=flagged_views({student.student: student.flags for student in result.students}),
        most_flagged=MOST_STUDENTS,
        pairs=pair_views(result.pairs),
        median_seconds=median([each.seconds for each in result.students if each.graded] or [0.0]),
    )
    path = course.workspace / "reports" / f"{name}.html"
    path.parent.mkdir(exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def summarize(result: ClassResult) -> Summary:
    """The class in numbers."""
    fractions = [student.fraction for student in result.students if student.graded] or [0.0]
    return Summary(
        students=len(result.students),
        graded=len(result.students) - len(result.failed),
        mean=mean(fractions),
        median=median(fractions),
        best=max(fractions),
        full_marks=sum(_all_right(student) for student in result.students),
        awaiting=result.verdicts[Verdict.AWAITING],
    )


def _all_right(student: StudentResult) -> bool:
    """Whether everything that is graded so far is right."""
    return student.graded and all(
        each.verdict in (Verdict.RIGHT, Verdict.AWAITING) for each in student.exercises.values()
    )


def misconceptions(result: ClassResult) -> list[Misconception]:
    """The recognised mistakes, the most frequent first."""
    found: dict[str, Misconception] = {}
    for student in result.students:
        for each in student.exercises.values():
            if each.misconception:
                entry = found.setdefault(each.misconception, Misconception(each.misconception, each.message))
                if student.student not in entry.students:
                    entry.students.append(student.student)
                if each.name not in entry.exercises:
                    entry.exercises.append(each.name)
    return sorted(found.values(), key=lambda entry: (-len(entry.students), entry.name))


def students_in_need(result: ClassResult) -> list[tuple[StudentResult, str]]:
    """Graded students with few points, the fewest first, and where they are stuck."""
    listed = []
    for student in result.students:
        if student.graded and student.fraction < NEEDS_HELP_BELOW:
            stuck: dict[Verdict, list[str]] = defaultdict(list)
            for each in student.exercises.values():
                if each.verdict not in (Verdict.RIGHT, Verdict.AWAITING):
                    stuck[each.verdict].append(each.name)
            listed.append(
                (student, "; ".join(f"{verdict}: {_few(names)}" for verdict, names in stuck.items()))
            )
    return sorted(listed, key=lambda entry: (entry[0].score, entry[0].student))


def slowest(result: ClassResult, number: int = 5) -> list[StudentResult]:
    """The submissions that took longest, the slowest first."""
    graded = [student for student in result.students if student.graded and student.seconds]
    return sorted(graded, key=lambda student: -student.seconds)[:number]


def _few(names: list[str], limit: int = 4) -> str:
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
