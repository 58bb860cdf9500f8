"""The pictures of lesson 07: what Python and a GPU do at the same time, and which numbers 16 bits can hold.

As in `course.plotting`: every function takes ``ax`` (without it, a new figure) and returns it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, StrMethodFormatter

from course.plotting import BLUE, GREEN, GREY, LIGHT, ORANGE, PURPLE, as_array, new_axes

__all__ = ["gradient_histogram", "per_picture", "plain_ticks", "step_bars", "timeline"]

Work = Sequence[tuple[float, float, str]]

FLOAT16_ZERO, FLOAT16_NORMAL = 2.0**-25, 2.0**-14


def timeline(python: Work, gpu: Work, ax: Axes | None = None) -> Axes:
    """Draw two rows of bars over time: what Python does, and what the GPU does. Work: (start, end, name)."""
    ax = ax or new_axes(8, 2.4)
    for row, (work, colour) in enumerate([(gpu, BLUE), (python, ORANGE)]):
        for start, end, name in work:
            waits = name == "wait"
            ax.barh(
                row, end - start, left=start, height=0.6, color=LIGHT if waits else colour, edgecolor="white"
            )
            ax.text((start + end) / 2, row, name, ha="center", va="center", color=GREY if waits else "white")
    ax.set_yticks([0, 1], ["GPU", "Python"])
    ax.set(ylim=(-0.5, 1.8))
    return ax


def step_bars(times: Mapping[str, Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """Draw a row per network with a bar per device. times: device → network → seconds of a step."""
    ax = ax or new_axes(8, 2.6)
    names = list(dict.fromkeys(name for arm in times.values() for name in arm))
    height = 0.8 / max(len(times), 1)
    for index, ((device, arm), colour) in enumerate(zip(times.items(), [ORANGE, BLUE, GREEN], strict=False)):
        rows = [names.index(name) + (index - (len(times) - 1) / 2) * height for name in arm]
        values = [1000 * seconds for seconds in arm.values()]
        ax.barh(rows, values, height=0.9 * height, color=colour)
        for row, value in zip(rows, values, strict=True):
            ax.text(value * 1.08, row, f"{device}: {_milliseconds(value)}", va="center", color=colour)
    ax.set_yticks(range(len(names)), names)
    ax.set(xscale="log", xlabel="time of one training step (ms)", ylim=(len(names) - 0.4, -0.6))
    ax.margins(x=0.3)
    return ax


def _milliseconds(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def plain_ticks(ax: Axes) -> None:
    """Write 1, 2, 5, 10, 20, … on a logarithmic y axis, instead of powers of ten."""
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    ax.minorticks_off()


def per_picture(sizes: Sequence[int], curves: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw the time per picture against the batch size. curves: device → seconds of a step for each size."""
    ax = ax or new_axes(6, 3.6)
    for (name, seconds), colour in zip(curves.items(), [ORANGE, BLUE, GREEN, PURPLE], strict=False):
        values = 1e6 * np.asarray(seconds, dtype=float) / np.asarray(sizes[: len(seconds)], dtype=float)
        ax.loglog(sizes[: len(seconds)], values, "o-", color=colour)
        ax.annotate(
            name,
            (sizes[len(seconds) - 1], values[-1]),
            xytext=(8, 0),
            textcoords="offset points",
            color=colour,
            va="center",
        )
    plain_ticks(ax)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.set(xlabel="pictures in a batch", ylabel="time per picture (µs)")
    return ax


def gradient_histogram(gradients: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw how often which size of a gradient occurs, over float16's limits. gradients: name → numbers."""
    ax = ax or new_axes(8, 3.4)
    bins = np.arange(-12, 1.01, 0.25)
    ax.axvspan(-12, np.log10(FLOAT16_ZERO), color=ORANGE, alpha=0.15, linewidth=0)
    ax.axvspan(np.log10(FLOAT16_ZERO), np.log10(FLOAT16_NORMAL), color=GREY, alpha=0.12, linewidth=0)
    highest = 0.0
    for (name, values), colour in zip(gradients.items(), [BLUE, GREEN, PURPLE], strict=False):
        sizes = np.abs(as_array(values)).ravel().astype(float)
        shares, edges = np.histogram(np.log10(np.maximum(sizes, 1e-12)), bins=bins)
        shares = 100 * shares / len(sizes)
        ax.stairs(shares, edges, color=colour, linewidth=2)
        peak = int(shares.argmax())
        ax.text(edges[peak], shares[peak] + 0.6, name, color=colour, ha="center", va="bottom")
        highest = max(highest, shares.max())
    top = 1.45 * highest
    ax.text(-11.8, top * 0.97, "0 in float16", color=ORANGE, va="top")
    ax.text(np.log10(FLOAT16_ZERO) + 0.1, top * 0.97, "few digits left", color=GREY, va="top")
    ticks = range(-12, 2, 2)
    ax.set_xticks(ticks, [f"$10^{{{tick}}}$" for tick in ticks])
    ax.set(xlim=(-12, 1), ylim=(0, top), xlabel="size of the gradient", ylabel="share of the numbers (%)")
    return ax
