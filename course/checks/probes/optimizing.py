"""Probes of an optimizer: parameters, their gradients step by step, and what a caller may do in between.

Nothing is differentiated here. The gradients are part of the probe, so that a run of twenty steps has one
right result, to the last digits; a parameter may have none in some of the steps. In between, somebody changes
the learning rates as a schedule does, zeroes the gradients, or goes on with a deep copy.

    key of the observation      what it holds
    parameter I                 its values after each of the updates, (updates, *shape)
    gradient I afterwards       the same of its gradient; what no gradient was stays none
    in place: ...               whether tensor and memory are still the ones that were handed over
    left as it was: ...         whether the parameter is still a leaf that asks for a gradient, and grad mode
    zero_grad: left             parameters that still have a gradient other than zero
    groups: ...                 the options in ``param_groups``, as text
    original I                  after a deep copy took over: the first parameters

The dataclasses are plain data and travel (`wire.py`); the functions run where the student's code is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course.checks.plain import Unusable, cut, plain, trouble, type_name
from course.checks.probes.traces import Notes
from course.checks.surroundings import unlogged

# --- Plain data ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """A parameter group: which of the parameters, and the options that it has of its own."""

    members: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Update:
    """Step: hand the parameters their gradients (None for none), and call ``step()``.

    Args:
        gradients: one for each parameter.
        how: "new" tensors, the "same" tensors with new numbers, or "added" to what is there, as backward()
            does.
    """

    gradients: tuple[Tensor | None, ...]
    how: str = "new"


@dataclass(frozen=True)
class SetRates:
    """Step: write these learning rates into the groups, as a schedule does."""

    rates: tuple[float, ...]


@dataclass(frozen=True)
class ZeroGrad:
    """Step: call ``zero_grad()``."""


@dataclass(frozen=True)
class TakeCopy:
    """Step: go on with a deep copy of the parameters and the optimizer."""


OptimizerStep = Update | SetRates | ZeroGrad | TakeCopy


@dataclass(frozen=True)
class OptimizerProbe:
    """Make an optimizer for some parameters and take it through some steps.

    Args:
        values: of the parameters at the start.
        steps: what to do, in order.
        lr: second argument; None leaves it out.
        options: keyword arguments.
        groups: parameter groups; empty for none.
        given_as: "list" or "generator", how the parameters are passed.
        neighbour: whether a second optimizer of the class works on other parameters in between.
        dtype: of the parameters.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    values: tuple[Tensor, ...]
    steps: tuple[OptimizerStep, ...]
    lr: float | None = 0.1
    options: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    given_as: str = "list"
    neighbour: bool = False
    dtype: torch.dtype = torch.float64
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


RECORDS = (OptimizerProbe, Group, Update, SetRates, ZeroGrad, TakeCopy)
"""What may travel."""


# --- Observing ----------------------------------------------------------------------------------------------


def observe_optimizer(make: Callable[..., Any], probe: OptimizerProbe, notes: Notes) -> None:
    """Take an optimizer's class through a probe."""
    grad_enabled = torch.is_grad_enabled()
    try:
        _Run(make, probe, notes).take_steps()
    finally:
        torch.set_grad_enabled(grad_enabled)


class _Run:
    def __init__(self, make: Callable[..., Any], probe: OptimizerProbe, notes: Notes) -> None:
        self.make, self.probe, self.notes = make, probe, notes
        self.parameters = [nn.Parameter(value.clone()) for value in probe.values]
        self.memory = [p.data_ptr() for p in self.parameters]
        self.originals: list[nn.Parameter] = []
        self.states: list[list[Tensor]] = [[] for _ in probe.values]
        self.gradients: list[list[Any]] = [[] for _ in probe.values]
        self.same_gradients = True

    def take_steps(self) -> None:
        notes, probe = self.notes, self.probe
        with notes.logged():
            self.optimizer = self._build(self.parameters)
        if probe.neighbour:
            others = [nn.Parameter(torch.ones_like(p)) for p in self.parameters]
            neighbour = self._build(others)
        if notes.wants("groups: "):
            self._describe_groups()
        for step in probe.steps:
            match step:
                case Update():
                    if probe.neighbour:
                        for p in others:
                            p.grad = torch.full_like(p, 3.0)
                        neighbour.step()
                    self._update(step)
                case SetRates():
                    for group, rate in zip(self._groups(), step.rates, strict=True):
                        group["lr"] = rate
                case ZeroGrad():
                    with notes.logged():
                        self.optimizer.zero_grad()
                    left = [i for i, p in enumerate(self.parameters) if _is_left(p.grad)]
                    notes.write("zero_grad: left", [f"parameter {i}" for i in left])
                case TakeCopy():
                    self.originals = self.parameters
                    pair = copy.deepcopy((self.parameters, self.optimizer))
                    self.parameters, self.optimizer = pair
                    self.memory = [p.data_ptr() for p in self.parameters]
        self._finish()

    def _build(self, parameters: list[nn.Parameter]) -> Any:
        probe = self.probe
        given: Any = parameters
        if probe.groups:
            given = [{"params": [parameters[i] for i in g.members], **g.options} for g in probe.groups]
        elif probe.given_as == "generator":
            given = (p for p in parameters)
        arguments = () if probe.lr is None else (probe.lr,)
        return self.make(given, *arguments, **probe.options)

    def _groups(self) -> list[dict[str, Any]]:
        """The optimizer's groups, when it has any that a schedule could use."""
        groups = getattr(self.optimizer, "param_groups", None)
        if not isinstance(groups, list | tuple) or not all(isinstance(group, dict) for group in groups):
            got = "nothing" if groups is None else type_name(groups)
            raise Unusable(f"Your optimizer keeps {got} under param_groups; it should be a list of dicts.")
        for group in groups:
            lacks = [key for key in ("params", "lr") if key not in group]
            if lacks:
                raise Unusable(f"A dict in your optimizer's param_groups has no {lacks[0]!r}.")
        count = len(self.probe.groups) or 1
        if len(groups) != count:
            raise Unusable(f"Your optimizer has {len(groups)} param_groups; {count} were given.")
        return list(groups)

    def _describe_groups(self) -> None:
        groups = self._groups()
        names = {id(p): f"parameter {i}" for i, p in enumerate(self.parameters)}
        members = []
        for group in groups:
            params = group["params"]
            if not isinstance(params, list | tuple):
                raise Unusable(f"group['params'] is a {type_name(params)}; it should be a list.")
            members.append(", ".join(names.get(id(p), "a stranger") for p in params))
        self.notes.write("groups: params", [cut(text) for text in members])
        rates = [group["lr"] for group in groups]
        shown = [f"{rate:.6g}" if isinstance(rate, float | int) else type_name(rate) for rate in rates]
        self.notes.write("groups: lr", shown)

    def _update(self, step: Update) -> None:
        with unlogged():
            for p, gradient in zip(self.parameters, step.gradients, strict=True):
                if gradient is None:
                    p.grad = None
                elif p.grad is None or step.how == "new":
                    p.grad = gradient.clone()
                elif step.how == "same":
                    p.grad.copy_(gradient)
                else:
                    p.grad.add_(gradient)
        handed = [p.grad for p in self.parameters]
        with self.notes.logged():
            self.optimizer.step()
        for i, p in enumerate(self.parameters):
            self.states[i].append(p.detach().clone())
            self.same_gradients &= p.grad is handed[i]
            if self.notes.wants("gradient"):
                self.gradients[i].append(None if p.grad is None else plain(p.grad))

    def _finish(self) -> None:
        notes = self.notes
        notes.write("left as it was: grad mode", torch.is_grad_enabled())
        with unlogged():
            for i in range(len(self.parameters)):
                notes.write(f"parameter {i}", _stacked(self.states[i]))
                there = [g for g in self.gradients[i] if isinstance(g, Tensor)]
                notes.write(f"gradient {i} afterwards: there", len(there))
                if there:
                    notes.write(f"gradient {i} afterwards", _stacked(there))
            for i, p in enumerate(self.originals):
                notes.take(f"original {i}", p)
        same = [p.data_ptr() == memory for p, memory in zip(self.parameters, self.memory, strict=True)]
        notes.write("in place: the parameters keep their memory", all(same))
        notes.write("in place: the gradients are the same tensors", self.same_gradients)
        asks = [p.requires_grad and p.is_leaf for p in self.parameters]
        notes.write("left as it was: parameters that ask for gradients", all(asks))


def _stacked(tensors: list[Tensor]) -> Any:
    if len({tensor.shape for tensor in tensors}) > 1 or len({tensor.dtype for tensor in tensors}) > 1:
        return trouble("said", "A step of your optimizer changes a parameter's shape or dtype.")
    return torch.stack(tensors)


def _is_left(gradient: Tensor | None) -> bool:
    with unlogged():
        return gradient is not None and bool((gradient != 0).any())
