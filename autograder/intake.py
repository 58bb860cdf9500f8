"""Look at what students handed in, before anything runs.

Nothing in a folder may stop the run: each fault becomes one plain sentence. The files in ``submitted/`` are
never changed, and links are not followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from autograder.assignment import Assignment
from autograder.bridge import parse_timestamp
from autograder.config import Course
from autograder.errors import AssignmentError
from autograder.judging.opening import Unreadable, open_notebook, restore
from autograder.rules import name_fault

MEGABYTE = 1_000_000
MOST_FILES = 200
"""Files that may lie beside a notebook."""


@dataclass
class Submission:
    """One student's submission on its way through grading.

    Attributes:
        student: name of the folder in ``submitted/``.
        gradable: whether it could be (and, after the run, was) graded; otherwise it scores 0.
        problems: sentences for the instructor and the student.
    """

    student: str
    gradable: bool = True
    problems: list[str] = field(default_factory=list)

    def refuse(self, sentence: str) -> None:
        """Mark the submission as impossible to grade, for this reason."""
        self.gradable = False
        self.problems.append(sentence)


@dataclass(frozen=True)
class HandedIn:
    """The content of a submission's folder.

    Attributes:
        notebook: of the file ASSIGNMENT.ipynb.
        files: what lies beside it, by relative path.
        timestamp: when it was handed in, if the folder says so.
        notes: what was left out, in sentences.
    """

    notebook: bytes
    files: dict[str, bytes]
    timestamp: datetime | None
    notes: tuple[str, ...]


def student_folders(course: Course, assignment: str) -> list[Path]:
    """The folders of the students who handed in an assignment, or seem to have tried, sorted by name.

    Whoever handed in other assignments of the course, and nothing else, left this one out. A folder that is
    empty, or has something in it that the course does not know, is looked at: a name may be misspelt.

    Raises:
        AssignmentError: there is none.
    """
    folders = []
    if course.submitted.is_dir():
        others = set(course.assignments()) - {assignment}
        folders = sorted(
            path
            for path in course.submitted.iterdir()
            if path.is_dir() and not path.name.startswith(".") and not _has_only(path, others)
        )
    if not folders:
        raise AssignmentError(f"Nothing to grade: nobody in {course.submitted} handed in {assignment}.")
    return folders


def _has_only(folder: Path, names: Collection[str]) -> bool:
    """Whether a folder has folders of these names, and nothing but them."""
    try:
        content = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:
        return False  # whoever reads it says what is wrong
    return bool(content) and all(path.name in names and path.is_dir() for path in content)


def read_folder(course: Course, assignment: str, folder: Path) -> HandedIn:
    """Read what a student handed in for an assignment.

    Raises:
        Unreadable: it cannot be graded; the text says why.
    """
    handed_in = folder / assignment
    if fault := _name_fault(folder.name):
        raise Unreadable(f"The folder's name {fault}; give the folder another name.")
    if folder.is_symlink() or handed_in.is_symlink():
        raise Unreadable("The folder is a symbolic link; hand in the folder itself.")
    limit = course.settings.max_notebook_megabytes * MEGABYTE
    try:
        path = _find_notebook(handed_in, assignment)
        notebook = _read(path, limit)
        if not notebook:
            raise Unreadable(f"{path.name} is empty (0 bytes).")
        files, timestamp, notes = _other_files(handed_in, limit)
    except OSError as error:
        raise Unreadable(f"The files cannot be read: {error.strerror or error}.") from error
    return HandedIn(notebook, files, timestamp, tuple(notes))


def take_in(course: Course, assignment: Assignment) -> list[Submission]:
    """Check all submissions of an assignment without running anything.

    Returns:
        One entry for every folder in ``workspace/submitted``, sorted by student.

    Raises:
        AssignmentError: nobody has handed in anything.
    """
    submissions = []
    for folder in student_folders(course, assignment.name):
        submission = Submission(student=folder.name)
        name = f"{assignment.name}.ipynb"
        try:
            handed_in = read_folder(course, assignment.name, folder)
            submission.problems += handed_in.notes
            notebook = open_notebook(handed_in.notebook, name)
            submission.problems += restore(notebook, assignment.release, {}, None, name)
        except Unreadable as reason:
            submission.refuse(str(reason))
        submissions.append(submission)
    return submissions


def _name_fault(name: str) -> str:
    """What would make nbgrader misread this student's name, or a spreadsheet run it, or nothing."""
    if wrong := sorted(
        {character for character in name if character in "*?[]," or not character.isprintable()}
    ):
        return f"has {' '.join(map(repr, wrong))}, which nbgrader or its CSV export would misread"
    if fault := name_fault(name):
        return fault
    if name != name.strip() or name[0] in "=+-@":
        return "starts or ends with a space or a sign that a spreadsheet takes for a formula"
    return ""


def _find_notebook(folder: Path, name: str) -> Path:
    """The submitted notebook of that name, if it is a plain file."""
    wanted = folder / f"{name}.ipynb"
    if wanted.is_symlink():
        raise Unreadable(f"{wanted.name} is a symbolic link; hand in the file itself.")
    if wanted.is_file():
        return wanted
    others = sorted(path.name for path in folder.glob("*.ipynb")) if folder.is_dir() else []
    if others:
        raise Unreadable(
            f"There is no {wanted.name}, only {', '.join(others[:3])}; give the notebook its original name."
        )
    if not folder.is_dir():
        deeper = sorted(path for path in folder.parent.glob(f"*/{name}") if path.is_dir())
        if deeper:
            raise Unreadable(
                f"Nothing was handed in for {name}, but there is {deeper[0].parent.name}/{name} here; "
                "a student's id must not have a slash."
            )
        raise Unreadable(f"Nothing was handed in for {name}.")
    raise Unreadable(f"There is no {wanted.name} in the folder.")


def _read(path: Path, limit: float) -> bytes:
    """A plain file's content. Opened without following a link that was put there a moment ago."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(f"{path.name} is not a plain file.")
        if found.st_size > limit:
            raise Unreadable(
                f"{path.name} has {found.st_size / MEGABYTE:.0f} MB; the limit is {limit / MEGABYTE:.0f} MB; "
                "clear its outputs and hand it in again."
            )
        return file.read()


def _other_files(handed_in: Path, limit: float) -> tuple[dict[str, bytes], datetime | None, list[str]]:
    """What lies beside the notebook, the time of the submission, and notes."""
    files: dict[str, bytes] = {}
    notes: list[str] = []
    timestamp = None
    room = limit
    for path in _files(handed_in):
        name = str(path.relative_to(handed_in))
        if path.is_symlink():
            notes.append(f"{name} is a symbolic link; it was left out.")
            continue
        if len(files) >= MOST_FILES or path.lstat().st_size > room:
            notes.append(
                f"{name} was left out: there are too many files beside the notebook, or too large ones."
            )
            break
        content = _read(path, limit)
        room -= len(content)
        if name == "timestamp.txt":
            try:
                timestamp = parse_timestamp(content.decode("utf-8"))
            except ValueError:
                notes.append("timestamp.txt does not hold a time; the submission counts as in time.")
                continue
        files[name] = content
    return files, timestamp, notes


def _files(folder: Path) -> Iterator[Path]:
    """All files and links below a folder but notebooks; links to folders are not followed."""
    for path in sorted(folder.iterdir()):
        if path.name in (".ipynb_checkpoints", "__pycache__") or path.suffix == ".ipynb":
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif path.is_file() or path.is_symlink():
            yield path
