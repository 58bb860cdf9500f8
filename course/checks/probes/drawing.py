"""Probes of functions that change what they are given: fill a tensor, tune a model, clip, or refuse.

Random numbers have no right value. A `FillProbe` lets the student's function fill a tensor, often more than
once, and sends all the numbers; the judge compares their statistics (`Aspect.measure`) with those of the
oracle's draws. The seed is a part of the probe, so that it can also be seen whether the numbers come from
torch's generator.

The dataclasses are plain data and travel (`wire.py`); the functions run where the student's code is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from course.checks.plain import Value, trouble
from course.checks.probes.networks import Network, make

# --- Plain data ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FillProbe:
    """Let a function fill tensors of this shape.

    Args:
        shape: of the tensor.
        options: keyword arguments of the function.
        seed: torch's generator starts from it.
        draws: how many tensors are filled, one after the other.
        dtype: of the tensor.
        parameter: whether the tensor is an nn.Parameter.
        strided: whether the first two axes lie in memory in the other order.
        grad_enabled: whether the caller has gradients switched on.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    shape: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    draws: int = 1
    dtype: torch.dtype = torch.float64
    parameter: bool = False
    strided: bool = False
    grad_enabled: bool = True
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class TuneProbe:
    """Let a function change the weights of a network by what it does to a batch.

    Args:
        network: its description.
        x: the batch.
        seed: the model's first weights, and then torch's generator, start from it.
        dtype: of the model.
        training: whether the model is in training mode.
        evaluating: submodules that are in evaluation mode in spite of that.
        frozen: parameters that ask for no gradient.
        grad_enabled: whether the caller has gradients switched on.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    network: Network
    x: Tensor
    seed: int = 0
    dtype: torch.dtype = torch.float64
    training: bool = True
    evaluating: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    grad_enabled: bool = True
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class ClipProbe:
    """Let a function clip the gradients of some parameters.

    Args:
        gradients: of the parameters, in order; None for a parameter without one.
        limit: the function's second argument.
        options: keyword arguments.
        given_as: "list", "generator", "filter" or "tensor", how the parameters are passed. A single tensor is
            a plain one, no nn.Parameter.
        returns: name of what is returned; empty when the function returns nothing.
        dtype: of the parameters.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    gradients: tuple[Tensor | None, ...]
    limit: float
    options: Mapping[str, Any] = field(default_factory=dict)
    given_as: str = "list"
    returns: str = "total_norm"
    dtype: torch.dtype = torch.float64
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class RefusalProbe:
    """Call a function with something that it should refuse, by raising.

    Args:
        shape: of a tensor, its first argument.
        options: keyword arguments.
        dtype: of the tensor.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    shape: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float64
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


DrawingProbe = FillProbe | TuneProbe | ClipProbe | RefusalProbe

RECORDS = (FillProbe, TuneProbe, ClipProbe, RefusalProbe)
"""What may travel."""


class Notes(Protocol):
    """Where an observation is written down: `observe._Notes`."""

    def logged(self) -> contextlib.AbstractContextManager[Any]:
        """Context for the student's work."""

    def take(self, key: str, value: object) -> None:
        """Write down a value of the student's, made plain."""

    def write(self, key: str, value: Value) -> None:
        """Write down something of ours, which is plain."""

    def wants(self, key: str) -> bool:
        """Whether an aspect looks at the key."""


def observe_drawing(student: Callable[..., Any], probe: DrawingProbe, notes: Notes) -> None:
    """Take a function through one of this module's probes."""
    with modes_kept():
        match probe:
            case FillProbe():
                _observe_filling(student, probe, notes)
            case TuneProbe():
                _observe_tuning(student, probe, notes)
            case ClipProbe():
                _observe_clipping(student, probe, notes)
            case RefusalProbe():
                _observe_refusal(student, probe, notes)


@contextlib.contextmanager
def modes_kept() -> Iterator[None]:
    """A student's `torch.set_grad_enabled(False)` must not reach the next probe. One thread is enough here.

    A thousand small matrices keep a second thread waiting a thousand times: on a busy machine for seconds.
    """
    grad_enabled, threads = torch.is_grad_enabled(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_grad_enabled(grad_enabled)


def seed_torch(seed: int) -> None:
    """Start torch's generator; torch.manual_seed would look for accelerators too, each time."""
    torch.default_generator.manual_seed(seed)


# --- Filling ------------------------------------------------------------------------------------------------

UNTOUCHED = 7.0
"""What a tensor holds before it is filled."""

SAME_SEED, OTHER_SEED = "same seed, same numbers", "another seed, other numbers"


def _blank(probe: FillProbe) -> tuple[Tensor, Tensor]:
    """The tensor to fill, and the memory in which it lies."""
    shape = probe.shape
    if probe.strided:
        shape = (shape[1], shape[0], *shape[2:])
    memory = torch.full(shape, UNTOUCHED, dtype=probe.dtype)
    tensor = memory.transpose(0, 1) if probe.strided else memory
    return (nn.Parameter(tensor) if probe.parameter else tensor), memory


def _observe_filling(fill: Callable[..., Any], probe: FillProbe, notes: Notes) -> None:
    seed_torch(probe.seed)
    tensor, memory = _blank(probe)
    with torch.set_grad_enabled(probe.grad_enabled):
        with notes.logged():
            returned = fill(tensor, **probe.options)
        mode_kept = torch.is_grad_enabled() is probe.grad_enabled
    write = _unless_none(returned, notes)
    # Of the tensor that was given; one that was made instead of it is not looked at.
    drawn = [tensor.detach()]
    write("returned: the tensor that was given", returned is tensor)
    write("memory: the tensor keeps its own", tensor.data_ptr() == memory.data_ptr())
    write("requires_grad as before", tensor.requires_grad is probe.parameter)
    write("graph: none is left behind", tensor.grad_fn is None)
    write("grad mode as before", mode_kept)
    for _ in range(probe.draws - 1):
        tensor, _ = _blank(probe)
        fill(tensor, **probe.options)
        drawn.append(tensor.detach())
    write("filled", torch.stack(drawn))
    for key, seed in ((SAME_SEED, probe.seed), (OTHER_SEED, probe.seed + 1)):
        if notes.wants(key):
            seed_torch(seed)
            tensor, _ = _blank(probe)
            fill(tensor, **probe.options)
            write(key, torch.equal(tensor.detach(), drawn[0]) is (key == SAME_SEED))


def _unless_none(returned: object, notes: Notes) -> Callable[[str, Any], None]:
    """Writes what was seen; when nothing was returned, that is all there is to say, under every key."""

    def write(key: str, value: Any) -> None:
        if returned is None:
            notes.write(key, trouble("none"))
        else:
            notes.take(key, value)

    return write


# --- Tuning -------------------------------------------------------------------------------------------------


def _observe_tuning(tune: Callable[..., Any], probe: TuneProbe, notes: Notes) -> None:
    seed_torch(probe.seed)
    model = _untuned(probe)
    parameters = list(model.parameters())
    modes, learn = _modes(model), [each.requires_grad for each in parameters]
    x = probe.x.clone()
    seed_torch(probe.seed)
    with torch.set_grad_enabled(probe.grad_enabled):
        with notes.logged():
            returned = tune(model, x)
        mode_kept = torch.is_grad_enabled() is probe.grad_enabled
    write = _unless_none(returned, notes)
    layers = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    write("returned: the model that was given", returned is model)
    write("grad mode as before", mode_kept)
    write("seed: nobody sets another one", torch.default_generator.initial_seed() == probe.seed)
    write("mode of every module as before", _modes(model) == modes)
    write("traces: hooks", sum(len(module._forward_hooks) for module in model.modules()))
    write("traces: gradients", sum(each.grad is not None for each in parameters))
    now = list(model.parameters())
    write("parameters: the ones that were there", [*map(id, now)] == [*map(id, parameters)])
    write("parameters: they learn as before", [each.requires_grad for each in now] == learn)
    write("input x afterwards", x)
    for index, layer in enumerate(layers):
        write(f"weight of layer {index}", layer.weight)
        if layer.bias is not None:
            write(f"bias of layer {index}", layer.bias)
    for index, variance in enumerate(_variances(layers, model, probe.x)):
        write(f"variance of layer {index}", variance)


def _untuned(probe: TuneProbe) -> nn.Module:
    """The probe's network, with its modes."""
    model = make(probe.network).to(probe.dtype).train(probe.training)
    for name in probe.evaluating:
        model.get_submodule(name).eval()
    for name in probe.frozen:
        model.get_parameter(name).requires_grad_(False)
    return model


def _modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


def _variances(layers: list[nn.Module], model: nn.Module, x: Tensor) -> list[Tensor]:
    """The variance of what each of the layers gives, in evaluation mode."""
    variances: dict[nn.Module, Tensor] = {}
    for module in model.modules():
        module._forward_hooks.clear()  # the student's have been counted
    for layer in layers:
        # At once: an activation that works in place overwrites the output.
        layer.register_forward_hook(lambda module, args, output: variances.update({module: output.var()}))
    with torch.no_grad():
        model.eval()(x.clone())
    return [variances[layer] for layer in layers]


# --- Clipping -----------------------------------------------------------------------------------------------


def _observe_clipping(clip: Callable[..., Any], probe: ClipProbe, notes: Notes) -> None:
    parameters, before = [], []
    for index, gradient in enumerate(probe.gradients):
        shape = (2, 3) if gradient is None else gradient.shape
        parameter = torch.full(shape, index + 1.0, dtype=probe.dtype, requires_grad=True)
        if probe.given_as != "tensor":
            parameter = nn.Parameter(parameter.detach())
        parameter.grad = None if gradient is None else gradient.clone()
        parameters.append(parameter)
        before.append(parameter.grad)
    given: Any = parameters
    if probe.given_as == "generator":
        given = (parameter for parameter in parameters)
    elif probe.given_as == "filter":
        given = filter(lambda parameter: parameter.requires_grad, parameters)
    elif probe.given_as == "tensor":
        (given,) = parameters
    with notes.logged():
        returned = clip(given, probe.limit, **probe.options)
    write = _unless_none(returned if probe.returns else probe, notes)
    if probe.returns:
        write(probe.returns, returned)
        write("returned: a tensor", isinstance(returned, Tensor))
    else:
        write("returned: nothing", returned is None)
    for index, (parameter, gradient) in enumerate(zip(parameters, before, strict=True)):
        write(f"parameter {index}", parameter)
        # Where there was none, none must appear.
        write(f"gradient {index}", parameter.grad if gradient is not None else parameter.grad is None)
    same = all(p.grad is gradient for p, gradient in zip(parameters, before, strict=True))
    write("in place: the gradients are the same tensors", same)
    write("grad mode as before", torch.is_grad_enabled())


# --- Refusing -----------------------------------------------------------------------------------------------


def _observe_refusal(student: Callable[..., Any], probe: RefusalProbe, notes: Notes) -> None:
    try:
        with notes.logged():
            returned = student(torch.full(probe.shape, UNTOUCHED, dtype=probe.dtype), **probe.options)
    except NotImplementedError:
        raise
    except Exception as error:
        notes.write("raises", "ValueError" if isinstance(error, ValueError) else type(error).__name__)
    else:
        notes.write("raises", trouble("none") if returned is None else "nothing")
