"""The experiments of lesson 05 on MNIST and Fashion-MNIST: few labels, each method of the lesson on and off.

- ``few_labels``: 200 labelled pictures to train with and 100 to validate, drawn anew for each seed; every
  arm of `ARMS` gets the same ones. ``wrong`` is the share of labels that were replaced by a random class.
- ``memorised``: 1000 MNIST pictures, true labels against random ones (Zhang et al., 2017).
- ``attacked``: a network for MNIST, attacked with `fgsm_attack`; the same network trained on attacked
  pictures (Goodfellow et al., 2015); and random signs of the same size.

The functions are the course's own. The lesson shows them beside what the student's functions gave on 8×8.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.adversarial import fgsm_attack
from course.augmentation import add_noise, horizontal_flip, mixup, predict_with_tta, random_crop
from course.data import LOADERS, ImageData
from course.early_stopping import EarlyStopping
from course.regularization import Dropout, l2_penalty
from course.training import evaluate

__all__ = ["ARMS", "DATASET", "EPSILONS", "TASKS", "Arm", "execute", "shifted", "specifications"]

Spec = dict[str, Any]

DATASET = {"few_labels": "fashion_mnist", "memorised": "mnist", "attacked": "mnist"}
TASKS = (("fashion_mnist", 0.0), ("mnist", 0.0), ("fashion_mnist", 0.3))
"""Data set and share of wrong labels."""
SEEDS = range(3)
EPOCHS = 60
EPSILONS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)


@dataclass(frozen=True)
class Arm:
    """What one way to train adds to the plain training; all of it is off by default."""

    title: str
    weight_decay: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0
    batch_norm: bool = False
    stops: bool = False
    augment: Callable[[Tensor], Tensor] | None = None
    alpha: float = 0.0  # of mixup


ARMS: dict[str, Arm] = {
    "nothing": Arm("nothing"),
    "l2": Arm("L2 penalty, 0.01", weight_decay=0.01),
    "dropout": Arm("dropout, p = 0.5", dropout=0.5),
    "input_dropout": Arm("input dropout, p = 0.2", input_dropout=0.2),
    "early_stopping": Arm("early stopping", stops=True),
    "crop": Arm("random crop, 2 pixels", augment=lambda x: random_crop(x, 2)),
    "flip": Arm("horizontal flip", augment=horizontal_flip),
    "noise": Arm("noise, 0.3", augment=lambda x: add_noise(x, 0.3)),
    "mixup": Arm("mixup, α = 1", alpha=1.0),
    "batch_norm": Arm("batch norm", batch_norm=True),
    "together": Arm(
        "dropout, L2 0.003, random crop",
        weight_decay=0.003,
        dropout=0.5,
        augment=lambda x: random_crop(x, 2),
    ),
}


def specifications() -> list[Spec]:
    """List every run of the lesson, one seed after another."""
    return sorted([*_few_labels(), *_memorised(), *_attacked()], key=lambda spec: spec["seed"])


def _few_labels() -> Iterable[Spec]:
    for seed in SEEDS:
        for dataset, wrong in TASKS:
            for arm in ARMS:
                spec = {"dataset": dataset, "wrong": wrong, "arm": arm, "seed": seed, "epochs": EPOCHS}
                yield {"experiment": "few_labels", **spec}


def _memorised() -> Iterable[Spec]:
    for seed in SEEDS:
        for wrong in (0.0, 1.0):
            yield {"experiment": "memorised", "wrong": wrong, "seed": seed, "epochs": 60}


def _attacked() -> Iterable[Spec]:
    for seed in SEEDS:
        for defended in (False, True):
            yield {"experiment": "attacked", "defended": defended, "seed": seed, "epochs": 5}


def execute(spec: Spec) -> dict[str, Any]:
    """Do one run and return its result."""
    start = time.perf_counter()
    result = _EXPERIMENTS[spec["experiment"]](spec)
    return {**result, "seconds": round(time.perf_counter() - start, 1)}


def _run_few_labels(spec: Spec) -> dict[str, Any]:
    data, arm, seed = _load(spec["dataset"]), ARMS[spec["arm"]], spec["seed"]
    x, y = draw(data, 300, seed)
    y = spoil_labels(y, spec["wrong"], seed)
    torch.manual_seed(seed)
    model = network(arm)
    train, validation = (x[:200], y[:200]), (x[200:], y[200:])
    result = train_with(arm, model, train, validation, spec["epochs"])
    test = evaluate(model, data.x_test, data.y_test)
    result |= {"test_accuracy": round(test.accuracy, 4), "test_loss": round(test.loss, 4)}
    if spec["arm"] in ("nothing", "crop", "flip"):
        x_few, y_few = data.x_test[:2000], data.y_test[:2000]
        guesses = predict_with_tta(model, x_few, VIEWS["flip" if spec["arm"] == "flip" else "crop"]).argmax(1)
        result["one_look"] = round(evaluate(model, x_few, y_few).accuracy, 4)
        result["many_looks"] = round((guesses == y_few).double().mean().item(), 4)
    return result


def _run_memorised(spec: Spec) -> dict[str, Any]:
    data = _load("mnist")
    x, y = draw(data, 1000, spec["seed"])
    y = spoil_labels(y, spec["wrong"], spec["seed"])
    torch.manual_seed(spec["seed"])
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10))
    curve = []
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(spec["epochs"]):
        train_one_epoch(ARMS["nothing"], model, optimizer, x, y)
        curve.append(round(evaluate(model, x, y).accuracy, 4))
    test = evaluate(model, data.x_test, data.y_test).accuracy
    return {"train_accuracies": curve, "test_accuracy": round(test, 4)}


def _run_attacked(spec: Spec) -> dict[str, Any]:
    data = _load("mnist")
    x, y = draw(data, 6000, spec["seed"])
    torch.manual_seed(spec["seed"])
    model = network(ARMS["nothing"])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(spec["epochs"]):
        for batch in torch.randperm(len(x)).split(64):
            inputs, labels = x[batch], y[batch]
            if spec["defended"]:  # half of each batch as it is, half attacked
                attacked = fgsm_attack(model, inputs[::2], labels[::2], 0.15)
                inputs = torch.cat([attacked, inputs[1::2]])
                labels = torch.cat([labels[::2], labels[1::2]])
            _step(model, optimizer, inputs, labels)
    x_test, y_test = data.x_test[:2000], data.y_test[:2000]
    attacks = [fgsm_attack(model, x_test, y_test, epsilon) for epsilon in EPSILONS]
    signs = torch.randint(0, 2, x_test.shape) * 2 - 1
    noisy = [(x_test + epsilon * signs).clamp(0, 1) for epsilon in EPSILONS]
    return {
        "test_accuracy": round(evaluate(model, data.x_test, data.y_test).accuracy, 4),
        "attacked": [round(evaluate(model, pictures, y_test).accuracy, 4) for pictures in attacks],
        "random_signs": [round(evaluate(model, pictures, y_test).accuracy, 4) for pictures in noisy],
    }


_EXPERIMENTS: dict[str, Callable[[Spec], dict[str, Any]]] = {
    "few_labels": _run_few_labels,
    "memorised": _run_memorised,
    "attacked": _run_attacked,
}


def network(arm: Arm) -> nn.Sequential:
    """Two convolutions and two linear layers for pictures (N, 1, 28, 28); about 106,000 parameters."""
    layers: list[nn.Module] = [Dropout(arm.input_dropout)]
    for in_channels, out_channels in ((1, 16), (16, 32)):
        layers.append(nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1))
        if arm.batch_norm:
            layers.append(nn.BatchNorm2d(out_channels))
        layers.append(nn.ReLU())
    layers += [nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), Dropout(arm.dropout), nn.Linear(64, 10)]
    return nn.Sequential(*layers)


def train_with(
    arm: Arm,
    model: nn.Module,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    epochs: int,
) -> dict[str, Any]:
    """Train by the rules of ``arm``; return the training accuracy, and after how many epochs it stopped."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    stopping = EarlyStopping(patience=10)
    finished = 0
    for _ in range(epochs):
        train_one_epoch(arm, model, optimizer, *train)
        finished += 1
        if arm.stops and stopping.step(evaluate(model, *validation).loss, model):
            break
    if arm.stops:
        stopping.restore(model)
    return {"train_accuracy": round(evaluate(model, *train).accuracy, 4), "stopped_after": finished}


def train_one_epoch(
    arm: Arm, model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, size: int = 50
) -> None:
    """Go through the examples once, in a new order."""
    for batch in torch.randperm(len(x)).split(size):
        inputs, labels = x[batch], y[batch]
        if arm.augment is not None:
            inputs = arm.augment(inputs)
        if arm.alpha:
            inputs, labels = mixup(inputs, labels, arm.alpha, 10)
        _step(model, optimizer, inputs, labels, arm.weight_decay)


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    inputs: Tensor,
    labels: Tensor,
    weight_decay: float = 0.0,
) -> None:
    model.train()
    loss = F.cross_entropy(model(inputs), labels)
    if weight_decay:
        loss = loss + l2_penalty(model.parameters(), weight_decay)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def shifted(x: Tensor, down: int, right: int) -> Tensor:
    """Move pictures (N, C, H, W) by whole pixels; what comes in at the edge is 0."""
    return F.pad(x, (right, -right, down, -down))


VIEWS: dict[str, list[Callable[[Tensor], Tensor]]] = {
    "crop": [partial(shifted, down=down, right=right) for down in (-1, 0, 1) for right in (-1, 0, 1)],
    "flip": [lambda x: x, lambda x: x.flip(-1)],
}
"""The views of test-time augmentation, for networks that were trained with such pictures."""


def draw(data: ImageData, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return ``count`` training pictures and labels, drawn at random."""
    order = torch.randperm(len(data.x_train), generator=torch.Generator().manual_seed(seed))[:count]
    return data.x_train[order], data.y_train[order]


def spoil_labels(y: Tensor, share: float, seed: int) -> Tensor:
    """Replace a share of the labels by classes drawn at random (one in ten stays right by luck)."""
    generator = torch.Generator().manual_seed(seed)
    spoilt = torch.rand(len(y), generator=generator) < share
    return torch.where(spoilt, torch.randint(0, 10, y.shape, generator=generator), y)


@cache
def _load(dataset: str) -> ImageData:
    return LOADERS[dataset]()
