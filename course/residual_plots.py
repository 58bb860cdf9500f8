"""Pictures of lesson 04: the blocks, the network, and what the skip does to the gradient.

Like `course.plotting`, each function takes ``ax`` (without it, a new figure) and returns it; orange is
*without* skips, blue *with* them.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from course.plotting import BLUE, GREY, LIGHT, WITH, WITHOUT, as_array, new_axes

__all__ = ["BLOCKS", "block_diagram", "cost_map", "filter_grid", "gradient_norms", "network_diagram"]

# Branch from top to bottom, what the skip does (None: there is no skip), and the title.
BLOCKS: dict[str, tuple[list[str], str | None, str]] = {
    "plain": (
        ["conv1  3×3", "bn1", "ReLU", "conv2  3×3", "bn2"],
        None,
        "plain: no skip",
    ),
    "identity": (
        ["conv1  3×3", "bn1", "ReLU", "conv2  3×3", "bn2"],
        "",
        "BasicBlock, same shape",
    ),
    "projection": (
        ["conv1  3×3, stride", "bn1", "ReLU", "conv2  3×3", "bn2"],
        "downsample\n1×1, stride\nBN",
        "BasicBlock, other shape",
    ),
    "bottleneck": (
        ["conv1  1×1", "bn1, ReLU", "conv2  3×3, stride", "bn2, ReLU", "conv3  1×1", "bn3"],
        "x itself\nor downsample",
        "Bottleneck",
    ),
}
FILLS = {"conv": "#A8CDE4", "bn": "#BFE3D5", "ReLU": LIGHT}


def block_diagram(kind: str, ax: Axes | None = None) -> Axes:
    """Draw a block of `BLOCKS` from its input x (above) to its output y (below), the skip on the right.

    Raises:
        ValueError: there is no block of this kind.
    """
    if kind not in BLOCKS:
        raise ValueError(f"There is no block {kind!r}; choose one of {', '.join(BLOCKS)}.")
    ax = ax or new_axes(3, 5)
    branch, skip, title = BLOCKS[kind]
    step = 6 / (len(branch) + 1)  # every kind is equally high
    heights = [6.6 - step * (row + 1) for row in range(len(branch))]
    for label, height in zip(branch, heights, strict=True):
        fill = next((colour for start, colour in FILLS.items() if label.startswith(start)), "white")
        _box(ax, (0, height), label, fill)
    stops = [6.9, *heights, 0]
    for above, below in pairwise(stops):
        _arrow(ax, (0, above - 0.22), (0, below + 0.24), GREY)
    ax.text(0, 6.9, "x", ha="center", va="center", fontsize=13)
    if skip is None:
        _box(ax, (0, 0), "ReLU", LIGHT)
    else:
        _skip(ax, skip)
        _box(ax, (0, -0.85), "ReLU", LIGHT)
        _arrow(ax, (0, -0.2), (0, -0.63), GREY)
    end = 0 if skip is None else -0.85
    _arrow(ax, (0, end - 0.22), (0, end - 0.6), GREY)
    ax.text(0, end - 0.82, "y", ha="center", va="center", fontsize=13)
    ax.set(xlim=(-1.35, 3.5), ylim=(-1.9, 7.2), xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(False)
    return ax


def _skip(ax: Axes, label: str) -> None:
    """Draw the way from x around the branch to the sum."""
    line = {"color": BLUE, "linewidth": 2.4}
    ax.plot([0.2, 2.25, 2.25], [6.9, 6.9, 0], **line)
    _arrow(ax, (2.25, 0), (0.2, 0), BLUE, width=2.4)
    ax.add_patch(Circle((0, 0), 0.2, facecolor="white", edgecolor=BLUE, linewidth=2))
    ax.text(0, -0.01, "+", ha="center", va="center", fontsize=13, color=BLUE)
    if label:
        box = {"facecolor": "#A8CDE4", "edgecolor": BLUE, "boxstyle": "round"}
        ax.text(2.25, 3.3, label, ha="center", va="center", fontsize=8.5, bbox=box)
    else:
        ax.text(2.35, 3.3, "x itself", ha="left", va="center", color=BLUE)


def network_diagram(stages: Sequence[tuple[str, Sequence[int]]], ax: Axes | None = None) -> Axes:
    """Draw a network from left to right: one box per stage (name, output shape without the batch axis).

    The height of a box follows its rows of pixels, the width its channels, both not to scale.
    """
    ax = ax or new_axes(11, 2.6)
    left = 0.0
    for name, shape in stages:
        channels, size = shape[0], shape[1] if len(shape) > 1 else 1
        width, height = 0.32 * np.log2(channels), 0.45 + 0.42 * np.log2(size)
        colour = FILLS["conv"] if len(shape) > 1 else LIGHT
        ax.add_patch(Rectangle((left, -height / 2), width, height, facecolor=colour, edgecolor=GREY))
        ax.text(left + width / 2, 0, name, ha="center", va="center", fontsize=9.5)
        text = " × ".join(map(str, [*shape[1:], channels] if len(shape) > 1 else shape))
        ax.text(left + width / 2, -height / 2 - 0.12, text, ha="center", va="top", fontsize=9, color=GREY)
        left += width + 0.55
        _arrow(ax, (left - 0.48, 0), (left - 0.07, 0), GREY)
    ax.patches[-1].remove()  # no arrow behind the last stage
    ax.set(xlim=(-0.2, left - 0.3), ylim=(-1.75, 1.4), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def gradient_norms(arms: Mapping[str, Sequence[Sequence[float]]], ax: Axes | None = None) -> Axes:
    """Draw the norm of the gradient by layer, on a logarithmic axis: median line and range over the seeds.

    arms: name → one row per seed → one norm per layer, the first layer first. Names that begin with "without
    skips" are orange, the others blue; names that end in "without norms" are dashed.
    """
    ax = ax or new_axes(9, 4.4)
    for name, rows in arms.items():
        norms = as_array(rows)
        layers = np.arange(1, norms.shape[1] + 1)
        colour = WITHOUT if name.startswith("without skips") else WITH
        style = "--" if name.endswith("without norms") else "-"
        ax.fill_between(layers, norms.min(axis=0), norms.max(axis=0), color=colour, alpha=0.2, linewidth=0)
        median = np.median(norms, axis=0)
        ax.plot(layers, median, style, color=colour)
        # Named in its first third, where the lines are furthest apart: above the band, the lowest below it.
        place = len(layers) // 4
        heights = [np.median(as_array(each), axis=0)[place] for each in arms.values()]
        below = len(heights) > 1 and median[place] == min(heights)
        edge = norms[:, place : 3 * len(layers) // 4].min() if below else norms.max(axis=0)[place]
        ax.annotate(
            name,
            (layers[place], edge),
            xytext=(0, -16 if below else 8),
            textcoords="offset points",
            color=colour,
        )
    ax.set_yscale("log")
    ax.margins(y=0.12)  # room for the highest name
    ax.set_xlim(1, layers[-1])
    ax.set(xlabel="layer (1 is next to the picture)", ylabel="norm of the gradient")
    return ax


def cost_map(networks: Mapping[str, tuple[int, int]], ax: Axes | None = None) -> Axes:
    """Draw networks as points: name → (parameters, multiply-adds), on logarithmic axes; ResNets are blue."""
    ax = ax or new_axes(7, 4.2)
    for name, (size, cost) in networks.items():
        colour = WITH if name.startswith("ResNet") else GREY
        ax.plot(size, cost, "o", color=colour, markersize=8)
        close = any(1 < other / size < 2 and 0.5 < work / cost < 2 for other, work in networks.values())
        ax.annotate(
            name,
            (size, cost),
            xytext=(-8 if close else 8, -3),
            textcoords="offset points",
            color=colour,
            ha="right" if close else "left",
        )
    ax.set(xscale="log", yscale="log", xlabel="parameters", ylabel="multiply-adds per picture")
    ax.margins(x=0.18, y=0.15)
    ax.grid(color=LIGHT, linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def filter_grid(filters: Any, ax: Axes | None = None) -> Axes:
    """Show colour filters (K, 3, H, W) side by side, each stretched to its own range; 16 in a row."""
    ax = ax or new_axes(8, 2.4)
    filters = as_array(filters)
    low = filters.min(axis=(1, 2, 3), keepdims=True)
    high = filters.max(axis=(1, 2, 3), keepdims=True)
    stretched = (filters - low) / np.maximum(high - low, 1e-12)
    tiles = np.pad(stretched, ((0, -len(filters) % 16), (0, 0), (0, 1), (0, 1)), constant_values=1)
    rows = [np.concatenate(list(row), axis=-1) for row in np.split(tiles, len(tiles) // 16)]
    ax.imshow(np.concatenate(rows, axis=-2).transpose(1, 2, 0), interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def _box(ax: Axes, centre: tuple[float, float], label: str, fill: str) -> None:
    x, y = centre
    ax.add_patch(Rectangle((x - 1.2, y - 0.24), 2.4, 0.48, facecolor=fill, edgecolor=GREY))
    ax.text(x, y - 0.01, label, ha="center", va="center", fontsize=9.5)


def _arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, width: float = 1.4
) -> None:
    options = {"arrowstyle": "-|>", "mutation_scale": 12, "shrinkA": 0, "shrinkB": 0, "linewidth": width}
    ax.add_patch(FancyArrowPatch(start, end, color=colour, **options))
