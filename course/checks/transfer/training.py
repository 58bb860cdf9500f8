"""Exercises `fine_tune` and `pretrain_layerwise`: what is drawn, what is looked at.

Nothing is random here once the batches and the first weights are given, so every right loop arrives at the
same weights.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from course import pretraining
from course import transfer as reference
from course.checks.framework import Aspect, Draw, Exercise, Probe, Tolerance
from course.checks.probes.networks import Call, Loader, Look, Network, NetworkProbe
from course.checks.transfer.common import CLASSES, block, inside, linear, pictures, relu, rows, values
from course.checks.transfer.fine_tune_mistakes import FINE_TUNE as FINE_TUNE_MISTAKES
from course.checks.transfer.pretraining_mistakes import PRETRAIN as PRETRAIN_MISTAKES

AFTER_TRAINING = Tolerance(
    1e-3, 1e-4, "float32 rounds at 6e-8 and a dozen steps enlarge that; a mistake shows by 1e-2 and more"
)

# --- fine_tune ----------------------------------------------------------------------------------------------

Batches = tuple[tuple[Tensor, Tensor], ...]


def _batches(draw: Draw, *sizes: int, shape: tuple[int, ...] = (4,)) -> Batches:
    """Batches whose labels take turns, so that each class is there."""
    return tuple((draw.normal(n, *shape), (torch.arange(n) + n) % CLASSES) for n in sizes)


def _alike() -> Network:
    """A network of which other layers have names like that of its head."""
    return Network(
        {"head0": linear(4, 5), "relu": relu(), "my_head": linear(5, 4), "head": linear(4, CLASSES)}
    )


def _without_bias() -> Network:
    return Network({"body": block(4, 4), "head": linear(4, CLASSES, bias=False)})


def _fine_tune_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(
        network: Network,
        head: str,
        batches: Batches | Loader,
        epochs: int = 2,
        source: Draw = draw,
        **options: Any,
    ) -> Probe:
        rates = {"lr": options.pop("lr", 0.02), "head_lr": options.pop("head_lr", 0.2)}
        rates |= {key: options.pop(key) for key in ("momentum",) if key in options}
        call = Call("call", "numbers", {"head": head, "batches": batches, "epochs": epochs}, rates)
        return NetworkProbe(network, values(source, network), (call, Look("after")), **options)

    block1 = tuple(f"block1.{key}" for key in ("linear.weight", "linear.bias", "norm.weight", "norm.bias"))
    return {
        "epochs": probe(
            rows(),
            "head",
            _batches(draw, 6, 6, 3),
            training=False,
            note="batches of 6, 6 and 3; lr 0.02, head_lr 0.2",
        ),
        "one step": probe(
            rows(), "head", _batches(draw, 5), 1, note="one batch, one epoch; lr 0.02, head_lr 0.2"
        ),
        "frozen": probe(rows(), "head", _batches(draw, 4, 4), frozen=(*block1, "head.bias")),
        "momentum": probe(rows(), "head", _batches(draw, 5, 4), 3, momentum=0.5),
        "inside": probe(inside(), "classifier.1", _batches(draw, 6, 4)),
        "defaults": NetworkProbe(
            rows(),
            values(draw, rows()),
            (
                Call("call", "numbers", {"head": "head", "batches": _batches(draw, 6, 6), "epochs": 3}),
                Look("after"),
            ),
        ),
        "pictures": probe(pictures(), "fc", _batches(draw, 5, 3, shape=(1, 4, 4))),
        "float32": probe(rows(), "head", _batches(single, 6, 4), source=single, dtype=torch.float32),
        "alike": probe(_alike(), "head", _batches(draw, 6, 4)),
        "without bias": probe(_without_bias(), "head", _batches(draw, 6, 4)),
        "loader": probe(rows(), "head", Loader(_batches(draw, 6, 5, 4)), 3),
    }


AFTER = ("after: value",)
HISTORY = ("call: returns",)

FINE_TUNE = Exercise(
    name="fine_tune",
    kind="function",
    signature="model, head, batches, epochs, lr=1e-4, head_lr=1e-2, momentum=0.9",
    section="6.6",
    oracle=reference.fine_tune,
    probes=_fine_tune_probes,
    aspects=(
        Aspect("the loss of one step", "history", "one step", HISTORY),
        Aspect("mean loss per example of each epoch", "history", "epochs", HISTORY),
        Aspect("losses, float32", "history", "float32", HISTORY, hidden=True, tolerance=AFTER_TRAINING),
        Aspect("losses with a part that is frozen", "history", "frozen", HISTORY, hidden=True),
        Aspect("losses with a DataLoader that shuffles", "history", "loader", HISTORY, hidden=True),
        Aspect("the weights after one step", "training", "one step", AFTER),
        Aspect("the weights after two epochs", "training", "epochs", AFTER),
        Aspect("a frozen part", "training", "frozen", AFTER),
        Aspect("what asks for gradients", "training", "frozen", ("call: other wishes",)),
        Aspect("another momentum", "training", "momentum", AFTER),
        Aspect("a head that is not the last child", "training", "inside", AFTER),
        Aspect("layers with names like the head's", "training", "alike", AFTER, hidden=True),
        Aspect("a head without bias", "training", "without bias", AFTER, hidden=True),
        Aspect("a DataLoader that shuffles", "training", "loader", AFTER, hidden=True),
        Aspect("the rates of the signature", "training", "defaults", AFTER, hidden=True),
        Aspect("a CNN", "training", "pictures", AFTER, hidden=True),
        Aspect("weights, float32", "training", "float32", AFTER, hidden=True, tolerance=AFTER_TRAINING),
    ),
    misconceptions=tuple(FINE_TUNE_MISTAKES),
)

# --- pretrain_layerwise -------------------------------------------------------------------------------------


def _pretrain_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(
        *sizes: int, n: int = 6, steps: int = 4, lr: float = 0.5, source: Draw = draw, **options: Any
    ) -> Probe:
        pairs = itertools.pairwise(sizes)
        network = Network(
            {f"layer{i}": linear(inputs, outputs) for i, (inputs, outputs) in enumerate(pairs, 1)}
        )
        x = source.uniform(n, sizes[0])
        call = Call("call", "numbers", {"x": x, "steps": steps, "lr": lr}, as_list=True)
        return NetworkProbe(network, values(source, network), (call, Look("after")), **options)

    return {
        "two layers": probe(5, 4, 3, note="6 examples, layers 5 to 4 and 4 to 3, 4 steps"),
        "one step": probe(5, 4, steps=1),
        "three layers": probe(6, 5, 5, 2, steps=3),
        "wide": probe(3, 5, 4, n=4, steps=5, lr=0.1),
        "float32": probe(5, 4, 3, source=single, dtype=torch.float32),
    }


PRETRAIN_LAYERWISE = Exercise(
    name="pretrain_layerwise",
    kind="function",
    signature="layers, x, steps, lr",
    section="6.7",
    oracle=pretraining.pretrain_layerwise,
    probes=_pretrain_probes,
    aspects=(
        Aspect("loss before the first step", "losses", "one step", HISTORY),
        Aspect("one list of losses per layer", "losses", "two layers", HISTORY),
        Aspect("losses of three layers", "losses", "three layers", HISTORY, hidden=True),
        Aspect("one layer after one step", "layers", "one step", AFTER),
        Aspect("the first layer", "layers", "two layers", ("after: value of layer1",)),
        Aspect("the second layer", "layers", "two layers", ("after: value of layer2",)),
        Aspect("x left as it was", "layers", "two layers", ("input x",)),
        Aspect("what asks for gradients", "layers", "two layers", ("call: other wishes",)),
        Aspect("three layers", "layers", "three layers", AFTER, hidden=True),
        Aspect("layers that grow wider", "layers", "wide", AFTER, hidden=True),
        Aspect("float32", "layers", "float32", AFTER, hidden=True, tolerance=AFTER_TRAINING),
    ),
    misconceptions=tuple(PRETRAIN_MISTAKES),
    # A decoder with random weights of its own has other numbers each time.
    unknown="These numbers fit none of the known mistakes. Is the decoder's weight the layer's own: "
    "code @ layer.weight + c? Does c start at 0?",
)
