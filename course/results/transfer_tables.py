"""Lesson 06's part of the page of results: deck D2's models A and B on Fashion-MNIST."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from course.results import Run, select, summarize
from course.results.markdown import cell
from course.results.transfer import ARMS, DECK_ALONE, DECK_ON_A, DRAWS, EPOCHS_A, LABELS, SEEDS, Arm

__all__ = ["gains", "parts"]

TITLES = {
    "dense": "Dense network, 784-300-100-50-50-50 with SELU",
    "conv": "Convolutional network with batch norm",
}
DECK = {"B alone, lr 1e-3": DECK_ALONE, "B on A": DECK_ON_A}


def parts(runs: Sequence[Run]) -> Iterable[str]:
    """Yield the paragraphs and tables of lesson 06, made from its recorded runs."""
    yield "## 06 Transfer learning"
    yield "### Deck D2's models A and B on Fashion-MNIST"
    yield (
        "Model A learns the eight classes other than sandal and shirt; model B tells these two apart with "
        f"{LABELS} labels, drawn {DRAWS} times, and every arm gets the same draws. Plain SGD, batch 32, 20 "
        "epochs in all. The deck gives one run of its two arms, and not the learning rate of B alone. "
        "*Gain*: the median difference to B alone with the same labels, and in how many runs it is positive."
    )
    for network in SEEDS:
        yield from _network(network, select(runs, network=network))
    if on_gpu := select(runs, experiment="a_to_b_gpu"):
        first = on_gpu[0]
        yield f"The convolutional network on {first['device']}, {first['date']}, torch {first['torch']}:"
        yield _arms(on_gpu, {})
    built = [run for run in select(runs, experiment="a_to_b") if ARMS[run["arm"]].from_a]
    copied = [run for run in built if ARMS[run["arm"]].copy_a]
    shared = [run for run in built if not ARMS[run["arm"]].copy_a]
    yield (
        f"Model A, bit for bit: unchanged in {_unchanged(copied)} runs with a copy, in {_unchanged(shared)} "
        "where B was built of A's own layers, as the deck's code does."
    )


def gains(runs: Sequence[Run], arm: str, baseline: str = "B alone") -> list[float]:
    """Return, in rising order, each run's accuracy minus that of a baseline with the same labels."""
    alone = {run["draw"]: run["test_accuracy"] for run in select(runs, arm=baseline)}
    return sorted(run["test_accuracy"] - alone[run["draw"]] for run in select(runs, arm=arm))


def _network(network: str, runs: Sequence[Run]) -> Iterable[str]:
    models = [f"{run['test_accuracy']:.4f}" for run in select(runs, experiment="model_a")]
    yield (
        f"{TITLES[network]}; {len(models)} model{'s' if len(models) > 1 else ''} A, "
        f"{EPOCHS_A[network]} epochs, test accuracy on eight classes {', '.join(models)} (deck: above .90):"
    )
    yield _arms(select(runs, experiment="a_to_b"), DECK if network == "dense" else {})


def _arms(runs: Sequence[Run], deck: Mapping[str, float]) -> str:
    table = summarize(runs, by=("arm",))
    lines = [
        "| arm | epochs at learning rate | deck | test accuracy | gain |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, arm in ARMS.items():
        if (name,) in table:
            expected = f"{deck[name]:.4f}" if name in deck else "–"
            cells = [name, _phases(arm), expected, cell(table[name,]), _gain(runs, name)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _phases(arm: Arm) -> str:
    return ", then ".join(
        f"{epochs} at {lr:g}{' (body frozen)' if frozen else ''}" for epochs, lr, frozen in arm.phases
    )


def _gain(runs: Sequence[Run], name: str) -> str:
    if name == "B alone":
        return "–"
    differences = gains(runs, name)
    better = sum(difference > 0 for difference in differences)
    return f"{statistics.median(differences):+.4f}, {better} of {len(differences)}"


def _unchanged(runs: Sequence[Run]) -> str:
    return f"{sum(run['a_unchanged'] for run in runs)} of {len(runs)}"
