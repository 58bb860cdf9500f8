"""The class on one page, over all lessons: how each went, and what each student has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autograder.assignment import Assignment, load_assignment
from autograder.config import Course
from autograder.errors import NotGradedYet
from autograder.pages import render
from autograder.report import Summary, summarize, write_report
from autograder.results import ClassResult, StudentResult, collect


@dataclass(frozen=True)
class Lesson:
    """One graded assignment: what it is, and how the class did."""

    assignment: Assignment
    result: ClassResult
    summary: Summary


@dataclass(frozen=True)
class Row:
    """One student over all lessons; None where nothing was handed in."""

    student: str
    results: tuple[StudentResult | None, ...]

    @property
    def score(self) -> float:
        """Points of all lessons together."""
        return sum(result.score for result in self.results if result is not None)


def write_reports(course: Course, name: str | None = None) -> list[Path]:
    """Write the report of an assignment, or of all that are graded, and the overview.

    Returns:
        The paths of the pages; the overview, ``workspace/report.html``, comes last.

    Raises:
        NotGradedYet: the assignment was never graded in this workspace, or none was.
    """
    graded = [each for each in course.assignments() if course.last_run(each).is_file()]
    if name is None and not graded:
        raise NotGradedYet(
            "Nothing is graded yet in this workspace. Run `autograder grade ASSIGNMENT` first."
        )
    pages = [write_report(course, each) for each in (graded if name is None else [name])]
    return [*pages, _write_overview(course, graded)]


def _write_overview(course: Course, graded: list[str]) -> Path:
    lessons = [_lesson(course, name) for name in graded]
    page = render(
        "overview.html.j2",
        lessons=lessons,
        rows=rows([lesson.result for lesson in lessons]),
        max_score=sum(lesson.assignment.max_score for lesson in lessons),
    )
    path = course.workspace / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _lesson(course: Course, name: str) -> Lesson:
    assignment = load_assignment(course, name)
    result = collect(course, assignment)
    return Lesson(assignment, result, summarize(result))


def rows(results: list[ClassResult]) -> list[Row]:
    """Every student who handed in something, by name."""
    of_lesson = [{each.student: each for each in result.students} for result in results]
    students = sorted({student for lesson in of_lesson for student in lesson})
    return [Row(student, tuple(lesson.get(student) for lesson in of_lesson)) for student in students]
