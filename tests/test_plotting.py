"""The pictures draw what they are given, on the axes they are given."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from course import diagrams, plotting

pytestmark = pytest.mark.usefixtures("closed_figures")

ACCURACIES = [[0.9, 0.95, 0.97], [0.1, 0.1, 0.4]]
PICTURES = {
    "activation_histograms": lambda ax: plotting.activation_histograms(
        {0: torch.randn(50), 20: torch.zeros(5)}, ax=ax
    ),
    "batch_norm_graph": lambda ax: diagrams.batch_norm_graph(ax=ax),
    "channel_ranges": lambda ax: plotting.channel_ranges(torch.randn(4, 3, 2, 2), ax=ax),
    "labelled_lines": lambda ax: plotting.labelled_lines({"a": [1.0, 2.0], "b": [1.0, 1.9]}, ax=ax),
    "loss_contours": lambda ax: plotting.loss_contours(
        *_bowl(), path=torch.tensor([[1.0, 1.0], [0.0, 0.0]]), ax=ax
    ),
    "noise_decay": lambda ax: plotting.noise_decay([2, 8, 32], [0.8, 0.4, 0.2], ax=ax),
    "norm_cube": lambda ax: diagrams.norm_cube(torch.ones(2, 3, 4), ax=ax),
    "point_cloud": lambda ax: plotting.point_cloud(torch.randn(10, 2), ax=ax),
    "sigmoid_zone": lambda ax: plotting.sigmoid_zone(torch.randn(100), ax=ax),
    "spread_lines": lambda ax: plotting.spread_lines(
        [1, 10], {"without": ACCURACIES, "with": ACCURACIES}, ax=ax
    ),
    "two_arms": lambda ax: plotting.two_arms(
        ["a", "b"], ACCURACIES, ACCURACIES, [0.9, 0.1], [0.9, 0.9], ax=ax
    ),
    "value_table": lambda ax: diagrams.value_table(torch.eye(2), highlight_column=0, ax=ax),
}


def _bowl():
    w1, w2 = torch.meshgrid(torch.linspace(-1, 1, 9), torch.linspace(-1, 1, 9), indexing="xy")
    return w1, w2, w1**2 + w2**2


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_is_drawn_on_the_given_axes_and_returns_them(picture, ax):
    assert picture(ax) is ax
    ax.figure.canvas.draw()


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_without_axes_a_picture_makes_its_own_figure(picture):
    assert picture(None).figure in map(plt.figure, plt.get_fignums())


def test_every_public_function_is_drawn_here():
    public = {*plotting.__all__, *diagrams.__all__} - {"image_strip", "use_course_style"}
    assert public == set(PICTURES)


def test_an_image_strip_shows_every_image_with_its_range():
    axes = plotting.image_strip(
        [torch.zeros(1, 8, 8), torch.linspace(-1, 2, 64).view(8, 8)], titles=["a", "b"]
    )
    assert [ax.get_title() for ax in axes] == ["a", "b"]
    assert axes[1].get_xlabel() == "black -1.0, white 2.0"


def test_values_may_have_a_graph():
    assert plotting.channel_ranges(torch.randn(4, 3, 2, 2, requires_grad=True)) is not None


def cube_colours(changed):
    ax = diagrams.norm_cube(changed)
    return [to_hex(patch.get_facecolor()) for patch in ax.patches]


def test_the_cube_shows_one_square_for_every_number_on_its_three_faces():
    examples, channels, pixels = 5, 6, 4
    squares = cube_colours(np.zeros((examples, channels, pixels)))
    assert len(squares) == channels * pixels + channels * examples + examples * pixels


def test_the_cube_colours_what_changed_and_marks_the_number_that_was_touched():
    changed = np.zeros((2, 3, 4))
    changed[0, :, :] = 1  # as layer norm: one example, all channels and pixels
    colours = cube_colours(changed)
    front = colours.count(plotting.BLUE.lower())
    assert front == 3 * 4 - 1
    assert colours.count(plotting.ORANGE.lower()) == 1


def test_the_spread_band_reaches_from_the_smallest_to_the_largest_seed(ax):
    plotting.spread_lines([1, 2], {"with": [[0.2, 0.5, 0.6], [0.7, 0.8, 0.9]]}, ax=ax)
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.2, 0.9)
    assert list(ax.lines[0].get_ydata()) == [0.5, 0.8]


def test_without_batch_norm_is_orange_and_with_it_is_blue(ax):
    plotting.spread_lines([1, 2], {"with batch norm": ACCURACIES, "without batch norm": ACCURACIES}, ax=ax)
    assert [line.get_color() for line in ax.lines] == [plotting.WITH, plotting.WITHOUT]


def test_names_at_the_ends_of_equal_lines_do_not_lie_on_each_other(ax):
    plotting.labelled_lines({"a": [0.0, 1.0], "b": [0.0, 1.0]}, ax=ax)
    heights = [text.xy[1] for text in ax.texts]
    assert abs(heights[0] - heights[1]) > 0.05
    assert sum(heights) / 2 == 1.0  # around the point they name, not all above it


def test_names_that_do_not_touch_stay_beside_their_lines(ax):
    ends = {"a": 0.0, "b": 0.5, "c": 0.51, "d": 1.0}
    plotting.labelled_lines({name: [0.0, end] for name, end in ends.items()}, ax=ax)
    heights = {text.get_text(): text.xy[1] for text in ax.texts}
    assert heights["a"] == 0.0
    assert heights["d"] == 1.0
    assert heights["b"] < 0.5 < 0.51 < heights["c"]
