"""What the exercises on activations have in common: inputs where exp overflows, the derivative as oracle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course.checks.framework import SINGLE, Aspect, CallProbe, Draw, Probe, Tolerance

FAR = (-1000.0, -100.0, 100.0, 1000.0)
"""exp overflows at 710 in float64 and at 89 in float32."""


def strided(x: Tensor) -> Tensor:
    """The same numbers, with the last two axes in the other order in memory."""
    return x.mT.contiguous().mT


def apart(draw: Draw, *shape: int) -> Tensor:
    """Numbers of both signs, none of them near 0, where some functions have a kink."""
    x = draw.normal(*shape, std=1.5)
    return x + 0.1 * torch.where(x < 0, -1, 1)


def _inputs(seed: int) -> dict[str, Tensor]:
    """The inputs of every activation, by the name of the probe."""
    draw, single = Draw(seed), Draw(seed, torch.float32)
    values = apart(draw, 3, 4)
    values[0, 0], values[0, 1] = values[0, 0].abs(), -values[0, 1].abs()  # at least one of each sign
    return {
        "values": values,
        "zero": torch.zeros(2, dtype=torch.float64),
        "far": torch.tensor(FAR, dtype=torch.float64),
        "float32": apart(single, 6),
        "far, float32": torch.tensor(FAR),
        "strided": strided(apart(draw, 2, 3, 4)),
    }


NOTES = {"zero": "x = 0", "far": "x = -1000, -100, 100, 1000", "far, float32": "x = -1000 to 1000"}


def forward_probes(seed: int, **options: Any) -> dict[str, Probe]:
    """Probes of f(x), the same for every activation; options go to the function."""
    draw, probes = Draw(seed + 1), {}
    for name, x in _inputs(seed).items():
        grad_output = draw.normal(*x.shape).to(x.dtype) + 1
        probe = CallProbe({"x": x}, ("y",), options, grad_output=grad_output, note=NOTES.get(name, ""))
        probes[name] = probe if name != "strided" else dataclasses.replace(probe, grad_output=None)
    return probes


def with_option(
    probes: dict[str, Probe], option: str, values: dict[str, float], source: str = "values"
) -> dict[str, Probe]:
    """The probe `source` again with each of the values for an option, by the names of the new probes."""
    return {
        name: dataclasses.replace(probes[source], options={option: value}, note=f"{option} = {value}")
        for name, value in values.items()
    }


def backward_probes(seed: int, flat: float = 15.0, **options: Any) -> dict[str, Probe]:
    """Probes of f_backward(grad_output, x), where autograd cannot do the work.

    At x = flat the slope is about 1e-6. There no difference quotient has 7 right digits, and the formula has.
    """
    draw, probes = Draw(seed + 1), {}
    inputs_by_name = {**_inputs(seed), "flat": torch.tensor([flat, 0.95 * flat], dtype=torch.float64)}
    for name, x in inputs_by_name.items():
        inputs = {"grad_output": apart(draw, *x.shape).to(x.dtype), "x": x}
        probes[name] = CallProbe(inputs, ("grad_x",), options, autograd=False, note=NOTES.get(name, ""))
    return probes


def derivative(function: Callable[..., Tensor]) -> Callable[..., Any]:
    """The oracle of f_backward: autograd goes back through torch's own f.

    Returns the gradient of x, or a tuple when f has more tensors.
    """

    def oracle(grad_output: Tensor, *tensors: Tensor, **options: Any) -> Any:
        with torch.inference_mode(False), torch.enable_grad():
            leaves = [tensor.clone().requires_grad_() for tensor in tensors]
            gradients = torch.autograd.grad(function(*leaves, **options), leaves, grad_output.clone())
        return gradients if len(gradients) > 1 else gradients[0]

    return oracle


AUTOGRAD = ("autograd", "make_dual", "efficientzerotensor")
"""Shortcuts of every f_backward: autograd backward, and forward (torch.func.jvp)."""


# --- Aspects ------------------------------------------------------------------------------------------------

FORWARD = (
    Aspect("y", "forward", "values", ("y",)),
    Aspect("y at x = ±100 and ±1000", "forward", "far", ("y", "input")),
    Aspect("x left as it was", "forward", "values", ("input",)),
    Aspect("y at x = 0", "forward", "zero", ("y",), hidden=True),
    Aspect("float32 input", "forward", "float32", ("y",), hidden=True, tolerance=SINGLE),
    Aspect("±1000 in float32", "forward", "far, float32", ("y",), hidden=True, tolerance=SINGLE),
    Aspect("input that is not contiguous", "forward", "strided", ("y",), hidden=True),
)


def autograd(group: str, *, smooth: bool) -> tuple[Aspect, ...]:
    """What autograd makes of the student's formula; at x = 0 only where there is a derivative."""
    gradient = ("gradient of x",)
    aspects = (
        Aspect("autograd's gradient of x", group, "values", gradient),
        Aspect("autograd's gradient at x = ±1000", group, "far", gradient),
        Aspect("the same in float32", group, "far, float32", gradient, hidden=True, tolerance=SINGLE),
    )
    return (*aspects, Aspect("autograd's gradient at x = 0", group, "zero", gradient)) if smooth else aspects


FORMULA = Tolerance(1e-7, 0.0, "a formula has 9 digits where 1 - s is 1e-6; no difference quotient has 7")


def backward(*, smooth: bool) -> tuple[Aspect, ...]:
    """What is looked at in every f_backward; with a kink, a difference quotient shows at x = 0."""
    grad_x, group = ("grad_x",), "backward"
    small = Aspect("a small slope, to 7 digits", group, "flat", grad_x, hidden=True, tolerance=FORMULA)
    aspects = (
        Aspect("grad_x", group, "values", grad_x),
        Aspect("grad_x at x = 0", group, "zero", grad_x),
        Aspect("grad_x at x = ±1000", group, "far", grad_x),
        Aspect("inputs left as they were", group, "values", ("input",)),
        Aspect("float32 input", group, "float32", grad_x, hidden=True, tolerance=SINGLE),
        Aspect("±1000 in float32", group, "far, float32", grad_x, hidden=True, tolerance=SINGLE),
        Aspect("input that is not contiguous", group, "strided", grad_x, hidden=True),
    )
    return (*aspects, small) if smooth else aspects
