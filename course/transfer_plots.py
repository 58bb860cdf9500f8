"""The plots of lesson 06: pictures in rows, who is frozen when, neighbours, and strategies side by side.

Like the plots in `course.plotting`, each function takes ``ax`` (without it, a new figure), returns it, and
draws numbers that the lesson has computed. What a colour says, a text, a mark or a place says as well.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from course.plotting import BLUE, GREEN, GREY, LIGHT, ORANGE, PURPLE, as_array, new_axes

__all__ = [
    "decision_panel",
    "digit_map",
    "freeze_plan",
    "layer_bars",
    "paired_draws",
    "picture_rows",
    "retrieval_rows",
]

SKY, YELLOW, BLACK = "#56B4E9", "#E69F00", "#000000"
TEN = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW, BLACK, GREY, "#8B4513", "#4B0082")


def picture_rows(rows: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Show rows of grey images, each row (K, 1, H, W) or (K, H, W), with its name at the left."""
    pictures = [_as_pictures(images) for images in rows.values()]
    columns = max(len(row) for row in pictures)
    ax = ax or new_axes(0.8 * columns + 1.8, 0.85 * len(rows) + 0.4)
    for row, images in enumerate(pictures):
        for column, image in enumerate(images):
            _paste(ax, image, column, row)
    ax.set_yticks(np.arange(len(rows)) + 0.5, list(rows))
    _finish_mosaic(ax, columns, len(rows))
    return ax


def freeze_plan(
    layers: Sequence[str], trains: Mapping[str, Collection[str]], title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw one row per entry of ``trains`` (name → the layers that train), one box per layer, input left."""
    ax = ax or new_axes(1.35 * len(layers) + 2.2, 0.52 * len(trains) + 0.9)
    for row, training in enumerate(trains.values()):
        for column, layer in enumerate(layers):
            active = layer in training
            box = Rectangle((column + 0.04, row + 0.08), 0.92, 0.84, facecolor=YELLOW if active else LIGHT)
            ax.add_patch(box)
            text = "trains" if active else "frozen"
            ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=BLACK if active else GREY)
    ax.set_xticks(np.arange(len(layers)) + 0.5, list(layers))
    ax.set_yticks(np.arange(len(trains)) + 0.5, list(trains))
    ax.xaxis.tick_top()
    ax.set(xlim=(0, len(layers)), ylim=(len(trains), 0), title=title)
    _remove_frame(ax)
    return ax


def digit_map(points: Any, labels: Any, ax: Axes | None = None) -> Axes:
    """Write each label (N,), 0 to 9, at its place in the plane, points (N, 2)."""
    ax = ax or new_axes(4.6, 4.2)
    points, labels = as_array(points), as_array(labels)
    for (x, y), label in zip(points, labels, strict=True):
        ax.text(x, y, str(label), color=TEN[label], fontsize=8, ha="center", va="center", clip_on=True)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.04 * (high - low)
    ax.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
    ax.set(xlabel="component 1", ylabel="component 2")
    return ax


def retrieval_rows(queries: Any, hits: Any, right: Any, ax: Axes | None = None) -> Axes:
    """Show each query (Q, 1, H, W) at the left and its hits (Q, K, 1, H, W) beside it.

    right: (Q, K), whether a hit has the query's class. Wrong ones get an orange frame and a cross.
    """
    hits, right = as_array(hits), as_array(right).astype(bool)
    count = hits.shape[1]
    ax = ax or new_axes(0.8 * (count + 1) + 0.8, 0.85 * len(hits) + 0.5)
    for row, (query, found, answers) in enumerate(zip(_as_pictures(queries), hits, right, strict=True)):
        _paste(ax, query, 0, row)
        for column, (image, answer) in enumerate(zip(_as_pictures(found), answers, strict=True)):
            _paste(ax, image, column + 1.3, row)
            if not answer:
                frame = Rectangle(
                    (column + 1.32, row + 0.02), 0.96, 0.96, fill=False, edgecolor=ORANGE, linewidth=2.5
                )
                ax.add_patch(frame)
                ax.plot(column + 2.14, row + 0.16, "x", color=ORANGE, markersize=7, markeredgewidth=2.5)
    _finish_mosaic(ax, count + 1.3, len(hits))
    ax.set_yticks([])
    ax.set_xticks([0.5, 1.3 + count / 2], ["query", "most similar first →"])
    ax.xaxis.tick_top()
    return ax


def layer_bars(layers: Sequence[str], series: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw a group of bars per layer, one bar for each entry of ``series`` (name → a value per layer)."""
    ax = ax or new_axes(7, 3.4)
    width = 0.8 / len(series)
    for position, (name, values) in enumerate(series.items()):
        places = np.arange(len(layers)) + (position - (len(series) - 1) / 2) * width
        ax.bar(places, values, 0.9 * width, color=TEN[position], label=name)
    ax.set_xticks(range(len(layers)), list(layers))
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))  # beside the bars, not on them
    return ax


def decision_panel(
    strategies: Mapping[str, Sequence[float]], advice: Collection[str], ax: Axes | None = None
) -> Axes:
    """Draw a row per strategy: a dot for each seed, a line at the median. What the decks advise is marked."""
    ax = ax or new_axes(5.4, 3)
    best = max(np.median(values) for values in strategies.values())
    for row, (name, values) in enumerate(strategies.items()):
        colour = BLUE if name in advice else GREY
        ax.plot([min(values), max(values)], [row, row], color=colour, linewidth=5, alpha=0.25)
        ax.plot(values, [row] * len(values), "o", color=colour, alpha=0.8, markeredgewidth=0, markersize=5)
        ax.plot([np.median(values)] * 2, [row - 0.3, row + 0.3], color=colour)
    ax.axvline(best, color=GREY, linewidth=0.8, linestyle=":")
    names = [f"decks' advice → {name}" if name in advice else name for name in strategies]
    ax.set_yticks(range(len(strategies)), names)
    for label, name in zip(ax.get_yticklabels(), strategies, strict=True):
        label.set_color(BLUE if name in advice else GREY)
    ax.set(ylim=(len(strategies) - 0.5, -0.5), xlabel="test accuracy (dotted: the best median)")
    return ax


def paired_draws(
    arms: Mapping[str, Sequence[float]], deck: Mapping[str, float], ax: Axes | None = None
) -> Axes:
    """Draw one column per arm with a dot per draw; lines join equal draws, diamonds are deck numbers."""
    ax = ax or new_axes(1.9 * len(arms) + 1.5, 4)
    values = np.array(list(arms.values()))  # (arms, draws)
    ax.plot(range(len(arms)), values, "-", color=GREY, linewidth=0.6, alpha=0.5)
    for column, (name, column_values) in enumerate(zip(arms, values, strict=True)):
        ax.plot([column] * len(column_values), column_values, "o", color=BLUE, alpha=0.45, markeredgewidth=0)
        ax.plot([column - 0.16, column + 0.16], [np.median(column_values)] * 2, color=BLUE)
        if name in deck:
            ax.plot(column, deck[name], "D", markerfacecolor="none", markeredgecolor=ORANGE, markersize=10)
            ax.annotate(
                f"deck {deck[name]:.4f}",
                (column, deck[name]),
                xytext=(12, 0),
                textcoords="offset points",
                color=ORANGE,
                va="center",
            )
    ax.set_xticks(range(len(arms)), list(arms))
    ax.set(xlim=(-0.4, len(arms) - 0.4), ylabel="test accuracy")
    return ax


def _as_pictures(images: Any) -> NDArray[Any]:
    """Images (K, 1, H, W) or (K, H, W) as an array (K, H, W)."""
    array = as_array(images)
    return array[:, 0] if array.ndim == 4 else array


def _paste(ax: Axes, image: NDArray[Any], column: float, row: float) -> None:
    """Put an image into the square whose upper left corner is (column, row), with a small gap around it."""
    extent = (column + 0.06, column + 0.94, row + 0.94, row + 0.06)
    ax.imshow(image, cmap="gray", extent=extent, aspect="auto", interpolation="nearest")


def _finish_mosaic(ax: Axes, columns: float, rows: float) -> None:
    ax.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], aspect="equal")
    _remove_frame(ax)


def _remove_frame(ax: Axes) -> None:
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
