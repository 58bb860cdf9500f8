"""The pictures of lesson 01 draw what they are given, on the axes they are given."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course import optimization_plots as plots

pytestmark = pytest.mark.usefixtures("closed_figures")

LINE = torch.linspace(-2, 2, 21)
W1, W2 = torch.meshgrid(LINE, LINE, indexing="xy")
BOWL = W1**2 + 3 * W2**2
PATH = torch.tensor([[1.5, 1.0], [0.5, 0.2], [0.0, 0.0]])
PICTURES = {
    "descent_1d": lambda ax: plots.descent_1d(lambda w: w**2, torch.tensor([-2.0, 1.0, 0.1]), ax=ax),
    "gradient_cloud": lambda ax: plots.gradient_cloud({"batch of 1": PATH}, PATH.mean(dim=0), ax=ax),
    "heat_map": lambda ax: plots.heat_map([[0.1, 0.9], [0.8, 0.2]], (16, 64), (0.1, 1), ax=ax),
    "named_lines": lambda ax: plots.named_lines(range(3), {"a": [3.0, 2, 1], "b": [1.0, 2]}, ax=ax),
    "rate_curves": lambda ax: plots.rate_curves((0.1, 1), {"SGD": [[0.5, 0.6], []]}, ax=ax),
    "surface_paths": lambda ax: plots.surface_paths(W1, W2, BOWL, {"SGD": PATH}, ax=ax),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_is_drawn_on_the_given_axes_and_returns_them(picture, ax):
    assert picture(ax) is ax
    ax.figure.canvas.draw()


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_without_axes_a_picture_makes_its_own_figure(picture):
    assert picture(None).figure in map(plt.figure, plt.get_fignums())


def test_every_public_function_is_drawn_here():
    assert set(plots.__all__) == set(PICTURES)


def test_a_descent_that_leaves_the_picture_does_not_stretch_it():
    ax = plots.descent_1d(lambda w: w**2, torch.tensor([-2.0, 50.0]), reach=3)
    assert ax.get_xlim() == (-3, 3)
    assert ax.get_ylim()[1] == 9


def test_the_star_stands_at_the_minimum_and_the_ring_at_the_start():
    ax = plots.surface_paths(W1, W2, BOWL, {"SGD": PATH}, minimum=(0.5, -0.5))
    points = {
        line.get_marker(): line.get_xydata()[0].tolist() for line in ax.lines if len(line.get_xdata()) == 1
    }
    assert points["*"] == [0.5, -0.5]
    assert points["o"] == PATH[0].tolist()


def test_a_surface_below_zero_or_high_above_it_is_drawn_from_its_own_floor():
    for shift in (-5, 100):
        plots.surface_paths(W1, W2, BOWL + shift, {}).figure.canvas.draw()


def test_one_path_needs_no_legend_and_two_do():
    assert plots.surface_paths(W1, W2, BOWL, {"a": PATH}).get_legend() is None
    legend = plots.surface_paths(W1, W2, BOWL, {"a": PATH, "b": PATH}).get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]


def test_a_line_that_is_shorter_ends_earlier():
    ax = plots.named_lines(range(10, 13), {"a": [1.0, 2, 3], "b": [1.0, 2]})
    assert [line.get_xdata().tolist() for line in ax.lines] == [[10, 11, 12], [10, 11]]


def test_lines_differ_in_more_than_their_colour():
    ax = plots.named_lines(range(2), {name: [1.0, 2] for name in "abc"})
    assert len({line.get_linestyle() for line in ax.lines}) == 3


def test_a_rate_curve_shows_the_median_and_the_range():
    ax = plots.rate_curves((0.1, 1), {"SGD": [[0.2, 0.9, 0.3], [0.5]]})
    assert ax.lines[0].get_ydata().tolist() == [0.3, 0.5]
    low, high = ax.collections[0].get_segments()[0][:, 1]
    assert (low, high) == (0.2, 0.9)


def test_a_rate_that_was_not_tried_leaves_a_gap():
    ax = plots.rate_curves((0.1, 1, 10), {"SGD": [[0.2], [], [0.4]]})
    assert ax.lines[0].get_xdata() == pytest.approx([0.1, 10])


def test_every_field_of_a_heat_map_has_its_number_and_the_best_of_a_row_a_frame():
    ax = plots.heat_map(np.array([[0.25, 0.5], [0.75, 1.0]]), (16, 64), (0.1, 1))
    assert [text.get_text() for text in ax.texts] == [".250", ".500", ".750", "1.000"]
    framed = [text.get_text() for text in ax.texts if text.get_bbox_patch() is not None]
    assert framed == [".500", "1.000"]
