"""Fill a workspace with the submissions of a made-up class: ``python -m demo.sample_class``.

Each submission is the released notebook with other text in the cells that are the students' to write: the
lesson's own solution, what stands in ``demo/answers``, or nothing. A few are broken as files.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from autograder.assignment import find_exercises
from autograder.config import Course, find_course
from autograder.notebooks import facts, grade_id, is_graded, is_solution, read_notebook, write_notebook
from autograder.solve import unsolved

LESSON = "03_batch_norm"
PROJECT = Path(__file__).resolve().parent.parent
ANSWERS = Path(__file__).resolve().parent / "answers"

GIVEN_IMPORTS = ("import torch", "from torch import nn")
"""What the lesson imports for its students."""

WRITTEN = (
    "Batch norm keeps the mean and variance of each layer's inputs fixed while the layers before it change. "
    "But noise after batch norm brings the shift back, and the network still trains well: "
    "this cannot be the whole reason."
)


@dataclass(frozen=True)
class Student:
    """One made-up student.

    Attributes:
        name: folder of the submission.
        story: what is special about it.
        solved: how many exercises are solved as in the lesson; the others stay as released.
        own: names of files in ``demo/answers`` with other answers.
        writes: the written question is answered.
        spoil: changes the notebook before it is written.
        damage: changes the file after it is written.
    """

    name: str
    story: str
    solved: int = 99
    own: tuple[str, ...] = ()
    writes: bool = True
    spoil: Callable[[NotebookNode], None] | None = None
    damage: Callable[[Path], None] | None = None


def copy_a_test_and_raise_its_points(notebook: NotebookNode) -> None:
    """Paste a test cell a second time and edit the points of another."""
    tests = [cell for cell in notebook.cells if is_graded(cell) and not is_solution(cell)]
    copied = deepcopy(tests[0])
    copied["id"] = "pasted"
    notebook.cells.insert(notebook.cells.index(tests[0]), copied)
    facts(tests[-1])["points"] = 50


def cut_off(path: Path) -> None:
    """Keep only the first half of the file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def rename(path: Path) -> None:
    """Hand the notebook in under another name."""
    path.rename(path.with_name("my homework (final).ipynb"))


CLASS = (
    Student("ada", "everything is right"),
    Student("alan", "a loop that never ends", own=("endless_loop",)),
    Student("bruno", "stopped half way", solved=5, writes=False),
    Student("chen", "running_var from the biased variance", own=("biased_running_var",)),
    Student("dalia", "momentum the wrong way round", own=("momentum_reversed",)),
    Student("emre", "statistics without a graph, eps outside the root", own=("no_graph",)),
    Student("fatima", "statistics over the wrong axes", own=("wrong_axes",)),
    Student("goran", "GroupNorm without groups", own=("no_groups",)),
    Student("hana", "fused layer without the old bias", own=("bias_forgotten",)),
    Student("ivan", "backward without the mean terms", own=("constants", "biased_running_var")),
    Student("jun", "n - 1 instead of n, eps outside the root", own=("wrong_divisor",), solved=6),
    Student("kofi", "right, with other torch functions", own=("other_functions",)),
    Student("lena", "right, with loops and a base class", own=("other_routes",)),
    Student("mateo", "cells that raise", own=("crash",), writes=False),
    Student("nora", "the file is cut off", damage=cut_off),
    Student("olga", "the notebook has another name", damage=rename),
    Student("pavel", "right, but prints and warns", own=("talkative",)),
    Student(
        "rosa",
        "a pasted test, edited points",
        own=("biased_running_var",),
        spoil=copy_a_test_and_raise_its_points,
    ),
    Student("sami", "handed in as released", solved=0, writes=False),
)


def strangers(course: Course) -> list[str]:
    """Students in the workspace who are not made up: a real class must not be mixed with this one."""
    made_up = {student.name for student in CLASS}
    folders = course.submitted.iterdir() if course.submitted.is_dir() else ()
    return sorted(folder.name for folder in folders if folder.is_dir() and folder.name not in made_up)


def fill(course: Course, lesson: str = LESSON) -> list[Path]:
    """Write the submissions of the whole class; those of an earlier run are replaced.

    Returns:
        The folders of the students.
    """
    released = read_notebook(course.release_notebook(lesson))
    solutions = solution_texts(course, lesson)
    folders = []
    for student in CLASS:
        notebook = answer(released, student, solutions)
        folder = course.submitted / student.name
        shutil.rmtree(folder / lesson, ignore_errors=True)
        path = folder / lesson / f"{lesson}.ipynb"
        write_notebook(notebook, path)
        if student.damage:
            student.damage(path)
        folders.append(folder)
    return folders


def solution_texts(course: Course, lesson: str = LESSON) -> dict[str, str]:
    """Exercise → the lesson's own answer, in the order of the lesson."""
    source = unsolved(read_notebook(course.source_notebook(lesson)))
    return {str(grade_id(cell)): cell.source for cell in source.cells if is_solution(cell)}


def answer(released: NotebookNode, student: Student, solutions: Mapping[str, str]) -> NotebookNode:
    """The released notebook as this student hands it in."""
    notebook = deepcopy(released)
    written = {exercise.name for exercise in find_exercises(released) if exercise.manual}
    coded = [name for name in solutions if name not in written]
    texts = {name: solutions[name] for name in coded[: student.solved]}
    for file in student.own:
        texts |= own_answers(file)
    texts |= dict.fromkeys(written, WRITTEN) if student.writes else {}
    for cell in notebook.cells:
        if is_solution(cell) and grade_id(cell) in texts:
            cell.source = texts[str(grade_id(cell))]
    if student.spoil:
        student.spoil(notebook)
    return notebook


def own_answers(file: str) -> dict[str, str]:
    """Exercise → cell text, from one of the files in ``demo/answers``.

    A cell's text ends where the next function or class ends; statements before the first one belong to it.
    """
    source = (ANSWERS / f"{file}.py").read_text(encoding="utf-8")
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
    """Fill the workspace and say who is in the class."""
    parser = argparse.ArgumentParser(description="Fill a workspace with a made-up class.")
    parser.add_argument("--workspace", type=Path, help="another workspace than the one in pyproject.toml")
    course = find_course(PROJECT, parser.parse_args().workspace)
    real = strangers(course)
    if real:
        print(
            f"{course.submitted} holds submissions that are not of the made-up class ({', '.join(real[:3])}"
            f"{', ...' if len(real) > 3 else ''}), so nothing was written. Choose another --workspace "
            "(make demo WORKSPACE=...).",
            file=sys.stderr,
        )
        sys.exit(2)
    folders = fill(course)
    print(f"✓ {len(folders)} made-up students in {course.submitted}")


if __name__ == "__main__":
    main()
