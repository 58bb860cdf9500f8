"""Probe of a function that makes a number of some parameters, through which gradients flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course.checks.plain import trouble
from course.checks.probes.traces import Notes
from course.checks.probes.train_steps import backpropagate
from course.checks.surroundings import unlogged


@dataclass(frozen=True)
class PenaltyProbe:
    """Call a function on parameters and a number, and backpropagate from what it returns.

    Args:
        parameters: their values.
        factor: the function's second argument.
        gradients: what the parameters have as their gradients before; None: nothing.
        given_as: "list" or "generator", how the parameters are passed.
        frozen: indices of parameters that ask for no gradient.
        twice: whether the function is called, and backpropagated from, a second time.
        dtype: of the parameters.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    parameters: tuple[Tensor, ...]
    factor: float
    gradients: tuple[Tensor, ...] | None = None
    given_as: str = "list"
    frozen: tuple[int, ...] = ()
    twice: bool = False
    dtype: torch.dtype = torch.float64
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


def observe_penalty(penalize: Callable[..., Any], probe: PenaltyProbe, notes: Notes) -> None:
    """Take a function through the probe."""
    with unlogged():
        parameters = [
            nn.Parameter(value.clone(), requires_grad=index not in probe.frozen)
            for index, value in enumerate(probe.parameters)
        ]
        for parameter, gradient in zip(parameters, probe.gradients or (), strict=False):
            parameter.grad = gradient.clone()
    for call in ("", ", called again")[: 1 + probe.twice]:
        given: Any = parameters
        if probe.given_as == "generator":
            given = (parameter for parameter in parameters)
        with notes.logged():
            penalty = penalize(given, probe.factor)
        notes.take(f"penalty{call}", penalty)
        if isinstance(penalty, Tensor) and penalty.requires_grad and penalty.numel() == 1:
            with unlogged():
                backpropagate(penalty, torch.ones_like(penalty))
        for index, parameter in enumerate(parameters):
            gradient = parameter.grad
            if index in probe.frozen:
                notes.write(f"gradient of parameter {index}{call}", gradient is None)
            elif gradient is None:
                notes.write(f"gradient of parameter {index}{call}", trouble("no gradient"))
            else:
                notes.take(f"gradient of parameter {index}{call}", gradient)
    for index, parameter in enumerate(parameters):
        notes.take(f"input parameter {index} afterwards", parameter)
        notes.write(f"parameter {index} asks for a gradient", parameter.requires_grad)
