"""The lessons' plots: each function draws numbers that the lesson has computed, and teaches nothing itself.

Every function takes ``ax`` (without it, a new figure) and returns it, so that a notebook can set titles and
labels. Colours are those of Okabe & Ito (2008, "Color Universal Design"), which colour-blind readers can tell
apart: orange is *without* batch norm, blue *with* it. Numbers may be tensors on any device, arrays or nested
lists. Pictures of an idea rather than of measurements are in `course.diagrams`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from numpy.typing import NDArray

__all__ = [
    "activation_histograms",
    "channel_ranges",
    "image_strip",
    "labelled_lines",
    "loss_contours",
    "noise_decay",
    "point_cloud",
    "sigmoid_zone",
    "spread_lines",
    "two_arms",
    "use_course_style",
]

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY, LIGHT = "#666666", "#E8E8E8"
WITHOUT, WITH = ORANGE, BLUE


def use_course_style() -> None:
    """Set fonts, colours and lines for all figures that follow."""
    plt.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, PURPLE]),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": 11,
            "figure.constrained_layout.use": True,
            "figure.dpi": 90,
            "font.size": 10,
            "lines.linewidth": 2,
        }
    )


def loss_contours(w1: Any, w2: Any, loss: Any, path: Any = None, ax: Axes | None = None) -> Axes:
    """Draw contour lines of loss over the plane (w1, w2), all (A, B), and the path (S, 2) of a descent."""
    ax = ax or new_axes(5, 4.2)
    w1, w2, loss = as_array(w1), as_array(w2), as_array(loss)
    levels = np.geomspace(loss.max() / 2000, loss.max(), 12)
    ax.contour(w1, w2, loss, levels=levels, colors=GREY, linewidths=0.7)
    ax.plot(0, 0, marker="*", markersize=13, color="black", zorder=3)
    ax.annotate("minimum", (0, 0), xytext=(7, 7), textcoords="offset points")
    if path is not None:
        path = as_array(path)
        ax.plot(path[:, 0], path[:, 1], marker="o", markersize=3.5, linewidth=1.2, color=ORANGE)
        ax.annotate("start", path[0], xytext=(-8, 8), textcoords="offset points", color=ORANGE, ha="right")
    ax.set(xlim=(w1.min(), w1.max()), ylim=(w2.min(), w2.max()))
    return ax


def image_strip(
    images: Sequence[Any], titles: Sequence[str], axes: Sequence[Axes] | None = None
) -> Sequence[Axes]:
    """Show grey images, each (1, H, W) or (H, W), side by side, with their smallest and largest values."""
    if axes is None:
        axes = plt.subplots(1, len(images), figsize=(2.6 * len(images), 2.9))[1]
    for ax, image, title in zip(axes, images, titles, strict=True):
        pixels = as_array(image).squeeze()
        ax.imshow(pixels, cmap="gray")
        ax.set(
            title=title, xticks=[], yticks=[], xlabel=f"black {pixels.min():.1f}, white {pixels.max():.1f}"
        )
    return axes


def point_cloud(points: Any, ax: Axes | None = None) -> Axes:
    """Draw points (N, 2) with one scale for both axes, so that "round" looks round."""
    ax = ax or new_axes(4, 4)
    points = as_array(points)
    ax.scatter(points[:, 0], points[:, 1], s=9, alpha=0.5, color=BLUE, linewidths=0)
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.axvline(0, color=GREY, linewidth=0.6)
    ax.set_aspect("equal", adjustable="datalim")
    return ax


def labelled_lines(lines: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw one line per entry over 0, 1, 2, …, with its name at its end."""
    ax = ax or new_axes(9, 3.4)
    ends = []
    for (name, values), colour in zip(lines.items(), [PURPLE, BLUE, GREEN, ORANGE], strict=False):
        values = as_array(values)
        ax.plot(values, color=colour, linewidth=1.3)
        ends.append((len(values) - 1, values[-1], name, colour))
    _label_ends(ax, ends)
    return ax


def channel_ranges(maps: Any, ax: Axes | None = None) -> Axes:
    """Draw mean (dot) and middle 90 % of the values (bar) of each channel of maps (N, C, H, W)."""
    ax = ax or new_axes(5, 3.2)
    channels = np.moveaxis(as_array(maps), 1, 0).reshape(as_array(maps).shape[1], -1)
    low, high = np.percentile(channels, [5, 95], axis=1)
    position = np.arange(len(channels))
    ax.use_sticky_edges = False  # a bar would otherwise touch the frame
    ax.bar(position, high - low, bottom=low, width=0.6, color=BLUE, alpha=0.35)
    ax.plot(position, channels.mean(axis=1), "o", color=BLUE)
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.set_xticks(position)
    return ax


def two_arms(
    labels: Sequence[str],
    without: Sequence[Sequence[float]],
    with_: Sequence[Sequence[float]],
    deck_without: Sequence[float],
    deck_with: Sequence[float],
    ax: Axes | None = None,
) -> Axes:
    """Draw one row per setting: each seed's accuracy as a dot, the deck's single number as a diamond."""
    ax = ax or new_axes(9, 3.4)
    arms = [
        (without, deck_without, WITHOUT, -0.16, "without batch norm"),
        (with_, deck_with, WITH, 0.16, "with batch norm"),
    ]
    for seeds, deck, colour, shift, name in arms:
        rows = np.arange(len(labels)) + shift
        for row, accuracies in zip(rows, seeds, strict=True):
            ax.plot([min(accuracies), max(accuracies)], [row, row], color=colour, linewidth=4, alpha=0.3)
            ax.plot(accuracies, [row] * len(accuracies), "o", color=colour, alpha=0.8, markeredgewidth=0)
        ax.plot(deck, rows, "D", markerfacecolor="none", markeredgecolor=colour, markersize=8)
        ax.text(np.median(seeds[0]) - 0.04, rows[0], name, color=colour, ha="right", va="center")
    ax.axvline(0.1, color=GREY, linewidth=0.8, linestyle=":")
    ax.set_yticks(range(len(labels)), labels)
    ax.set(
        xlim=(0, 1.03), ylim=(len(labels) - 0.4, -0.6), xlabel="test accuracy (dotted: one answer for all)"
    )
    return ax


def spread_lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[Sequence[float]]],
    ax: Axes | None = None,
    log_x: bool = False,
) -> Axes:
    """Draw the median over the seeds as a line, and smallest to largest value as a band.

    x: K positions; series: name → for each position the values of the seeds. Names that begin with "without"
    are orange, the others blue, green, purple in their order.
    """
    ax = ax or new_axes(8, 3.8)
    positions = np.asarray(list(x), dtype=float)
    colours = iter([BLUE, GREEN, PURPLE])
    ends = []
    for name, groups in series.items():
        colour = WITHOUT if name.startswith("without") else next(colours)
        median = np.array([np.median(group) for group in groups])
        ax.fill_between(
            positions,
            [min(g) for g in groups],
            [max(g) for g in groups],
            color=colour,
            alpha=0.2,
            linewidth=0,
        )
        ax.plot(positions, median, "o-", markersize=4, color=colour)
        ends.append((positions[-1], median[-1], name, colour))
    if log_x:
        ax.set_xscale("log")
        ax.minorticks_off()
        ax.set_xticks(positions, [f"{position:g}" for position in positions])
    _label_ends(ax, ends)
    return ax


def sigmoid_zone(inputs: Any, ax: Axes | None = None) -> Axes:
    """Draw the sigmoid, its tangent at 0 and a histogram of its inputs."""
    ax = ax or new_axes(5, 3.6)
    z = np.linspace(-8, 8, 400)
    counts, edges = np.histogram(as_array(inputs), bins=64, range=(-8, 8))
    ax.stairs(0.45 * counts / counts.max(), edges, fill=True, color=GREY, alpha=0.35)
    ax.plot(z, 0.5 + z / 4, "--", color=ORANGE, linewidth=1.3)
    ax.plot(z, 1 / (1 + np.exp(-z)), color=BLUE)
    ax.text(2.3, 0.97, "straight line", color=ORANGE, va="top")
    ax.text(2.3, 0.85, "sigmoid", color=BLUE, va="top")
    ax.text(-7.8, 0.3, "the inputs", color=GREY)
    ax.set(xlim=(-8, 8), ylim=(0, 1.03))
    return ax


def activation_histograms(snapshots: Mapping[int, Any], ax: Axes | None = None) -> Axes:
    """Draw one histogram per training step, the first on top. snapshots: step → activations of any shape."""
    ax = ax or new_axes(5.5, 4.2)
    for row, values in enumerate(snapshots.values()):
        counts, edges = np.histogram(as_array(values).ravel(), bins=120, range=(-4, 4))
        ax.stairs(-row + 0.85 * counts / counts.max(), edges, baseline=-row, fill=True, color=BLUE, alpha=0.7)
        ax.axhline(-row, color=GREY, linewidth=0.6)
    ax.axvline(0, color="black", linewidth=0.8, linestyle=":")
    ax.set_yticks([-row for row in range(len(snapshots))], [f"step {step}" for step in snapshots])
    ax.set(xlim=(-4, 4), ylim=(-len(snapshots) + 0.9, 1))
    return ax


def noise_decay(sizes: Sequence[int], noise: Sequence[float], ax: Axes | None = None) -> Axes:
    """Draw noise against batch size, both axes logarithmic, beside a line that falls like 1/√N."""
    ax = ax or new_axes(5, 3.8)
    guide = noise[-1] * np.sqrt(sizes[-1] / np.asarray(sizes, dtype=float))
    ax.loglog(sizes, guide, "--", color=GREY, linewidth=1.2)
    ax.loglog(sizes, noise, "o-", color=BLUE)
    ax.text(sizes[1], guide[1] * 1.1, "1/√N", color=GREY)
    ax.minorticks_off()
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.set_yticks([0.1, 0.2, 0.5, 1.0], ["0.1", "0.2", "0.5", "1"])
    return ax


def as_array(values: Any) -> NDArray[Any]:
    """A NumPy array of a tensor (any device, with or without a graph), an array or nested lists."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def new_axes(width: float, height: float) -> Axes:
    return plt.subplots(figsize=(width, height))[1]


def _label_ends(ax: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write each line's name beside its last point (x, y, name, colour); move apart names that touch."""
    low, high = ax.dataLim.intervaly
    ends = sorted(ends, key=lambda end: end[1])
    heights = _apart([y for _, y, _, _ in ends], gap=0.08 * (high - low))
    for (x, _, name, colour), height in zip(ends, heights, strict=True):
        ax.annotate(
            name,
            (x, height),
            xytext=(8, 0),
            textcoords="offset points",
            color=colour,
            va="center",
            annotation_clip=False,
        )


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Move sorted heights until none is nearer than gap to the next; those that touch keep their mean."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _row(groups[-1], gap)[0] - _row(groups[-2], gap)[-1] < gap:
            last = groups.pop()
            groups[-1] += last
    return [place for group in groups for place in _row(group, gap)]


def _row(group: Sequence[float], gap: float) -> list[float]:
    """Return as many places as the group has, gap apart, around its mean."""
    middle = sum(group) / len(group)
    return [middle + gap * (index - (len(group) - 1) / 2) for index in range(len(group))]
