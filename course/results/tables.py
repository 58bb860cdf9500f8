"""The recorded results as a Markdown page: ``python -m course.results --table > docs/results.md``."""

from collections.abc import Iterable, Sequence

from course.results import Run, Summary, load, select, summarize, transfer_tables
from course.results.batch_norm import BATCH_SIZES, OPTIMIZERS, RECIPE, RECIPE_NOTE, RECIPES, SETTINGS

__all__ = ["page"]


def page() -> str:
    """Return the whole page, made from the recorded runs alone."""
    results = load("03_batch_norm")
    runs, environment = results["runs"], results["environment"]
    parts = [
        "# Measured results",
        "Made by `python -m course.results --table` from the runs in `course/results/`; `make results` "
        "repeats the runs. Every figure is a test accuracy after the last epoch: the median, and in brackets "
        f"the lowest and the highest over the seeds. Measured with torch {environment['torch']}, "
        f"Python {environment['python']}, {environment['machine']}.",
        "## 03 Batch normalization",
        *_d0_grid(select(runs, experiment="d0_grid")),
        *_d0_recipe(select(runs, experiment="d0_recipe")),
        *_bn_lenet(select(runs, experiment="bn_lenet")),
        *_batch_size_noise(select(runs, experiment="batch_size_noise")),
        *transfer_tables.parts(load("06_transfer_learning")["runs"]),
    ]
    return "\n\n".join(parts) + "\n"


def _d0_grid(runs: Sequence[Run]) -> Iterable[str]:
    yield "### Deck D0's four settings on MNIST"
    yield (
        f"784-256-128-64-10, {_epochs(runs)} epochs, {_seeds(runs)} seeds. The deck does not name its "
        "optimizer, so each column is another one, with torch's defaults. With batch norm, a median at or "
        "above the deck's figure is **bold**."
    )
    cells = summarize(runs, by=("batch_norm", "setting", "optimizer"))
    header = ["setting", "deck D0", *OPTIMIZERS]
    yield "With batch norm:"
    yield _table(
        header,
        (
            [
                setting.title,
                _accuracy(setting.deck_with),
                *(_cell(cells.get((True, name, optimizer)), setting.deck_with) for optimizer in OPTIMIZERS),
            ]
            for name, setting in SETTINGS.items()
        ),
    )
    yield "Without batch norm:"
    yield _table(
        header,
        (
            [
                setting.title,
                _accuracy(setting.deck_without),
                *(_cell(cells.get((False, name, optimizer))) for optimizer in OPTIMIZERS),
            ]
            for name, setting in SETTINGS.items()
        ),
    )
    yield (
        "0.0892, 0.0980 and 0.1135 are the shares of the digits 5, 0 and 1 in the test set: "
        "such a network gives the same answer to every picture."
    )


def _d0_recipe(runs: Sequence[Run]) -> Iterable[str]:
    yield "### One recipe for all four rows"
    yield RECIPE_NOTE
    final = select(runs, optimizer=RECIPE)
    cells = summarize(final, by=("setting", "batch_norm"))
    yield f"{RECIPE}, {_seeds(final)} seeds:"
    yield _table(
        ["setting", "deck, without BN", "measured", "deck, with BN", "measured"],
        (
            [
                setting.title,
                _accuracy(setting.deck_without),
                _cell(cells.get((name, False))),
                _accuracy(setting.deck_with),
                _cell(cells.get((name, True)), setting.deck_with),
            ]
            for name, setting in SETTINGS.items()
        ),
    )
    yield "Everything that was tried, with batch norm. A row that decides against a recipe has three seeds:"
    tried = summarize(select(runs, batch_norm=True), by=("optimizer", "setting"))
    yield _table(
        ["recipe", *(setting.title for setting in SETTINGS.values())],
        [
            ["deck D0", *(_accuracy(setting.deck_with) for setting in SETTINGS.values())],
            *(
                [
                    recipe,
                    *(
                        _cell(tried.get((recipe, name)), setting.deck_with)
                        for name, setting in SETTINGS.items()
                    ),
                ]
                for recipe in RECIPES
            ),
        ],
    )


def _bn_lenet(runs: Sequence[Run]) -> Iterable[str]:
    yield "### Deck D3's LeNet with sigmoids on Fashion-MNIST"
    yield f"Plain SGD with learning rate 0.5, batch 128, {_epochs(runs)} epochs, {_seeds(runs)} seeds."
    cells = summarize(runs, by=("batch_norm",))
    yield _table(
        ["", "test accuracy"],
        [["without BN", _cell(cells.get((False,)))], ["with BN", _cell(cells.get((True,)))]],
    )


def _batch_size_noise(runs: Sequence[Run]) -> Iterable[str]:
    yield "### Batch size and the noise of batch norm's statistics"
    yield (
        f"Deck D0's network on the first 12,000 images of MNIST, {_epochs(runs)} epochs, {_seeds(runs)} "
        "seeds, plain SGD with learning rate 0.1 × batch / 128, so that an image moves the weights about "
        "equally far in every column: the network without batch norm hardly notices the batch size."
    )
    cells = summarize(runs, by=("batch_norm", "batch_size"))
    rows = [
        [name, *(_cell(cells.get((batch_norm, size))) for size in BATCH_SIZES)]
        for batch_norm, name in ((False, "without BN"), (True, "with BN"))
    ]
    yield _table(["batch size", *map(str, BATCH_SIZES)], rows)


def _cell(summary: Summary | None, target: float | None = None) -> str:
    if summary is None:
        return "–"
    median = _accuracy(summary.median)
    if target is not None and summary.median >= target:
        median = f"**{median}**"
    if summary.n == 1:
        return f"{median} (1 seed)"
    return f"{median} [{_accuracy(summary.min)}, {_accuracy(summary.max)}]"


def _accuracy(value: float) -> str:
    return f"{value:.4f}"


def _epochs(runs: Sequence[Run]) -> str:
    return "/".join(map(str, sorted({run["epochs"] for run in runs})))


def _seeds(runs: Sequence[Run]) -> int:
    return len({run["seed"] for run in runs})


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
