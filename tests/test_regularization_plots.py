"""The pictures of lesson 05 draw what they are given, on the axes they are given."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course import regularization_plots as plots
from course.plotting import BLUE, GREY

pytestmark = pytest.mark.usefixtures("closed_figures")

POINTS = torch.randn(5, 2)
PICTURES = {
    "arm_dots": lambda ax: plots.arm_dots({"nothing": [0.5, 0.6], "noise": [0.7, 0.8]}, "nothing", ax=ax),
    "mask_averages": lambda ax: plots.mask_averages([1, 10], [[0.7, 0.8], [0.9, 0.9]], 0.9, ax=ax),
    "number_grid": lambda ax: plots.number_grid(["a", "b"], ["x"], [[0.5], [0.9]], ax=ax),
    "on_and_off": lambda ax: plots.on_and_off([1, 2], [[3, 2], [4, 3]], [[2, 1], [2, 2]], "noise", ax=ax),
    "rare_points": lambda ax: plots.rare_points(POINTS, POINTS[:2], POINTS[2:], "new", ax=ax),
    "stopping_curve": lambda ax: plots.stopping_curve([3, 2, 1], [3, 1, 2], 2, 3, ax=ax),
    "train_and_test": lambda ax: plots.train_and_test({"true": ([0.5, 1.0], [0.4, 0.9])}, ax=ax),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_is_drawn_on_the_given_axes_and_returns_them(picture, ax):
    assert picture(ax) is ax
    ax.figure.canvas.draw()


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_without_axes_a_picture_makes_its_own_figure(picture):
    assert picture(None).figure in map(plt.figure, plt.get_fignums())


def test_every_public_function_is_drawn_here():
    assert set(plots.__all__) == {*PICTURES, "attack_rows"}


def test_the_bar_of_an_arm_stands_at_its_median_and_the_dotted_line_at_that_of_the_baseline(ax):
    plots.arm_dots({"nothing": [0.1, 0.2, 0.6], "noise": [0.7, 0.8, 0.9]}, "nothing", ax=ax)
    places = [set(line.get_xdata()) for line in ax.lines]
    assert {0.2} in places
    assert {0.8} in places
    assert [line.get_color() for line in ax.lines if line.get_linestyle() == ":"] == [GREY]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["nothing", "noise"]


def test_the_band_reaches_from_the_lowest_to_the_highest_seed(ax):
    plots.on_and_off([1, 2], [[3, 2], [4, 3]], [[2, 1], [2, 2]], "noise", ax=ax)
    off, on = ax.collections
    assert (off.get_paths()[0].vertices[:, 1].min(), off.get_paths()[0].vertices[:, 1].max()) == (2, 4)
    assert (on.get_paths()[0].vertices[:, 1].min(), on.get_paths()[0].vertices[:, 1].max()) == (1, 2)
    assert [line.get_label() for line in ax.lines] == ["off", "on"]


def test_training_is_solid_and_test_is_dashed(ax):
    plots.train_and_test({"true": ([0.5, 1.0], [0.4, 0.9])}, ax=ax)
    assert [line.get_linestyle() for line in ax.lines[:2]] == ["-", "--"]
    assert list(ax.lines[0].get_xdata()) == [1, 2]


def test_the_best_epoch_is_marked_on_the_validation_curve(ax):
    plots.stopping_curve([3, 2, 1], [3, 1.5, 2], 2, 3, ax=ax)
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "o"] == [
        (2, 1.5)
    ]


def test_the_best_of_each_column_is_bold(ax):
    plots.number_grid(["a", "b"], ["x", "y"], [[0.5, 0.95], [0.9, 0.4]], ax=ax)
    assert [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"] == ["0.95", "0.90"]


def test_new_rows_are_crosses_and_rare_ones_squares(ax):
    plots.rare_points(POINTS, POINTS[:2], POINTS[2:], ax=ax)
    assert [line.get_marker() for line in ax.lines] == ["o", "x", "s"]
    assert len(ax.lines[1].get_xdata()) == 3


def test_an_average_over_masks_is_drawn_beside_the_scaled_pass(ax):
    plots.mask_averages([1, 10], [[0.7, 0.8], [0.9, 0.9]], 0.85, ax=ax)
    median = next(line for line in ax.lines if line.get_color() == BLUE and line.get_marker() == "None")
    assert np.allclose(median.get_ydata(), [0.75, 0.9])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "10"]


def test_an_attack_is_a_row_of_three_pictures_with_what_the_network_says():
    pictures = torch.rand(2, 1, 8, 8)
    axes = plots.attack_rows(pictures, pictures + 0.1, ["3", "4"], ["8", "9"], 0.1)
    assert axes.shape == (2, 3)
    assert np.allclose(axes[0, 1].images[0].get_array(), 0.1)
    assert axes[0, 1].images[0].get_clim() == (-0.1, 0.1)
    assert [axes[1, 0].get_xlabel(), axes[1, 2].get_xlabel()] == ["4", "9"]
    again = plots.attack_rows(pictures, pictures, ["3", "4"], ["8", "9"], 0.1, axes=axes)
    assert again is axes
