"""What the exercises of this lesson have in common: what they draw, look at and do not accept.

Inputs where floating point is hard: a variance of 1e-6 (where eps sits) and mean 3000 in float32 (where
mean(x^2) - mean^2 loses all its digits).
"""

from __future__ import annotations

import dataclasses

from torch import Tensor

from course.checks.framework import SINGLE, SINGLE_LARGE_MEAN, Aspect, CallProbe, Draw, Forward

NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm")
"""Parts of operator and class names that do the whole work; after a reshape any one serves for another."""

PARAMETERS = ("weight", "bias")
TINY = "variance about 1e-6, eps = 1e-5"


def affine(draw: Draw, *shape: int) -> dict[str, Tensor]:
    """Weight and bias of this shape that are neither 0 nor 1; every second weight is negative."""
    size = draw.uniform(*shape, low=0.5, high=2.0)
    size.view(-1)[1::2] *= -1
    return {"weight": size, "bias": draw.normal(*shape)}


def batch(draw: Draw, name: str, *shape: int, **options: bool) -> Forward:
    """A step with random features (N, C, ...) and a random gradient."""
    return Forward(name, draw.features(*shape), draw.normal(*shape), **options)


def tiny_batch(draw: Draw, *shape: int) -> Forward:
    """A step with a variance of about 1e-6, smaller than eps."""
    return Forward("batch", draw.normal(*shape, std=1e-3), draw.normal(*shape))


def far_batch(single: Draw, *shape: int) -> Forward:
    """A step with mean 3000 in float32."""
    return Forward("batch", single.normal(*shape, mean=3000.0))


def strided(x: Tensor) -> Tensor:
    """The same numbers, with the last two axes in the other order in memory."""
    return x.mT.contiguous().mT


def without_grad(probe: CallProbe) -> CallProbe:
    """The same probe with inputs that ask for no gradient, as those of a function often do in use."""
    return dataclasses.replace(probe, grad_output=None)


# --- Aspects of every layer: the probes have these names in all four ----------------------------------------

NAMES_AND_VALUES = (
    Aspect(
        "parameters and buffers, by torch's names", "interface", "new", ("new: parameters", "new: buffers")
    ),
    Aspect("their shapes and first values", "interface", "new", ("new: ",)),
)

SMALL_VARIANCE = Aspect(
    "small variance, where eps counts", "forward", "tiny variance", ("output", "gradient")
)

HARD_INPUTS = (
    Aspect("eps as an argument", "forward", "eps", ("output",), hidden=True),
    Aspect("float32 input", "forward", "float32", ("output",), hidden=True, tolerance=SINGLE),
    Aspect(
        "mean 3000 in float32", "forward", "large mean", ("output",), hidden=True, tolerance=SINGLE_LARGE_MEAN
    ),
    Aspect("input that is not contiguous", "forward", "strided", ("output",), hidden=True),
)
