"""Lesson 01 has the sections that its checks point to, and says what its numbers say."""

from pathlib import Path

import nbformat
import pytest
import torch

from course.checks.optimization import SECTIONS

HEADINGS = [
    "1.1 Why mini-batches",
    "1.2 Scale the inputs",
    "1.3 Two losses",
    "1.4 Gradient descent with momentum",
    "1.5 Adam",
    "1.6 Schedule the learning rate",
    "1.7 First overfit a small batch",
    "1.8 The training loop",
    "1.9 What changes the training",
    "1.10 On the real data",
    "1.11 Which recipe?",
    "1.12 Summary",
]
PATH = Path(__file__).parents[1] / "source_notebooks/01_optimization/01_optimization.ipynb"


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(PATH, as_version=4)


def test_the_sections_are_there_in_their_order(notebook):
    lines = [line for cell in notebook.cells for line in cell.source.splitlines()]
    assert [line for line in lines if line.startswith("## 1.")] == [f"## {heading}" for heading in HEADINGS]


def test_the_checks_name_sections_that_exist():
    assert {f"{number} {title}" for number, title in SECTIONS.items()} <= set(HEADINGS)


def test_the_plan_adds_up(notebook):
    plan = next(cell.source for cell in notebook.cells if cell.id == "plan")
    rows = [line.strip("| ").split("|") for line in plan.splitlines() if line.startswith("| 1.")]
    assert [row[0].strip() for row in rows] == HEADINGS
    assert sum(int(row[2]) for row in rows if row[2].strip() != "–") == 100


def test_the_base_classes_of_the_lesson_work_like_those_of_the_course(notebook):
    """The notebook shows short versions; what a student builds on either makes the same steps."""
    cells = {cell.id: cell.source for cell in notebook.cells}
    names = {"torch": torch}
    for name in ("optimizer", "solution-SGD", "schedule"):
        exec(compile(cells[name], name, "exec"), names)
    ours, theirs = (torch.tensor([1.0, -2.0], requires_grad=True) for _ in range(2))
    mine = names["SGD"]([ours], lr=0.1, momentum=0.9, weight_decay=0.1)
    torchs = torch.optim.SGD([theirs], lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(4):
        for p, optimizer in [(ours, mine), (theirs, torchs)]:
            optimizer.zero_grad()
            (p**2).sum().backward()
            optimizer.step()
    assert torch.equal(ours, theirs)
