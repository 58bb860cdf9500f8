"""Made-up classes of any size: ``python -m benchmarks.classes --count 200 --workspace DIR``.

Of every 20 students 12 are right, each by a route of their own, 5 made one mistake, 2 stopped half way and 1
handed in the release. Who wrote what depends on the seed and the student's number alone, so the first 12 of a
class of 200 are a class of 12. Each name stands in the student's own cells: no two notebooks are equal.

Nobody here loops for ever or breaks the file; that is tested elsewhere, and would measure a time limit.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.answers import mistakes, right_answers, right_sets

LESSON = "03_batch_norm"

BLOCK = ("right",) * 12 + ("one mistake",) * 5 + ("half finished",) * 2 + ("untouched",)
"""What 20 students in a row do, in an order drawn for each block."""

OWN_ROUTE = 0.6
"""How often a right exercise is solved in another way than the lesson solves it."""

WRITTEN = (
    "Batch norm keeps mean and variance of each layer's inputs fixed: layers do not chase each other. ",
    "I think the shift is not the reason: with noise after the norm the network trains as well as before. ",
    "The gradients depend less on the scale of the weights, so a larger learning rate works. ",
)

TRIALS = {
    "batch_norm_train": "y, mean, var = batch_norm_train(torch.randn(64, 3), torch.ones(3), torch.zeros(3))\n"
    "print(y.mean(dim=0), y.var(dim=0))",
    "BatchNorm1d": "layer = BatchNorm1d(3)\nfor _ in range(20):\n    layer(5 + torch.randn(32, 3))\n"
    "print(layer.running_mean, layer.running_var)",
    "GroupNorm": "x = torch.rand(2, 4, 3, 3)\nGroupNorm(2, 4)(x).std()",
}
"""What students try in a cell of their own; random numbers, as students draw them."""


@dataclass(frozen=True)
class Member:
    """One student of a made-up class.

    Attributes:
        name: such as ``student-00001``.
        kind: one of those in `BLOCK`.
        story: students with the same story must get the same score.
        texts: exercise → what the cell holds; the other cells stay as released.
        trial: the exercise after which a cell of the student's own stands; "" for none.
    """

    name: str
    kind: str
    story: str
    texts: Mapping[str, str]
    trial: str


@dataclass(frozen=True)
class Lesson:
    """What a class needs of the lesson: the student version, and the lesson's own answers in order."""

    released: Mapping[str, Any]
    solutions: Mapping[str, str]
    written: tuple[str, ...]


def read_lesson(release: Path, source: Path) -> Lesson:
    """The lesson from its student version and its source notebook."""
    released = json.loads(release.read_text(encoding="utf-8"))
    solutions, written = {}, []
    for cell in json.loads(source.read_text(encoding="utf-8"))["cells"]:
        facts = cell["metadata"].get("nbgrader", {})
        if facts.get("solution") and cell["cell_type"] == "code":
            lines = "".join(cell["source"]).split("\n")
            kept = [line for line in lines if "BEGIN SOLUTION" not in line and "END SOLUTION" not in line]
            solutions[facts["grade_id"]] = "\n".join(kept)
        elif facts.get("solution"):
            written.append(facts["grade_id"])
    return Lesson(released, solutions, tuple(written))


def make_class(lesson: Lesson, count: int, seed: int = 1) -> Iterator[Member]:
    """The first `count` students of the class of this seed."""
    for number in range(1, count + 1):
        block, place = divmod(number - 1, len(BLOCK))
        kinds = random.Random(f"{seed} block {block}").sample(BLOCK, len(BLOCK))
        yield _member(lesson, number, kinds[place], random.Random(f"{seed} student {number}"))


def _member(lesson: Lesson, number: int, kind: str, draw: random.Random) -> Member:
    """What one student writes."""
    exercises = list(lesson.solutions)
    texts = {exercise: _right(lesson, exercise, draw) for exercise in exercises}
    if draw.random() < 0.2:
        texts |= {name: text for name, text in draw.choice(right_sets()).items() if name in texts}
    texts |= dict.fromkeys(lesson.written, "".join(draw.sample(WRITTEN, 2)))
    story = kind
    if kind == "one mistake":
        groups: dict[str, list[tuple[str, dict[str, str]]]] = {}
        for name, wrong in mistakes():
            groups.setdefault(name.split(":")[0], []).append((name, wrong))
        story, wrong = draw.choice(groups[draw.choice(sorted(groups))])
        texts |= wrong
    elif kind == "half finished":
        done = draw.randint(3, len(exercises) - 3)
        story = f"the first {done} exercises"
        texts = {exercise: texts[exercise] for exercise in exercises[:done]}
    elif kind == "untouched":
        texts = {}
    trials = [exercise for exercise in TRIALS if exercise in texts]
    trial = draw.choice(trials) if trials and draw.random() < 0.3 else ""
    return Member(f"student-{number:05}", kind, story, texts, trial)


def _right(lesson: Lesson, exercise: str, draw: random.Random) -> str:
    """A right answer: the lesson's own, or another."""
    if draw.random() < OWN_ROUTE:
        return draw.choice(right_answers()[exercise])
    return lesson.solutions[exercise]


def notebook_of(lesson: Lesson, member: Member) -> dict[str, Any]:
    """The notebook that a student hands in."""
    notebook = {key: value for key, value in lesson.released.items() if key != "cells"}
    cells = []
    named = False
    for cell in lesson.released["cells"]:
        metadata = cell["metadata"]
        name = metadata.get("nbgrader", {}).get("grade_id")
        if name in member.texts:
            comment = f"\n\n# {member.name}" if cell["cell_type"] == "code" else f"\n\n{member.name}"
            cell = {**cell, "source": _lines(member.texts[name].rstrip() + comment)}
        elif not named and _is_plain_code(cell):
            named = True
            cell = {**cell, "source": [*cell["source"], f"\n\n# {member.name}"]}
        cells.append(cell)
        if name and name == member.trial:
            cells.append(_own_cell(TRIALS[name]))
    return {"cells": cells, **notebook}


def _is_plain_code(cell: Mapping[str, Any]) -> bool:
    """Whether a cell is the lesson's own code: nbgrader does not know it, and it is not for Colab."""
    metadata = cell["metadata"]
    return (
        cell["cell_type"] == "code"
        and not metadata.get("nbgrader")
        and "colab" not in metadata.get("tags", ())
    )


def _own_cell(text: str) -> dict[str, Any]:
    code = {"cell_type": "code", "id": "my-trial", "metadata": {}, "execution_count": None, "outputs": []}
    return {**code, "source": _lines(text)}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def write_submission(lesson: Lesson, member: Member, submitted: Path) -> Path:
    """Write one student's submission.

    Returns:
        Path of the notebook.
    """
    path = submitted / member.name / LESSON / f"{LESSON}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(notebook_of(lesson, member), ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def fill(lesson: Lesson, submitted: Path, count: int, seed: int = 1) -> list[Member]:
    """Write a whole class.

    Returns:
        Its members.
    """
    members = list(make_class(lesson, count, seed))
    for member in members:
        write_submission(lesson, member, submitted)
    return members


def main() -> None:
    """Fill a workspace that holds the release of the lesson."""
    parser = argparse.ArgumentParser(description="Fill a workspace with a made-up class.")
    parser.add_argument("--count", type=int, default=200, help="how many students")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another class")
    parser.add_argument("--workspace", type=Path, required=True, help="holds the release; gets submitted/")
    options = parser.parse_args()
    release = options.workspace / "release" / LESSON / f"{LESSON}.ipynb"
    if not release.is_file():
        parser.error(f"{release} is missing: autograder release {LESSON} --workspace {options.workspace}")
    source = Path(__file__).parents[1] / "source_notebooks" / LESSON / f"{LESSON}.ipynb"
    members = fill(read_lesson(release, source), options.workspace / "submitted", options.count, options.seed)
    print(f"{len(members)} submissions in {options.workspace / 'submitted'}")


if __name__ == "__main__":
    main()
