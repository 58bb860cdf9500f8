"""The pictures of lesson 04 draw what they are given, on the axes they are given."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course import plotting, residual_plots

pytestmark = pytest.mark.usefixtures("closed_figures")

NORMS = [[1.0, 0.1, 0.01], [2.0, 0.2, 0.02], [4.0, 0.4, 0.04]]
PICTURES = {
    **{
        f"block_diagram-{kind}": lambda ax, kind=kind: residual_plots.block_diagram(kind, ax=ax)
        for kind in residual_plots.BLOCKS
    },
    "network_diagram": lambda ax: residual_plots.network_diagram(
        [("stem", (64, 24, 24)), ("layer1", (64, 24, 24)), ("fc", (10,))], ax=ax
    ),
    "gradient_norms": lambda ax: residual_plots.gradient_norms(
        {"without skips, with norms": NORMS, "with skips, with norms": NORMS}, ax=ax
    ),
    "cost_map": lambda ax: residual_plots.cost_map({"VGG": (100, 900), "ResNet-18": (10, 90)}, ax=ax),
    "filter_grid": lambda ax: residual_plots.filter_grid(torch.randn(20, 3, 7, 7), ax=ax),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_is_drawn_on_the_given_axes_and_returns_them(picture, ax):
    assert picture(ax) is ax
    ax.figure.canvas.draw()


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_without_axes_a_picture_makes_its_own_figure(picture):
    assert picture(None).figure in map(plt.figure, plt.get_fignums())


def test_every_public_function_is_drawn_here():
    drawn = {name.partition("-")[0] for name in PICTURES}
    assert {*residual_plots.__all__} - {"BLOCKS"} == drawn


def test_an_unknown_block_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="plain, identity, projection, bottleneck"):
        residual_plots.block_diagram("dense")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_a_block_with_a_skip_has_a_sum_and_its_last_relu_behind_it(ax):
    residual_plots.block_diagram("identity", ax=ax)
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights["bn2"] > heights["+"] > heights["ReLU"] > heights["y"]


def test_the_plain_block_has_no_sum(ax):
    residual_plots.block_diagram("plain", ax=ax)
    assert "+" not in texts(ax)


def test_a_network_shows_every_shape_height_width_channels(ax):
    residual_plots.network_diagram([("layer2", (128, 12, 10)), ("mean", (512,))], ax=ax)
    assert {"12 × 10 × 128", "512"} <= set(texts(ax))


def test_the_gradient_is_the_median_of_the_seeds_on_a_logarithmic_axis(ax):
    residual_plots.gradient_norms({"with skips, without norms": NORMS}, ax=ax)
    assert ax.get_yscale() == "log"
    assert list(ax.lines[0].get_ydata()) == NORMS[1]
    assert (ax.lines[0].get_color(), ax.lines[0].get_linestyle()) == (plotting.WITH, "--")


def test_filters_lie_in_rows_of_sixteen_each_with_its_own_range(ax):
    filters = torch.randn(17, 3, 5, 5) * torch.logspace(-3, 3, 17).view(-1, 1, 1, 1)
    residual_plots.filter_grid(filters, ax=ax)
    picture = ax.images[0].get_array()
    assert picture.shape == (2 * 6, 16 * 6, 3)
    for left in range(0, 96, 6):
        tile = np.asarray(picture[:5, left : left + 5])
        assert (tile.min(), tile.max()) == (0.0, 1.0)
