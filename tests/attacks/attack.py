"""What an attack is: a submission that should win nothing it did not earn, and the verdict it deserves.

An attack is the released notebook with other text in some cells, cells of its own, files beside it, or a
broken file. Text may name places that a well-informed attacker knows: ``@WORKSPACE@``, ``@COURSE@`` (the
folder of the course), ``@PACKAGE@`` (the course's Python package), ``@HOME@``, ``@PORT@`` (a service on this
machine), ``@SOCKET@``, ``@STUDENT@`` and ``@TOKEN@`` (a word that is in the names of all files left behind).

An attack that gets hold of something it should not see or reach prints ``LOOT: what``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.notebooks import grade_id, is_graded, is_solution, write_notebook

LESSON = "03_batch_norm"

FUNCTIONS = (
    "channel_statistics",
    "pca_whiten",
    "batch_norm_train",
    "batch_norm_backward",
    "batch_norm_eval",
    "fuse_linear_bn",
)
LAYERS = ("BatchNorm1d", "BatchNorm2d", "LayerNorm", "InstanceNorm2d", "GroupNorm")
ALL = FUNCTIONS + LAYERS
"""The exercises of the lesson that a machine grades."""

SOME = ("channel_statistics", "batch_norm_eval", "InstanceNorm2d")
"""An honest part, spread over the lesson, that costs little time."""

LOOT = "LOOT: "

ROWS = {
    1: "an answer that equals everything; a Tensor subclass that lies",
    2: "a number shown in the test cell, as a partial score",
    3: "the test cell's text is rewritten before it runs",
    4: "what the tests call is patched",
    5: "the gradebook is edited while grading runs",
    6: "reads the source, the gradebook, its graded notebook, others' work",
    7: "reads a running test: In, frames, gc, hooks",
    8: "links instead of files",
    9: "the process ends, in a cell or inside a tested function",
    10: "a loop that never ends",
    11: "memory, processes, output, disk",
    12: "the network",
    13: "modules beside the notebook with the names of real ones",
    14: "code that runs after the tests",
    15: "forged results",
    16: "cells and their settings edited",
    17: "broken files",
    18: "HTML and JavaScript for the reader of the feedback",
    19: "archives",
    20: "answers hard-coded from the visible checks",
    21: "the work is left to torch or to the course's reference",
    22: "honest work that looks odd",
}


def code(text: str) -> str:
    """The text of a cell, as it is written in an indented string."""
    return textwrap.dedent(text).strip()


def everywhere(text: str) -> dict[str, str]:
    """The same text in every solution cell."""
    return dict.fromkeys(ALL, text)


SEE_ABOVE = everywhere("# see above")
"""Solution cells of somebody whose first cell defines all names."""


@dataclass(frozen=True)
class Attack:
    """A submission with the verdict it deserves.

    Attributes:
        name: the student's name as well.
        row: number in `ROWS`.
        story: what is tried, in a few words.
        solves: exercises that are solved as in the lesson, and earn their points.
        answers: exercise → text of its cell; these earn nothing, unless `earns` says so.
        earns: exercises, or test cells, whose points the `answers` earn.
        first: a cell of its own, after the lesson's imports.
        before: name of a cell → a cell of its own before it.
        last: a cell of its own at the end.
        files: what lies beside the notebook.
        spoil: changes the notebook before it is written.
        damage: changes the folder after the notebook is written.
        refused: it cannot be graded at all.
        verdicts: exercise → the verdict it must get, where that matters.
        says: pattern that must be found in the problems or in the message of an exercise.
        for_the_reader: it tries to run ``steal()`` in the browser of whoever reads the feedback page.
        at_most: it harms itself too, and may get less than it has earned.
        sandbox: survived only where the machine can shut processes in.
        inside: at a part of this grader that stock nbgrader does not have.
        gap: it keeps the points of its answers, which `docs/grader.md` admits, and must be flagged at least.
    """

    name: str
    row: int
    story: str
    solves: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    earns: tuple[str, ...] = ()
    first: str = ""
    before: Mapping[str, str] = field(default_factory=dict)
    last: str = ""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    spoil: Callable[[NotebookNode], None] | None = None
    damage: Callable[[Path], None] | None = None
    refused: bool = False
    verdicts: Mapping[str, str] = field(default_factory=dict)
    says: str = ""
    for_the_reader: bool = False
    at_most: bool = False
    sandbox: bool = False
    inside: bool = False
    gap: bool = False

    @property
    def honest(self) -> bool:
        """Whether somebody could hand this in without a bad thought."""
        return self.row == 22

    def points(self, release: NotebookNode) -> float:
        """The points that it deserves."""
        worth = {
            str(grade_id(cell)): float(cell.metadata.nbgrader.points)
            for cell in release.cells
            if is_graded(cell) and not is_solution(cell)
        }
        earned = (*self.solves, *self.earns) if not self.refused else ()
        return sum(
            points
            for test, points in worth.items()
            if any(test == name or test.startswith(f"{name}-") for name in earned)
        )

    def notebook(
        self, release: NotebookNode, solutions: Mapping[str, str], places: Mapping[str, str]
    ) -> NotebookNode:
        """The notebook as it is handed in."""
        notebook = deepcopy(release)
        answers = {**{name: solutions[name] for name in self.solves}, **self.answers}
        cells = []
        for cell in notebook.cells:
            name = grade_id(cell) or cell.get("id", "")
            if name in self.before:
                cells.append(own_cell(fill(self.before[name], places)))
            if is_solution(cell) and name in answers:
                cell.source = fill(answers[name], places)
            cells.append(cell)
            if name == "imports" and self.first:
                cells.append(own_cell(fill(self.first, places)))
        if self.last:
            cells.append(own_cell(fill(self.last, places)))
        notebook.cells = cells
        if self.spoil:
            self.spoil(notebook)
        return notebook

    def hand_in(
        self,
        folder: Path,
        release: NotebookNode,
        solutions: Mapping[str, str],
        places: Mapping[str, str],
    ) -> None:
        """Write the submission into its folder."""
        places = {**places, "STUDENT": self.name}
        path = folder / f"{LESSON}.ipynb"
        write_notebook(self.notebook(release, solutions, places), path)
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, bytes) else fill(content, places).encode()
            (folder / name).write_bytes(data)
        if self.damage:
            self.damage(path)


def own_cell(source: str) -> NotebookNode:
    """A code cell that the student added."""
    return new_code_cell(source)


def fill(text: str, places: Mapping[str, str]) -> str:
    """Text with the places in it."""
    for name, value in places.items():
        text = text.replace(f"@{name}@", value)
    return text
