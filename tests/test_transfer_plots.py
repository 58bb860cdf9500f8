"""The pictures of lesson 06 draw what they are given, on the axes they are given."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from course import transfer_plots as plots
from course.plotting import BLUE, GREY

pytestmark = pytest.mark.usefixtures("closed_figures")

PICTURES = {
    "decision_panel": lambda ax: plots.decision_panel({"a": [0.5, 0.7], "b": [0.6, 0.9]}, {"b"}, ax=ax),
    "digit_map": lambda ax: plots.digit_map(torch.randn(20, 2), torch.arange(20) % 10, ax=ax),
    "freeze_plan": lambda ax: plots.freeze_plan(["conv", "fc"], {"epoch 0": ["fc"]}, ax=ax),
    "layer_bars": lambda ax: plots.layer_bars(["conv", "fc"], {"a": [1, 2], "b": [2, 1]}, ax=ax),
    "paired_draws": lambda ax: plots.paired_draws({"a": [0.9, 0.8], "b": [0.95, 0.9]}, {"a": 0.97}, ax=ax),
    "picture_rows": lambda ax: plots.picture_rows({"x": torch.rand(3, 1, 8, 8)}, ax=ax),
    "retrieval_rows": lambda ax: plots.retrieval_rows(
        torch.rand(2, 1, 8, 8), torch.rand(2, 3, 1, 8, 8), torch.ones(2, 3), ax=ax
    ),
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


def test_rows_may_differ_in_length_and_stand_below_each_other(ax):
    plots.picture_rows({"three": torch.rand(3, 1, 8, 8), "one": torch.rand(1, 8, 8)}, ax=ax)
    assert len(ax.images) == 4
    assert [label.get_text() for label in ax.get_yticklabels()] == ["three", "one"]
    assert ax.images[3].get_extent()[3] > ax.images[0].get_extent()[2] - 1


def test_a_plan_says_of_every_layer_whether_it_trains(ax):
    plots.freeze_plan(["conv", "fc"], {"epoch 0": ["fc"], "epoch 1": ["conv", "fc"]}, ax=ax)
    assert [text.get_text() for text in ax.texts] == ["frozen", "trains", "trains", "trains"]
    colours = [to_hex(box.get_facecolor()) for box in ax.patches]
    assert colours[0] != colours[1] == colours[2] == colours[3]


def test_a_label_is_written_at_its_point(ax):
    plots.digit_map([[0.0, 1.0], [2.0, 3.0]], [7, 4], ax=ax)
    assert [(text.get_text(), text.get_position()) for text in ax.texts] == [("7", (0, 1)), ("4", (2, 3))]


def test_only_wrong_hits_are_framed(ax):
    hits = torch.rand(1, 3, 1, 8, 8)
    plots.retrieval_rows(torch.rand(1, 1, 8, 8), hits, [[True, False, True]], ax=ax)
    assert len(ax.images) == 4
    assert len(ax.patches) == 1
    assert 2.3 <= ax.patches[0].get_x() < 3.3  # the second hit


def test_advice_is_marked_by_its_name_and_the_best_median_by_a_line(ax):
    plots.decision_panel({"probe": [0.5, 0.6, 0.9], "fine-tune": [0.1, 0.8, 0.85]}, {"probe"}, ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["decks' advice → probe", "fine-tune"]
    assert [label.get_color() for label in ax.get_yticklabels()] == [BLUE, GREY]
    assert 0.8 in [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"]


def test_equal_draws_are_joined(ax):
    plots.paired_draws({"a": [0.9, 0.8], "b": [0.95, 0.85]}, {}, ax=ax)
    joined = [list(line.get_ydata()) for line in ax.lines if line.get_color() == GREY]
    assert np.allclose(joined, [[0.9, 0.95], [0.8, 0.85]])
