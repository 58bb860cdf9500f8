"""Lesson 03's part of the page of results: what batch norm changes, on MNIST and Fashion-MNIST."""

from collections.abc import Iterable, Sequence

from course.results import Run, select, summarize
from course.results.batch_norm import BATCH_SIZES, OPTIMIZERS, RECIPE, RECIPE_NOTE, RECIPES, SETTINGS
from course.results.markdown import accuracy, cell, epochs, seeds, table

__all__ = ["parts"]


def parts(runs: Sequence[Run]) -> Iterable[str]:
    """Yield the paragraphs and tables of lesson 03, made from its recorded runs."""
    yield "## 03 Batch normalization"
    yield from _d0_grid(select(runs, experiment="d0_grid"))
    yield from _d0_recipe(select(runs, experiment="d0_recipe"))
    yield from _bn_lenet(select(runs, experiment="bn_lenet"))
    yield from _batch_size_noise(select(runs, experiment="batch_size_noise"))


def _d0_grid(runs: Sequence[Run]) -> Iterable[str]:
    yield "### Deck D0's four settings on MNIST"
    yield (
        f"784-256-128-64-10, {epochs(runs)} epochs, {seeds(runs)} seeds. The deck does not name its "
        "optimizer, so each column is another one, with torch's defaults. With batch norm, a median at or "
        "above the deck's figure is **bold**."
    )
    cells = summarize(runs, by=("batch_norm", "setting", "optimizer"))
    header = ["setting", "deck D0", *OPTIMIZERS]
    yield "With batch norm:"
    yield table(
        header,
        (
            [
                setting.title,
                accuracy(setting.deck_with),
                *(cell(cells.get((True, name, optimizer)), setting.deck_with) for optimizer in OPTIMIZERS),
            ]
            for name, setting in SETTINGS.items()
        ),
    )
    yield "Without batch norm:"
    yield table(
        header,
        (
            [
                setting.title,
                accuracy(setting.deck_without),
                *(cell(cells.get((False, name, optimizer))) for optimizer in OPTIMIZERS),
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
    yield f"{RECIPE}, {seeds(final)} seeds:"
    yield table(
        ["setting", "deck, without BN", "measured", "deck, with BN", "measured"],
        (
            [
                setting.title,
                accuracy(setting.deck_without),
                cell(cells.get((name, False))),
                accuracy(setting.deck_with),
                cell(cells.get((name, True)), setting.deck_with),
            ]
            for name, setting in SETTINGS.items()
        ),
    )
    yield "Everything that was tried, with batch norm. A row that decides against a recipe has three seeds:"
    tried = summarize(select(runs, batch_norm=True), by=("optimizer", "setting"))
    yield table(
        ["recipe", *(setting.title for setting in SETTINGS.values())],
        [
            ["deck D0", *(accuracy(setting.deck_with) for setting in SETTINGS.values())],
            *(
                [
                    recipe,
                    *(
                        cell(tried.get((recipe, name)), setting.deck_with)
                        for name, setting in SETTINGS.items()
                    ),
                ]
                for recipe in RECIPES
            ),
        ],
    )


def _bn_lenet(runs: Sequence[Run]) -> Iterable[str]:
    yield "### Deck D3's LeNet with sigmoids on Fashion-MNIST"
    yield f"Plain SGD with learning rate 0.5, batch 128, {epochs(runs)} epochs, {seeds(runs)} seeds."
    cells = summarize(runs, by=("batch_norm",))
    yield table(
        ["", "test accuracy"],
        [["without BN", cell(cells.get((False,)))], ["with BN", cell(cells.get((True,)))]],
    )


def _batch_size_noise(runs: Sequence[Run]) -> Iterable[str]:
    yield "### Batch size and the noise of batch norm's statistics"
    yield (
        f"Deck D0's network on the first 12,000 images of MNIST, {epochs(runs)} epochs, {seeds(runs)} "
        "seeds, plain SGD with learning rate 0.1 × batch / 128, so that an image moves the weights about "
        "equally far in every column: the network without batch norm hardly notices the batch size."
    )
    cells = summarize(runs, by=("batch_norm", "batch_size"))
    rows = [
        [name, *(cell(cells.get((batch_norm, size))) for size in BATCH_SIZES)]
        for batch_norm, name in ((False, "without BN"), (True, "with BN"))
    ]
    yield table(["batch size", *map(str, BATCH_SIZES)], rows)
