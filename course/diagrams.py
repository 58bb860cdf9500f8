"""Pictures of an idea: a batch as a table, a batch as a cube, the ways of a gradient.

Like the plots in `course.plotting`, each function takes ``ax`` (without it, a new figure) and returns it. The
cube is figure 2 of Wu & He (2018, "Group Normalization"), drawn from the numbers of a student's own layer.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

from course.plotting import BLUE, GREEN, GREY, LIGHT, ORANGE, as_array, new_axes

__all__ = ["batch_norm_graph", "norm_cube", "value_table"]

Corner = tuple[int, int, int]  # (channel, pixel, example)


def value_table(
    values: Any, highlight_column: int | None = None, title: str = "", ax: Axes | None = None
) -> Axes:
    """Write a batch (N, C) as a table, one example per row; colour the column that shares one mean."""
    values = as_array(values)
    rows, columns = values.shape
    ax = ax or new_axes(1.3 * columns + 2.6, 0.5 * rows + 1)
    for (row, column), value in np.ndenumerate(values):
        fill = "#A8CDE4" if column == highlight_column else "white"
        ax.add_patch(Rectangle((column, row), 1, 1, facecolor=fill, edgecolor=GREY))
        ax.text(column + 0.5, row + 0.5, f"{value:g}", ha="center", va="center", fontsize=12)
    ax.set_xticks(np.arange(columns) + 0.5, [f"feature {c}" for c in range(columns)])
    ax.set_yticks(np.arange(rows) + 0.5, [f"example {n}" for n in range(rows)])
    ax.set(xlim=(-0.02, columns + 0.02), ylim=(rows + 0.05, -0.05), title=title)
    ax.xaxis.tick_top()
    _remove_frame(ax)
    return ax


def batch_norm_graph(ax: Axes | None = None) -> Axes:
    """Draw the three ways on which the gradient of batch norm comes back from x̂ to x."""
    ax = ax or new_axes(9, 3)
    places = {"x": (0, 0), "μ": (2.4, 1), "σ²": (2.4, -1), "x̂": (4.8, 0), "y": (7.2, 0), "loss": (9.2, 0)}
    circle = {"boxstyle": "circle", "facecolor": "white", "edgecolor": GREY}
    for name, place in places.items():
        ax.text(*place, name, ha="center", va="center", fontsize=14, bbox=circle)
    ways = [("loss", "y", GREY), ("y", "x̂", GREY), ("x̂", "x", ORANGE)]
    ways += [("x̂", "μ", BLUE), ("μ", "x", BLUE), ("x̂", "σ²", GREEN), ("σ²", "x", GREEN)]
    for start, end, colour in ways:
        arrow = {"arrowstyle": "-|>", "mutation_scale": 16, "shrinkA": 20, "shrinkB": 20, "linewidth": 2}
        ax.add_patch(FancyArrowPatch(places[start], places[end], color=colour, **arrow))
    ax.text(1.15, 0.12, "1  direct", color=ORANGE)
    ax.text(3.75, 0.85, "2  through the mean", color=BLUE)
    ax.text(3.75, -0.95, "3  through the variance", color=GREEN)
    ax.text(8.2, 0.15, "g", color=GREY, ha="center")
    ax.text(6.0, 0.15, "γ · g", color=GREY, ha="center")
    ax.set(xlim=(-0.7, 9.8), ylim=(-1.5, 1.5), xticks=[], yticks=[])
    ax.set_title("the gradient comes back to x in three ways")
    _remove_frame(ax)
    return ax


def norm_cube(changed: Any, ax: Axes | None = None) -> Axes:
    """Draw a batch as a cube of numbers and colour those that changed, a mask (N, C, H·W).

    Orange is the number that was touched: the first pixel of the last channel of the first example, where the
    three visible faces meet. Blue are the others that changed, grey those that did not.
    """
    ax = ax or new_axes(3.2, 3.4)
    changed = as_array(changed).astype(bool)
    examples, channels, pixels = changed.shape
    touched = (0, channels - 1, 0)
    for index, corners, shade in _visible_squares(examples, channels, pixels):
        colour = ORANGE if index == touched else BLUE if changed[index] else LIGHT
        outline = [_on_paper(*corner) for corner in corners]
        ax.add_patch(Polygon(outline, facecolor=_shaded(colour, shade), edgecolor="white"))
    ax.text(channels / 2, -pixels - 0.25, "C", ha="center", va="top", fontsize=12)
    ax.text(-0.3, -pixels / 2, "H·W", ha="right", va="center", fontsize=12)
    ax.text(*_on_paper(-0.6, 0, examples / 2 + 0.3), "N", ha="right", va="center", fontsize=12)
    ax.set(xlim=(-2, channels + 0.5 * examples + 0.3), ylim=(-pixels - 1, 0.4 * examples + 0.3))
    ax.set(xticks=[], yticks=[], aspect="equal")
    _remove_frame(ax)
    return ax


def _visible_squares(
    examples: int, channels: int, pixels: int
) -> Iterator[tuple[tuple[int, int, int], list[Corner], float]]:
    """Yield (index (n, c, p), four corners, brightness) of every square on the front, top and right face."""
    for c in range(channels):
        for p in range(pixels):
            yield (0, c, p), [(c, p, 0), (c + 1, p, 0), (c + 1, p + 1, 0), (c, p + 1, 0)], 1.0
        for n in range(examples):
            yield (n, c, 0), [(c, 0, n), (c + 1, 0, n), (c + 1, 0, n + 1), (c, 0, n + 1)], 0.88
    right = channels
    for n in range(examples):
        for p in range(pixels):
            corners = [(right, p, n), (right, p, n + 1), (right, p + 1, n + 1), (right, p + 1, n)]
            yield (n, channels - 1, p), corners, 0.75


def _on_paper(channel: float, pixel: float, example: float) -> tuple[float, float]:
    """Where a corner of the cube lies on paper: examples go back, to the upper right."""
    return channel + 0.5 * example, -pixel + 0.4 * example


def _shaded(colour: str, brightness: float) -> tuple[float, ...]:
    """A colour "#RRGGBB" darkened: faces of different brightness look like a cube."""
    return tuple(brightness * int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _remove_frame(ax: Axes) -> None:
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
