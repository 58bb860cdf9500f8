"""The experiments of lesson 07: how long training steps take, on this machine's CPU and on its GPU.

- ``cpu_benchmark``: on the CPU, with all of its cores.
- ``gpu_benchmark``: the same and the copies to the device, on a GPU (CUDA or Apple's MPS).

Times are only worth something on a machine that does nothing else, so both are done only when asked for, one
run at a time: ``python -m course.results --only gpu_benchmark --workers 1``. All data is random: how long a
step takes does not depend on what is in the pictures. Each run keeps the median, the shortest and the longest
of its measurements, the device, the date and torch's version; ``round`` numbers the repetitions of a run.

Deck D0 takes its factors, 49 to 74, from https://github.com/jcjohnson/cnn-benchmarks: the forward and the
backward pass of VGG and ResNet networks, 16 pictures of 224×224, a GPU of 2016 against two 8-core processors.
"""

import datetime
import os
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from course.data import DataUnavailable
from course.device import best_device, describe, synchronize
from course.mixed_precision import train_amp
from course.residual import resnet18
from course.results.batch_norm import lenet
from course.timing import step_times

__all__ = [
    "BATCH",
    "BATCH_SIZES",
    "DATASET",
    "DECK_FACTORS",
    "MODELS",
    "ON_REQUEST",
    "execute",
    "specifications",
]

Spec = dict[str, Any]

DATASET = {"cpu_benchmark": None, "gpu_benchmark": None}
ON_REQUEST = frozenset(DATASET)  # times are worth something only on an idle machine
DECK_FACTORS = (49, 74)  # D0: how many times faster a GPU trains than a CPU
ROUNDS = 3
BATCH_SIZES = (2, 8, 32, 128, 512)  # batch norm cannot train on one example
BATCH = {"MLP": 128, "BN-LeNet": 128, "ResNet-18": 16}  # 16: the batch of D0's source


class Model(NamedTuple):
    """How a network is built, the shape of one picture, and how many steps are measured on a CPU."""

    build: Callable[[], nn.Module]
    picture: tuple[int, int, int]
    repeats: int


def mlp() -> nn.Sequential:
    """Return deck D0's network, 784-256-128-64-10 with batch norm."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in ((784, 256), (256, 128), (128, 64)):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


MODELS = {
    "MLP": Model(mlp, (1, 28, 28), 20),
    "BN-LeNet": Model(lambda: lenet(batch_norm=True), (1, 28, 28), 10),
    "ResNet-18": Model(lambda: resnet18(num_classes=10, in_channels=1), (1, 96, 96), 3),
}


def specifications() -> list[Spec]:
    """List every run, in the order in which they are done."""
    return [
        {"experiment": experiment, **spec, "round": number}
        for experiment in DATASET
        for number in range(ROUNDS)
        for spec in _measurements(on_gpu=experiment == "gpu_benchmark")
    ]


def _measurements(on_gpu: bool) -> Iterable[Spec]:
    def step(model: str, batch_size: int, variant: str = "float32") -> Spec:
        return {"measure": "step", "model": model, "batch_size": batch_size, "variant": variant}

    yield step("MLP", BATCH["MLP"])
    yield from (step("BN-LeNet", size) for size in BATCH_SIZES)
    yield from (step("ResNet-18", BATCH["ResNet-18"], variant) for variant in _variants(on_gpu))
    for variant in ("tensors", "DataLoader"):
        yield {"measure": "epoch", "model": "MLP", "batch_size": 128, "variant": variant}
    if on_gpu:
        for variant in ("pageable", "pinned", "pinned, non_blocking"):
            yield {"measure": "copy", "model": "ResNet-18", "batch_size": 128, "variant": variant}


def _variants(on_gpu: bool) -> tuple[str, ...]:
    both = ("float32", "bfloat16", "channels_last", "bfloat16, channels_last")
    return (*both, "float16 and scaler", "compiled") if on_gpu else both


def execute(spec: Spec) -> dict[str, Any]:
    """Do one run and return its result as plain values.

    Raises:
        DataUnavailable: a GPU is asked for, and there is none.
    """
    on = torch.device("cpu")
    if spec["experiment"] == "gpu_benchmark":
        on = best_device()
        if on.type == "cpu":
            raise DataUnavailable("gpu_benchmark needs a GPU, and PyTorch finds none (neither CUDA nor MPS).")
    else:
        torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(spec["round"])
    times = _MEASURES[spec["measure"]](spec, on)
    return {
        "seconds": float(f"{sorted(times)[len(times) // 2]:.4g}"),
        "shortest": float(f"{min(times):.4g}"),
        "longest": float(f"{max(times):.4g}"),
        "device": describe(on),
        "torch": str(torch.__version__),
        "date": datetime.date.today().isoformat(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def _measure_step(spec: Spec, on: torch.device) -> list[float]:
    """Measure training steps on one batch that stays on the device."""
    model = MODELS[spec["model"]]
    step = training_step(spec["model"], spec["batch_size"], spec["variant"], on)
    repeats = model.repeats if on.type == "cpu" else 30
    return step_times(step, on, warmup=1 if repeats < 5 else 5, repeats=repeats)


def training_step(name: str, batch_size: int, variant: str, on: torch.device) -> Callable[[], Tensor]:
    """Return a function that trains a new network for one step on random pictures, always the same ones.

    ``variant``: "float32", "compiled", or any of "bfloat16", "float16 and scaler", "channels_last", joined by
    commas.
    """
    layout = torch.channels_last if "channels_last" in variant else torch.contiguous_format
    model = MODELS[name].build().to(on, memory_format=layout)
    x, y = batch_of(MODELS[name].picture, batch_size)
    x, y = x.to(on, memory_format=layout), y.to(on)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    network = torch.compile(model) if variant == "compiled" else model
    if "float16" in variant.replace("bfloat16", ""):
        scaler = torch.amp.GradScaler(on.type)
        return lambda: train_amp(network, x, y, optimizer, scaler, dtype=torch.float16)
    if "bfloat16" in variant:
        return lambda: train_amp(network, x, y, optimizer)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def batch_of(picture: tuple[int, int, int], batch_size: int) -> tuple[Tensor, Tensor]:
    """Random pictures and labels on the CPU."""
    return torch.rand(batch_size, *picture), torch.randint(10, (batch_size,))


def _measure_epoch(spec: Spec, on: torch.device) -> list[float]:
    """Measure the way of 12,800 pictures through the MLP: tensors on the device, or a DataLoader."""
    x, y = batch_of(MODELS["MLP"].picture, 12_800)
    model = mlp().to(on)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    size = spec["batch_size"]
    if spec["variant"] == "tensors":
        x, y = x.to(on), y.to(on)

    def batches() -> Iterable[tuple[Tensor, Tensor]]:
        if spec["variant"] == "tensors":
            for indices in torch.randperm(len(x)).to(on).split(size):
                yield x[indices], y[indices]
        else:
            for pictures, labels in DataLoader(TensorDataset(x, y), batch_size=size, shuffle=True):
                yield pictures.to(on), labels.to(on)

    def epoch() -> None:
        for pictures, labels in batches():
            optimizer.zero_grad()
            F.cross_entropy(model(pictures), labels).backward()
            optimizer.step()

    return step_times(epoch, on, warmup=1, repeats=3)


def _measure_copy(spec: Spec, on: torch.device) -> list[float]:
    """Measure how long Python is busy with the copy of a batch to the device."""
    x, _ = batch_of(MODELS[spec["model"]].picture, spec["batch_size"])
    if "pinned" in spec["variant"] and on.type == "cuda":
        x = x.pin_memory()
    times = []
    for _ in range(25):
        synchronize(on)
        start = time.perf_counter()
        x.to(on, non_blocking="non_blocking" in spec["variant"])
        times.append(time.perf_counter() - start)  # without waiting: Python could go on from here
    return times[5:]


_MEASURES: dict[str, Callable[[Spec, torch.device], list[float]]] = {
    "step": _measure_step,
    "epoch": _measure_epoch,
    "copy": _measure_copy,
}
