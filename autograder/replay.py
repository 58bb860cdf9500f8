"""Grade one submission once more, on the same hidden inputs, without writing anything: for an appeal."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.assignment import load_assignment
from autograder.bridge import read_gradebook
from autograder.config import Course
from autograder.confinement import require_sandbox
from autograder.errors import AssignmentError
from autograder.identity import student_seed
from autograder.intake import read_folder
from autograder.judging.opening import Unreadable
from autograder.judging.worker import grade_with
from autograder.notebooks import grade_id, one_line, parse_notebook, plain
from autograder.observing.client import forget_fork_server
from autograder.reports import check_reports
from autograder.task import Task
from autograder.terms import make_terms


@dataclass(frozen=True)
class TestReplay:
    """One test cell: points now, points in the gradebook (None: not there), and what the checks said."""

    name: str
    score: float
    points: float
    recorded: float | None
    lines: tuple[str, ...]

    __test__ = False  # pytest collects classes by this name


@dataclass(frozen=True)
class Replay:
    """A submission that was graded again."""

    student: str
    assignment: str
    seed: int
    tests: tuple[TestReplay, ...]

    @property
    def score(self) -> float:
        """Points of all tests."""
        return sum(test.score for test in self.tests)

    @property
    def same(self) -> bool:
        """Whether every test gave what the gradebook has."""
        return all(test.recorded in (None, test.score) for test in self.tests)


def replay(course: Course, name: str, student: str, sandbox: bool = True) -> Replay:
    """Grade a student's submission again with the seed it was graded with.

    Raises:
        AssignmentError: there is no such assignment or submission, or it cannot be graded.
        SandboxUnavailable: see `grade.grade`.
    """
    assignment = load_assignment(course, name)
    folder = course.submitted / student
    if not student or "/" in student or not folder.is_dir():
        raise AssignmentError(f"There is no submission of {student!r} in {course.submitted}.")
    if sandbox:
        require_sandbox()
    terms = make_terms(course, assignment, sandbox)
    try:
        handed_in = read_folder(course, name, folder)
    except Unreadable as reason:
        raise AssignmentError(f"The submission of {student} cannot be graded: {reason}") from reason
    seed = student_seed(course, name, student, handed_in.notebook)
    try:
        outcome = grade_with(terms, Task(student, handed_in.notebook, handed_in.files, seed))
    finally:
        forget_fork_server(terms.surroundings)
    if outcome.refused:
        raise AssignmentError(f"The submission of {student} cannot be graded: {outcome.refused}")
    entry = read_gradebook(course, name, [student]).get(student)
    cells = {grade_id(cell): cell for cell in parse_notebook(outcome.notebook).cells}
    tests = tuple(
        TestReplay(
            name=test,
            score=outcome.cells[test].score or 0.0,
            points=source.points or 0.0,
            recorded=entry.grades[test].auto if entry and test in entry.grades else None,
            lines=tuple(_lines(cells[test])),
        )
        for test, source in terms.sources.items()
        if source.grade and not source.solution and test in outcome.cells
    )
    return Replay(student, name, seed, tests)


def _lines(cell: object) -> list[str]:
    """What the checks of a test cell said, aspect by aspect, with the error that ended it."""
    lines = []
    for output in cell.get("outputs", []):  # type: ignore[attr-defined]
        if output.output_type == "error":
            lines.append(one_line(f"{output.ename}: {output.evalue}", 200))
        elif check_reports({"outputs": [output]}):  # type: ignore[arg-type]
            lines += plain(str(output.data.get("text/plain", ""))).split("\n")
    return [line for line in lines if line.strip()]


__all__ = ["Replay", "TestReplay", "replay"]
