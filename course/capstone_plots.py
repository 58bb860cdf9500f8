"""The plots of lesson 08: learning curve, confusion matrix, pictures with answers, size against accuracy.

Like the plots in `course.plotting`, each function takes ``ax`` (without it, a new figure), returns it, and
draws numbers that the lesson has computed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from course.plotting import BLUE, GREY, ORANGE, as_array, new_axes

__all__ = ["confusion", "learning_curve", "pictures_with_answers", "size_and_accuracy"]


def learning_curve(accuracies: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw the share of wrong answers after each epoch (1, 2, …) on a logarithmic axis, a line per entry."""
    ax = ax or new_axes(7.5, 3.6)
    for (name, values), colour, style in zip(
        accuracies.items(), (BLUE, ORANGE, GREY), ("o-", "s-", "^-"), strict=False
    ):
        wrong = np.maximum(1 - as_array(values), 5e-4)
        ax.plot(range(1, len(wrong) + 1), wrong, style, markersize=4, color=colour, label=name)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_yscale("log")
    # Below the last power of ten stands what has no place on a logarithmic axis: no error at all.
    shares = {5e-4: "0"} | {percent / 100: f"{percent} %" for percent in (0.1, 0.3, 1, 3, 10, 30, 100)}
    ax.set_yticks(list(shares), list(shares.values()))
    ax.minorticks_off()
    ax.set(xlabel="epoch", ylabel="wrong answers")
    ax.legend(frameon=False)
    return ax


def confusion(matrix: Any, classes: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix (C, C) of counts: the errors in colour, the right answers as numbers only."""
    counts = as_array(matrix)
    ax = ax or new_axes(5.6, 5.0)
    errors = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    ax.imshow(errors, cmap="Oranges", vmin=0, vmax=max(errors.max(), 1))
    for row, column in np.ndindex(*counts.shape):
        count = counts[row, column]
        if count:
            strong = errors[row, column] > 0.6 * errors.max()
            colour = GREY if row == column else "white" if strong else "black"
            ax.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks(range(len(classes)), classes)
    ax.set_yticks(range(len(classes)), classes)
    ax.set(xlabel="answer of the network", ylabel="true digit")
    return ax


def pictures_with_answers(pictures: Any, titles: Sequence[str], columns: int = 8) -> Any:
    """Show grey pictures (K, 1, H, W), each with a title above it; returns the array of axes."""
    import matplotlib.pyplot as plt

    shown = as_array(pictures)
    rows = max(1, -(-len(shown) // columns))
    _, axes = plt.subplots(rows, columns, figsize=(1.15 * columns, 1.4 * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, picture, title in zip(axes.flat, shown, titles, strict=False):
        ax.imshow(picture.reshape(picture.shape[-2:]), cmap="gray_r", vmin=0, vmax=1)
        ax.set_title(title, fontsize=9)
    return axes


def size_and_accuracy(
    results: Mapping[int, Sequence[float]], budget: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw accuracy against parameters: parameters → the accuracies of the seeds, dots and their median."""
    ax = ax or new_axes(7.0, 3.6)
    sizes = sorted(results)
    ax.plot(sizes, [np.median(results[size]) for size in sizes], "-", color=BLUE, label="median")
    for size in sizes:
        ax.plot([size] * len(results[size]), results[size], "o", color=BLUE, alpha=0.6, markersize=5)
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    if budget is not None:
        ax.axvline(budget, color=ORANGE, linestyle="--", linewidth=1.5)
        ax.text(budget * 0.96, ax.get_ylim()[0], "budget ", color=ORANGE, ha="right", va="bottom")
    ax.set(xlabel="parameters (logarithmic)", ylabel="right answers on held-out pictures")
    return ax
