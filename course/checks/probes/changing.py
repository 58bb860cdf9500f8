"""Probes of a function that changes a network in place: a small residual network, and what becomes of it.

The blocks are instances of the student's own classes, where the student's function can see some, so that
`isinstance(module, BasicBlock)` finds them. What is in them comes from the check: a block that does not work
yet costs no points here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from course import residual
from course.checks.probes.building import Fill, take_step


@dataclass(frozen=True)
class ChangeProbe:
    """Call a function on a network of which it returns nothing.

    Args:
        block: "BasicBlock" or "Bottleneck".
        layers: how many blocks each of the stages layer1 to layer4 has.
        seed: where the network's numbers come from.
        dtype: of the network.
        note: what the student should know about the network.
        looks_at: beginnings of the keys under which something is written down.
    """

    block: str
    layers: tuple[int, ...]
    seed: int
    dtype: torch.dtype = torch.float64
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


WIDTH = 3
"""Channels of the stem; each stage has one more."""


def network(probe: ChangeProbe, seen_by: Callable[..., Any]) -> nn.Module:
    """A network with ResNet's names and few channels, of the block classes that a function sees."""
    names = getattr(inspect.unwrap(seen_by), "__globals__", {})
    model = _bare("ResNet", names)
    model.conv1 = nn.Conv2d(3, WIDTH, 7, 2, 3, bias=False)
    model.bn1 = nn.BatchNorm2d(WIDTH)
    width = WIDTH
    for index, count in enumerate(probe.layers):
        stage = nn.Sequential()
        for _ in range(count):
            block, out = _block(probe.block, names, width, WIDTH + index)
            stage.append(block)
            width = out
        setattr(model, f"layer{index + 1}", stage)
    model.fc = nn.Linear(width, 5)
    model.to(probe.dtype)
    take_step(model, Fill(probe.seed), lambda *_: None, lambda *_: None)
    return model


def _bare(name: str, names: Mapping[str, Any]) -> nn.Module:
    """An instance of the class that goes by a name, without what its own constructor would put in."""
    kind = names.get(name)
    if not inspect.isclass(kind) or not issubclass(kind, nn.Module):
        kind = getattr(residual, name)
    instance = kind.__new__(kind)
    nn.Module.__init__(instance)
    return instance


def _block(kind: str, names: Mapping[str, Any], width: int, channels: int) -> tuple[nn.Module, int]:
    block, wide = _bare(kind, names), channels * 4
    if kind == "BasicBlock":
        sizes, out = ((width, channels, 3), (channels, channels, 3)), channels
    else:
        sizes, out = ((width, channels, 1), (channels, channels, 3), (channels, wide, 1)), wide
    for index, (before, after, size) in enumerate(sizes, 1):
        setattr(block, f"conv{index}", nn.Conv2d(before, after, size, padding=size // 2, bias=False))
        setattr(block, f"bn{index}", nn.BatchNorm2d(after))
    block.downsample = None
    if width != out:
        block.downsample = nn.Sequential(nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out))
    return block, out


def record(
    model: nn.Module,
    before: Mapping[str, nn.Parameter],
    write: Callable[[str, Any], None],
    take: Callable[[str, object], None],
) -> None:
    """Note down what became of a network.

    Args:
        model: the network.
        before: its parameters by name, as they were given.
        write: notes down plain data.
        take: notes down a value of the student's.
    """
    for name, tensor in model.state_dict().items():
        take(f"afterwards: {name}", tensor)
    learns = sorted(name for name, parameter in model.named_parameters() if parameter.requires_grad)
    write("parameters that learn afterwards", learns)
    # An optimizer that was made before trains the old ones.
    new = sorted(name for name, parameter in model.named_parameters() if parameter is not before.get(name))
    write("parameters that are new objects afterwards", new)
    write("gradients are switched on afterwards", torch.is_grad_enabled())
    write("training mode afterwards", all(module.training for module in model.modules()))
