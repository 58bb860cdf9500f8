"""D3's last exercise, measured: how far a small CNN comes, and what size and data are worth.

- ``reference``: lesson 8's own task and its reference solution, one data set a seed: by what
  margin the highest band is reached.
- ``distortion``: the same network trained with distorted pictures and without, for 20 and for 40 epochs.
- ``mnist_size``: MNIST made small as the digits of the lesson are (28×28 in a frame of 32×32, mean of blocks
  of 4×4: 8×8), as many pictures as in the lesson, networks of three widths.
- ``mnist_data``: the widest of them with ten times as many pictures.

D3 asks for the best accuracy on MNIST and names no number.
"""

import datetime
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.capstone import build_network, count_parameters, train_model, train_network
from course.capstone_data import distort, draw_task
from course.data import LOADERS
from course.training import evaluate

__all__ = ["DATASET", "EPOCHS", "SEEDS", "WIDTHS", "execute", "specifications"]

Spec = dict[str, Any]

DATASET = {"reference": None, "distortion": None, "mnist_size": "mnist", "mnist_data": "mnist"}
WIDTHS = (4, 8, 16)
EPOCHS = {1_197: 20, 12_000: 4}
"""Training pictures → epochs."""
SEEDS = 3
REFERENCE_SEEDS = 10
DISTORTION_SEEDS = 5
DISTORTION_EPOCHS = (20, 40)


def specifications() -> Iterator[Spec]:
    """Every run that is wanted."""
    for seed in range(REFERENCE_SEEDS):
        yield {"experiment": "reference", "seed": seed}
    for seed in range(DISTORTION_SEEDS):
        for distorted in (False, True):
            for epochs in DISTORTION_EPOCHS:
                yield {"experiment": "distortion", "distorted": distorted, "epochs": epochs, "seed": seed}
    for seed in range(SEEDS):
        for width in WIDTHS:
            yield {"experiment": "mnist_size", "width": width, "pictures": 1_197, "seed": seed}
        yield {"experiment": "mnist_data", "width": 16, "pictures": 12_000, "seed": seed}


def execute(spec: Spec) -> dict[str, Any]:
    """Do one run and return what it gave."""
    torch.manual_seed(spec["seed"])
    start = time.process_time()
    if spec["experiment"] == "reference":
        task = draw_task(1_000 + spec["seed"], disguised=True)
        x_test, y_test = task.x_held_out, task.y_held_out
        model: nn.Module = train_network(task.x_train, task.y_train)
    elif spec["experiment"] == "distortion":
        task = draw_task(spec["seed"])
        x_test, y_test = task.x_held_out, task.y_held_out
        model = build_network(WIDTHS[-1])
        how = {
            "epochs": spec["epochs"],
            "seed": spec["seed"],
            "augment": distort if spec["distorted"] else None,
        }
        train_model(model, task.x_train, task.y_train, **how)
    else:
        x, y, x_test, y_test = _mnist()
        chosen = torch.randperm(len(x))[: spec["pictures"]]
        model = build_network(spec["width"])
        train_model(model, x[chosen], y[chosen], epochs=EPOCHS[spec["pictures"]], seed=spec["seed"])
    seconds = time.process_time() - start
    tested = evaluate(model, x_test, y_test)
    return {
        "test_accuracy": round(tested.accuracy, 4),
        "parameters": count_parameters(model),
        "cpu_seconds": round(seconds, 1),
        "date": datetime.date.today().isoformat(),
    }


def shrink(pictures: Tensor) -> Tensor:
    """Make pictures (N, 1, 28, 28) as small as the digits, (N, 1, 8, 8): means of 4×4 blocks."""
    return F.avg_pool2d(F.pad(pictures, (2, 2, 2, 2)), 4)


@cache
def _mnist() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    data = LOADERS["mnist"]()
    return shrink(data.x_train), data.y_train, shrink(data.x_test), data.y_test
