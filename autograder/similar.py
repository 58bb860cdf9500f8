"""Similar pairs in a class that was graded, with what everybody has taken out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from nbformat import NotebookNode, from_dict

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

_STUDENTS_KEPT = 64
"""Whose cells stay in memory: similar pairs often have students in common, next to each other."""


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

    @lru_cache(maxsize=_STUDENTS_KEPT)
    def cells(student: str) -> Mapping[str, str]:
        notebook = _without_outputs(executed_notebook(course, assignment.name, student))
        return own_cells(notebook, assignment.release)

    found = {student: Fingerprints.from_json(each) for student, each in fingerprints.items()}
    return similar_pairs(found, cells, known_to_all(terms.given, terms.packages)) if len(found) > 1 else []


def _without_outputs(path: Path) -> NotebookNode:
    """What students wrote in an executed notebook.

    The grader wrote the file, so nothing has to be checked or converted, as `read_notebook` does; in a class
    with many similar pairs that would take longer than to compare them.
    """
    cells = json.loads(path.read_bytes())["cells"]
    kept = ("cell_type", "metadata", "source")
    texts = [{**{key: cell[key] for key in kept}, "source": "".join(cell["source"])} for cell in cells]
    notebook: NotebookNode = from_dict({"cells": texts})
    return notebook


def given(course: Course, assignment: Assignment) -> tuple[str, ...]:
    """The code that everybody has: of the release, and of the solution, which the course publishes."""
    source = read_notebook(course.source_notebook(assignment.name))
    return tuple(dict.fromkeys(given_texts(assignment.release, unsolved(source))))
