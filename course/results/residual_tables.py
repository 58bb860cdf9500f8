"""The recorded results of lesson 04 as sections of docs/results.md (`course.results.tables`)."""

import statistics
from collections.abc import Iterable, Sequence

from course.results import Run, select, summarize
from course.results.markdown import cell, table
from course.results.residual import DECK_TARGET, OPTIMIZERS

__all__ = ["parts"]


def parts(runs: Sequence[Run]) -> Iterable[str]:
    """Yield the paragraphs and tables of lesson 04, made from its recorded runs."""
    yield "## 04 Residual networks"
    yield from _degradation(select(runs, experiment="degradation"))
    yield from _gradient_flow(select(runs, experiment="gradient_flow"))
    yield from _deck_resnet18(select(runs, experiment="deck_resnet18"))


def _degradation(runs: Sequence[Run]) -> Iterable[str]:
    yield "### Growing depth, with and without skips"
    yield (
        "Fashion-MNIST, the first 12,000 pictures as 14×14, plain SGD with learning rate 0.05, batch 64, "
        f"{runs[0]['epochs']} epochs, {len({run['seed'] for run in runs})} seeds. The networks of He et "
        "al. (2016), section 4.2, with 8 and 16 channels; those with skips have one projection more."
    )
    losses = summarize(runs, by=("depth", "skip"), value="train_loss")
    accuracies = summarize(runs, by=("depth", "skip"))
    depths = sorted({depth for depth, _ in losses})
    header = ["depth", "loss without skips", "loss with skips", "test accuracy without", "test accuracy with"]
    cells = [
        [table.get((depth, skip)) for table in (losses, accuracies) for skip in (False, True)]
        for depth in depths
    ]
    rows = [[str(depth), *map(cell, row)] for depth, row in zip(depths, cells, strict=True)]
    yield table(header, rows)
    yield "The loss is the mean over the last epoch, on the training pictures."


def _gradient_flow(runs: Sequence[Run]) -> Iterable[str]:
    yield "### The gradient before training, layer by layer"
    yield (
        f"Norm of the gradient for the weights of a 3×3 convolution, depth {runs[0]['depth']}, untrained, "
        "one batch of 128 pictures: medians over the seeds. The same networks with 16 and 32 channels and "
        "torch's first weights; *without norms*, the norms are taken out. Last column: the largest norm of "
        "all layers divided by the smallest."
    )
    rows = []
    for batch_norm in (False, True):
        for skip in (False, True):
            norms = [run["gradient_norms"] for run in select(runs, batch_norm=batch_norm, skip=skip)]
            name = f"{'with' if skip else 'without'} skips, {'with' if batch_norm else 'without'} norms"
            places = [[row[0] for row in norms], [row[-1] for row in norms], [max(r) / min(r) for r in norms]]
            rows.append([name, *(f"{statistics.median(values):.3g}" for values in places)])
    yield table(["", "first layer", "last layer", "largest / smallest"], rows)


def _deck_resnet18(runs: Sequence[Run]) -> Iterable[str]:
    yield "### Deck D3's ResNet-18 on Fashion-MNIST at 96×96"
    yield (
        "Batch 128, learning rate 0.01, 10 epochs, pictures enlarged from 28×28. The deck names no optimizer "
        f"and gives no number; the course asks for {DECK_TARGET:.2f}. In bfloat16 run the convolutions and "
        "matrix products (`torch.autocast`); weights and optimizer stay in float32."
    )
    if not runs:
        yield (
            "Not recorded yet: `python -m course.results --only deck_resnet18 --workers 1` does it, goes on "
            "where it was interrupted, and uses a GPU where there is one."
        )
        return
    rows = [
        [
            run["optimizer"],
            str(run["epochs"]),
            " ".join(f"{accuracy:.3f}" for accuracy in run["test_accuracies"]),
            f"**{run['test_accuracy']:.4f}**"
            if run["test_accuracy"] >= DECK_TARGET
            else f"{run['test_accuracy']:.4f}",
            f"{run['device']}, {run['precision']}, torch {run['torch']}, {run['date']}",
            f"{run['seconds'] / 60:.0f}",
        ]
        for optimizer in OPTIMIZERS
        for run in select(runs, optimizer=optimizer)
    ]
    yield table(
        ["optimizer", "epochs", "test accuracy by epoch", "at the end", "measured on", "minutes"], rows
    )
