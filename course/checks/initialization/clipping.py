"""Exercises `clip_grad_norm_` and `clip_grad_value_`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course.checks.framework import SINGLE, Aspect, Draw, Exercise, Probe
from course.checks.initialization import clipping_mistakes as mistakes
from course.checks.probes.drawing import ClipProbe


def _gradients(draw: Draw) -> tuple[Tensor, ...]:
    """Of three parameters, of very different sizes; their total norm is between 8 and 30."""
    return (draw.normal(3, 4, std=3.0) + 1, draw.normal(4), draw.normal(2, 2, 2, std=0.1))


def _norm_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(*gradients: Tensor | None, limit: float = 2.0, **options: Any) -> Probe:
        return ClipProbe(gradients, limit, **options)

    three = _gradients(draw)
    zeros = torch.zeros(3, dtype=torch.float64)
    return {
        "above": probe(*three, note="3 parameters, max_norm = 2"),
        "below": probe(*_gradients(draw), limit=500.0, note="max_norm = 500, above the norm"),
        "some": probe(None, *_gradients(draw), None, note="2 of 5 parameters have no gradient"),
        "none": probe(None, None, dtype=torch.float32, note="no parameter has a gradient"),
        "generator": probe(*_gradients(draw), given_as="generator", note="as from model.parameters()"),
        "tensor": probe(three[0], given_as="tensor", note="one tensor instead of a list"),
        "max": probe(*_gradients(draw), options={"norm_type": float("inf")}, note='norm_type = float("inf")'),
        "p = 1": probe(*_gradients(draw), options={"norm_type": 1.0}, note="norm_type = 1"),
        "p = 3": probe(*_gradients(draw), options={"norm_type": 3.0}, note="norm_type = 3"),
        "zeros": probe(zeros, zeros, note="all gradients are 0"),
        "small": probe(1e-4 * three[0], three[1] * 1e-4, limit=1e-5),
        "float32": probe(*_gradients(single), dtype=torch.float32),
        "filter": probe(*_gradients(draw), given_as="filter", note="a filter(...) over the parameters"),
        "strided": probe(draw.normal(4, 3, std=3.0).T, note="a gradient that is not contiguous"),
    }


GRADIENTS = ("gradient",)
_C, _N = "clipping", "norm"

CLIP_GRAD_NORM = Exercise(
    name="clip_grad_norm_",
    kind="function",
    signature="parameters, max_norm, norm_type=2.0",
    section="2.9",
    oracle=nn.utils.clip_grad_norm_,
    probes=_norm_probes,
    aspects=(
        Aspect("one factor for all gradients", _C, "above", GRADIENTS),
        Aspect("nothing changes below max_norm", _C, "below", GRADIENTS),
        Aspect("changed in place", _C, "above", ("in place",)),
        Aspect("parameters left as they were", _C, "above", ("parameter", "grad mode")),
        Aspect("parameters without a gradient", _C, "some", GRADIENTS),
        Aspect("parameters from a generator", _C, "generator", GRADIENTS),
        Aspect("a single tensor", _C, "tensor", GRADIENTS, hidden=True),
        Aspect("norm_type inf", _C, "max", GRADIENTS, hidden=True),
        Aspect("norm_type 3", _C, "p = 3", GRADIENTS, hidden=True),
        Aspect("gradients that are all 0", _C, "zeros", GRADIENTS, hidden=True),
        Aspect("small gradients, and a smaller max_norm", _C, "small", GRADIENTS, hidden=True),
        Aspect("parameters from filter(...)", _C, "filter", GRADIENTS, hidden=True),
        Aspect("a gradient that is not contiguous", _C, "strided", GRADIENTS, hidden=True),
        Aspect("float32 gradients", _C, "float32", GRADIENTS, hidden=True, tolerance=SINGLE),
        Aspect("returns the norm before clipping", _N, "above", ("total_norm",)),
        Aspect("the norm below max_norm", _N, "below", ("total_norm",)),
        Aspect("norm_type as an argument", _N, "p = 1", ("total_norm",)),
        Aspect("norm_type inf ", _N, "max", ("total_norm",)),
        Aspect("without any gradient", _N, "none", ("total_norm", "returned")),
        Aspect("parameters without a gradient ", _N, "some", ("total_norm",), hidden=True),
        Aspect("norm_type 3 ", _N, "p = 3", ("total_norm",), hidden=True),
        Aspect("a single tensor ", _N, "tensor", ("total_norm",), hidden=True),
        Aspect("float32 gradients ", _N, "float32", ("total_norm",), hidden=True, tolerance=SINGLE),
    ),
    misconceptions=tuple(mistakes.CLIP_GRAD_NORM),
    shortcuts=("clip_grad_norm", "clip_grads_with_norm"),
)


def _value_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(*gradients: Tensor | None, **options: Any) -> Probe:
        return ClipProbe(gradients, 0.5, returns="", **options)

    return {
        "list": probe(*_gradients(draw), note="clip_value = 0.5"),
        "some": probe(None, *_gradients(draw), None, note="2 of 5 parameters have no gradient"),
        "generator": probe(*_gradients(draw), given_as="generator", note="as from model.parameters()"),
        "tensor": probe(_gradients(draw)[0], given_as="tensor", note="one tensor instead of a list"),
        "float32": probe(*_gradients(single), dtype=torch.float32),
        "filter": probe(*_gradients(draw), given_as="filter", note="a filter(...) over the parameters"),
        "strided": probe(draw.normal(4, 3).T, note="a gradient that is not contiguous"),
    }


CLIP_GRAD_VALUE = Exercise(
    name="clip_grad_value_",
    kind="function",
    signature="parameters, clip_value",
    section="2.9",
    oracle=nn.utils.clip_grad_value_,
    probes=_value_probes,
    aspects=(
        Aspect("every entry between -clip_value and clip_value", _C, "list", GRADIENTS),
        Aspect("changed in place", _C, "list", ("in place",)),
        Aspect("parameters left as they were", _C, "list", ("parameter", "grad mode")),
        Aspect("returns nothing", _C, "list", ("returned",)),
        Aspect("parameters without a gradient", _C, "some", GRADIENTS),
        Aspect("parameters from a generator", _C, "generator", GRADIENTS),
        Aspect("a single tensor", _C, "tensor", GRADIENTS, hidden=True),
        Aspect("float32 gradients", _C, "float32", GRADIENTS, hidden=True, tolerance=SINGLE),
        Aspect("parameters from filter(...)", _C, "filter", GRADIENTS, hidden=True),
        Aspect("a gradient that is not contiguous", _C, "strided", GRADIENTS, hidden=True),
    ),
    misconceptions=tuple(mistakes.CLIP_GRAD_VALUE),
    shortcuts=("clip_grad_value",),
)
