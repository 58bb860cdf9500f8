"""The pictures of lesson 02 draw what they are given, on the axes they are given."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course import initialization_plots as plots

pytestmark = pytest.mark.usefixtures("closed_figures")

X = torch.linspace(-2, 2, 9)
PICTURES = {
    "accuracy_dots": lambda ax: plots.accuracy_dots({"He": [0.9, 0.8], "not tried": []}, ax=ax),
    "activation_curve": lambda ax: plots.activation_curve(X, X.relu(), (X > 0).float(), ax=ax),
    "clip_arrows": lambda ax: plots.clip_arrows(
        torch.tensor([3.0, 4.0]), torch.tensor([1.0, 1.0]), torch.tensor([0.6, 0.8]), limit=1.0, ax=ax
    ),
    "gradient_norms": lambda ax: plots.gradient_norms({"plain": [1.0, 1e30, float("inf")]}, ax=ax),
    "layer_lines": lambda ax: plots.layer_lines({"a": [1.0, 1e-9], "b": [1.0, 1e9]}, ax=ax),
    "singular_values": lambda ax: plots.singular_values({1: [2.0, 1.0], 50: [1.0, 0.0]}, ax=ax),
    "weight_histograms": lambda ax: plots.weight_histograms({"uniform": X, "normal": X**3}, ax=ax),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_is_drawn_on_the_given_axes_and_returns_them(picture, ax):
    assert picture(ax) is ax
    ax.figure.canvas.draw()


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_without_axes_a_picture_makes_its_own_figure(picture):
    assert picture(None).figure in map(plt.figure, plt.get_fignums())


def test_every_public_function_is_drawn_here():
    assert {*plots.__all__} - {"layer_histograms"} == set(PICTURES)


def names_in(ax):
    return [text.get_text() for text in ax.texts]


def test_names_stand_at_the_ends_of_the_lines_in_a_legend_or_nowhere():
    lines = {"a": [1.0, 2.0], "b": [2.0, 1.0]}
    assert sorted(names_in(plots.layer_lines(lines))) == ["a", "b"]
    legend = plots.layer_lines(lines, names="legend")
    assert names_in(legend) == []
    assert [text.get_text() for text in legend.get_legend().get_texts()] == ["a", "b"]
    nowhere = plots.layer_lines(lines, names="nowhere")
    assert names_in(nowhere) == []
    assert nowhere.get_legend() is None


def test_names_at_the_ends_of_equal_lines_do_not_lie_on_each_other():
    ax = plots.layer_lines({"a": [1.0, 0.1], "b": [1.0, 0.1]})
    heights = [np.log10(text.xy[1]) for text in ax.texts]
    assert abs(heights[0] - heights[1]) > 0.05


def test_five_lines_have_five_colours_and_five_markers():
    ax = plots.layer_lines({str(i): [1.0, 2.0] for i in range(5)})
    assert len({line.get_color() for line in ax.lines}) == 5
    assert len({line.get_marker() for line in ax.lines}) == 5


def test_layers_are_counted_from_one_or_from_where_the_caller_says():
    assert list(plots.layer_lines({"a": [1.0, 2.0]}).lines[0].get_xdata()) == [1, 2]
    assert list(plots.layer_lines({"a": [1.0, 2.0]}, start=0).lines[0].get_xdata()) == [0, 1]


def test_the_grid_has_one_row_per_setting_and_one_histogram_per_layer_with_its_std():
    tanh = [torch.tensor([-0.5, 0.5]), torch.tensor([-0.25, 0.25])]
    relu = [torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.tensor([0.0, 0.0, 0.0, 1.0])]
    axes = plots.layer_histograms({"tanh, σ = 1": tanh, "ReLU, σ = 1": relu}, deck_layers=1)
    axes[0][0].figure.canvas.draw()
    assert axes.shape == (2, 2)
    assert [ax.get_xlabel() for ax in axes[0]] == ["0.5", "0.2"]
    assert axes[0][1].get_xlim() == (-1.05, 1.05)
    assert axes[1][1].get_xlim() == axes[1][0].get_xlim()
    assert [ax.get_title() for ax in axes[0]] == ["1", "2"]
    assert [len(ax.lines) for ax in axes[0]] == [0, 1]  # the line behind the deck's last layer


def test_a_grid_takes_given_axes():
    axes = plt.subplots(1, 1, squeeze=False)[1]
    assert plots.layer_histograms({"tanh, σ": [X]}, axes=axes) is axes


def test_a_layer_of_zeros_alone_can_be_drawn():
    plots.layer_histograms({"ReLU, σ": [X.relu(), torch.zeros(9)]})[0][0].figure.canvas.draw()


def test_dots_lie_on_their_rows_and_an_empty_row_keeps_its_name(ax):
    plots.accuracy_dots({"a": [], "b": [0.5, 0.7]}, ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [list(line.get_ydata()) for line in dots] == [[1, 1]]
    assert list(dots[0].get_xdata()) == [0.5, 0.7]


def test_clipping_draws_the_square_and_the_circle_of_the_limit(ax):
    plots.clip_arrows([3.0, 4.0], [2.0, 2.0], [1.2, 1.6], limit=2.0, ax=ax)
    square, circle = ax.patches
    assert (square.get_x(), square.get_width()) == (-2.0, 4.0)
    assert circle.get_radius() == 2.0
    assert names_in(ax) == ["gradient", "by value", "by norm"]


def test_the_bars_of_weight_histograms_are_one_standard_deviation_long(ax):
    plots.weight_histograms({"uniform": X}, ax=ax)
    bar = ax.lines[0].get_xdata()
    assert bar[1] == pytest.approx(X.std(unbiased=False).item())
    assert bar[0] == -bar[1]
