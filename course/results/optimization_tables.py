"""Lesson 01's part of the page of results: batch size, rate, optimizer, schedule and inputs on MNIST."""

from collections.abc import Iterable, Sequence

from course.results import Run, select, summarize
from course.results.markdown import accuracy, cell, epochs, seeds, table
from course.results.optimization import BATCHES, INPUTS, OPTIMIZERS, RATES, SCHEDULE_RATES, SCHEDULES

__all__ = ["best_rate", "parts"]


def parts(runs: Sequence[Run]) -> Iterable[str]:
    """Yield the paragraphs and tables of lesson 01, made from its recorded runs."""
    yield "## 01 Optimization"
    yield (
        "MNIST, 784 → 100 → 10 with ReLU: 50,000 images to train with, 10,000 of the training images to "
        "validate. Learning rates are chosen by the median accuracy on the validation images; shown is the "
        "accuracy on the test images."
    )
    yield "### Batch size × learning rate"
    yield from _batch_grid(select(runs, experiment="batch_grid"))
    yield "### Optimizers, each at its own best rate"
    yield from _best(select(runs, experiment="optimizers"), "optimizer", {name: name for name in OPTIMIZERS})
    yield "### Scales of the inputs, each at its own best rate"
    yield from _best(select(runs, experiment="inputs"), "inputs", INPUTS)
    yield "### Schedules"
    yield from _schedules(select(runs, experiment="schedules"))


def best_rate(runs: Iterable[Run]) -> float:
    """Return the learning rate with the highest median accuracy on the validation images."""
    by_rate = summarize(runs, by=("lr",), value="val_accuracy")
    return max(by_rate, key=lambda key: by_rate[key].median)[0]


def _batch_grid(runs: Sequence[Run]) -> Iterable[str]:
    yield f"Plain SGD, {epochs(runs)} epochs, {seeds(runs)} seeds: median accuracy on the validation images."
    cells = summarize(runs, by=("batch_size", "lr"), value="val_accuracy")
    yield table(
        ["batch size", *(f"rate {lr:g}" for lr in RATES), "test, at the best rate"],
        (
            [
                str(size),
                *(accuracy(cells[size, lr].median) for lr in RATES),
                _at_best_rate(select(runs, batch_size=size)),
            ]
            for size in BATCHES
        ),
    )


def _best(runs: Sequence[Run], field: str, titles: dict[str, str]) -> Iterable[str]:
    yield f"Batch {runs[0]['batch_size']}, {epochs(runs)} epoch, {seeds(runs)} seeds."
    yield table(
        ["", "rates tried", "test accuracy"],
        (
            [
                title,
                ", ".join(f"{lr:g}" for lr in sorted({run["lr"] for run in chosen})),
                _at_best_rate(chosen),
            ]
            for name, title in titles.items()
            if (chosen := select(runs, **{field: name}))
        ),
    )


def _schedules(runs: Sequence[Run]) -> Iterable[str]:
    yield f"SGD with momentum 0.9, batch {runs[0]['batch_size']}, {epochs(runs)} epochs, {seeds(runs)} seeds."
    cells = summarize(runs, by=("schedule", "lr"))
    yield table(
        ["the rate", *(f"from {lr:g}" for lr in SCHEDULE_RATES)],
        ([title, *(cell(cells[name, lr]) for lr in SCHEDULE_RATES)] for name, title in SCHEDULES.items()),
    )


def _at_best_rate(runs: Sequence[Run]) -> str:
    rate = best_rate(runs)
    (summary,) = summarize(select(runs, lr=rate), by=("lr",)).values()
    return f"{cell(summary)} at {rate:g}"
