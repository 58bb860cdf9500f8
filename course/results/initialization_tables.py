"""Lesson 02's part of the page of results: deck D2's grid, and what the first weights do to the training."""

import statistics
from collections.abc import Iterable, Sequence

from course.results import Run, Summary, select, summarize
from course.results.initialization import ACTIVATIONS, GRID, INITIALIZATIONS, RATES
from course.results.markdown import cell, seeds, table

__all__ = ["parts"]

LAYERS = (1, 2, 4, 7, 16)


def parts(runs: Sequence[Run]) -> Iterable[str]:
    """Yield the paragraphs and tables of lesson 02, made from its recorded runs."""
    yield "## 02 Initialization"
    yield "### Deck D2's grid as numbers"
    yield from _grid(select(runs, experiment="d2_grid"))
    if wide := select(runs, experiment="wide_grid"):
        yield "### The grid at a larger width, on a GPU"
        first = wide[0]
        yield f"{first['device']}, {first['date']}, torch {first['torch']}."
        yield from _grid(wide)
    yield "### The first weights and the training on MNIST"
    yield from _training(select(runs, experiment="training"))
    yield "### ReLU with 16 hidden layers: 1/√n against √(2/n)"
    yield from _deep_relu(select(runs, experiment="deep_relu"))


def _grid(runs: Sequence[Run]) -> Iterable[str]:
    yield (
        f"2000 random inputs through 16 layers of {runs[0]['width']} units: the standard deviation of the "
        "activations, and of the gradient that arrives at the input of layer 1 when N(0, 1) is sent back "
        f"from layer 16. Median, and in brackets the lowest and the highest of {seeds(runs)} seeds."
    )
    yield table(
        ["setting", *(f"layer {layer}" for layer in LAYERS), "gradient"],
        (
            [
                row.title,
                *(_spread([run["std"][layer - 1] for run in of_setting]) for layer in LAYERS),
                _spread([run["grad_std"][0] for run in of_setting]),
            ]
            for setting, row in GRID.items()
            if (of_setting := select(runs, setting=setting))
        ),
    )


def _training(runs: Sequence[Run]) -> Iterable[str]:
    yield (
        "784 inputs (standardized), 7 hidden layers of 100 units, plain SGD with batch 128, "
        f"{runs[0]['epochs']} epochs, {seeds(runs)} seeds, biases 0 (except nn.Linear's own). Each "
        f"combination was run with the learning rates {', '.join(map(str, RATES))}; shown is the rate with "
        "the best median."
    )
    cells = summarize(runs, by=("activation", "initialization", "lr"))
    yield table(
        ["first weights", *ACTIVATIONS],
        (
            [
                initialization.title,
                *(
                    _best({lr: cells.get((activation, name, lr)) for lr in RATES})
                    for activation in ACTIVATIONS
                ),
            ]
            for name, initialization in INITIALIZATIONS.items()
        ),
    )
    yield "0.0980 and 0.1135 are the shares of the digits 0 and 1: one answer for every picture."


def _deep_relu(runs: Sequence[Run]) -> Iterable[str]:
    yield f"As above with 16 hidden layers, {seeds(runs)} seeds, every learning rate."
    cells = summarize(runs, by=("initialization", "lr"))
    yield table(
        ["first weights", *(f"rate {lr}" for lr in RATES)],
        (
            [INITIALIZATIONS[name].title, *(cell(cells[name, lr]) for lr in RATES)]
            for name in dict.fromkeys(run["initialization"] for run in runs)
        ),
    )


def _best(by_rate: dict[float, Summary | None]) -> str:
    tried = {lr: summary for lr, summary in by_rate.items() if summary is not None}
    if not tried:
        return "–"
    rate = max(tried, key=lambda lr: tried[lr].median)
    return f"{cell(tried[rate])} at {rate}"


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2g} [{min(values):.2g}, {max(values):.2g}]"
