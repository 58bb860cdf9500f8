"""Lesson 4's notebook: the sections that its checks name, and what needs a machine or a switch."""

from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course import data, device, training
from course.checks.residual import SECTIONS
from course.residual import resnet18

PATH = Path(__file__).parents[1] / "source_notebooks" / "04_resnet" / "04_resnet.ipynb"


@pytest.fixture
def cells():
    return {cell.id: cell.source for cell in nbformat.read(PATH, as_version=4).cells}


def test_the_sections_that_the_checks_name_are_in_the_notebook(cells):
    headings = [line for source in cells.values() for line in source.splitlines() if line.startswith("## 4.")]
    assert [heading.split()[1] for heading in headings] == [f"4.{number}" for number in range(1, 13)]
    assert {f"## {number} {title}" for number, title in SECTIONS.items()} <= set(headings)


def names(**extra):
    """What the cells before define, as far as the cell under test needs it."""
    import time

    known = {"torch": torch, "nn": nn, "F": F, "time": time, "data": data, "device": device}
    return {**known, "training": training, "my_resnet18": resnet18, "deck_runs": [], **extra}


def test_without_a_gpu_the_cell_says_so_and_shows_the_recorded_time(cells, monkeypatch, capsys):
    monkeypatch.setattr(device, "best_device", lambda: torch.device("cpu"))
    exec(cells["gpu-step"], names(deck_runs=[{"device": "a GPU", "seconds": 100, "epochs": 10}]))
    assert capsys.readouterr().out.splitlines() == [
        "GPU: skipped, PyTorch finds none on this machine (neither CUDA nor Apple's MPS).",
        "recorded on a GPU: 10 s per epoch",
    ]


def test_the_step_that_a_gpu_is_timed_with_runs(cells):
    known = names(my_resnet18=lambda **_: nn.Sequential(nn.AvgPool2d(96), nn.Flatten(), nn.Linear(1, 10)))
    exec(cells["gpu-step"], known)
    assert known["seconds_per_step"](torch.device("cpu"), steps=2) > 0


def test_with_the_switch_on_decks_d3s_experiment_runs(cells, monkeypatch, capsys):
    x, y = torch.rand(130, 1, 28, 28), torch.arange(130) % 10
    pictures = data.ImageData("few", x, y, x, y, tuple("0123456789"))
    monkeypatch.setattr(data, "fashion_mnist", lambda on: pictures.to(on))
    source = cells["real-run"].replace("RUN_ON_REAL_DATA = False", "RUN_ON_REAL_DATA = True")
    small = nn.Sequential(nn.AvgPool2d(96), nn.Flatten(), nn.Linear(1, 10))
    exec(source, names(gpu=torch.device("cpu"), my_resnet18=lambda **_: small))
    assert capsys.readouterr().out.startswith("test accuracy by epoch: 0.")


def test_every_experiment_can_be_done_with_the_courses_own_code(cells):
    for name in ["BasicBlock", "Bottleneck", "make_layer", "ResNet", "resnet18", "zero_init_residual"]:
        line = f"my_{name} = {name}  # stuck? my_{name} = reference.{name}"
        assert sum(line in source for source in cells.values()) == 1, name
