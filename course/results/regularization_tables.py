"""Lesson 05's part of the page of results: each method on and off with few labels, memorising, attacks."""

import statistics
from collections.abc import Iterable, Sequence

from course.results import Run, select, summarize
from course.results.markdown import accuracy, cell, epochs, seeds, table
from course.results.regularization import ARMS, EPSILONS, TASKS

__all__ = ["parts"]

TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}


def parts(runs: Sequence[Run]) -> Iterable[str]:
    """Yield the paragraphs and tables of lesson 05, made from its recorded runs."""
    yield "## 05 Regularization"
    yield "### 200 labelled pictures, each method on and off"
    yield from _few_labels(select(runs, experiment="few_labels"))
    yield "### Many looks at test time"
    yield from _looks(select(runs, experiment="few_labels"))
    yield "### 1000 MNIST pictures are memorised"
    yield from _memorised(select(runs, experiment="memorised"))
    yield "### Attacked MNIST pictures"
    yield from _attacked(select(runs, experiment="attacked"))


def _few_labels(runs: Sequence[Run]) -> Iterable[str]:
    yield (
        f"A small convolutional network, Adam, {epochs(runs)} epochs, {seeds(runs)} seeds. Each seed draws "
        "other pictures and other first weights; 100 more labels serve early stopping alone."
    )
    cells = summarize(runs, by=("arm", "dataset", "wrong"))
    nothing = {task: cells["nothing", *task].median for task in TASKS}
    yield table(
        ["method", *(_title(*task) for task in TASKS)],
        (
            [arm.title, *(cell(cells[name, *task], nothing[task] + 0.01) for task in TASKS)]
            for name, arm in ARMS.items()
        ),
    )
    yield "Bold: the median is at least one point above that of *nothing*."


def _looks(runs: Sequence[Run]) -> Iterable[str]:
    yield (
        "The first 2,000 test pictures, seen once, and as the mean of 9 shifted views (for the flip: 2 "
        "views). Median of the seeds."
    )
    rows = []
    for task in TASKS:
        for arm in ("nothing", "crop", "flip"):
            chosen = select(runs, dataset=task[0], wrong=task[1], arm=arm)
            looks = (statistics.median(run[key] for run in chosen) for key in ("one_look", "many_looks"))
            rows.append([_title(*task), ARMS[arm].title, *(accuracy(value) for value in looks)])
    yield table(["data", "trained with", "one look", "many looks"], rows)


def _memorised(runs: Sequence[Run]) -> Iterable[str]:
    yield f"784-512-10, Adam, {epochs(runs)} epochs, {seeds(runs)} seeds."
    rows = []
    for wrong, name in ((0.0, "true"), (1.0, "random")):
        chosen = select(runs, wrong=wrong)
        lasts = [{"labels": wrong, "last": run["train_accuracies"][-1]} for run in chosen]
        trained = summarize(lasts, by=("labels",), value="last")[wrong,]
        rows.append([name, cell(trained), cell(summarize(chosen, by=("wrong",))[wrong,])])
    yield table(["labels", "training accuracy", "test accuracy"], rows)


def _attacked(runs: Sequence[Run]) -> Iterable[str]:
    yield (
        f"6,000 pictures, {epochs(runs)} epochs, {seeds(runs)} seeds; accuracy on 2,000 test pictures whose "
        "pixels (0 to 1) move by ε. *Defended*: half of each batch was attacked with ε = 0.15. Median."
    )
    rows = []
    for name, defended, key in (
        ("FGSM", False, "attacked"),
        ("FGSM, defended", True, "attacked"),
        ("random signs", False, "random_signs"),
    ):
        columns = zip(*(run[key] for run in select(runs, defended=defended)), strict=True)
        rows.append([name, *(accuracy(statistics.median(column)) for column in columns)])
    yield table(["change", *(f"ε = {epsilon:g}" for epsilon in EPSILONS)], rows)


def _title(dataset: str, wrong: float) -> str:
    return TITLES[dataset] + (f", {wrong:.0%} random labels" if wrong else ", true labels")
