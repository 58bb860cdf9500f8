"""Probes of whole blocks and networks: what they are built of, and steps that fill and outline them.

A network has too many numbers to send. So both halves of a check fill it themselves, with numbers that depend
only on a seed and on the name of each tensor. A function or class that takes a block as its argument is given
a stand-in, so that nobody's own block can fail the check of another exercise.

The dataclasses are plain data and travel (`wire.py`); the functions run where the student's code is.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# --- Plain data ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StandIn:
    """Argument of a probe: a block class of the check's own, see `block_class`.

    Args:
        expansion: output channels for each of the block's `channels`.
        size: of the convolution's kernel, an odd number.
    """

    expansion: int
    size: int = 3


@dataclass(frozen=True)
class Fill:
    """Step of a `ModuleProbe`: give every parameter and buffer numbers of its own.

    Args:
        seed: the numbers of a tensor depend on it, on the tensor's name and on its shape.
        names: the tensors that have to be there; of another one, such as a bias too many, nothing is said.
        constants: name → value, for tensors that hold one value throughout.
    """

    seed: int
    names: tuple[str, ...] = ()
    constants: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outline:
    """Step of a `ModuleProbe`: names and shapes of all that is saved, names of all that learns.

    Args:
        name: how the observation's keys begin.
        attributes: names of class attributes, such as "expansion".
    """

    name: str
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spread:
    """Step of a `ModuleProbe`: how the weights of each layer are spread, and where norms and biases start.

    Beside the standard deviation the share of numbers beyond 1.8 of it: 0.072 of normal numbers, none of
    uniform ones.
    """

    name: str


BuildingStep = Fill | Outline | Spread


# --- Building -----------------------------------------------------------------------------------------------


def block_class(stand_in: StandIn) -> type[nn.Module]:
    """A block as `make_layer` wants it: block(in_channels, channels, stride=1), with an `expansion`.

    One convolution (thin: a sixteenth of the weights), a norm and tanh. No two stages of such blocks give the
    same numbers, whatever is wrong with their order, their number, their strides or their channels.
    """

    class Block(nn.Module):
        expansion = stand_in.expansion

        def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
            super().__init__()
            out_channels = channels * stand_in.expansion
            groups = math.gcd(math.gcd(in_channels, out_channels), 16)
            size = stand_in.size
            self.conv = nn.Conv2d(
                in_channels, out_channels, size, stride, padding=size // 2, groups=groups, bias=False
            )
            self.bn = nn.BatchNorm2d(out_channels)

        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(self.bn(self.conv(x)))

    return Block


def materialize(arguments: tuple[Any, ...]) -> list[Any]:
    """Arguments of a probe as the student's object receives them; a list as a copy that it may empty."""
    blocks = [block_class(each) if isinstance(each, StandIn) else each for each in arguments]
    return [[*each] if isinstance(each, list) else each for each in blocks]


class NoDraws(TorchFunctionMode):
    """Random numbers for parameters are not drawn, for a large network that is filled afterwards.

    That takes a tenth of the time. Meta tensors would, too, but the first of them imports torch's compiler,
    which takes 2 s.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # In here the mode is off, so the functions of nn.init have to be met by name, not by what they call.
        if getattr(func, "__name__", "") in ("normal_", "uniform_", "kaiming_uniform_"):
            tensor = args[0] if args else kwargs["tensor"]
            tensor.detach().zero_()
            return tensor
        return func(*args, **kwargs)


def is_network(value: object) -> bool:
    """Whether this is a module that can be called."""
    return isinstance(value, nn.Module) and not isinstance(value, nn.ModuleList | nn.ModuleDict)


def reach(module: nn.Module, name: str) -> Any:
    """The attribute of a dotted name, such as "downsample.0.weight"; None when it is not there."""
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


# --- Steps --------------------------------------------------------------------------------------------------


def take_step(
    module: nn.Module,
    step: BuildingStep,
    write: Callable[[str, Any], None],
    take: Callable[[str, object], None],
) -> str:
    """Take a step of this module; the name of the first tensor that should be there and is not, or "".

    Args:
        module: the student's.
        step: what to do.
        write: notes down plain data.
        take: notes down a value of the student's.
    """
    match step:
        case Fill():
            return _fill(module, step)
        case Outline():
            _outline(module, step, write)
        case Spread():
            _measure(module, step, take)
    return ""


_PERIOD = 4099
"""Numbers drawn for a tensor. A larger one repeats them; being prime, it is the length of no axis."""


@torch.no_grad()
def _fill(module: nn.Module, step: Fill) -> str:
    for name in step.names:
        if not isinstance(reach(module, name), Tensor):
            return name
    for name, tensor in module.state_dict().items():
        if name in step.constants:
            tensor.fill_(step.constants[name])
        elif tensor.is_floating_point():
            generator = torch.Generator().manual_seed(step.seed ^ zlib.crc32(name.encode()))
            size = min(tensor.numel(), _PERIOD)
            drawn = _numbers(name, tensor, torch.randn(size, generator=generator, dtype=torch.float64))
            repeats = -(-tensor.numel() // max(size, 1))
            tensor.copy_(drawn.to(tensor.dtype).repeat(repeats)[: tensor.numel()].view(tensor.shape))
    return ""


def _numbers(name: str, tensor: Tensor, normal: Tensor) -> Tensor:
    """Normal numbers, made fit for their place: a network of them neither explodes nor dies out."""
    if tensor.dim() > 1:
        return normal * math.sqrt(2 / max(tensor[0].numel(), 1))
    if name.endswith("running_var"):
        return 0.5 + normal.square()
    if name.endswith("weight"):
        size = 0.2 + 0.4 * normal.abs()
        size[1::3] *= -1  # a norm may turn a sign
        return size
    return 0.5 * normal


def _outline(module: nn.Module, step: Outline, write: Callable[[str, Any], None]) -> None:
    state = module.state_dict()
    shapes = sorted(f"{name} {tuple(tensor.shape)}" for name, tensor in state.items())
    write(f"{step.name}: names and shapes", shapes)
    # A module that is there twice has two names in the state_dict and one here.
    learns = sorted(name for name, each in module.named_parameters() if each.requires_grad)
    write(f"{step.name}: parameters that learn", learns)
    attributes = [f"{name} = {getattr(type(module), name, 'missing')}" for name in step.attributes]
    write(f"{step.name}: class attributes", attributes)
    write(f"{step.name}: is an nn.Sequential", isinstance(module, nn.Sequential))
    write(f"{step.name}: length", len(module) if isinstance(module, nn.Sequential) else None)
    write(f"{step.name}: in training mode", all(each.training for each in module.modules()))
    write(f"{step.name}: weights that start as another one", _repeated(module))


def _repeated(module: nn.Module) -> list[str]:
    """Names of weights that begin with the numbers of an earlier one: a block copied or there twice."""
    seen: set[tuple[float, ...]] = set()
    repeated = []
    for name, parameter in module.named_parameters(remove_duplicate=False):
        beginning = tuple(parameter.detach().flatten()[:4].tolist())
        if parameter.dim() > 1 and len(set(beginning)) > 1:
            repeated += [name] * (beginning in seen)
            seen.add(beginning)
    return repeated


def _measure(module: nn.Module, step: Spread, take: Callable[[str, object], None]) -> None:
    for name, parameter in module.named_parameters():
        if parameter.dim() in (2, 4):
            weight = parameter.detach()
            std = weight.square().mean().sqrt()
            take(f"{step.name}: standard deviation of {name}", std)
            take(f"{step.name}: share far out of {name}", (weight.abs() > 1.8 * std).to(std.dtype).mean())
        elif ".bn" in f".{name}":
            take(f"{step.name}: {name}", parameter)
        else:
            take(f"{step.name}: {name} is one number throughout", len(parameter.unique()) == 1)
