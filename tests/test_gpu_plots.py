"""The pictures of lesson 07 draw what they are given, on the axes they are given."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
import torch

from course import gpu_plots

pytestmark = pytest.mark.usefixtures("closed_figures")

WORK = [(0.0, 1.0, "fwd"), (1.0, 3.0, "wait")]
TIMES = {"CPU": {"MLP": 0.002, "ResNet-18": 0.4}, "GPU": {"MLP": 0.001}}
PICTURES = {
    "timeline": lambda ax: gpu_plots.timeline(WORK, WORK[:1], ax=ax),
    "step_bars": lambda ax: gpu_plots.step_bars(TIMES, ax=ax),
    "per_picture": lambda ax: gpu_plots.per_picture([2, 8], {"CPU": [0.01, 0.02]}, ax=ax),
    "gradient_histogram": lambda ax: gpu_plots.gradient_histogram({"true": torch.rand(99) * 1e-7}, ax=ax),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_is_drawn_on_the_given_axes_and_returns_them(picture, ax):
    assert picture(ax) is ax
    ax.figure.canvas.draw()


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_without_axes_a_picture_makes_its_own_figure(picture):
    before = plt.get_fignums()
    assert picture(None).figure.number not in before


def test_a_bar_stands_for_each_network_that_a_device_has_trained(ax):
    gpu_plots.step_bars(TIMES, ax=ax)
    assert len(ax.patches) == 3
    assert [text.get_text() for text in ax.texts] == ["CPU: 2 ms", "CPU: 400 ms", "GPU: 1 ms"]
    assert ax.get_xlabel() == "time of one training step (ms)"


def test_the_time_per_picture_is_the_steps_divided_by_the_batch(ax):
    gpu_plots.per_picture([2, 8], {"CPU": [0.01, 0.02]}, ax=ax)
    (line,) = ax.lines
    assert list(line.get_ydata()) == pytest.approx([5000, 2500])
