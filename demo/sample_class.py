"""Fill a workspace with the submissions of a made-up class: ``python -m demo.sample_class [LESSON ...]``.

Each submission is the released notebook with other text in the cells that are the students' to write: the
lesson's own solution, what stands in ``demo/answers/LESSON``, or nothing. A few are broken as files.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import sys
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

from nbformat import NotebookNode

from autograder.assignment import find_exercises
from autograder.config import Course, find_course
from autograder.notebooks import grade_id, is_solution, read_notebook, write_notebook
from autograder.solve import unsolved
from demo.classes import CLASSES, WRITTEN
from demo.students import Student

PROJECT = Path(__file__).resolve().parent.parent
ANSWERS = Path(__file__).resolve().parent / "answers"

GIVEN_IMPORTS = ("import torch", "from torch import nn")
"""What every lesson imports for its students."""


def strangers(course: Course) -> list[str]:
    """Students in the workspace who are not made up: a real class must not be mixed with this one."""
    made_up = {student.name for students in CLASSES.values() for student in students}
    folders = course.submitted.iterdir() if course.submitted.is_dir() else ()
    return sorted(folder.name for folder in folders if folder.is_dir() and folder.name not in made_up)


def fill(course: Course, lesson: str) -> list[Path]:
    """Write the submissions of the whole class in a lesson; those of an earlier run are replaced.

    Returns:
        The folders of the students.
    """
    released = read_notebook(course.release_notebook(lesson))
    solutions = solution_texts(course, lesson)
    folders = []
    for student in CLASSES[lesson]:
        notebook = answer(released, student, solutions, lesson)
        folder = course.submitted / student.name
        shutil.rmtree(folder / lesson, ignore_errors=True)
        path = folder / lesson / f"{lesson}.ipynb"
        write_notebook(notebook, path)
        if student.damage:
            student.damage(path)
        folders.append(folder)
    return folders


def solution_texts(course: Course, lesson: str) -> dict[str, str]:
    """Exercise → the lesson's own answer, in the order of the lesson."""
    source = unsolved(read_notebook(course.source_notebook(lesson)))
    return {str(grade_id(cell)): cell.source for cell in source.cells if is_solution(cell)}


def answer(
    released: NotebookNode, student: Student, solutions: Mapping[str, str], lesson: str
) -> NotebookNode:
    """The released notebook as this student hands it in."""
    notebook = deepcopy(released)
    written = {exercise.name for exercise in find_exercises(released) if exercise.manual}
    coded = [name for name in solutions if name not in written]
    texts = {name: solutions[name] for name in coded[: student.solved]}
    for file in student.own:
        texts |= own_answers(lesson, file)
    texts |= dict.fromkeys(written, WRITTEN[lesson]) if student.writes else {}
    for cell in notebook.cells:
        if is_solution(cell) and grade_id(cell) in texts:
            cell.source = texts[str(grade_id(cell))]
    if student.spoil:
        student.spoil(notebook)
    return notebook


def own_answers(lesson: str, file: str) -> dict[str, str]:
    """Exercise → cell text, from one of the files in ``demo/answers/LESSON``.

    A cell's text ends where the next function or class ends; statements before the first one belong to it.
    """
    source = (ANSWERS / lesson / f"{file}.py").read_text(encoding="utf-8")
    lines = source.splitlines()
    texts = {}
    start = None
    for node in ast.parse(source).body[1:]:  # the first is the docstring
        if ast.unparse(node) in GIVEN_IMPORTS:
            continue
        start = start or node.lineno
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            texts[node.name] = "\n".join(lines[start - 1 : node.end_lineno])
            start = None
    return texts


def main() -> None:
    """Fill the workspace and say how many are in the class."""
    parser = argparse.ArgumentParser(description="Fill a workspace with a made-up class.")
    parser.add_argument("lessons", nargs="*", metavar="LESSON", default=list(CLASSES), help="default: all")
    parser.add_argument("--workspace", type=Path, help="another workspace than the one in pyproject.toml")
    options = parser.parse_args()
    if unknown := sorted(set(options.lessons) - set(CLASSES)):
        parser.error(f"there is no made-up class for {', '.join(unknown)}, only for {', '.join(CLASSES)}")
    course = find_course(PROJECT, options.workspace)
    real = strangers(course)
    if real:
        print(
            f"{course.submitted} holds submissions that are not of the made-up class ({', '.join(real[:3])}"
            f"{', ...' if len(real) > 3 else ''}), so nothing was written. Choose another --workspace "
            "(make demo WORKSPACE=...).",
            file=sys.stderr,
        )
        sys.exit(2)
    for lesson in options.lessons:
        folders = fill(course, lesson)
        print(f"✓ {len(folders)} made-up students handed in {lesson}")


if __name__ == "__main__":
    main()
