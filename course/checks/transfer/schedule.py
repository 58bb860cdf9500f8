"""Exercises `parameter_groups` and `gradual_unfreeze`: what is drawn, what is looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from course import transfer as reference
from course.checks.framework import Aspect, Draw, Exercise, Probe
from course.checks.probes.networks import Call, Look, Network, NetworkProbe, NetworkStep, Train
from course.checks.transfer.common import (
    CLASSES,
    batch_norm,
    block,
    dropout,
    linear,
    pictures,
    relu,
    rows,
    values,
)
from course.checks.transfer.schedule_mistakes import GROUPS, UNFREEZE

# --- parameter_groups ---------------------------------------------------------------------------------------

LR, DECAY = 0.1, 0.25


def _plain() -> Network:
    """Four layers, and three children without parameters between them."""
    parts = {
        "first": linear(4, 5),
        "relu1": relu(),
        "norm": batch_norm(5),
        "relu2": relu(),
        "drop": dropout(),
    }
    return Network({**parts, "last": linear(5, 4), "head": linear(4, CLASSES)})


def _shared() -> Network:
    parts = {"first": linear(4, 4), "relu": relu(), "second": linear(4, 4), "third": block(4, 4)}
    return Network({**parts, "head": linear(4, CLASSES)}, shared={"second": "first"})


def _norms() -> Network:
    parts = {"first": linear(4, 4), "norm1": batch_norm(4), "norm2": batch_norm(4)}
    return Network({**parts, "head": linear(4, CLASSES)})


def _groups_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)

    def probe(network: Network, lr: float = LR, decay: float = DECAY, **options: Any) -> NetworkProbe:
        call = Call("call", "groups", {"lr": lr, "decay": decay})
        return NetworkProbe(network, values(draw, network), (call,), **options)

    block1 = tuple(f"block1.{key}" for key in ("linear.weight", "linear.bias", "norm.weight", "norm.bias"))
    return {
        "layers": probe(rows(), note="block1, ReLU, block2, head; lr = 0.1, decay = 0.25"),
        "plain": probe(_plain(), note="7 children, 4 of them with parameters"),
        "frozen layer": probe(rows(), frozen=block1),
        "middle": probe(
            _plain(), frozen=("norm.weight", "norm.bias"), note="the second of 4 layers is frozen"
        ),
        "half frozen": probe(rows(), frozen=("block2.linear.weight", "head.bias")),
        "shared": probe(_shared()),
        "pictures": probe(pictures(), 1e-3, 1 / 2.6),
        "no decay": probe(rows(), 0.5, 1.0),
        "equal": _with_equal_norms(probe(_norms())),
    }


def _with_equal_norms(probe: NetworkProbe) -> NetworkProbe:
    """Two batch norms with the same numbers, as they have when they are new."""
    equal = {f"norm2.{key}": probe.state[f"norm1.{key}"] for key in ("weight", "bias")}
    return replace(probe, state={**probe.state, **equal})


NAMES = ("call: returns",)
RATES = ("call: learning rates",)

PARAMETER_GROUPS = Exercise(
    name="parameter_groups",
    kind="function",
    signature="model, lr, decay",
    section="6.6",
    oracle=reference.parameter_groups,
    probes=_groups_probes,
    aspects=(
        Aspect("one group per layer, in order", "groups", "layers", NAMES),
        Aspect("children without parameters", "groups", "plain", NAMES),
        Aspect("a frozen layer has no group", "groups", "frozen layer", NAMES),
        Aspect("frozen parameters are left out", "groups", "half frozen", NAMES),
        Aspect("a shared parameter is there once", "groups", "shared", NAMES),
        Aspect("a CNN", "groups", "pictures", NAMES, hidden=True),
        Aspect("equal numbers are not shared parameters", "groups", "equal", NAMES, hidden=True),
        Aspect(
            "the model as before", "groups", "half frozen", ("call: moved", "call: other wishes"), hidden=True
        ),
        Aspect("learning rates, first layer first", "learning-rates", "layers", RATES),
        Aspect("only layers with parameters count", "learning-rates", "plain", RATES),
        Aspect("a frozen layer counts", "learning-rates", "middle", RATES),
        Aspect("the rate of a shared parameter", "learning-rates", "shared", RATES),
        Aspect("the first layer frozen", "learning-rates", "frozen layer", RATES, hidden=True),
        Aspect("another decay", "learning-rates", "pictures", RATES, hidden=True),
        Aspect("decay = 1", "learning-rates", "no decay", RATES, hidden=True),
    ),
    misconceptions=tuple(GROUPS),
)

# --- gradual_unfreeze ---------------------------------------------------------------------------------------


def _deep() -> Network:
    """Four layers with a ReLU between them; dropout stands in a block, so that it is frozen with it."""
    parts = {"first": block(4, 5), "relu": relu(), "second": linear(5, 5), "third": block(5, 4)}
    return Network({**parts, "after": relu(), "head": linear(4, CLASSES)})


def _dropping() -> Network:
    """A dropout between two layers. What stands in front of all layers that train is nobody's business."""
    parts = {"first": block(4, 5), "second": linear(5, 4), "drop": dropout()}
    return Network({**parts, "head": linear(4, CLASSES)})


def _unfreeze_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)

    def probe(*epochs: int, network: Network | None = None, note: str = "", **options: int) -> Probe:
        network = network or _deep()
        steps: list[NetworkStep] = []
        for number, epoch in enumerate(epochs):
            name = f"call {number}, epoch {epoch}"
            steps.append(Call(name, "names", {"epoch": epoch}, options))
            x = draw.normal(4, 4)
            steps.append(Train(f"step {number}, epoch {epoch}", x, draw.normal(4, CLASSES)))
        steps.append(Look("in the end"))
        return NetworkProbe(network, values(draw, network), tuple(steps), note=note)

    return {
        "epochs": probe(0, 1, 2, 3, note="4 layers: block, linear, block, head; ReLUs between them"),
        "every": probe(0, 1, 2, 3, 4, 5, 6, every=2, note="every = 2"),
        "beyond": probe(4, 9, note="4 layers, epochs 4 and 9"),
        "back": probe(3, 0, 2),
        "resumed": probe(2),
        "two blocks": probe(0, 1, 2, 3, network=rows()),
        "every 3": probe(2, 3, 8, 9, every=3),
        "dropout": probe(1, 2, 1, 5, network=_dropping()),
    }


GRADUAL_UNFREEZE = Exercise(
    name="gradual_unfreeze",
    kind="function",
    signature="model, epoch, every=1",
    section="6.6",
    oracle=reference.gradual_unfreeze,
    probes=_unfreeze_probes,
    aspects=(
        Aspect(
            "names of the layers that train",
            "schedule",
            "epochs",
            tuple(f"call {i}, epoch {i}: returns" for i in range(4)),
        ),
        Aspect("every=2", "schedule", "every", tuple(f"call {i}, epoch {i}: returns" for i in range(7))),
        Aspect(
            "after the last layer",
            "schedule",
            "beyond",
            ("call 0, epoch 4: returns", "call 1, epoch 9: returns"),
        ),
        Aspect(
            "what asks for gradients, from epoch to epoch",
            "schedule",
            "epochs",
            tuple(f"call {i}, epoch {i}: asks" for i in range(4)),
        ),
        Aspect("back to epoch 0", "schedule", "back", ("call 1, epoch 0: asks", "call 2, epoch 2: asks")),
        Aspect(
            "resumed at epoch 2",
            "schedule",
            "resumed",
            ("call 0, epoch 2: returns", "call 0, epoch 2: asks"),
            hidden=True,
        ),
        Aspect(
            "every=3",
            "schedule",
            "every 3",
            tuple(
                f"call {i}, epoch {e}: {key}"
                for i, e in enumerate((2, 3, 8, 9))
                for key in ("returns", "asks")
            ),
            hidden=True,
        ),
        Aspect("what a training step moves", "batch-norm", "epochs", ("step ",)),
        Aspect("what it moves, in other epochs", "batch-norm", "back", ("step ",)),
        Aspect("a network of two blocks", "batch-norm", "two blocks", ("step ",), hidden=True),
        Aspect("dropout between layers that train", "batch-norm", "dropout", ("step ",), hidden=True),
        Aspect("modes when all train", "batch-norm", "dropout", ("in the end: training",), hidden=True),
    ),
    misconceptions=tuple(UNFREEZE),
)
