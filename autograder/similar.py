"""Similar pairs in a class that was graded, with what everybody has taken out."""

from __future__ import annotations

from collections.abc import Mapping

from autograder.assignment import Assignment
from autograder.config import Course
from autograder.flags.cells import given_texts, own_cells
from autograder.flags.fingerprints import Fingerprints
from autograder.flags.pairs import Pair, similar_pairs
from autograder.judging.own_work import known_to_all
from autograder.notebooks import read_notebook
from autograder.results import executed_notebook
from autograder.solve import unsolved
from autograder.task import Terms


def find(
    course: Course, assignment: Assignment, terms: Terms, fingerprints: Mapping[str, Mapping[str, object]]
) -> list[Pair]:
    """The similar pairs of a class.

    Args:
        course: the course and its workspace.
        assignment: the assignment, whose executed notebooks are in the workspace.
        terms: of the run.
        fingerprints: by student, from the outcomes.
    """

    def cells(student: str) -> Mapping[str, str]:
        notebook = read_notebook(executed_notebook(course, assignment.name, student))
        return own_cells(notebook, assignment.release)

    found = {student: Fingerprints.from_json(each) for student, each in fingerprints.items()}
    return similar_pairs(found, cells, known_to_all(terms.given, terms.packages)) if len(found) > 1 else []


def given(course: Course, assignment: Assignment) -> tuple[str, ...]:
    """The code that everybody has: of the release, and of the solution, which the course publishes."""
    source = read_notebook(course.source_notebook(assignment.name))
    return tuple(dict.fromkeys(given_texts(assignment.release, unsolved(source))))
