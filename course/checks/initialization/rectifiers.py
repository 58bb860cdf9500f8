"""Exercises `relu`, `leaky_relu`, `prelu` and their derivatives: what is drawn, what is looked at."""

from __future__ import annotations

import dataclasses
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from course.checks.framework import SINGLE, Aspect, CallProbe, Draw, Exercise, Probe
from course.checks.initialization import prelu_mistakes
from course.checks.initialization import rectifier_mistakes as mistakes
from course.checks.initialization.common import (
    AUTOGRAD,
    FORWARD,
    apart,
    autograd,
    backward,
    backward_probes,
    derivative,
    forward_probes,
    strided,
    with_option,
)

# --- relu ---------------------------------------------------------------------------------------------------

RELU = Exercise(
    name="relu",
    kind="function",
    signature="x",
    section="2.3",
    oracle=torch.relu,
    probes=forward_probes,
    aspects=(*FORWARD, *autograd("forward", smooth=False)),
    misconceptions=tuple(mistakes.RELU),
    shortcuts=("relu", "threshold"),
)

RELU_BACKWARD = Exercise(
    name="relu_backward",
    kind="function",
    signature="grad_output, x",
    section="2.3",
    oracle=derivative(torch.relu),
    probes=backward_probes,
    aspects=backward(smooth=False),
    misconceptions=tuple(mistakes.RELU_BACKWARD),
    shortcuts=("relu_backward", "threshold_backward", *AUTOGRAD),
)


# --- leaky_relu ---------------------------------------------------------------------------------------------


_SLOPES = {"slope": 0.3, "steep": 1.5, "negative": -0.4, "none": 0.0}


def _leaky_probes(seed: int) -> dict[str, Probe]:
    probes = forward_probes(seed)
    return {**probes, **with_option(probes, "negative_slope", _SLOPES)}


def _leaky_backward_probes(seed: int) -> dict[str, Probe]:
    probes = backward_probes(seed)
    at_zero = with_option(probes, "negative_slope", {"slope at zero": 0.3}, "zero")
    return {**probes, **with_option(probes, "negative_slope", _SLOPES), **at_zero}


LEAKY_RELU = Exercise(
    name="leaky_relu",
    kind="function",
    signature="x, negative_slope=0.01",
    section="2.3",
    oracle=F.leaky_relu,
    probes=_leaky_probes,
    aspects=(
        *FORWARD,
        *autograd("forward", smooth=False),
        Aspect("negative_slope as an argument", "forward", "slope", ("y",)),
        Aspect("a negative_slope above 1", "forward", "steep", ("y",)),
        Aspect("a negative_slope below 0", "forward", "negative", ("y",), hidden=True),
        Aspect("a negative_slope of 0", "forward", "none", ("y",), hidden=True),
    ),
    misconceptions=tuple(mistakes.LEAKY_RELU),
    shortcuts=("leaky_relu", "prelu", "rrelu"),
)

LEAKY_RELU_BACKWARD = Exercise(
    name="leaky_relu_backward",
    kind="function",
    signature="grad_output, x, negative_slope=0.01",
    section="2.3",
    oracle=derivative(F.leaky_relu),
    probes=_leaky_backward_probes,
    aspects=(
        *backward(smooth=False),
        Aspect("negative_slope as an argument", "backward", "slope", ("grad_x",)),
        Aspect("the same at x = 0", "backward", "slope at zero", ("grad_x",), hidden=True),
        Aspect("a negative_slope above 1", "backward", "steep", ("grad_x",), hidden=True),
        Aspect("a negative_slope below 0", "backward", "negative", ("grad_x",), hidden=True),
        Aspect("a negative_slope of 0", "backward", "none", ("grad_x",), hidden=True),
    ),
    misconceptions=tuple(mistakes.LEAKY_RELU_BACKWARD),
    shortcuts=("leaky_relu_backward", *AUTOGRAD),
)


# --- prelu --------------------------------------------------------------------------------------------------


def _slopes(draw: Draw, count: int) -> Tensor:
    """Slopes that differ; one is negative, one above 1 (so that max(x, a x) is wrong)."""
    slopes = draw.uniform(count, low=0.2, high=0.8)
    if count > 2:
        slopes[1] *= -1
        slopes[2] += 1
    return slopes


def _prelu_probes(seed: int, *, backward: bool) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(
        x: Tensor, draw: Draw = draw, count: int = 1, slope: float | None = None, note: str = ""
    ) -> Probe:
        weight = _slopes(draw, count) if slope is None else torch.tensor([slope], dtype=x.dtype)
        gradient = apart(draw, *x.shape)
        if not backward:
            return CallProbe({"x": x, "weight": weight}, ("y",), grad_output=gradient, note=note)
        inputs = {"grad_output": gradient, "x": x, "weight": weight}
        return CallProbe(inputs, ("grad_x", "grad_weight"), autograd=False, note=note)

    far = torch.tensor([-1000.0, -100.0, 100.0, 1000.0], dtype=torch.float64)
    probes = {
        "channels": probe(apart(draw, 5, 3), count=3, note="x (5, 3), weight (3,)"),
        "one slope": probe(apart(draw, 4, 3), note="weight (1,)"),
        "images": probe(apart(draw, 2, 3, 4, 5), count=3, note="x (2, 3, 4, 5), weight (3,)"),
        "sequences": probe(apart(draw, 3, 4, 4), count=4, note="x (3, 4, 4), weight (4,)"),
        "square": probe(apart(draw, 4, 4), count=4),
        "vector": probe(apart(draw, 6)),
        "far": probe(far.reshape(2, 2), count=2, note="x = ±100, ±1000"),
        "zero": probe(torch.zeros(3, 2, dtype=torch.float64), count=2, note="x = 0"),
        "float32": probe(apart(single, 5, 3, 2), single, count=3),
        "strided": probe(strided(apart(draw, 2, 3, 4)), count=3),
        "volumes": probe(apart(draw, 1, 3, 2, 2, 3), count=3, note="x (1, 3, 2, 2, 3), weight (3,)"),
        "negative": probe(apart(draw, 2, 3, 2, 2), slope=-0.5, note="x (2, 3, 2, 2), weight (1,)"),
        "steep": probe(apart(draw, 4, 3), slope=1.5),
    }
    if not backward:
        probes["strided"] = dataclasses.replace(probes["strided"], grad_output=None)
    return probes


def _prelu_oracle(x: Tensor, weight: Tensor) -> Tensor:
    return F.prelu(x, weight)


PRELU = Exercise(
    name="prelu",
    kind="function",
    signature="x, weight",
    section="2.3",
    oracle=_prelu_oracle,
    probes=partial(_prelu_probes, backward=False),
    aspects=(
        Aspect("y, one slope per channel", "forward", "channels", ("y",)),
        Aspect("y, one slope for all", "forward", "one slope", ("y",)),
        Aspect("y of images (N, C, H, W)", "forward", "images", ("y",)),
        Aspect("y at x = ±100 and ±1000", "forward", "far", ("y",)),
        Aspect("inputs left as they were", "forward", "channels", ("input",)),
        Aspect("as many positions as channels", "forward", "sequences", ("y",), hidden=True),
        Aspect("as many examples as channels", "forward", "square", ("y",), hidden=True),
        Aspect("an input without channels", "forward", "vector", ("y",), hidden=True),
        Aspect("one example of 5 axes", "forward", "volumes", ("y",), hidden=True),
        Aspect("one slope, below 0, for images", "forward", "negative", ("y",), hidden=True),
        Aspect("one slope, above 1", "forward", "steep", ("y",), hidden=True),
        Aspect("float32 input", "forward", "float32", ("y",), hidden=True, tolerance=SINGLE),
        Aspect("input that is not contiguous", "forward", "strided", ("y",), hidden=True),
        Aspect("autograd's gradient of x", "autograd", "channels", ("gradient of x",)),
        Aspect("autograd's gradient of weight", "autograd", "channels", ("gradient of weight",)),
        Aspect("both, of images", "autograd", "images", ("gradient of",), hidden=True),
        Aspect("both, with one slope", "autograd", "one slope", ("gradient of",), hidden=True),
    ),
    misconceptions=tuple(prelu_mistakes.PRELU),
    shortcuts=("prelu", "leaky_relu", "rrelu"),
)

_GX, _GW = "grad-x", "grad-weight"

PRELU_BACKWARD = Exercise(
    name="prelu_backward",
    kind="function",
    signature="grad_output, x, weight",
    section="2.3",
    oracle=derivative(_prelu_oracle),
    probes=partial(_prelu_probes, backward=True),
    aspects=(
        Aspect("grad_x, one slope per channel", _GX, "channels", ("grad_x",)),
        Aspect("grad_x, one slope for all", _GX, "one slope", ("grad_x",)),
        Aspect("grad_x of images (N, C, H, W)", _GX, "images", ("grad_x",)),
        Aspect("grad_x at x = 0", _GX, "zero", ("grad_x",)),
        Aspect("inputs left as they were", _GX, "channels", ("input",)),
        Aspect("as many positions as channels", _GX, "sequences", ("grad_x",), hidden=True),
        Aspect("as many examples as channels", _GX, "square", ("grad_x",), hidden=True),
        Aspect("an input without channels", _GX, "vector", ("grad_x",), hidden=True),
        Aspect("one example of 5 axes", _GX, "volumes", ("grad_x",), hidden=True),
        Aspect("one slope, below 0, for images", _GX, "negative", ("grad_x",), hidden=True),
        Aspect("one slope, above 1", _GX, "steep", ("grad_x",), hidden=True),
        Aspect("float32 input", _GX, "float32", ("grad_x",), hidden=True, tolerance=SINGLE),
        Aspect("input that is not contiguous", _GX, "strided", ("grad_x",), hidden=True),
        Aspect("grad_weight, one slope per channel", _GW, "channels", ("grad_weight",)),
        Aspect("grad_weight, one slope for all", _GW, "one slope", ("grad_weight",)),
        Aspect("grad_weight of images", _GW, "images", ("grad_weight",)),
        Aspect("at x = ±100 and ±1000", _GW, "far", ("grad_weight",), hidden=True),
        Aspect("as many positions as channels", _GW, "sequences", ("grad_weight",), hidden=True),
        Aspect("as many examples as channels", _GW, "square", ("grad_weight",), hidden=True),
        Aspect("an input without channels", _GW, "vector", ("grad_weight",), hidden=True),
        Aspect("one example of 5 axes", _GW, "volumes", ("grad_weight",), hidden=True),
        Aspect("one slope, below 0, for images", _GW, "negative", ("grad_weight",), hidden=True),
        Aspect("float32 input", _GW, "float32", ("grad_weight",), hidden=True, tolerance=SINGLE),
    ),
    misconceptions=tuple(prelu_mistakes.PRELU_BACKWARD),
    shortcuts=("prelu_backward", "prelu_kernel_backward", *AUTOGRAD),
)
