"""The experiments of lesson 02: deck D2's grid as numbers, and what the first weights do on MNIST.

- ``d2_grid``: standard deviation per layer, forward and backward, of the deck's five settings at 16 layers.
  The deck's networks with 7 layers are the first 7 of them. Random inputs, no data set.
- ``training``: sigmoid, tanh and ReLU, each with every initialization of `INITIALIZATIONS` that is meant for
  it, in a network with 7 hidden layers, as the deck's.
- ``deep_relu``: the deck's 1/√n against √(2/n) with ReLU at 16 hidden layers.
- ``wide_grid``: ``d2_grid`` at a larger width. Listed only where CUDA is; there,
  ``python -m course.results --only wide_grid`` records it, with device, date and version.

`torch`'s own functions fill the weights (LSUV: the course's, torch has none); the lesson shows that the
student's functions draw from the same distributions.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from course.data import ImageData, mnist
from course.device import best_device, describe, synchronize
from course.initialization import lsuv_init
from course.training import fit

__all__ = [
    "ACTIVATIONS",
    "DATASET",
    "GRID",
    "INITIALIZATIONS",
    "RATES",
    "GridRow",
    "Initialization",
    "execute",
    "measure",
    "specifications",
]

Spec = dict[str, Any]

DATASET = {"d2_grid": None, "training": "mnist", "deep_relu": "mnist", "wide_grid": None}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
RATES = (0.01, 0.1, 0.5)  # each arm is judged by its own best rate
SEEDS = range(3)
GRID_SEEDS = range(5)
WIDE = 8192


@dataclass(frozen=True)
class GridRow:
    """One row of the deck's grid: an activation, and the standard deviation of the weights for n inputs."""

    title: str
    activation: Callable[[Tensor], Tensor]
    sigma: Callable[[int], float]


GRID: dict[str, GridRow] = {
    "tanh_small": GridRow("tanh, σ = 0.01", torch.tanh, lambda n: 0.01),
    "tanh_unit": GridRow("tanh, σ = 1", torch.tanh, lambda n: 1.0),
    "tanh_xavier": GridRow("tanh, σ = 1/√n", torch.tanh, lambda n: n**-0.5),
    "relu_xavier": GridRow("ReLU, σ = 1/√n", torch.relu, lambda n: n**-0.5),
    "relu_he": GridRow("ReLU, σ = √(2/n)", torch.relu, lambda n: (2 / n) ** 0.5),
}


@dataclass(frozen=True)
class Initialization:
    """A way to fill the weights of one linear layer; ``of`` names the activations it is tried with."""

    title: str
    fill: Callable[[Tensor], object] | None  # None: as nn.Linear does
    of: tuple[str, ...] = tuple(ACTIVATIONS)
    lsuv: bool = False  # afterwards `lsuv_init` fills anew and rescales each layer by what it does to a batch


INITIALIZATIONS: dict[str, Initialization] = {
    "small": Initialization("N(0, 0.01²)", partial(nn.init.normal_, std=0.01)),
    "unit": Initialization("N(0, 1)", nn.init.normal_),
    "default": Initialization("nn.Linear's own", None),
    "xavier": Initialization("Xavier normal", nn.init.xavier_normal_),
    "xavier_4": Initialization("4 × Xavier", partial(nn.init.xavier_normal_, gain=4), of=("sigmoid",)),
    "he": Initialization("He normal", partial(nn.init.kaiming_normal_, nonlinearity="relu")),
    "orthogonal": Initialization("orthogonal", nn.init.orthogonal_, of=("sigmoid", "tanh")),
    "orthogonal_2": Initialization(
        "√2 × orthogonal", partial(nn.init.orthogonal_, gain=2**0.5), of=("relu",)
    ),
    "lsuv": Initialization("LSUV", nn.init.orthogonal_, lsuv=True),
}


def specifications() -> list[Spec]:
    """List every run of the lesson that this machine can do: the grids first, then one seed after another."""
    training = sorted([*_training(), *_deep_relu()], key=lambda spec: spec["seed"])
    return [*_grid("d2_grid", width=1000), *_wide_grid(), *training]


def _grid(experiment: str, width: int) -> Iterable[Spec]:
    for seed in GRID_SEEDS:
        for setting in GRID:
            yield {"experiment": experiment, "setting": setting, "width": width, "seed": seed}


def _wide_grid() -> Iterable[Spec]:
    return _grid("wide_grid", width=WIDE) if torch.cuda.is_available() else ()


def _training() -> Iterable[Spec]:
    for seed in SEEDS:
        for activation in ACTIVATIONS:
            for name, initialization in INITIALIZATIONS.items():
                if activation in initialization.of:
                    yield from (_spec("training", activation, name, lr, seed, depth=7) for lr in RATES)


def _deep_relu() -> Iterable[Spec]:
    for seed in SEEDS:
        for name in ("xavier", "he"):
            yield from (_spec("deep_relu", "relu", name, lr, seed, depth=16) for lr in RATES)


def _spec(experiment: str, activation: str, initialization: str, lr: float, seed: int, depth: int) -> Spec:
    return {
        "experiment": experiment,
        "activation": activation,
        "initialization": initialization,
        "depth": depth,
        "lr": lr,
        "seed": seed,
        "epochs": 2,
    }


def execute(spec: Spec) -> dict[str, Any]:
    """Do one run and return its result: the standard deviations of a grid, or the accuracy after training."""
    torch.manual_seed(spec["seed"])
    torch.set_flush_denormal(True)  # vanishing activations are denormal numbers, which a CPU is slow with
    return _EXPERIMENTS[spec["experiment"]](spec)


def _run_grid(spec: Spec) -> dict[str, Any]:
    return measure(GRID[spec["setting"]], spec["width"], torch.device("cpu"))


def _run_wide_grid(spec: Spec) -> dict[str, Any]:
    device = best_device()
    start = time.perf_counter()
    result = measure(GRID[spec["setting"]], spec["width"], device)
    synchronize(device)
    where = {"device": describe(device), "date": date.today().isoformat(), "torch": torch.__version__}
    return {**result, **where, "seconds": round(time.perf_counter() - start, 2)}


def measure(row: GridRow, width: int, device: torch.device, layers: int = 16) -> dict[str, list[float]]:
    """Send 2000 random inputs through ``layers`` layers of ``width`` units and a random gradient back.

    Returns ``"std"``: the standard deviation of every layer's activations; ``"grad_std"``: that of the
    gradient with respect to every layer's input, when the gradient of the last output is N(0, 1).
    """
    x = torch.randn(2000, width, device=device)
    inputs, outputs = [], []
    for _ in range(layers):
        x = x.detach().requires_grad_()
        weight = row.sigma(width) * torch.randn(width, width, device=device)
        inputs.append(x)
        outputs.append(row.activation(x @ weight))
        x = outputs[-1]
    gradient = torch.randn_like(x)
    gradient_stds = []
    for layer_input, layer_output in zip(reversed(inputs), reversed(outputs), strict=True):
        (gradient,) = torch.autograd.grad(layer_output, layer_input, gradient)
        gradient_stds.append(gradient.std().item())
    return {
        "std": [float(f"{output.std().item():.4g}") for output in outputs],
        "grad_std": [float(f"{std:.4g}") for std in reversed(gradient_stds)],
    }


def _run_training(spec: Spec) -> dict[str, Any]:
    data = standardized_mnist()
    model = network(spec["activation"], spec["depth"])
    initialize(model, INITIALIZATIONS[spec["initialization"]], data.x_train[:512])
    history = fit(
        model,
        data,
        epochs=spec["epochs"],
        batch_size=128,
        optimizer=torch.optim.SGD(model.parameters(), lr=spec["lr"], fused=True),
        seed=spec["seed"],
        progress=False,
    )
    if history.interrupted:
        raise KeyboardInterrupt
    loss = history.train_loss[-1]
    return {
        "test_accuracy": round(history.test_accuracy[-1], 4),
        "train_loss": round(loss, 5) if loss < float("inf") else None,  # JSON knows neither NaN nor infinity
        "seconds": round(sum(history.seconds), 1),
    }


_EXPERIMENTS: dict[str, Callable[[Spec], dict[str, Any]]] = {
    "d2_grid": _run_grid,
    "training": _run_training,
    "deep_relu": _run_training,
    "wide_grid": _run_wide_grid,
}


def network(activation: str, depth: int, width: int = 100) -> nn.Sequential:
    """Return 784 → ``depth`` hidden layers of ``width`` units → 10, the named activation between them."""
    layers: list[nn.Module] = [nn.Flatten()]
    fan_in = 784
    for _ in range(depth):
        layers += [nn.Linear(fan_in, width), ACTIVATIONS[activation]()]
        fan_in = width
    return nn.Sequential(*layers, nn.Linear(fan_in, 10))


def initialize(model: nn.Module, initialization: Initialization, x: Tensor) -> None:
    """Fill the weights, set the biases to 0 (as nn.Linear draws both when that is asked for)."""
    if initialization.fill is None:
        return
    for module in model.modules():
        if isinstance(module, nn.Linear):
            initialization.fill(module.weight)
            nn.init.zeros_(module.bias)
    if initialization.lsuv:
        lsuv_init(model, x)


@cache
def standardized_mnist() -> ImageData:
    """MNIST with mean 0 and standard deviation 1, by the numbers of the training images."""
    data = mnist()
    mean, std = data.x_train.mean(), data.x_train.std()
    return replace(data, x_train=(data.x_train - mean) / std, x_test=(data.x_test - mean) / std)
