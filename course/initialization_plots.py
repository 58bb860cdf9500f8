"""The plots of lesson 02, on initialization: each function draws numbers that the lesson has computed.

As in `course.plotting`, every function takes ``ax`` (without it, a new figure) and returns it, and the
colours are those of Okabe & Ito (2008), which colour-blind readers can tell apart. `layer_histograms` fills a
whole figure and therefore takes and returns an array of axes.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from course.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, as_array, new_axes

__all__ = [
    "accuracy_dots",
    "activation_curve",
    "clip_arrows",
    "gradient_norms",
    "layer_histograms",
    "layer_lines",
    "singular_values",
    "weight_histograms",
]

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "black")
MARKERS = ("o", "s", "^", "D", "v")  # lines can be told apart in grey, too
BINS = 60


def layer_lines(
    lines: Mapping[str, Sequence[float]], ax: Axes | None = None, start: int = 1, names: str = "ends"
) -> Axes:
    """Draw positive values per layer, one line per entry, on a logarithmic axis.

    lines: name → the values of layers ``start``, ``start + 1``, …. names: where the names stand, at the right
    ``"ends"`` of the lines, in a ``"legend"`` (when the lines end together), or ``"nowhere"``.
    """
    ax = ax or new_axes(8, 4)
    ends = []
    for (name, values), colour, marker in zip(lines.items(), cycle(COLOURS), cycle(MARKERS), strict=False):
        layers = start + np.arange(len(values))
        ax.plot(layers, values, marker=marker, markersize=4, color=colour, linewidth=1.5, label=name)
        ends.append((layers[-1], values[-1], name, colour))
    ax.set_yscale("log")
    ax.xaxis.get_major_locator().set_params(integer=True)
    if names == "ends":
        _label_log_ends(ax, ends)
    elif names == "legend":
        ax.legend(frameon=False)
    return ax


def activation_curve(x: Any, y: Any, derivative: Any, ax: Axes | None = None) -> Axes:
    """Draw a function (blue) and its derivative (orange, dashed), all (K,), over x."""
    ax = ax or new_axes(3.4, 2.8)
    x = as_array(x)
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.axvline(0, color=GREY, linewidth=0.6)
    ax.plot(x, as_array(y), color=BLUE, label="the function")
    ax.plot(x, as_array(derivative), "--", color=ORANGE, linewidth=1.5, label="its derivative")
    ax.set(xlim=(x.min(), x.max()), ylim=(-2.1, 3.1), xlabel="x")
    ax.label_outer()
    return ax


def weight_histograms(weights: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw one outline per entry (weights of any shape), with a bar of ± its standard deviation below."""
    ax = ax or new_axes(5, 3.4)
    widest = max(np.abs(as_array(values)).max() for values in weights.values())
    edges = np.linspace(-widest, widest, BINS + 1)
    tallest = 0.0
    for row, ((name, values), colour) in enumerate(zip(weights.items(), cycle(COLOURS), strict=False)):
        values = as_array(values).ravel()
        density, _ = np.histogram(values, bins=edges, density=True)
        tallest = max(tallest, density.max())
        ax.stairs(density, edges, color=colour, linewidth=1.5, label=name)
        height, std = -(0.08 + 0.09 * row) * tallest, values.std()
        ax.plot([-std, std], [height, height], "|-", color=colour, markersize=7)
        ax.annotate("± std" if row == 0 else "", (std, height), xytext=(5, -3), textcoords="offset points")
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= ax.get_ylim()[1]])  # below: only bars
    ax.legend(frameon=False, loc="upper right")
    return ax


def layer_histograms(
    rows: Mapping[str, Sequence[Any]], deck_layers: int = 7, axes: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Draw a grid of histograms, one row per setting, one column per layer, as deck D2 does.

    rows: setting → the activations of every layer, each of any shape. Under each histogram stands the
    standard deviation. A row has one horizontal axis, named beside it: -1 to 1 where there are negative
    values (tanh), else 0 to the 99.9th percentile of its first layer. A line stands behind layer
    ``deck_layers``.
    """
    columns = max(len(layers) for layers in rows.values())
    if axes is None:
        size = (0.76 * columns + 1.2, 1.35 * len(rows))
        axes = plt.subplots(len(rows), columns, figsize=size, squeeze=False)[1]
    for row, (name, layers) in enumerate(rows.items()):
        first = as_array(layers[0])
        low, high = (-1.05, 1.05) if first.min() < 0 else (0.0, float(np.percentile(first, 99.9)))
        for column, ax in enumerate(axes[row]):
            _one_layer(as_array(layers[column]), low, high, ax)
            if row == 0:
                ax.set_title(f"{column + 1}", fontsize=10)
            if column == deck_layers:
                ax.axvline(low - 0.1 * (high - low), color=GREY, linewidth=2, clip_on=False)
        label = name.replace(", ", "\n") + f"\n[{round(low)}, {high:.0f}]"
        axes[row][0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
    figure = axes[0][0].figure
    figure.suptitle("activations per layer: each picture is one layer, the number is the standard deviation")
    return axes


def _one_layer(values: NDArray[Any], low: float, high: float, ax: Axes) -> None:
    counts, edges = np.histogram(values, bins=40, range=(low, high))
    # One bin may hold nearly all (the zeros of a ReLU): it is cut off, so that the others stay visible.
    visible = np.sort(counts)[-2] or counts.max()
    ax.stairs(np.minimum(counts, 1.15 * visible), edges, fill=True, color=BLUE)
    ax.set(xlim=(low, high), ylim=(0, 1.2 * visible), xticks=[], yticks=[])
    ax.set_xlabel(f"{values.std():.1g}", fontsize=9, labelpad=2)
    ax.spines["left"].set_visible(False)


def singular_values(products: Mapping[int, Any], ax: Axes | None = None) -> Axes:
    """Draw the singular values (K,), falling, of products of several layers: number of layers → values."""
    ax = ax or new_axes(5, 3.6)
    for (depth, values), colour, marker in zip(
        products.items(), cycle(COLOURS), cycle(MARKERS), strict=False
    ):
        values = as_array(values).clip(min=1e-8)
        place = 1 + np.arange(len(values))
        name = f"{depth} layer{'s' if depth > 1 else ''}"
        ax.plot(place, values, color=colour, marker=marker, markersize=5, markevery=12, label=name)
    ax.set_yscale("log")
    ax.set_ylim(1e-7, 30)
    ax.legend(frameon=False, loc="lower left")
    return ax


def clip_arrows(gradient: Any, by_value: Any, by_norm: Any, limit: float, ax: Axes | None = None) -> Axes:
    """Draw a gradient (2,) with its two clipped versions, and what each way allows: a square, a circle."""
    ax = ax or new_axes(5, 4.4)
    ax.add_patch(Rectangle((-limit, -limit), 2 * limit, 2 * limit, fill=False, color=ORANGE, linestyle="--"))
    ax.add_patch(Circle((0, 0), limit, fill=False, color=BLUE))
    arrow = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.008}
    named = [
        (gradient, GREY, "gradient", (8, -2)),
        (by_value, ORANGE, "by value", (8, 4)),
        (by_norm, BLUE, "by norm", (8, -14)),
    ]
    for vector, colour, name, shift in named:
        vector = as_array(vector)
        ax.quiver(0, 0, vector[0], vector[1], color=colour, **arrow)
        beside = max(vector[0], limit), vector[1]  # not on the circle
        ax.annotate(name, beside, xytext=shift, textcoords="offset points", color=colour)
    reach = 1.35 * max(*np.abs(as_array(gradient)), limit)
    ax.set(xlim=(-1.2 * limit, reach), ylim=(-1.2 * limit, reach))
    ax.set_aspect("equal", adjustable="box")
    return ax


def accuracy_dots(groups: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw one row per entry: a dot per seed, a bar for the range; the row of an empty entry stays free."""
    ax = ax or new_axes(5, 3.6)
    for row, accuracies in enumerate(groups.values()):
        if accuracies:
            ax.plot([min(accuracies), max(accuracies)], [row, row], color=BLUE, linewidth=4, alpha=0.3)
            ax.plot(accuracies, [row] * len(accuracies), "o", color=BLUE, alpha=0.8, markeredgewidth=0)
    ax.axvline(0.1, color=GREY, linewidth=0.8, linestyle=":")
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set(xlim=(0, 1.03), ylim=(len(groups) - 0.4, -0.6), xlabel="test accuracy")
    return ax


def gradient_norms(norms: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw the norm of the gradient at every training step, one line per entry, on a logarithmic axis.

    A line that meets inf or nan ends with a cross.
    """
    ax = ax or new_axes(9, 3.8)
    for (name, values), colour in zip(norms.items(), cycle([GREEN, ORANGE, BLUE, PURPLE]), strict=False):
        finite = np.isfinite(values)
        steps = np.arange(len(finite) if finite.all() else finite.argmin())
        ax.plot(steps, values[: len(steps)], color=colour, linewidth=1.3, label=name)
        if 0 < len(steps) < len(finite):
            ax.plot(steps[-1], values[steps[-1]], "x", color=colour, markersize=8, markeredgewidth=2)
            ax.annotate("then inf", (steps[-1], values[steps[-1]]), (8, -3), textcoords="offset points")
    ax.set_yscale("log")
    ax.legend(frameon=False, loc="upper right")
    return ax


def _label_log_ends(ax: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write each line's name beside its last point on a logarithmic axis; move apart names that touch."""
    low, high = np.log10(ax.get_ylim())
    gap = 0.075 * (high - low)
    previous = -np.inf
    for x, y, name, colour in sorted(ends, key=lambda end: end[1]):
        previous = max(np.log10(y), previous + gap)
        ax.annotate(
            name,
            (x, 10**previous),
            xytext=(8, 0),
            textcoords="offset points",
            color=colour,
            va="center",
            annotation_clip=False,
        )
