"""Lesson 7's notebook: the sections that its checks name, its made-up GPU, and what needs a real one."""

from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course import batches, counting, data, device, gpu_plots, mixed_precision, plotting, results, timing
from course.checks.gpu import EXERCISES, SECTIONS
from course.device import synchronize
from course.results import gpu as experiments
from course.results import gpu_tables

PATH = Path(__file__).parents[1] / "source_notebooks" / "07_gpu" / "07_gpu.ipynb"

pytestmark = pytest.mark.usefixtures("closed_figures")


@pytest.fixture
def cells():
    return {cell.id: cell.source for cell in nbformat.read(PATH, as_version=4).cells}


@pytest.fixture
def known():
    """What the cells before define, as far as the cells under test need it."""
    import time

    names = {"torch": torch, "nn": nn, "F": F, "plt": plt, "time": time, "data": data, "device": device}
    names |= {"gpu_plots": gpu_plots, "plotting": plotting, "results": results, "counting": counting}
    names |= {"experiments": experiments, "gpu_tables": gpu_tables, "synchronize": synchronize}
    names |= {"my_to_device": batches.to_device, "my_benchmark_step": timing.benchmark_step}
    return names | {"my_train_amp": mixed_precision.train_amp, "gpu": torch.device("cpu")}


def test_the_sections_that_the_checks_name_are_in_the_notebook(cells):
    headings = [line for source in cells.values() for line in source.splitlines() if line.startswith("## 7.")]
    assert [heading.split()[1] for heading in headings] == [f"7.{number}" for number in range(1, 11)]
    assert {f"## {number} {title}" for number, title in SECTIONS.items()} <= set(headings)


def test_every_experiment_can_be_done_with_the_courses_own_code(cells):
    modules = ("reference_batches", "reference_timing", "reference_precision")
    for exercise, module in zip(EXERCISES, modules, strict=True):
        name = exercise.name
        line = f"my_{name} = {name}  # stuck? my_{name} = {module}.{name}"
        assert sum(line in source for source in cells.values()) == 1, name


def test_the_made_up_gpu_shows_what_the_text_says(cells, known, capsys):
    for cell in ("queue-class", "queue-run", "queue-four-ways"):
        exec(cells[cell], known)
    printed = capsys.readouterr().out.split()
    assert printed[2] == "3"
    assert [printed[i] for i, word in enumerate(printed) if printed[i - 1 : i] and word.isdigit()] == [
        *("3", "10"),
        *("3", "16", "3", "10"),
    ]


def test_what_the_text_says_of_rounding_is_so(cells, known, capsys):
    known["digits"] = data.digits()
    exec(cells["lost-steps"], known)
    stays = known["weights_that_stay"]
    assert stays(torch.float32, 0.002) < 0.05
    assert stays(torch.bfloat16, 0.2) < stays(torch.bfloat16, 0.02) < stays(torch.bfloat16, 0.002)
    assert stays(torch.bfloat16, 0.002) > 0.8


def test_gradients_underflow_without_scaling_and_not_with_it(cells, known):
    for cell in ("histogram", "histogram-numbers"):
        exec(cells[cell], known)
    gradient = known["first"].grad
    assert (gradient.half() == 0).float().mean() > 0.1
    assert ((65536 * gradient).half() == 0).float().mean() < 0.001
    assert (65536 * gradient).abs().max() < 65504


def test_the_scaler_begins_with_steps_that_are_skipped(cells, known, capsys):
    known["digits"] = data.digits()
    exec(cells["scaler-run"], known)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "step  1: scale 2^24, no step: inf"
    assert lines[-1].endswith("a step")


@pytest.mark.parametrize("cell", ["lying-clock", "compare-factor", "copies"])
def test_without_a_gpu_the_cell_says_so(cells, known, capsys, cell):
    exec(cells[cell], known | {"here": {"CPU": {}}})
    assert "GPU: skipped" in capsys.readouterr().out


def test_with_the_switch_on_d0s_network_trains_on_the_device(cells, known, monkeypatch, capsys):
    x, y = torch.rand(130, 1, 28, 28), torch.arange(130) % 10
    pictures = data.ImageData("few", x, y, x, y, tuple("0123456789"))
    monkeypatch.setattr(data, "mnist", lambda on: pictures.to(on))
    source = cells["real-run"].replace("RUN_ON_REAL_DATA = False", "RUN_ON_REAL_DATA = True")
    exec(source, known)
    assert "test accuracy:" in capsys.readouterr().out


def record_of_a_gpu():
    """Runs as a GPU would give them: every time a hundredth of the CPU's."""
    cpu = results.select(results.load("07_gpu")["runs"], experiment="cpu_benchmark")
    faster = {"experiment": "gpu_benchmark", "device": "a stand-in GPU", "load": 0.1}
    runs = [
        {**run, **faster, **{name: run[name] / 100 for name in ("seconds", "shortest", "longest")}}
        for run in cpu
    ]
    return [*cpu, *runs]


@pytest.mark.parametrize("with_gpu", [False, True], ids=["no GPU result", "a GPU result"])
def test_recorded_results_are_shown_and_what_is_missing_is_said(cells, known, monkeypatch, capsys, with_gpu):
    runs = record_of_a_gpu()
    runs = runs if with_gpu else results.select(runs, experiment="cpu_benchmark")
    monkeypatch.setattr(results, "load", lambda lesson: {"runs": runs})
    for cell in ("recorded-load", "recorded-factors", "recorded-plot", "recorded-variants"):
        exec(cells[cell], known)
    printed = capsys.readouterr().out
    assert ("no result is recorded yet" in printed) is not with_gpu
    assert ("a stand-in GPU" in printed) is with_gpu
    assert printed.count("factor 100.0×") == (3 if with_gpu else 0)
