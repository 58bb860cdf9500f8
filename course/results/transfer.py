"""Deck D2's transfer from eight classes of Fashion-MNIST to the other two, sandal and shirt, with 200 labels.

- ``model_a``: model A on the eight classes.
- ``a_to_b``: the 200 labels drawn ten times, and each time the same question to every arm (`ARMS`).
- ``a_to_b_gpu``: both again on a GPU, planned only on a machine that has one.

The deck's code and both of its numbers stand in A. Géron, 2019, "Hands-On Machine Learning", 2nd edition,
chapter 11; the deck shows no network. ``dense`` is the network of that chapter: 300-100-50-50-50 with SELU,
Glorot weights. ``conv`` has two convolutions with batch norm, which a frozen body must hold still as well.

Model B has one output and a binary cross-entropy, as in the deck. Every run copies A; what happens without a
copy is the arm "B on A, shared layers". Model A's state is compared bit by bit before and after each run.
"""

import copy
import datetime
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.data import FASHION_NAMES, LOADERS, ImageData
from course.device import describe
from course.training import evaluate, evaluation_mode, fit
from course.transfer import freeze, replace_head

__all__ = ["ARMS", "DATASET", "DECK_ALONE", "DECK_ON_A", "LABELS", "execute", "specifications"]

Spec = dict[str, Any]

DATASET = {"model_a": "fashion_mnist", "a_to_b": "fashion_mnist", "a_to_b_gpu": "fashion_mnist"}
DECK_ALONE, DECK_ON_A = 0.972, 0.9925
LABELS = 200
DRAWS = 10
SEEDS = {"dense": 3, "conv": 1}  # how many models A
TARGETS = tuple(FASHION_NAMES.index(name) for name in ("Sandal", "Shirt"))


@dataclass(frozen=True)
class Arm:
    """One way to get a model B. Phases: (epochs, learning rate, body frozen?)."""

    phases: tuple[tuple[int, float, bool], ...]
    from_a: bool = True
    copy_a: bool = True


DECK_PHASES = ((4, 1e-2, True), (16, 1e-4, False))
ARMS = {
    "B alone": Arm(((20, 1e-2, False),), from_a=False),
    "B alone, lr 1e-3": Arm(((20, 1e-3, False),), from_a=False),
    "B on A": Arm(DECK_PHASES),
    "B on A, lr 1e-2 to the end": Arm(((4, 1e-2, True), (16, 1e-2, False))),
    "B on A, 20 epochs frozen": Arm(((20, 1e-2, True),)),
    "B on A, never frozen": Arm(((20, 1e-2, False),)),
    "B on A, shared layers": Arm(DECK_PHASES, copy_a=False),
}


def specifications() -> list[Spec]:
    """List every run of the lesson, in the order in which they are done: one model A after the other."""
    specs = [spec for network in SEEDS for seed in range(SEEDS[network]) for spec in _around_a(network, seed)]
    if torch.cuda.is_available():
        specs += [{**spec, "experiment": "a_to_b_gpu"} for spec in _around_a("conv", 0) if "arm" in spec]
    return specs


def _around_a(network: str, seed: int) -> Iterable[Spec]:
    yield {"experiment": "model_a", "network": network, "seed": seed}
    for draw in range(DRAWS):
        for name, arm in ARMS.items():
            if arm.from_a or seed == 0:  # without A there is nothing to repeat for another A
                yield {"experiment": "a_to_b", "network": network, "seed": seed, "draw": draw, "arm": name}


def execute(spec: Spec) -> dict[str, Any]:
    """Do one run and return its result: the test accuracy after each phase, what happened to A, seconds."""
    on_gpu = spec["experiment"] == "a_to_b_gpu"
    device = "cuda" if on_gpu else "cpu"
    start = time.perf_counter()
    run = _run_model_a if spec["experiment"] == "model_a" else _run_arm
    result = {**run(spec, device), "seconds": round(time.perf_counter() - start, 1)}
    if on_gpu:  # the record's environment names the CPU's
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        result |= {"device": describe(device), "torch": torch.__version__, "date": today}
    return result


def _run_model_a(spec: Spec, device: str) -> dict[str, Any]:
    task = _task_a()
    accuracy = evaluate(_model_a(spec["network"], spec["seed"], device), task.x_test, task.y_test).accuracy
    return {"test_accuracy": round(accuracy, 4), "epochs": EPOCHS_A[spec["network"]]}


def _run_arm(spec: Spec, device: str) -> dict[str, Any]:
    arm = ARMS[spec["arm"]]
    a = _model_a(spec["network"], spec["seed"], device)
    if not arm.copy_a:
        a = copy.deepcopy(a)  # this A will be spoilt; the other runs need theirs
    before = {name: value.clone() for name, value in a.state_dict().items()}
    torch.manual_seed(1000 + spec["draw"])
    b = _model_b(arm, a, spec["network"]).to(device)
    task = _task_b()
    x, y = draw_labels(task, spec["draw"])
    accuracies = train_binary(b, x.to(device), y.to(device), arm.phases, task, seed=spec["draw"])
    result = {"test_accuracy": accuracies[-1], "phase_accuracies": accuracies}
    after = a.state_dict()
    result["a_unchanged"] = all(torch.equal(before[name], after[name]) for name in before)
    if not result["a_unchanged"]:
        task_a = _task_a()
        result["a_accuracy_after"] = round(evaluate(a, task_a.x_test, task_a.y_test).accuracy, 4)
    return result


def _model_b(arm: Arm, a: nn.Module, network: str) -> nn.Module:
    if not arm.from_a:
        return replace_head(NETWORKS[network](), "head", 1)
    b = replace_head(a, "head", 1)
    nn.init.xavier_uniform_(b.head.weight)
    nn.init.zeros_(b.head.bias)
    if not arm.copy_a:
        b.body = a.body  # what Sequential(model_A.layers[:-1]) does: the same layers in two models
    return b


def draw_labels(task: ImageData, draw: int) -> tuple[Tensor, Tensor]:
    """Return `LABELS` training images and labels, drawn at random without regard to their class."""
    order = torch.randperm(len(task.x_train), generator=torch.Generator().manual_seed(draw))[:LABELS]
    return task.x_train[order], task.y_train[order]


def train_binary(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    phases: Iterable[tuple[int, float, bool]],
    task: ImageData,
    seed: int,
) -> list[float]:
    """Train one output with plain SGD in batches of 32; return the test accuracy after each phase."""
    generator = torch.Generator().manual_seed(seed)
    accuracies = []
    for epochs, lr, frozen in phases:
        freeze(model.body, frozen)
        model.train()
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr)
        for _ in range(epochs):
            for batch in torch.randperm(len(x), generator=generator).split(32):
                loss = F.binary_cross_entropy_with_logits(model(x[batch]).squeeze(1), y[batch].float())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        accuracies.append(round(_binary_accuracy(model, task.x_test, task.y_test), 4))
    return accuracies


def _binary_accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    device = next(model.parameters()).device
    with evaluation_mode(model), torch.inference_mode():
        answers = model(x.to(device)).squeeze(1) > 0
    return (answers == y.to(device)).float().mean().item()


class Network(nn.Module):
    """A body that makes features (N, F) of images (N, 1, 28, 28), and a linear head with 8 outputs."""

    def __init__(self, body: nn.Module, features: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(features, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def dense() -> Network:
    """Return 784-300-100-50-50-50-8 with SELU and Glorot weights."""
    widths = (784, 300, 100, 50, 50, 50)
    layers = [part for i, o in pairwise(widths) for part in (nn.Linear(i, o), nn.SELU())]
    network = Network(nn.Sequential(nn.Flatten(), *layers), widths[-1])
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return network


def conv() -> Network:
    """Return two convolutions with batch norm, ReLU and pooling, and a linear layer with 64 features."""

    def stage(in_channels: int, out_channels: int) -> Iterator[nn.Module]:
        yield nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
        yield nn.BatchNorm2d(out_channels)
        yield nn.ReLU()
        yield nn.MaxPool2d(2)

    dense_part = (nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU())
    return Network(nn.Sequential(*stage(1, 16), *stage(16, 32), *dense_part), 64)


NETWORKS: dict[str, Callable[[], Network]] = {"dense": dense, "conv": conv}
EPOCHS_A = {"dense": 20, "conv": 5}


@cache
def _model_a(network: str, seed: int, device: str) -> nn.Module:
    """Model A: trained once in each process, and never changed afterwards."""
    torch.manual_seed(seed)
    model = NETWORKS[network]().to(device)
    if network == "dense":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        batch_size = 32
    else:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        batch_size = 64
    fit(
        model,
        _task_a(),
        epochs=EPOCHS_A[network],
        batch_size=batch_size,
        optimizer=optimizer,
        seed=seed,
        progress=False,
    )
    return model


@cache
def _task_a() -> ImageData:
    """Fashion-MNIST without sandal and shirt; the eight classes are numbered anew, 0 … 7."""
    return _classes("fashion_mnist", [c for c in range(10) if c not in TARGETS])


@cache
def _task_b() -> ImageData:
    """Sandal (0) and shirt (1): 12,000 images to draw from and 2,000 to test with."""
    return _classes("fashion_mnist", list(TARGETS))


def _classes(dataset: str, classes: list[int]) -> ImageData:
    everything = LOADERS[dataset]()
    new_label = torch.full((len(everything.classes),), -1)
    new_label[classes] = torch.arange(len(classes))
    train = torch.isin(everything.y_train, torch.tensor(classes))
    test = torch.isin(everything.y_test, torch.tensor(classes))
    return ImageData(
        dataset,
        everything.x_train[train],
        new_label[everything.y_train[train]],
        everything.x_test[test],
        new_label[everything.y_test[test]],
        tuple(everything.classes[c] for c in classes),
    )
