"""The recorded results of lesson 08 as sections of docs/results.md (`course.results.tables`)."""

import statistics
from collections.abc import Iterable, Sequence

from course.results import Run, select, summarize
from course.results.capstone import EPOCHS
from course.results.markdown import cell, table

__all__ = ["parts"]


def parts(runs: Sequence[Run]) -> Iterable[str]:
    """Yield the paragraphs and tables of lesson 08, made from its recorded runs."""
    yield "## 08 Capstone"
    yield from _reference(select(runs, experiment="reference"))
    yield from _mnist(runs)


def _reference(runs: Sequence[Run]) -> Iterable[str]:
    accuracies = [run["test_accuracy"] for run in runs]
    seconds = statistics.median(run["cpu_seconds"] for run in runs)
    yield "### The reference solution on the lesson's own task"
    yield (
        f"{len(runs)} data sets, drawn as for grading: {min(accuracies):.4f} to {max(accuracies):.4f} "
        f"right, mean {statistics.mean(accuracies):.4f}, standard deviation "
        f"{statistics.stdev(accuracies):.4f}. "
        "The highest band asks for 0.955. Training takes "
        f"{seconds:.0f} CPU seconds (median; the machine was busy)."
    )


def _mnist(runs: Sequence[Run]) -> Iterable[str]:
    yield "### MNIST at 8×8"
    epochs = ", ".join(f"{count} epochs at {pictures:,}" for pictures, count in EPOCHS.items())
    yield (
        "MNIST in a frame of 32×32, the mean of each 4×4 block; the lesson's network in three "
        f"widths, without distortion; {epochs} pictures. Test accuracy on the 10,000 test pictures."
    )
    chosen = [run for run in runs if run["experiment"] != "reference"]
    summaries = summarize(chosen, by=("pictures", "parameters"))
    rows = [
        [f"{pictures:,}", f"{parameters:,}", cell(summary)]
        for (pictures, parameters), summary in sorted(summaries.items())
    ]
    yield table(["training pictures", "parameters", "test accuracy"], rows)
