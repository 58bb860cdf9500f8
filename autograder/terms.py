"""From a course and its settings to the terms of a run."""

from __future__ import annotations

import json

from autograder.assignment import Assignment
from autograder.bridge import nbgrader_config
from autograder.config import Course
from autograder.gradebook import kernelspec, source_cells
from autograder.similar import given
from autograder.surroundings import surroundings
from autograder.task import Terms

SECONDS_PER_CELL = 30
"""nbgrader's own default, for a course whose nbgrader_config.py has no `c.Execute.timeout`."""


def make_terms(course: Course, assignment: Assignment, sandboxed: bool) -> Terms:
    """How the assignment is graded.

    Raises:
        AssignmentError: the gradebook does not know the assignment.
    """
    execute = nbgrader_config(course).Execute
    settings = course.settings.of(assignment.name)
    return Terms(
        assignment=assignment.name,
        release=json.dumps(assignment.release, sort_keys=True),
        sources=source_cells(course, assignment.name),
        kernelspec=kernelspec(course, assignment.name),
        check=settings.check,
        skip_tag=str(execute.get("skip_cells_with_tag", "")),
        cell_timeout=float(execute.get("timeout", SECONDS_PER_CELL)),
        check_timeout=settings.check_timeout,
        notebook_timeout=settings.notebook_timeout,
        surroundings=surroundings(course, sandboxed, assignment.name),
        given=given(course, assignment),
        packages=(settings.course_package,),
        own_files=_files_beside(course, assignment.name),
    )


def _files_beside(course: Course, assignment: str) -> dict[str, bytes]:
    """What lies beside the instructor's notebook."""
    folder = course.source / assignment
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix != ".ipynb"
        and not {".ipynb_checkpoints", "__pycache__"} & set(path.relative_to(folder).parts)
    }
