"""What a made-up student is, and what can happen to a notebook or its file."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from autograder.notebooks import facts, is_graded, is_solution


@dataclass(frozen=True)
class Student:
    """One made-up student.

    Attributes:
        name: folder of the submission.
        story: what is special about it.
        solved: how many exercises are solved as in the lesson; the others stay as released.
        own: names of files in ``demo/answers/LESSON`` with other answers.
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
