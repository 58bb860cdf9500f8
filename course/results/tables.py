"""The recorded results as a Markdown page: ``python -m course.results --table > docs/results.md``."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from course.results import Run, Summary, load, select, summarize
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
    ]
    return "\n\n".join(parts) + "\n"


def _d0_grid(runs: Sequence[Run]) -> Iterable[str]:
    yield "### Deck D0's four settings on MNIST"
    yield (
        f"784-256-128-64-10, {_epochs(runs)} epochs, {_seeds(runs)} seeds. The deck does not name its "
        "optimizer, so each column is another one, with torch's defaults. "
        "A median at or above the deck's figure is **bold**."
    )
    for batch_norm, title in ((True, "With batch norm"), (False, "Without batch norm")):
        yield f"{title}:"
        cells = summarize(select(runs, batch_norm=batch_norm), by=("setting", "optimizer"))
        yield _settings_table(
            OPTIMIZERS, lambda setting, optimizer, cells=cells: cells.get((setting, optimizer)), batch_norm
        )


def _d0_recipe(runs: Sequence[Run]) -> Iterable[str]:
    yield "### One recipe for all four rows"
    yield RECIPE_NOTE
    final = select(runs, optimizer=RECIPE)
    cells = summarize(final, by=("setting", "batch_norm"))
    yield f"{RECIPE}, {_seeds(final)} seeds:"
    rows = []
    for name, setting in SETTINGS.items():
        without, with_norm = cells[name, False], cells[name, True]
        rows.append(
            [
                setting.title,
                _accuracy(setting.deck_without),
                _cell(without),
                _accuracy(setting.deck_with),
                _cell(with_norm, target=setting.deck_with),
            ]
        )
    yield _table(["setting", "deck, without BN", "measured", "deck, with BN", "measured"], rows)
    yield "Everything that was tried, with batch norm (3 seeds or more):"
    tried = summarize(select(runs, batch_norm=True), by=("setting", "optimizer"))
    yield _settings_table(RECIPES, lambda setting, recipe: tried.get((setting, recipe)), True)


def _bn_lenet(runs: Sequence[Run]) -> Iterable[str]:
    yield "### Deck D3's LeNet with sigmoids on Fashion-MNIST"
    yield f"Plain SGD with learning rate 0.5, batch 128, {_epochs(runs)} epochs, {_seeds(runs)} seeds."
    cells = summarize(runs, by=("batch_norm",))
    yield _table(
        ["", "test accuracy"], [["without BN", _cell(cells[False,])], ["with BN", _cell(cells[True,])]]
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
        [name, *(_cell(cells[batch_norm, size]) for size in BATCH_SIZES)]
        for batch_norm, name in ((False, "without BN"), (True, "with BN"))
    ]
    yield _table(["batch size", *map(str, BATCH_SIZES)], rows)


def _settings_table(
    columns: Iterable[str], cell_of: Callable[[str, str], Summary | None], batch_norm: bool
) -> str:
    rows = []
    for name, setting in SETTINGS.items():
        target = setting.deck_with if batch_norm else setting.deck_without
        cells = [_cell(cell_of(name, column), target) for column in columns]
        rows.append([setting.title, _accuracy(target), *cells])
    return _table(["setting", "deck D0", *columns], rows)


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
    return _range({run["epochs"] for run in runs})


def _seeds(runs: Sequence[Run]) -> str:
    return str(len({run["seed"] for run in runs}))


def _range(values: set[Any]) -> str:
    return "/".join(map(str, sorted(values)))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
