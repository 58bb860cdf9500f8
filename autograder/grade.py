"""Grade all submissions of an assignment: take in, run, write down, collect."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from autograder import engine
from autograder.assignment import load_assignment
from autograder.bridge import open_gradebook, record_zero
from autograder.config import Course
from autograder.intake import Submission, take_in
from autograder.results import ClassResult, collect, forget_problems, save_problems


def grade(
    course: Course,
    name: str,
    jobs: int | None = None,
    on_start: Callable[[list[Submission]], None] = lambda submissions: None,
    on_done: Callable[[Submission], None] = lambda submission: None,
) -> ClassResult:
    """Grade an assignment.

    Args:
        course: the course and its workspace.
        name: the assignment.
        jobs: how many submissions run at the same time; by default one more than the cores.
        on_start: called with all submissions when they have been looked at.
        on_done: called with each submission when it is through, also with those that cannot be graded.

    Raises:
        AssignmentError: the assignment does not exist, is not released, or nobody has handed in anything.
    """
    assignment = load_assignment(course, name)
    submissions = take_in(course, assignment)
    on_start(submissions)
    forget_problems(course, name)
    for submission in submissions:
        if not submission.gradable:
            shutil.rmtree(course.autograded / submission.student / name, ignore_errors=True)
            on_done(submission)
    with open_gradebook(course):
        pass  # one process makes the database, before many use it
    engine.run(course, name, [each for each in submissions if each.gradable], jobs, on_done)
    record_zero(course, name, [each.student for each in submissions if not each.gradable])
    save_problems(course, name, submissions)
    shutil.rmtree(course.staging, ignore_errors=True)
    return collect(course, assignment)
