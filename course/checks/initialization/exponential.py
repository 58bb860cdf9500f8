"""Exercises `elu`, `selu` and their derivatives: what is drawn, what is looked at."""

from __future__ import annotations

from functools import partial

from torch.nn import functional as F

from course.checks.framework import Aspect, Exercise, Probe, Tolerance
from course.checks.initialization import exponential_mistakes as mistakes
from course.checks.initialization.common import (
    AUTOGRAD,
    FORWARD,
    autograd,
    backward,
    backward_probes,
    derivative,
    forward_probes,
    with_option,
)

_ALPHAS = {"alpha": 2.5, "small alpha": 0.3, "negative alpha": -0.5, "no alpha": 0.0}


def _elu_probes(seed: int) -> dict[str, Probe]:
    probes = forward_probes(seed)
    return {**probes, **with_option(probes, "alpha", _ALPHAS)}


def _elu_backward_probes(seed: int) -> dict[str, Probe]:
    probes = backward_probes(seed, flat=-15.0)
    at_zero = with_option(probes, "alpha", {"alpha at zero": 2.5}, "zero")
    return {**probes, **with_option(probes, "alpha", _ALPHAS), **at_zero}


ELU = Exercise(
    name="elu",
    kind="function",
    signature="x, alpha=1.0",
    section="2.3",
    oracle=F.elu,
    probes=_elu_probes,
    aspects=(
        *FORWARD,
        Aspect("alpha as an argument", "forward", "alpha", ("y",)),
        Aspect("an alpha below 1", "forward", "small alpha", ("y",), hidden=True),
        Aspect("an alpha below 0", "forward", "negative alpha", ("y",), hidden=True),
        Aspect("an alpha of 0", "forward", "no alpha", ("y",), hidden=True),
        *autograd("autograd", smooth=False),
        Aspect("the gradient with another alpha", "autograd", "alpha", ("gradient of x",), hidden=True),
    ),
    misconceptions=tuple(mistakes.ELU),
    shortcuts=(".elu", "celu", "selu"),
)

ELU_BACKWARD = Exercise(
    name="elu_backward",
    kind="function",
    signature="grad_output, x, alpha=1.0",
    section="2.3",
    oracle=derivative(F.elu),
    probes=_elu_backward_probes,
    aspects=(
        *backward(smooth=True),
        Aspect("alpha as an argument", "backward", "alpha", ("grad_x",)),
        Aspect("an alpha below 1", "backward", "small alpha", ("grad_x",), hidden=True),
        Aspect("an alpha below 0", "backward", "negative alpha", ("grad_x",), hidden=True),
        Aspect("an alpha of 0", "backward", "no alpha", ("grad_x",), hidden=True),
        Aspect("another alpha at x = 0", "backward", "alpha at zero", ("grad_x",), hidden=True),
    ),
    misconceptions=tuple(mistakes.ELU_BACKWARD),
    shortcuts=(".elu_backward", *AUTOGRAD),
)

CONSTANTS = Tolerance(5e-7, 0.0, "1.0507 is off by 1e-6; 8 digits by 1e-8, rounded to float32 by 4e-8")


def _constants(group: str, key: str) -> Aspect:
    return Aspect("all digits of the two constants", group, "values", (key,), True, CONSTANTS)


SELU = Exercise(
    name="selu",
    kind="function",
    signature="x",
    section="2.3",
    oracle=F.selu,
    probes=forward_probes,
    aspects=(*FORWARD, _constants("forward", "y"), *autograd("autograd", smooth=False)),
    misconceptions=tuple(mistakes.SELU),
    shortcuts=(".elu", "celu", "selu"),  # torch's selu runs the operator elu
)

SELU_BACKWARD = Exercise(
    name="selu_backward",
    kind="function",
    signature="grad_output, x",
    section="2.3",
    oracle=derivative(F.selu),
    probes=partial(backward_probes, flat=-15.0),
    aspects=(*backward(smooth=True), _constants("backward", "grad_x")),
    misconceptions=tuple(mistakes.SELU_BACKWARD),
    shortcuts=(".elu_backward", "selu_backward", *AUTOGRAD),
)
