"""The plots of lesson 05: what a network memorises, what each method changes, and pictures under attack.

Like the plots in `course.plotting`, each function takes ``ax`` (without it, a new figure), returns it, and
draws numbers that the lesson has computed. What a colour says, a line style, a mark or a text says as well.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from course.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, as_array, new_axes

__all__ = [
    "arm_dots",
    "attack_rows",
    "mask_averages",
    "number_grid",
    "on_and_off",
    "rare_points",
    "stopping_curve",
    "train_and_test",
]

COLOURS = (BLUE, PURPLE, ORANGE, GREEN)


def train_and_test(curves: Mapping[str, tuple[Any, Any]], ax: Axes | None = None) -> Axes:
    """Draw name → (training, test) accuracies of epochs 1, 2, …: training solid, test dashed."""
    ax = ax or new_axes(8.5, 3.8)
    for (name, (trained, tested)), colour in zip(curves.items(), COLOURS, strict=False):
        epochs = np.arange(1, len(as_array(trained)) + 1)
        ax.plot(epochs, as_array(trained), color=colour, label=f"{name}: training")
        ax.plot(epochs, as_array(tested), "--", color=colour, linewidth=1.4, label=f"{name}: test")
    ax.axhline(0.1, color=GREY, linewidth=0.8, linestyle=":")
    ax.set(ylim=(0, 1.03), xlabel="epoch", ylabel="accuracy (dotted: chance)")
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))  # beside the lines, not on them
    return ax


def stopping_curve(training: Any, validation: Any, best: int, stopped: int, ax: Axes | None = None) -> Axes:
    """Draw two losses over the epochs 1, 2, …, and mark the best epoch and that in which training stops."""
    ax = ax or new_axes(7.5, 3.6)
    training, validation = as_array(training), as_array(validation)
    epochs = np.arange(1, len(validation) + 1)
    ax.plot(epochs, training, color=GREY, label="training")
    ax.plot(epochs, validation, color=BLUE, label="validation")
    ax.plot(best, validation[best - 1], "o", color=GREEN, markersize=10, label=f"best: epoch {best}")
    ax.axvline(stopped, color=ORANGE, linestyle="--", linewidth=1.4, label=f"stop: epoch {stopped}")
    ax.set(xlabel="epoch", ylabel="loss (nats)", ylim=(0, None))
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def mask_averages(
    counts: Sequence[int], averaged: Sequence[Sequence[float]], scaled: float, ax: Axes | None = None
) -> Axes:
    """Draw the accuracy of an average over ``counts`` masks, a dot each, beside one scaled pass."""
    ax = ax or new_axes(6.5, 3.6)
    for count, accuracies in zip(counts, averaged, strict=True):
        ax.plot([count] * len(accuracies), accuracies, "o", color=BLUE, alpha=0.5, markeredgewidth=0)
    ax.plot(counts, [np.median(a) for a in averaged], color=BLUE, label="average over masks (median)")
    ax.axhline(scaled, color=ORANGE, linestyle="--", label="one pass in evaluation mode")
    ax.set_xscale("log")
    ax.minorticks_off()
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.set(xlabel="number of masks", ylabel="test accuracy")
    ax.legend(frameon=False, loc="lower right")
    return ax


def arm_dots(
    arms: Mapping[str, Sequence[float]],
    baseline: str | None = None,
    ax: Axes | None = None,
    label: str = "test accuracy",
) -> Axes:
    """Draw one row per arm: a dot per seed, a bar at the median; a line at the median of ``baseline``."""
    ax = ax or new_axes(7.5, 0.34 * len(arms) + 1)
    for row, (name, values) in enumerate(arms.items()):
        colour = GREY if name == baseline else BLUE
        ax.plot(values, [row] * len(values), "o", color=colour, alpha=0.5, markeredgewidth=0)
        ax.plot([np.median(values)] * 2, [row - 0.3, row + 0.3], color=colour)
    if baseline is not None:
        ax.axvline(np.median(arms[baseline]), color=GREY, linewidth=0.9, linestyle=":")
    ax.set_yticks(range(len(arms)), list(arms))
    ax.set(ylim=(len(arms) - 0.4, -0.6), xlabel=label)
    return ax


def on_and_off(epochs: Sequence[int], off: Any, on: Any, title: str, ax: Axes | None = None) -> Axes:
    """Draw two bands over the epochs, the method off (orange) and on (blue).

    off and on: (seeds, epochs). The line is the median, the band reaches from the lowest to the highest seed.
    """
    ax = ax or new_axes(3.4, 2.6)
    for values, colour, style, name in ((off, ORANGE, "--", "off"), (on, BLUE, "-", "on")):
        values = as_array(values)
        low, high = values.min(axis=0), values.max(axis=0)
        ax.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
        ax.plot(epochs, np.median(values, axis=0), style, color=colour, linewidth=1.7, label=name)
    ax.set_title(title)
    return ax


def rare_points(common: Any, rare: Any, new: Any = None, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw points (N, 2) of the common class, of the rare one, and new ones of the rare one."""
    ax = ax or new_axes(4.2, 3.8)
    common, rare = as_array(common), as_array(rare)
    ax.plot(common[:, 0], common[:, 1], "o", color=GREY, alpha=0.4, markersize=3.5, markeredgewidth=0)
    if new is not None:
        new = as_array(new)
        ax.plot(new[:, 0], new[:, 1], "x", color=BLUE, markersize=4.5, markeredgewidth=1)
    ax.plot(rare[:, 0], rare[:, 1], "s", color=ORANGE, markersize=6, markeredgecolor="black")
    ax.set(title=title, xlabel="feature 1", ylabel="feature 2")
    return ax


def number_grid(rows: Sequence[str], columns: Sequence[str], values: Any, ax: Axes | None = None) -> Axes:
    """Draw accuracies (rows, columns) as a table, darker where higher, the best of a column in bold."""
    values = as_array(values)
    ax = ax or new_axes(1.35 * len(columns) + 1.6, 0.42 * len(rows) + 0.9)
    ax.imshow(values, cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
    best = values.argmax(axis=0)
    for (row, column), value in np.ndenumerate(values):
        weight = "bold" if row == best[column] else "normal"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontweight=weight)
    ax.set_xticks(range(len(columns)), list(columns))
    ax.set_yticks(range(len(rows)), list(rows))
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    return ax


def attack_rows(
    pictures: Any,
    attacked: Any,
    says_before: Sequence[str],
    says_after: Sequence[str],
    epsilon: float,
    axes: Any = None,
) -> Any:
    """Show pictures (K, 1, H, W), the change and the result in three columns, with what the network says.

    The change is drawn around grey: white is +epsilon, black −epsilon. Returns the axes (K, 3).
    """
    pictures, attacked = as_array(pictures), as_array(attacked)
    if axes is None:
        figure = new_axes(5.4, 1.9 * len(pictures)).figure
        figure.clear()
        axes = figure.subplots(len(pictures), 3, squeeze=False)
    rows = zip(axes, pictures, attacked, says_before, says_after, strict=True)
    for (left, middle, right), before, after, said, says in rows:
        left.imshow(before[0], cmap="gray", vmin=0, vmax=1)
        middle.imshow(after[0] - before[0], cmap="gray", vmin=-epsilon, vmax=epsilon)
        right.imshow(after[0], cmap="gray", vmin=0, vmax=1)
        left.set_xlabel(said)
        middle.set_xlabel(f"white +{epsilon:g}, black −{epsilon:g}")
        right.set_xlabel(says)
        for ax in (left, middle, right):
            ax.set(xticks=[], yticks=[])
    for ax, title in zip(axes[0], ("picture", "+ change", "= attacked"), strict=True):
        ax.set_title(title)
    return axes
