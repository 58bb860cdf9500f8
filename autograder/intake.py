"""Look at every submission before anything runs, and put what can be graded into the staging folder.

Nothing a student hands in may stop the run: each fault becomes one plain sentence in that student's problems.
The files in ``submitted/`` are never changed; nbgrader then grades the staged copies.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from autograder.assignment import Assignment
from autograder.bridge import parse_timestamp
from autograder.config import Course
from autograder.errors import AssignmentError
from autograder.notebooks import grade_id, is_solution, parse_notebook, write_notebook
from autograder.repair import repair

MEGABYTE = 1_000_000


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


class _Unreadable(Exception):
    """A submission cannot be graded; the text says why."""


def take_in(course: Course, assignment: Assignment) -> list[Submission]:
    """Check all submissions of an assignment and stage those that can be graded.

    Returns:
        One entry for every folder in ``workspace/submitted``, sorted by student.

    Raises:
        AssignmentError: nobody has handed in anything.
    """
    shutil.rmtree(course.staging, ignore_errors=True)
    submissions = []
    for folder in _student_folders(course):
        submission = Submission(student=folder.name)
        try:
            _stage(course, assignment, folder, submission)
        except _Unreadable as reason:
            submission.refuse(str(reason))
        except OSError as error:
            submission.refuse(f"The files cannot be read: {error.strerror or error}.")
        submissions.append(submission)
    return submissions


def _student_folders(course: Course) -> list[Path]:
    folders = []
    if course.submitted.is_dir():
        folders = sorted(
            path for path in course.submitted.iterdir() if path.is_dir() and not path.name.startswith(".")
        )
    if not folders:
        raise AssignmentError(f"Nothing to grade: {course.submitted} has no student's folder.")
    return folders


def _stage(course: Course, assignment: Assignment, folder: Path, submission: Submission) -> None:
    """Check one submission and write its staged copy."""
    handed_in = folder / assignment.name
    if fault := _name_fault(folder.name):
        raise _Unreadable(f"The folder's name {fault}; give the folder another name.")
    if folder.is_symlink() or handed_in.is_symlink():
        raise _Unreadable("The folder is a symbolic link; hand in the folder itself.")
    notebook_file = _find_notebook(handed_in, assignment.name)
    text = _read_text(notebook_file, course.settings.max_notebook_megabytes * MEGABYTE)
    notebook = _parse(text, notebook_file.name)
    if not any(is_solution(cell) and grade_id(cell) in _names(assignment) for cell in notebook.cells):
        raise _Unreadable(
            f"{notebook_file.name} has no exercise cell of {assignment.name}; is it another notebook?"
        )

    staged = course.staging / folder.name / assignment.name
    staged.mkdir(parents=True)
    submission.problems += _copy_other_files(handed_in, staged)
    submission.problems += (notes := repair(notebook, assignment.release))
    if notes:
        write_notebook(notebook, staged / notebook_file.name)
    else:
        shutil.copyfile(notebook_file, staged / notebook_file.name)


def _name_fault(name: str) -> str:
    """What would make nbgrader misread this student's name, or a spreadsheet run it, or nothing."""
    if wrong := sorted(
        {character for character in name if character in "*?[]," or not character.isprintable()}
    ):
        return f"has {' '.join(map(repr, wrong))}, which nbgrader or its CSV export would misread"
    if name != name.strip() or name[0] in "=+-@":
        return "starts or ends with a space or a sign that a spreadsheet takes for a formula"
    return ""


def _names(assignment: Assignment) -> set[str]:
    return {exercise.name for exercise in assignment.exercises}


def _find_notebook(folder: Path, name: str) -> Path:
    """The submitted notebook of that name, if it is a plain file."""
    wanted = folder / f"{name}.ipynb"
    if wanted.is_symlink():
        raise _Unreadable(f"{wanted.name} is a symbolic link; hand in the file itself.")
    if wanted.is_file():
        return wanted
    others = sorted(path.name for path in folder.glob("*.ipynb")) if folder.is_dir() else []
    if others:
        raise _Unreadable(
            f"There is no {wanted.name}, only {', '.join(others[:3])}; give the notebook its original name."
        )
    if not folder.is_dir():
        raise _Unreadable(f"Nothing was handed in for {name}.")
    raise _Unreadable(f"There is no {wanted.name} in the folder.")


def _read_text(path: Path, max_bytes: float) -> str:
    """The notebook's text, if it is text of a sensible size."""
    size = path.stat().st_size
    if size == 0:
        raise _Unreadable(f"{path.name} is empty (0 bytes).")
    if size > max_bytes:
        raise _Unreadable(
            f"{path.name} has {size / MEGABYTE:.0f} MB; the limit is {max_bytes / MEGABYTE:.0f} MB; "
            "clear its outputs and hand it in again."
        )
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Unreadable(
            f"{path.name} is not UTF-8 text (byte {error.start}); it is not a Jupyter notebook."
        ) from error


def _parse(text: str, name: str) -> NotebookNode:
    """The notebook, if the text is one in nbformat 4."""
    if not text.strip():
        raise _Unreadable(f"{name} is empty.")
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated"):
            raise _Unreadable(
                f"{name} is cut off at line {error.lineno}: the end of the file is missing."
            ) from error
        raise _Unreadable(
            f"{name} is not a notebook: its JSON has an error in line {error.lineno}."
        ) from error
    except RecursionError as error:
        raise _Unreadable(f"{name} is not a notebook: its JSON is nested too deeply.") from error
    version = data.get("nbformat") if isinstance(data, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise _Unreadable(f"{name} is not a notebook: it is JSON, but has no nbformat version.")
    if version != 4:
        raise _Unreadable(
            f"{name} is in the notebook format {version}; open it in JupyterLab and save it as format 4."
        )
    if fault := _fault(data):
        raise _Unreadable(f"{name} is damaged: {fault}.")
    try:
        return parse_notebook(text)
    except Exception as error:  # nbformat raises many kinds; each means that Jupyter cannot open it either
        raise _Unreadable(f"{name} is damaged: {type(error).__name__}: {error}.") from error


def _fault(data: dict[str, Any]) -> str:
    """What is wrong with the notebook's structure, or nothing."""
    cells = data.get("cells")
    if not isinstance(cells, list):
        return "it has no list of cells"
    for number, cell in enumerate(cells, start=1):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            return f"cell {number} has no known cell type"
        source = cell.get("source")
        lines = source if isinstance(source, list) else [source]
        if not all(isinstance(line, str) for line in lines):
            return f"cell {number} has no text"
        if not isinstance(cell.get("metadata"), dict):
            return f"cell {number} has no metadata"
    return ""


def _copy_other_files(handed_in: Path, staged: Path) -> list[str]:
    """Copy what lies beside the notebook, but no links and no unreadable timestamp."""
    notes = []
    for path in _files(handed_in):
        name = path.relative_to(handed_in)
        if path.is_symlink():
            notes.append(f"{name} is a symbolic link; it was left out.")
            continue
        if str(name) == "timestamp.txt" and (note := _check_timestamp(path)):
            notes.append(note)
            continue
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, staged / name)
    return notes


def _files(folder: Path) -> Iterator[Path]:
    """All files and links below a folder but notebooks; links to folders are not followed."""
    for path in sorted(folder.iterdir()):
        if path.name in (".ipynb_checkpoints", "__pycache__") or path.suffix == ".ipynb":
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif path.is_file() or path.is_symlink():
            yield path


def _check_timestamp(path: Path) -> str:
    """Why nbgrader could not read the time of the submission, or nothing."""
    try:
        parse_timestamp(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError):
        return "timestamp.txt does not hold a time; the submission counts as in time."
    return ""
