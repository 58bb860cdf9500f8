"""Look before grading: what this machine can do, whether the course is consistent, what is broken.

Nothing is changed and no student's code runs.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from autograder import sandbox
from autograder.assignment import Assignment, load_assignment
from autograder.bridge import open_gradebook
from autograder.config import Course
from autograder.errors import AssignmentError, AutograderError
from autograder.executors import cores
from autograder.gradebook import source_cells
from autograder.intake import take_in
from autograder.judging.plan import check_calls, is_test
from autograder.notebooks import grade_id, read_notebook
from autograder.observing.client import ForkServer
from autograder.observing.student import entry_point
from autograder.solve import is_stale as solution_is_stale
from autograder.surroundings import surroundings
from autograder.task import SourceCell

GIGABYTE = 1 << 30


class State(StrEnum):
    """How good a finding is."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: "machine", "course" or "class"; a sentence says what was found."""

    topic: str
    state: State
    sentence: str


def examine(course: Course, names: list[str], sandboxed: bool = True) -> Iterator[Finding]:
    """Look at the machine, the course, and the submissions of these assignments.

    Yields:
        Findings, as they are made.
    """
    yield from _machine(course, sandboxed)
    yield from _course(course)
    for name in names:
        yield from _assignment(course, name)


def _machine(course: Course, sandboxed: bool) -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    free = shutil.disk_usage(_existing(course.workspace)).free
    yield Finding(
        "machine",
        State.GOOD,
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}; {cores()} cores, "
        f"{memory.available / GIGABYTE:.1f} of {memory.total / GIGABYTE:.1f} GB memory free.",
    )
    needed = cores() * course.settings.memory_megabytes / 1024
    if memory.available / GIGABYTE < needed:
        yield Finding(
            "machine",
            State.WARNING,
            f"{cores()} submissions at once may take {needed:.0f} GB; use fewer --jobs, or less "
            "memory_megabytes.",
        )
    if free < GIGABYTE:
        yield Finding(
            "machine", State.WARNING, f"Only {free / GIGABYTE:.2f} GB are free where the workspace is."
        )
    if not os.access(_existing(course.workspace), os.W_OK):
        yield Finding("machine", State.BAD, f"{course.workspace} cannot be written.")
    for layer in sandbox.probe():
        state = State.GOOD if layer.available else (State.BAD if layer.required else State.WARNING)
        if not sandboxed and state is State.BAD:
            state = State.WARNING
        yield Finding("machine", state, f"sandbox, {layer.name}: {layer.sentence}")


def _course(course: Course) -> Iterator[Finding]:
    settings = course.settings
    for module in (*settings.preload, settings.course_package):
        if _spec(module) is None:
            yield Finding("course", State.BAD, f"The module {module} of pyproject.toml cannot be found.")
    if bool(settings.check) != bool(settings.observe):
        yield Finding("course", State.BAD, "pyproject.toml must name both check and observe, or neither.")
    for name in filter(None, (settings.check, settings.observe)):
        yield _attempt("course", f"{name} can be imported.", lambda name=name: entry_point(name))  # type: ignore[misc]
    if not settings.check:
        yield Finding(
            "course", State.WARNING, "The course names no check: all tests run in the student's process."
        )
    yield _attempt("course", "nbgrader_config.py and the gradebook can be used.", lambda: _open(course))
    yield _attempt(
        "course",
        "The process that runs submissions starts, with all modules of preload.",
        lambda: _start(course),
    )


def _assignment(course: Course, name: str) -> Iterator[Finding]:
    try:
        assignment = load_assignment(course, name)
        cells = source_cells(course, name)
    except AutograderError as error:
        yield Finding("course", State.BAD, str(error))
        return
    yield _staleness(course, assignment, cells)
    if not (course.solutions / name).is_dir():
        yield Finding("course", State.WARNING, f"There is no solved {name}; run `autograder solve {name}`.")
    elif solution_is_stale(course, name):
        yield Finding("course", State.WARNING, f"The solved {name} is stale; run `autograder solve {name}`.")
    check = course.settings.check.rpartition(":")[2]
    tests = [cell for cell in assignment.release.cells if is_test(cell)]
    full = {name: cell.source for name, cell in cells.items()}
    lower = [
        str(grade_id(cell))
        for cell in tests
        if check_calls(full.get(str(grade_id(cell)), cell.source), check) is None
    ]
    judged = len(tests) - len(lower)
    text = f"{name}: {len(tests)} test cells, {judged} judged out of reach of the student's code."
    if lower:
        text += f" These run beside it, and are labelled so: {', '.join(lower)}."
    yield Finding("course", State.GOOD if not lower else State.WARNING, text)
    yield from _class(course, assignment)


def _staleness(course: Course, assignment: Assignment, cells: dict[str, SourceCell]) -> Finding:
    """Whether the release, and the tests in the gradebook, are still those of the source notebook."""
    name = assignment.name
    released = {cell.source for cell in assignment.release.cells}
    changed = []
    for number, cell in enumerate(read_notebook(course.source_notebook(name)).cells, start=1):
        label = grade_id(cell)
        if label is None:
            same = cell.source in released
        else:
            known = cells.get(label)
            same = known is not None and (known.solution or known.source == cell.source)
        if not same:
            changed.append(label or f"number {number}")
    if not changed:
        return Finding("course", State.GOOD, f"{name} is released as it stands in the source.")
    some = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")
    return Finding(
        "course",
        State.WARNING,
        f"{len(changed)} cells of {name} have changed since it was released ({some}); grading goes by the "
        f"release. Run `autograder release {name}` if they should count.",
    )


def _class(course: Course, assignment: Assignment) -> Iterator[Finding]:
    try:
        submissions = take_in(course, assignment)
    except AssignmentError as error:
        yield Finding("class", State.WARNING, str(error))
        return
    broken = [each for each in submissions if not each.gradable]
    yield Finding(
        "class",
        State.GOOD if not broken else State.WARNING,
        f"{assignment.name}: {len(submissions)} submissions, {len(broken)} that cannot be graded.",
    )
    for each in submissions:
        for problem in each.problems:
            yield Finding("class", State.WARNING, f"{each.student}: {problem}")


def _attempt(topic: str, sentence: str, action: Callable[[], object]) -> Finding:
    try:
        action()
    except AutograderError as error:
        return Finding(topic, State.BAD, str(error))
    except Exception as error:
        return Finding(topic, State.BAD, f"Not so: {sentence} ({type(error).__name__}: {error})")
    return Finding(topic, State.GOOD, sentence)


def _open(course: Course) -> None:
    with open_gradebook(course):
        pass


def _start(course: Course) -> None:
    sandboxed = sandbox.usable(sandbox.probe())
    with ForkServer(surroundings(course, sandboxed)) as server:
        if server.failed_imports:
            raise AutograderError(f"In the sandbox, {'; '.join(server.failed_imports)}.")


def _spec(module: str) -> object:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
