"""Exercises `batch_norm_train`, `batch_norm_backward`, `batch_norm_eval`: what is drawn and looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course.checks.batch_norm.backward_mistakes import BATCH_NORM_BACKWARD as BACKWARD_MISTAKES
from course.checks.batch_norm.common import NORMS, TINY, affine, strided, without_grad
from course.checks.batch_norm.eval_mistakes import BATCH_NORM_EVAL as EVAL_MISTAKES
from course.checks.batch_norm.train_mistakes import BATCH_NORM_TRAIN as TRAIN_MISTAKES
from course.checks.framework import (
    SINGLE,
    SINGLE_LARGE_MEAN,
    Aspect,
    CallProbe,
    Draw,
    Exercise,
    Probe,
    Tolerance,
)

C = 4
GRADIENTS = ("gradient of x", "gradient of weight", "gradient of bias")


# --- batch_norm_train ---------------------------------------------------------------------------------------


def _train_oracle(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    var, mean = torch.var_mean(x, dim=0, correction=0)
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps), mean, var


def _train_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(x: Tensor, draw: Draw = draw, note: str = "", **options: Any) -> CallProbe:
        inputs = {"x": x, **affine(draw, C)}
        return CallProbe(inputs, ("y", "mean", "var"), options, grad_output=draw.normal(*x.shape), note=note)

    return {
        "batch": probe(draw.features(3, C), note="3 examples"),
        "square": probe(draw.features(C, C)),
        "two examples": probe(draw.features(2, C)),
        "tiny variance": probe(draw.normal(5, C, std=1e-3), note=TINY),
        "eps": probe(draw.features(3, C), eps=0.5),
        "float32": probe(single.features(6, C), single),
        "large mean": probe(single.normal(16, C, mean=3000.0), single),
        "strided": without_grad(probe(strided(draw.features(3, C)))),
    }


BATCH_NORM_TRAIN = Exercise(
    name="batch_norm_train",
    kind="function",
    signature="x, weight, bias, eps=1e-5",
    section="3.3",
    oracle=_train_oracle,
    probes=_train_probes,
    aspects=(
        Aspect("y", "forward", "batch", ("y",)),
        Aspect("mean", "forward", "batch", ("mean",)),
        Aspect("var", "forward", "batch", ("var",)),
        Aspect("small variance, where eps counts", "forward", "tiny variance", ("y", "var")),
        Aspect("inputs left as they were", "forward", "batch", ("input",)),
        Aspect("a batch of two", "forward", "two examples", ("y", "var"), hidden=True),
        Aspect("as many examples as features", "forward", "square", ("y", "mean", "var"), hidden=True),
        Aspect("eps as an argument", "forward", "eps", ("y", "var"), hidden=True),
        Aspect("float32 input", "forward", "float32", ("y", "mean", "var"), hidden=True, tolerance=SINGLE),
        Aspect(
            "mean 3000 in float32",
            "forward",
            "large mean",
            ("y", "var"),
            hidden=True,
            tolerance=SINGLE_LARGE_MEAN,
        ),
        Aspect("input that is not contiguous", "forward", "strided", ("y",), hidden=True),
        Aspect("gradient of x", "gradients", "batch", ("gradient of x",)),
        Aspect(
            "gradients of weight and bias", "gradients", "batch", ("gradient of weight", "gradient of bias")
        ),
        Aspect("gradients at a small variance", "gradients", "tiny variance", ("gradient",), hidden=True),
        Aspect("gradients of a batch of two", "gradients", "two examples", ("gradient",), hidden=True),
    ),
    misconceptions=tuple(TRAIN_MISTAKES),
    shortcuts=NORMS,
)


# --- batch_norm_backward ------------------------------------------------------------------------------------


def _backward_oracle(
    grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    """What autograd would call: the operator itself works in inference mode too."""
    var, mean = torch.var_mean(x, dim=0, correction=0)
    return torch.ops.aten.native_batch_norm_backward(
        grad_output, x, weight, None, None, mean, torch.rsqrt(var + eps), True, eps, [True, True, True]
    )


def _backward_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(x: Tensor, draw: Draw = draw, note: str = "", **options: Any) -> Probe:
        grad_output = 1 + draw.normal(*x.shape)  # its mean must not be near 0, or one term would hide
        inputs = {"grad_output": grad_output, "x": x, "weight": affine(draw, C)["weight"]}
        returns = ("grad_x", "grad_weight", "grad_bias")
        return CallProbe(inputs, returns, options, autograd=False, note=note)

    # No step of a difference quotient suits all of these: the numbers must come from the formula.
    sizes = torch.tensor([1e-7, 1e-2, 10.0, 1e6], dtype=torch.float64)
    return {
        "batch": probe(draw.features(3, C), note="3 examples"),
        "square": probe(draw.features(C, C)),
        "two examples": probe(draw.features(2, C)),
        "large batch": probe(draw.features(50, C)),
        "tiny variance": probe(draw.normal(5, C, std=1e-3), note=TINY),
        "eps": probe(sizes * draw.features(3, C), eps=1e-14),
        "float32": probe(single.features(6, C), single),
        "large mean": probe(single.normal(16, C, mean=3000.0), single),
        "strided": probe(strided(draw.features(3, C))),
    }


RELATIVE = Tolerance(1e-5, 0.0, "as DOUBLE, for gradients from 1e-6 to 1e7 side by side")
ALL_GRADIENTS = ("grad_x", "grad_weight", "grad_bias")
_GX, _GWB = "grad-x", "grad-weight-bias"

BATCH_NORM_BACKWARD = Exercise(
    name="batch_norm_backward",
    kind="function",
    signature="grad_output, x, weight, eps=1e-5",
    section="3.4",
    oracle=_backward_oracle,
    probes=_backward_probes,
    aspects=(
        Aspect("grad_x", _GX, "batch", ("grad_x",)),
        Aspect("grad_x at a small variance, where eps counts", _GX, "tiny variance", ("grad_x",)),
        Aspect("inputs left as they were", _GX, "batch", ("input",)),
        Aspect("grad_x of a batch of two", _GX, "two examples", ("grad_x",), hidden=True),
        Aspect("grad_x of a batch of fifty", _GX, "large batch", ("grad_x",), hidden=True),
        Aspect("grad_x of as many examples as features", _GX, "square", ("grad_x",), hidden=True),
        Aspect("eps as an argument", _GX, "eps", ("grad_x",), hidden=True, tolerance=RELATIVE),
        Aspect("float32 input", _GX, "float32", ("grad_x",), hidden=True, tolerance=SINGLE),
        Aspect(
            "mean 3000 in float32", _GX, "large mean", ("grad_x",), hidden=True, tolerance=SINGLE_LARGE_MEAN
        ),
        Aspect("input that is not contiguous", _GX, "strided", ("grad_x",), hidden=True),
        Aspect("grad_weight", _GWB, "batch", ("grad_weight",)),
        Aspect("grad_bias", _GWB, "batch", ("grad_bias",)),
        Aspect("grad_weight at a small variance", _GWB, "tiny variance", ("grad_weight",), hidden=True),
        Aspect("both, of as many examples as features", _GWB, "square", ALL_GRADIENTS[1:], hidden=True),
        Aspect("both, with eps as an argument", _GWB, "eps", ALL_GRADIENTS[1:], hidden=True),
        Aspect("both, in float32", _GWB, "float32", ALL_GRADIENTS[1:], hidden=True, tolerance=SINGLE),
    ),
    misconceptions=tuple(BACKWARD_MISTAKES),
    shortcuts=(*NORMS, "autograd"),
)


# --- batch_norm_eval ----------------------------------------------------------------------------------------


def _eval_oracle(
    x: Tensor, running_mean: Tensor, running_var: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5
) -> Tensor:
    # torch refuses running statistics that ask for a gradient, as every input of a probe does.
    return F.batch_norm(x, running_mean.detach(), running_var.detach(), weight, bias, eps=eps)


def _eval_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(x: Tensor, draw: Draw = draw, low: float = 0.5, note: str = "", **options: Any) -> CallProbe:
        statistics = {"running_mean": draw.normal(C), "running_var": draw.uniform(C, low=low, high=6 * low)}
        inputs = {"x": x, **statistics, **affine(draw, C)}
        return CallProbe(inputs, ("y",), options, grad_output=draw.normal(*x.shape), note=note)

    return {
        "batch": probe(draw.features(3, C)),
        "one example": probe(draw.features(1, C)),
        "square": probe(draw.features(C, C)),
        "tiny variance": probe(draw.normal(5, C), low=1e-6, note="running_var about 1e-6, eps = 1e-5"),
        "eps": probe(draw.features(3, C), eps=0.5),
        "float32": probe(single.features(6, C), single),
        "strided": without_grad(probe(strided(draw.features(3, C)))),
    }


BATCH_NORM_EVAL = Exercise(
    name="batch_norm_eval",
    kind="function",
    signature="x, running_mean, running_var, weight, bias, eps=1e-5",
    section="3.5",
    oracle=_eval_oracle,
    probes=_eval_probes,
    aspects=(
        Aspect("y", "forward", "batch", ("y",)),
        Aspect("y of a single example", "forward", "one example", ("y",)),
        Aspect("small running_var, where eps counts", "forward", "tiny variance", ("y",)),
        Aspect("gradients of x, weight, bias", "forward", "batch", GRADIENTS),
        Aspect("inputs left as they were", "forward", "batch", ("input",)),
        Aspect("as many examples as features", "forward", "square", ("y",), hidden=True),
        Aspect("eps as an argument", "forward", "eps", ("y",), hidden=True),
        Aspect("float32 input", "forward", "float32", ("y",), hidden=True, tolerance=SINGLE),
        Aspect("input that is not contiguous", "forward", "strided", ("y",), hidden=True),
    ),
    misconceptions=tuple(EVAL_MISTAKES),
    shortcuts=NORMS,
)
