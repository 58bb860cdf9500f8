"""Grade all submissions of an assignment: take in, run, write down, collect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder import engine, similar
from autograder.assignment import Assignment, load_assignment
from autograder.bridge import open_gradebook
from autograder.config import Course
from autograder.confinement import require_sandbox
from autograder.executors import DaskExecutor, Executor, LocalExecutor, Servers
from autograder.identity import student_seed
from autograder.intake import read_folder, student_folders
from autograder.judging.opening import Unreadable
from autograder.lock import workspace_lock
from autograder.observing.client import sweep
from autograder.recorder import Recorder
from autograder.results import ClassResult, Noted, collect, forget_run, save_run
from autograder.task import Outcome, Task, Terms, Trust
from autograder.terms import make_terms


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        jobs: how many submissions run at the same time; None: one for each core.
        sandbox: whether submissions are confined. Without it they run with the rights of who grades.
        scheduler: address of a Dask scheduler; empty: this machine.
    """

    jobs: int | None = None
    sandbox: bool = True
    scheduler: str = ""


@dataclass(frozen=True)
class Progress:
    """Who wants to know how far a run is.

    Attributes:
        on_start: called with the number of submissions.
        on_done: called for each submission, with whether it could be graded.
        on_note: called with a sentence about the run itself.
    """

    on_start: Callable[[int], None] = lambda number: None
    on_done: Callable[[bool], None] = lambda graded: None
    on_note: Callable[[str], None] = lambda sentence: None


def grade(
    course: Course,
    name: str,
    options: Options = Options(),
    progress: Progress = Progress(),
    servers: Servers | None = None,
) -> ClassResult:
    """Grade an assignment.

    Args:
        course: the course and its workspace.
        name: the assignment.
        options: how to run.
        progress: who wants to know.
        servers: for this course and these options, that were started before (see `executors.head_start`).

    Raises:
        AssignmentError: the assignment does not exist, is not released, or nobody has handed in anything.
        SandboxUnavailable: this machine cannot confine submissions, and `options` ask for it.
        WorkspaceBusy: another run works on this workspace.
    """
    assignment = load_assignment(course, name)
    folders = student_folders(course, assignment.name)
    if options.sandbox and not options.scheduler:
        require_sandbox()
    with workspace_lock(course, f"autograder grade {name}") as note:
        if note:
            progress.on_note(note)
        sweep()  # also when a killed run had done all there was to do, and none of its servers starts again
        with open_gradebook(course):
            pass  # it makes the database, or says why it cannot be used
        terms = make_terms(course, assignment, options.sandbox)
        forget_run(course, name)
        progress.on_start(len(folders))
        run = _Run(course, assignment, terms, progress)
        tasks = run.tasks(folders)
        # Before any process starts: when all results are known, none is needed.
        first = next(tasks, None)
        if first is not None:
            with closing(_executor(terms, options, servers)) as executor:
                engine.run(executor, _with(first, tasks), run.done)
        run.recorder.flush()
        pairs = similar.find(course, assignment, terms, run.fingerprints)
        save_run(course, name, run.noted, options.sandbox, pairs)
        return collect(course, assignment)


class _Run:
    """The submissions of a run, and what became of them."""

    def __init__(self, course: Course, assignment: Assignment, terms: Terms, progress: Progress) -> None:
        self._course = course
        self._assignment = assignment.name
        self._progress = progress
        self.recorder = Recorder(course, assignment, terms)
        self.noted: dict[str, Noted] = {}
        self.fingerprints: dict[str, dict[str, Any]] = {}

    def tasks(self, folders: list[Path]) -> Iterator[Task]:
        """The submissions that have to be run; refusals and known results are dealt with here."""
        for folder in folders:
            student = folder.name
            try:
                handed_in = read_folder(self._course, self._assignment, folder)
            except Unreadable as reason:
                self.recorder.refuse(student)
                self._note(student, Noted(False, [str(reason)]))
                continue
            seed = student_seed(self._course, self._assignment, student, handed_in.notebook)
            task = Task(student, handed_in.notebook, handed_in.files, seed)
            self.noted[student] = Noted(True, list(handed_in.notes))
            outcome, known = self.recorder.look_up(task, handed_in.timestamp)
            if outcome is None:
                yield Task(student, handed_in.notebook, handed_in.files, seed, known)
            else:
                self.recorder.enter(outcome)
                self._note_outcome(outcome)

    def done(self, outcome: Outcome) -> None:
        """Keep the outcome of a task."""
        self.recorder.keep(outcome)
        self._note_outcome(outcome)

    def _note_outcome(self, outcome: Outcome) -> None:
        notes = self.noted[outcome.student].problems
        if outcome.refused:
            self._note(outcome.student, Noted(False, [*notes, outcome.refused]))
            return
        self.fingerprints[outcome.student] = outcome.fingerprints
        lower = [name for name, cell in outcome.cells.items() if cell.trust == Trust.ASSERTED]
        noted = Noted(
            True, [*notes, *outcome.problems], list(outcome.flags), lower, outcome.seconds, outcome.findings
        )
        self._note(outcome.student, noted)

    def _note(self, student: str, noted: Noted) -> None:
        self.noted[student] = noted
        self._progress.on_done(noted.graded)


def _executor(terms: Terms, options: Options, servers: Servers | None) -> Executor:
    if options.scheduler:
        return DaskExecutor(terms, options.scheduler)
    return LocalExecutor(terms, options.jobs, servers)


def _with(first: Task, rest: Iterator[Task]) -> Iterator[Task]:
    yield first
    yield from rest
