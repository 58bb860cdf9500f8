"""Run the staged submissions, several at once, each in a process of its own.

This is the one seam behind `autograder grade`: whatever runs the submissions, afterwards each graded one has
an executed notebook in ``autograded/`` and its scores in the gradebook, and all others have a sentence that
says why not.

The processes are forked from a server that has nbgrader imported (a process costs milliseconds), never from
this one, which may have threads. nbgrader's converters change the working directory, so threads would not do.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from autograder.config import Course
from autograder.intake import Submission
from autograder.worker import grade_one, kill_family


@dataclass
class _Run:
    """One submission that is running."""

    submission: Submission
    process: ForkServerProcess
    answer: Connection
    deadline: float


def run(
    course: Course,
    assignment: str,
    submissions: Sequence[Submission],
    jobs: int | None = None,
    on_done: Callable[[Submission], None] = lambda submission: None,
) -> None:
    """Execute and score submissions; those that fail are refused with a sentence.

    Args:
        course: the course; submissions are taken from its staging folder.
        assignment: name of the assignment.
        submissions: those that can be graded; changed in place when one fails.
        jobs: how many run at the same time; by default one more than the cores, because a submission
            often waits: for its kernel to start, or for an endless loop to be stopped.
        on_done: called with each submission when it is through.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autograder.worker", "autograder.cli"])
    logs = course.logs(assignment)
    waiting = list(reversed(submissions))
    running: list[_Run] = []
    try:
        while waiting or running:
            while waiting and len(running) < (jobs or cores() + 1):
                running.append(_start(context, course, assignment, waiting.pop(), logs))
            patience = max(0.0, min(one.deadline for one in running) - time.monotonic())
            finished = set(wait([one.process.sentinel for one in running], timeout=patience))
            for one in list(running):
                if one.process.sentinel in finished or time.monotonic() >= one.deadline:
                    running.remove(one)
                    _finish(course, assignment, one)
                    on_done(one.submission)
    finally:
        for one in running:
            kill_family(one.process.pid)
            one.process.join()


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(
    context: multiprocessing.context.ForkServerContext,
    course: Course,
    assignment: str,
    submission: Submission,
    logs: Path,
) -> _Run:
    """Start the process of one submission."""
    ours, theirs = context.Pipe(duplex=False)
    log = logs / f"{submission.student}.log"
    process = context.Process(
        target=grade_one, args=(course, assignment, submission.student, log, theirs), name=submission.student
    )
    process.start()
    theirs.close()
    return _Run(submission, process, ours, time.monotonic() + course.settings.notebook_timeout)


def _finish(course: Course, assignment: str, one: _Run) -> None:
    """Take the answer of a process that ended or that has had its time."""
    if one.process.is_alive():
        kill_family(one.process.pid)
        sentence = f"The notebook ran longer than {course.settings.notebook_timeout:.0f} s and was stopped."
    else:
        sentence = "The process that graded it ended without an answer."
        with suppress(EOFError):
            sentence = one.answer.recv()
    one.answer.close()
    one.process.join()
    if sentence:
        one.submission.refuse(sentence)
        shutil.rmtree(course.autograded / one.submission.student / assignment, ignore_errors=True)
