"""The experiments of lesson 01 on MNIST: batch size, learning rate, optimizer, schedule, scale of the inputs.

- ``batch_grid``: plain SGD, every batch size of `BATCHES` with every learning rate of `RATES`, equal epochs.
- ``optimizers``: SGD, momentum, Nesterov and Adam, each with a wide range of learning rates.
- ``schedules``: a constant rate against decay by steps, by a cosine, and a warm-up before it.
- ``inputs``: pixels from 0 to 255, from 0 to 1, and standardized; plain SGD at every rate.

All train a network with one hidden layer on 50,000 images. The other 10,000 training images are the
validation split: with them a lesson chooses the learning rate. The test images are used once, at the end of a
run. `torch`'s own optimizers are used; the lesson shows that the student's make the same steps.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import nn

from course.data import ImageData, mnist
from course.results.initialization import standardized_mnist
from course.training import evaluate, fit

__all__ = [
    "BATCHES",
    "DATASET",
    "INPUTS",
    "OPTIMIZERS",
    "RATES",
    "SCHEDULES",
    "execute",
    "specifications",
]

Spec = dict[str, Any]

DATASET = {"batch_grid": "mnist", "optimizers": "mnist", "schedules": "mnist", "inputs": "mnist"}
BATCHES = (32, 128, 512, 2048)
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
OPTIMIZER_RATES = {
    "SGD": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    "momentum": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "Nesterov": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "Adam": (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03),
}
INPUT_RATES = {
    "bytes": (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01),
    "unit": (0.001, 0.01, 0.1, 0.3, 1.0),
    "standardized": (0.001, 0.01, 0.1, 0.3, 1.0),
}
SCHEDULE_RATES = (0.03, 0.3)
SEEDS = range(3)
VALIDATION = 10_000

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "SGD": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "Nesterov": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    "Adam": torch.optim.Adam,
}
SCHEDULES = {
    "constant": "the same rate to the end",
    "step": "a tenth after 60 % and again after 80 % of the steps",
    "cosine": "down to 0 along half a cosine",
    "warmup": "5 % of the steps linearly up, then the cosine",
}
INPUTS = {"bytes": "0 to 255", "unit": "0 to 1", "standardized": "mean 0, std 1"}


def specifications() -> list[Spec]:
    """List every run of the lesson, one seed after another."""
    return sorted([*_batch_grid(), *_optimizers(), *_schedules(), *_inputs()], key=lambda spec: spec["seed"])


def _batch_grid() -> Iterable[Spec]:
    for seed in SEEDS:
        for batch_size in BATCHES:
            for lr in RATES:
                yield _spec("batch_grid", seed, lr, epochs=2, batch_size=batch_size)


def _optimizers() -> Iterable[Spec]:
    for seed in SEEDS:
        for optimizer in OPTIMIZERS:
            for lr in OPTIMIZER_RATES[optimizer]:
                yield _spec("optimizers", seed, lr, epochs=1, optimizer=optimizer)


def _schedules() -> Iterable[Spec]:
    for seed in SEEDS:
        for schedule in SCHEDULES:
            for lr in SCHEDULE_RATES:
                yield _spec("schedules", seed, lr, epochs=5, optimizer="momentum", schedule=schedule)


def _inputs() -> Iterable[Spec]:
    for seed in SEEDS:
        for inputs in INPUTS:
            for lr in INPUT_RATES[inputs]:
                yield _spec("inputs", seed, lr, epochs=1, inputs=inputs)


def _spec(experiment: str, seed: int, lr: float, epochs: int, **changed: Any) -> Spec:
    usual = {"optimizer": "SGD", "batch_size": 128, "schedule": "constant", "inputs": "standardized"}
    return {"experiment": experiment, **usual, **changed, "lr": lr, "seed": seed, "epochs": epochs}


def execute(spec: Spec) -> dict[str, Any]:
    """Train the network as ``spec`` says; return its accuracies, validation and test."""
    torch.manual_seed(spec["seed"])
    data = _mnist(spec["inputs"])
    model = network()
    optimizer = OPTIMIZERS[spec["optimizer"]](model.parameters(), lr=spec["lr"])
    steps = spec["epochs"] * math.ceil((len(data.x_train) - VALIDATION) / spec["batch_size"])
    follow(optimizer, spec["schedule"], steps)
    train, validation = slice(VALIDATION, None), slice(VALIDATION)
    split = replace(
        data,
        x_train=data.x_train[train],
        y_train=data.y_train[train],
        x_test=data.x_train[validation],
        y_test=data.y_train[validation],
    )
    history = fit(
        model,
        split,
        epochs=spec["epochs"],
        batch_size=spec["batch_size"],
        optimizer=optimizer,
        seed=spec["seed"],
        progress=False,
    )
    if history.interrupted:
        raise KeyboardInterrupt
    loss = history.train_loss[-1]
    return {
        "val_accuracies": [round(accuracy, 4) for accuracy in history.test_accuracy],
        "val_accuracy": round(history.test_accuracy[-1], 4),
        "test_accuracy": round(evaluate(model, data.x_test, data.y_test).accuracy, 4),
        "train_loss": round(loss, 5) if math.isfinite(loss) else None,  # JSON knows neither NaN nor infinity
        "seconds": round(sum(history.seconds), 1),
    }


def network() -> nn.Sequential:
    """Return 784 → 100 → 10 with ReLU, weights as nn.Linear draws them."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))


def follow(optimizer: torch.optim.Optimizer, schedule: str, steps: int) -> None:
    """Make ``optimizer`` change its learning rate after each of its steps, as the schedule says."""
    if schedule == "constant":
        return
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: factor(schedule, min(done / steps, 1.0))
    )
    optimizer.register_step_post_hook(lambda *_: scheduler.step())


def factor(schedule: str, share: float) -> float:
    """Return what the learning rate is multiplied with when ``share`` (0 to 1) of the steps is done."""
    if schedule == "step":
        return 1.0 if share < 0.6 else 0.1 if share < 0.8 else 0.01
    warm = 0.05 if schedule == "warmup" else 0.0
    if share < warm:
        return max(share / warm, 1e-3)
    if schedule in ("cosine", "warmup"):
        return (1 + math.cos(math.pi * (share - warm) / (1 - warm))) / 2
    return 1.0


@cache
def _mnist(inputs: str) -> ImageData:
    """MNIST with its pixels on one of the scales of `INPUTS`."""
    if inputs == "standardized":
        return standardized_mnist()
    data = mnist()
    scale = 255 if inputs == "bytes" else 1
    return replace(data, x_train=data.x_train * scale, x_test=data.x_test * scale)
