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
    yield from _distortion(select(runs, experiment="distortion"))
    yield from _mnist([run for run in runs if run["experiment"].startswith("mnist")])


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


def _distortion(runs: Sequence[Run]) -> Iterable[str]:
    yield "### Distorted pictures and longer training"
    yield (
        f"The lesson's network with {runs[0]['parameters']:,} parameters, on the data sets 0 to "
        f"{max(run['seed'] for run in runs)} (`draw_task`), which are also the seeds of the weights."
    )
    summaries = summarize(runs, by=("distorted", "epochs"))
    lengths = sorted({epochs for _, epochs in summaries})
    rows = [
        [name, *(cell(summaries[distorted, epochs]) for epochs in lengths)]
        for distorted, name in ((False, "the same pictures in each epoch"), (True, "distorted anew"))
    ]
    yield table(["training pictures", *(f"{epochs} epochs" for epochs in lengths)], rows)


def _mnist(runs: Sequence[Run]) -> Iterable[str]:
    yield "### MNIST at 8×8"
    epochs = ", ".join(f"{count} epochs at {pictures:,}" for pictures, count in EPOCHS.items())
    yield (
        "MNIST in a frame of 32×32, the mean of each 4×4 block; the lesson's network in three "
        f"widths, without distortion; {epochs} pictures. Test accuracy on the 10,000 test pictures."
    )
    summaries = summarize(runs, by=("pictures", "parameters"))
    rows = [
        [f"{pictures:,}", f"{parameters:,}", cell(summary)]
        for (pictures, parameters), summary in sorted(summaries.items())
    ]
    yield table(["training pictures", "parameters", "test accuracy"], rows)
