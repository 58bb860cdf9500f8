"""Exercises `overfit_small_batch` and `train`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course import loops as reference
from course.checks.framework import Aspect, Draw, Exercise, Probe, Tolerance
from course.checks.optimization.overfit_mistakes import OVERFIT
from course.checks.optimization.train_mistakes import TRAIN
from course.checks.probes.looping import LoopProbe
from course.checks.probes.networks import Network
from course.checks.transfer.common import CLASSES, linear, pictures, relu, rows, values

AFTER_TRAINING = Tolerance(
    1e-3, 1e-4, "float32 rounds at 6e-8 and a dozen steps enlarge that; a mistake shows by 1e-2 and more"
)


def _labels(n: int) -> Tensor:
    """Classes that take turns, so that each is there."""
    return (torch.arange(n) * 2 + n) % CLASSES


def _plain() -> Network:
    """A network without batch norm: equal examples are no trouble to it."""
    return Network({"hidden": linear(4, 5), "relu": relu(), "head": linear(5, CLASSES)})


# --- overfit_small_batch ------------------------------------------------------------------------------------


def _overfit_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(
        network: Network,
        n: int,
        steps: int,
        shape: tuple[int, ...] = (4,),
        source: Draw = draw,
        **options: Any,
    ) -> Probe:
        data = {"x": source.normal(n, *shape), "y": _labels(n)}
        state = values(source, network)
        return LoopProbe(network, state, data, (steps,), returns="numbers", **options)

    return {
        "one step": probe(_plain(), 6, 1, note="6 examples, one step, lr 0.1"),
        "steps": probe(_plain(), 6, 4, lr=0.3, note="6 examples, 4 steps, lr 0.3"),
        "batch norm": probe(
            rows(), 5, 3, training=False, note="a network with batch norm, in eval mode before"
        ),
        "pictures": probe(pictures(), 4, 3, (1, 4, 4)),
        "float32": probe(_plain(), 5, 4, source=single, dtype=torch.float32),
        "to zero": probe(_plain(), 3, 60, lr=1.0, note="3 examples, 60 steps, lr 1"),
    }


RETURNS, AFTER = ("returns",), ("after: value",)

OVERFIT_SMALL_BATCH = Exercise(
    name="overfit_small_batch",
    kind="function",
    signature="model, x, y, optimizer, steps",
    section="1.7",
    oracle=reference.overfit_small_batch,
    probes=_overfit_probes,
    aspects=(
        Aspect("the loss before the first step", "losses", "one step", RETURNS),
        Aspect("the losses of four steps", "losses", "steps", RETURNS),
        Aspect("losses that fall to 0", "losses", "to zero", RETURNS),
        Aspect("float32", "losses", "float32", RETURNS, hidden=True, tolerance=AFTER_TRAINING),
        Aspect("the weights after one step", "training", "one step", AFTER),
        Aspect("the weights after four steps", "training", "steps", AFTER),
        Aspect("a network with batch norm", "training", "batch norm", (*RETURNS, *AFTER)),
        Aspect("x and y left as they were", "training", "steps", ("input",)),
        Aspect("the whole batch in each step", "training", "steps", ("batches: sizes",)),
        Aspect("a CNN", "training", "pictures", (*RETURNS, *AFTER), hidden=True),
        Aspect("grad mode as before", "training", "steps", ("left as it was",), hidden=True),
    ),
    misconceptions=tuple(OVERFIT),
    course_shortcuts=("fit", "fine_tune", "train"),
)

# --- train --------------------------------------------------------------------------------------------------


def _train_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(
        network: Network,
        sizes: tuple[int, int],
        rest: tuple[int, int],
        shape: tuple[int, ...] = (4,),
        source: Draw = draw,
        equal: bool = False,
        **options: Any,
    ) -> Probe:
        n, m = sizes
        x, y = source.normal(n, *shape), _labels(n)
        if equal:
            x, y = x[:1].repeat(n, *(1 for _ in shape)), y[:1].repeat(n)
        y_val = _labels(m)
        if equal:  # of another class, so that the loss on them grows
            y_val = (y[:1] + 1 + torch.arange(m) % 2) % CLASSES
        data = {"x_train": x, "y_train": y, "x_val": source.normal(m, *shape), "y_val": y_val}
        return LoopProbe(network, values(source, network), data, rest, **options)

    return {
        "order": probe(_plain(), (14, 5), (3, 4), note="14 training examples, 3 epochs, batch_size 4"),
        "one batch": probe(
            rows(), (6, 8), (3, 6), note="6 training examples in one batch, 8 to validate, 3 epochs"
        ),
        "equal": probe(
            _plain(),
            (10, 4),
            (2, 4),
            equal=True,
            lr=0.3,
            note="10 equal examples in batches of 4, 4 and 2, 2 epochs",
        ),
        "scheduler": probe(
            _plain(),
            (10, 4),
            (3, 4),
            equal=True,
            decay=0.5,
            note="3 epochs of 3 batches; the schedule halves",
        ),
        "large batch": probe(rows(), (5, 7), (2, 64), training=False),
        "one epoch": probe(rows(), (6, 9), (1, 6)),
        "pictures": probe(pictures(), (5, 4), (2, 5), (1, 4, 4)),
        "float32": probe(_plain(), (6, 5), (2, 6), source=single, dtype=torch.float32),
        "seed": probe(_plain(), (13, 3), (2, 5), options={"seed": 3}),
    }


TRAIN_EXERCISE = Exercise(
    name="train",
    kind="function",
    signature="model, x_train, y_train, x_val, y_val, optimizer, epochs, batch_size, scheduler=None, seed=0",
    section="1.8",
    oracle=reference.train,
    probes=_train_probes,
    aspects=(
        Aspect("sizes of the batches", "order", "order", ("batches: sizes",)),
        Aspect("each example once in an epoch", "order", "order", ("batches: examples",)),
        Aspect("a random order", "order", "order", ("batches: shuffled",)),
        Aspect("a new order in each epoch", "order", "order", ("batches: a new order",)),
        Aspect("batches put together anew", "order", "order", ("batches: put together",)),
        Aspect("the same seed, the same order", "order", "order", ("batches: same seed",)),
        Aspect("another seed, another order", "order", "seed", ("batches: another seed",)),
        Aspect("never a step on validation examples", "order", "order", ("batches: validation",)),
        Aspect("the weights, all in one batch", "training", "one batch", AFTER),
        Aspect("the weights, batches of 4, 4 and 2", "training", "equal", AFTER),
        Aspect("train_loss, all in one batch", "training", "one batch", ("history: train_loss",)),
        Aspect("train_loss, batches of 4, 4 and 2", "training", "equal", ("history: train_loss",)),
        Aspect("training mode in each step", "training", "one batch", ("batches: how",)),
        Aspect("the data left as it was", "training", "one batch", ("input",)),
        Aspect("a batch larger than the data", "training", "large batch", (*AFTER, "history"), hidden=True),
        Aspect("a CNN", "training", "pictures", (*AFTER, "history"), hidden=True),
        Aspect("float32", "training", "float32", (*AFTER, "history"), hidden=True, tolerance=AFTER_TRAINING),
        Aspect("val_loss", "validation", "one batch", ("history: val_loss",)),
        Aspect("val_accuracy", "validation", "one batch", ("history: val_accuracy",)),
        Aspect("in evaluation mode, without gradients", "validation", "one batch", ("validation: how",)),
        Aspect("all validation examples", "validation", "order", ("validation: examples",)),
        Aspect("one epoch", "validation", "one epoch", ("history",), hidden=True),
        Aspect("grad mode as before", "validation", "one epoch", ("left as it was",), hidden=True),
        Aspect("the rate at each step", "scheduler", "scheduler", ("rates",)),
        Aspect("one call per epoch", "scheduler", "scheduler", ("scheduler: calls",)),
        Aspect("weights and losses with a scheduler", "scheduler", "scheduler", (*AFTER, "history")),
        Aspect("no scheduler", "scheduler", "order", ("rates",), hidden=True),
    ),
    misconceptions=tuple(TRAIN),
    course_shortcuts=("fit", "fine_tune", "_train_one_epoch"),
)
