"""The plots of lesson 01, on optimization: each function draws numbers that the lesson has computed.

As in `course.plotting`, every function takes ``ax`` (without it, a new figure) and returns it, and the
colours are those of Okabe & Ito (2008), which colour-blind readers can tell apart. Lines also differ in their
markers, so that they can be told apart in grey.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from course.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, as_array, new_axes

__all__ = ["descent_1d", "gradient_cloud", "heat_map", "named_lines", "rate_curves", "surface_paths"]

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "black")
MARKERS = ("o", "s", "^", "D", "v")
CONTOURS = 12


def descent_1d(loss: Callable[[Any], Any], path: Any, ax: Axes | None = None, reach: float = 3) -> Axes:
    """Draw loss(w) for w from -reach to reach, and the points that a descent visited: path (S,), in order.

    Points outside of the picture are left out; a line still leads to them.
    """
    ax = ax or new_axes(3.6, 3)
    w = np.linspace(-reach, reach, 200)
    path = as_array(path)
    heights = as_array(loss(path))
    top = float(loss(reach))
    ax.plot(w, loss(w), color=GREY, linewidth=1.2)
    ax.plot(path, heights, "-", color=ORANGE, linewidth=1)
    ax.scatter(path, heights, s=22, color=ORANGE, zorder=3)
    ax.plot(path[0], heights[0], "o", markersize=9, markerfacecolor="none", markeredgecolor="black")
    ax.set(xlim=(-reach, reach), ylim=(-0.04 * top, top), xlabel="w", ylabel="loss")
    return ax


def surface_paths(
    w1: Any, w2: Any, loss: Any, paths: Mapping[str, Any], minimum: Any = (0, 0), ax: Axes | None = None
) -> Axes:
    """Draw contour lines of loss over the plane (w1, w2), all (A, B), and paths: name → (S, 2).

    A star stands at the ``minimum``, a ring where the paths start. With more than one path there is a legend.
    """
    ax = ax or new_axes(5, 4.2)
    w1, w2, loss, minimum = as_array(w1), as_array(w2), as_array(loss), as_array(minimum)
    floor = loss.min()
    height = loss.max() - floor
    ax.contour(
        w1, w2, loss - floor, np.geomspace(height / 2000, height, CONTOURS), colors=GREY, linewidths=0.6
    )
    for (name, path), colour, marker in zip(paths.items(), COLOURS, MARKERS, strict=False):
        path = as_array(path)
        ax.plot(*path.T, color=colour, marker=marker, markersize=3, linewidth=1.1, label=name)
        ax.plot(*path[0], "o", markersize=9, markerfacecolor="none", markeredgecolor="black", zorder=4)
    ax.plot(*minimum, marker="*", markersize=13, color="black", markeredgecolor="white", zorder=5)
    ax.set(xlim=(w1.min(), w1.max()), ylim=(w2.min(), w2.max()))
    if len(paths) > 1:
        ax.legend(frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    return ax


def gradient_cloud(clouds: Mapping[str, Any], full: Any, ax: Axes | None = None) -> Axes:
    """Draw gradients of batches as points, clouds: name → (K, 2), and the gradient of all examples (2,)."""
    ax = ax or new_axes(5, 4.2)
    for (name, gradients), colour, marker in zip(clouds.items(), COLOURS, MARKERS, strict=False):
        ax.scatter(*as_array(gradients).T, s=14, color=colour, marker=marker, alpha=0.6, label=name)
    ax.plot(
        *as_array(full), "X", color="black", markersize=11, markeredgecolor="white", label="all the examples"
    )
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.axvline(0, color=GREY, linewidth=0.6)
    ax.legend(frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    return ax


def named_lines(
    x: Any, lines: Mapping[str, Any], ax: Axes | None = None, markers: bool = False, legend: bool = True
) -> Axes:
    """Draw one line per entry over x (K,); an entry that is shorter ends earlier."""
    ax = ax or new_axes(8, 3.6)
    x = as_array(x)
    styles = itertools.cycle(["-", "--", "-.", ":"])
    for (name, values), colour, marker in zip(lines.items(), COLOURS, MARKERS, strict=False):
        values = as_array(values)
        ax.plot(
            x[: len(values)],
            values,
            next(styles),
            color=colour,
            linewidth=1.6,
            marker=marker if markers else None,
            markersize=4,
            label=name,
        )
    if legend:
        ax.legend(frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    return ax


def rate_curves(
    rates: Sequence[float], series: Mapping[str, Sequence[Sequence[float]]], ax: Axes | None = None
) -> Axes:
    """Draw a value against the learning rate (logarithmic): the median over the seeds, and their range.

    series: name → for each rate the values of the seeds; an empty group leaves a gap. Neighbouring series
    are drawn a little apart, so that bars do not cover each other.
    """
    ax = ax or new_axes(8, 3.8)
    for number, ((name, groups), colour, marker) in enumerate(
        zip(series.items(), COLOURS, MARKERS, strict=False)
    ):
        shown = [(rate, group) for rate, group in zip(rates, groups, strict=True) if len(group)]
        x = np.array([rate for rate, _ in shown]) * 1.03 ** (number - (len(series) - 1) / 2)
        median = [np.median(group) for _, group in shown]
        ax.vlines(
            x, [min(g) for _, g in shown], [max(g) for _, g in shown], color=colour, linewidth=4, alpha=0.3
        )
        ax.plot(x, median, marker=marker, markersize=5, color=colour, linewidth=1.5, label=name)
    _rate_axis(ax, rates)
    ax.legend(frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    return ax


def heat_map(
    values: Any,
    rows: Sequence[Any],
    columns: Sequence[Any],
    ax: Axes | None = None,
    low: float = 0,
    high: float = 1,
) -> Axes:
    """Draw values (rows, columns), for instance accuracies, as fields with their numbers.

    Dark blue is ``low``, yellow is ``high``; the best field of each row has a frame.
    """
    ax = ax or new_axes(1.0 * len(columns) + 1.2, 0.55 * len(rows) + 1)
    values = as_array(values)
    ax.imshow(values, cmap="cividis", vmin=low, vmax=high, aspect="auto")
    for row, column in np.ndindex(*values.shape):
        value = values[row, column]
        dark = (value - low) / (high - low) < 0.55
        best = value == np.nanmax(values[row])
        ax.text(
            column,
            row,
            f"{value:.3f}".lstrip("0"),
            ha="center",
            va="center",
            color="white" if dark else "black",
            bbox={"facecolor": "none", "edgecolor": "white" if dark else "black"} if best else None,
        )
    ax.set_xticks(range(len(columns)), [f"{column:g}" for column in columns])
    ax.set_yticks(range(len(rows)), [str(row) for row in rows])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def _rate_axis(ax: Axes, rates: Sequence[float]) -> None:
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(list(rates), [f"{rate:g}" for rate in rates])
    ax.set_xlabel("learning rate")
