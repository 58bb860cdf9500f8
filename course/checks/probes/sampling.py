"""Probes of what draws anew in each call: a function that changes a batch, a layer that drops numbers.

No single number is right, so the student's object is called again and again and all that it returned is
sent; the judge reads from it what was drawn and compares the statistics (`Aspect.measure`) with those of the
oracle's draws. The seed is a part of the probe, so that it can also be seen whose generator decides.

The dataclasses are plain data and travel (`wire.py`); the functions run where the student's code is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course.checks.plain import trouble, type_name
from course.checks.probes.drawing import OTHER_SEED, SAME_SEED, modes_kept, seed_torch
from course.checks.probes.traces import Notes
from course.checks.probes.train_steps import backpropagate
from course.checks.surroundings import unlogged

# --- Plain data ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SampleProbe:
    """Call a function that draws, again and again.

    Args:
        inputs: positional arguments by name; the first one is the batch.
        returns: names of the returned values, in order.
        options: keyword arguments.
        draws: how often the function is called.
        seed: torch's generator starts from it, or the one that is passed.
        generator: whether a generator is passed, as `generator=`.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    inputs: Mapping[str, Any]
    returns: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    draws: int = 1
    seed: int = 0
    generator: bool = False
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class MaskProbe:
    """Build a layer that draws and call it again and again in training mode, then in evaluation mode.

    Args:
        x: the batch.
        grad_output: what is sent back.
        options: keyword arguments of the constructor.
        draws: how often it is called in training mode.
        seed: torch's generator starts from it.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    x: Tensor
    grad_output: Tensor
    options: Mapping[str, Any] = field(default_factory=dict)
    draws: int = 1
    seed: int = 0
    note: str = ""
    looks_at: tuple[str, ...] = ("",)

    @property
    def dtype(self) -> torch.dtype:
        """Of the batch."""
        return self.x.dtype


@dataclass(frozen=True)
class RejectProbe:
    """Call a function or a class with something that it should refuse, by raising.

    Args:
        arguments: positional ones: tensors and numbers.
        options: keyword arguments.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float64
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


SamplingProbe = SampleProbe | MaskProbe | RejectProbe

RECORDS = (SampleProbe, MaskProbe, RejectProbe)
"""What may travel."""


def observe_sampling(student: Callable[..., Any], probe: SamplingProbe, notes: Notes) -> None:
    """Take a student's object through one of this module's probes."""
    with modes_kept():
        match probe:
            case SampleProbe():
                _Sampling(student, probe, notes).observe()
            case MaskProbe():
                _observe_mask(student, probe, notes)
            case RejectProbe():
                _observe_rejection(student, probe, notes)


# --- Functions ----------------------------------------------------------------------------------------------

DRAWN = "drawn"
"""Key of everything that the calls returned, below the batch itself when one value is returned."""

OUTPUTS, GRADIENTS = "training: outputs", "training: gradients"
"""Keys of what the calls of a layer in training mode gave: (1 + draws, N, ...) with x first; x, outputs,
grad_output and gradients, (4, draws, N, ...).
"""

BACKWARD = 5
"""Calls of a layer whose gradients are looked at, the first ones."""

SAME_GENERATOR = "the generator decides"
GENERATOR_GOES_ON = "the generator goes on"
NO_GRADIENT = "no gradient"


class _Sampling:
    def __init__(self, function: Callable[..., Any], probe: SampleProbe, notes: Notes) -> None:
        self.function, self.probe, self.notes = function, probe, notes

    def observe(self) -> None:
        probe, notes = self.probe, self.notes
        options = dict(probe.options)
        seed_torch(probe.seed)
        if probe.generator:
            options["generator"] = torch.Generator().manual_seed(probe.seed)
        given = self._given()
        with notes.logged():
            first = self.function(*given.values(), **options)
        for name, value in zip(probe.returns, self._values(first), strict=True):
            _take(notes, name, value)
        for name, value in given.items():
            if isinstance(value, Tensor):
                notes.take(f"input {name} afterwards", value)
        if notes.wants(DRAWN):
            drawn = [self._values(first)]
            for _ in range(probe.draws - 1):
                drawn.append(self._values(self.function(*self._given().values(), **options)))
            _take(notes, DRAWN, self._together(drawn))
        self._seeds(first)
        if probe.generator:
            self._generators()

    def _given(self) -> dict[str, Any]:
        with unlogged():
            return {n: v.clone() if isinstance(v, Tensor) else v for n, v in self.probe.inputs.items()}

    def _values(self, returned: Any) -> list[Any]:
        """The returned values; something else for each where they are not as many as they should be."""
        names = self.probe.returns
        if len(names) == 1:
            return [returned]
        if isinstance(returned, tuple | list) and len(returned) == len(names):
            return list(returned)
        if returned is None:
            return [None] * len(names)
        return [_Instead(f"{type_name(returned)} where {len(names)} values were expected")] * len(names)

    def _together(self, drawn: list[list[Any]]) -> Any:
        """All the calls below each other, several values beside each other."""
        first = drawn[0]
        for values in drawn:
            for value, pattern in zip(values, first, strict=True):
                if not isinstance(value, Tensor):
                    return value
                if value.shape != pattern.shape or value.dtype != pattern.dtype:
                    return _Instead("tensors of different shapes or dtypes")
        with unlogged():
            if len(first) > 1:
                rows = [torch.cat([v.detach().flatten(1) for v in values], 1) for values in drawn]
                return torch.cat(rows)
            batch = next(iter(self.probe.inputs.values()))
            if first[0].shape[1:] != batch.shape[1:] or first[0].dtype != batch.dtype:
                return _Instead("a tensor of another shape or dtype")
            return torch.cat([batch, *(values[0].detach() for values in drawn)])

    def _call(self, **options: Any) -> Any:
        values = self._values(self.function(*self._given().values(), **self.probe.options, **options))
        return [value.detach().clone() if isinstance(value, Tensor) else value for value in values]

    def _seeds(self, first: Any) -> None:
        """Whether torch's generator decides the numbers, and nothing else."""
        for key, other in ((SAME_SEED, 0), (OTHER_SEED, 1)):
            if self.notes.wants(key):
                seed_torch(self.probe.seed)
                before = self._call()
                seed_torch(self.probe.seed + other)
                self._write(key, _equal(before, self._call()) is (key == SAME_SEED), first)

    def _generators(self) -> None:
        """Whether the generator that was passed decides, whatever state torch's own is in."""
        if not any(map(self.notes.wants, (SAME_GENERATOR, GENERATOR_GOES_ON))):
            return
        seed = self.probe.seed
        seed_torch(seed)
        generator = torch.Generator().manual_seed(seed)
        first = self._call(generator=generator)
        second = self._call(generator=generator)
        seed_torch(seed + 1)
        again = self._call(generator=torch.Generator().manual_seed(seed))
        seed_torch(seed)
        other = self._call(generator=torch.Generator().manual_seed(seed + 1))
        self._write(SAME_GENERATOR, _equal(first, again) and not _equal(first, other), first)
        self._write(GENERATOR_GOES_ON, not _equal(first, second), first)

    def _write(self, key: str, value: bool, returned: Any) -> None:
        nothing = returned is None or returned == [None] * len(self.probe.returns)
        self.notes.write(key, trouble("none") if nothing else value)


def _equal(one: list[Any], other: list[Any]) -> bool:
    return all(
        isinstance(a, Tensor) and isinstance(b, Tensor) and torch.equal(a, b)
        for a, b in zip(one, other, strict=True)
    )


class _Instead(str):
    """What there is instead of tensors, in words."""


def _take(notes: Notes, key: str, value: Any) -> None:
    """Write down a value of the student's, or what there is instead."""
    if isinstance(value, _Instead):
        notes.write(
            key, trouble(NO_GRADIENT) if value == NO_GRADIENT else trouble("count", str(value))
        )  # plain text travels
    else:
        notes.take(key, value)


# --- Layers -------------------------------------------------------------------------------------------------


def _observe_mask(make: Callable[..., nn.Module], probe: MaskProbe, notes: Notes) -> None:
    layer = make(**probe.options)
    if not isinstance(layer, nn.Module):
        notes.seen["error"] = trouble("no module", type_name(layer))
        return
    layer.to(probe.dtype)
    layer.train()
    seed_torch(probe.seed)
    with notes.logged():
        x, given, output = _pass(layer, probe)
        gradient = _gradient(output, probe, x)
        # There torch's own dropout shows: elsewhere it is made of simpler operators.
        with torch.inference_mode():
            without = layer(probe.x.clone())
    _take(notes, "output", output)
    _take(notes, "without gradients: output", without)
    _take(notes, "gradient", gradient)
    notes.take("input x afterwards", given)
    if any(map(notes.wants, (OUTPUTS, GRADIENTS))):
        drawn, gradients = [output], [gradient]
        for _ in range(min(probe.draws, BACKWARD) - 1):
            x, _, output = _pass(layer, probe)
            drawn.append(output)
            gradients.append(_gradient(output, probe, x))
        for _ in range(probe.draws - len(drawn)):
            drawn.append(layer(probe.x.clone()))
        _take(notes, OUTPUTS, _stacked(drawn, probe))
        _take(notes, GRADIENTS, _with_gradients(drawn[:BACKWARD], gradients, probe))
    for key, other in ((SAME_SEED, 0), (OTHER_SEED, 1)):
        if notes.wants(key):
            seed_torch(probe.seed)
            one = _pass(layer, probe)[2]
            seed_torch(probe.seed + other)
            notes.write(key, _equal([one], [_pass(layer, probe)[2]]) is (key == SAME_SEED))
    layer.eval()
    x, given, output = _pass(layer, probe)
    _take(notes, "evaluation: output", output)
    _take(notes, "evaluation: gradient", _gradient(output, probe, x))
    # A layer that stays in a mode, or counts its calls, shows it when training goes on.
    layer.train()
    _take(notes, "training again: output", _pass(layer, probe)[2])
    layer.eval()
    _take(notes, "evaluation again: output", _pass(layer, probe)[2])
    for key, names in (("state_dict", layer.state_dict()), ("parameters", dict(layer.named_parameters()))):
        notes.write(f"names: {key}", sorted(names))
    notes.write("names: buffers", sorted(name for name, _ in layer.named_buffers()))


def _pass(layer: nn.Module, probe: MaskProbe) -> tuple[Tensor, Tensor, Any]:
    """A forward pass: the leaf that asks for a gradient, what the layer was given, and what came out."""
    with unlogged():
        x = probe.x.clone().requires_grad_()
        given = x.clone()
    return x, given, layer(given)


def _gradient(output: Any, probe: MaskProbe, x: Tensor) -> Any:
    if not isinstance(output, Tensor) or not output.requires_grad or output.shape != probe.x.shape:
        return _Instead(NO_GRADIENT)
    with unlogged(), contextlib.suppress(RuntimeError):
        backpropagate(output, probe.grad_output)
    return _Instead(NO_GRADIENT) if x.grad is None else x.grad


def _stacked(outputs: list[Any], probe: MaskProbe) -> Any:
    """The batch, and below it what the calls returned: (1 + draws, N, ...)."""
    for output in outputs:
        if not isinstance(output, Tensor):
            return output
        if output.shape != probe.x.shape or output.dtype != probe.dtype:
            return _Instead("a tensor of another shape or dtype")
    with unlogged():
        return torch.stack([probe.x, *(output.detach() for output in outputs)])


def _with_gradients(outputs: list[Any], gradients: list[Any], probe: MaskProbe) -> Any:
    """x, output, grad_output and gradient: (4, draws, N, ...)."""
    wrong = next((each for each in gradients if not isinstance(each, Tensor)), None)
    stacked = _stacked(outputs, probe)
    if wrong is not None or not isinstance(stacked, Tensor):
        return wrong if wrong is not None else stacked
    with unlogged():
        given = torch.stack([probe.x, probe.grad_output])[:, None].expand(2, len(outputs), *probe.x.shape)
        return torch.stack([given[0], stacked[1:], given[1], torch.stack(gradients)])


# --- Refusing -----------------------------------------------------------------------------------------------


def _observe_rejection(student: Callable[..., Any], probe: RejectProbe, notes: Notes) -> None:
    arguments = [each.clone() if isinstance(each, Tensor) else each for each in probe.arguments]
    try:
        with notes.logged():
            returned = student(*arguments, **probe.options)
    except NotImplementedError:
        raise
    except Exception as error:
        notes.write("raises", "ValueError" if isinstance(error, ValueError) else type(error).__name__)
    else:
        notes.write("raises", trouble("none") if returned is None else "nothing")
