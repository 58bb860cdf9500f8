"""Exercise `fuse_linear_bn`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch

from course.batch_norm import fuse_linear_bn
from course.checks.batch_norm.common import affine as weight_and_bias
from course.checks.batch_norm.fusing_mistakes import FUSE_LINEAR_BN as MISTAKES
from course.checks.framework import SINGLE, Aspect, CallProbe, Draw, Exercise, LayerSpec, Probe

OUT = 4


def _probe(
    draw: Draw,
    inputs: int = 3,
    *,
    bias: bool = True,
    affine: bool = True,
    eps: float = 1e-5,
    low: float = 0.5,
    training: bool = False,
) -> Probe:
    """A linear layer, a batch norm with a history, and an input for the layer that replaces both."""
    linear = {"weight": draw.normal(OUT, inputs), "bias": draw.normal(OUT)}
    norm = {
        "running_mean": draw.normal(OUT),
        "running_var": draw.uniform(OUT, low=low, high=6 * low),
        **weight_and_bias(draw, OUT),
    }
    if not bias:
        del linear["bias"]
    if not affine:
        del norm["weight"], norm["bias"]
    arguments: dict[str, Any] = {"in_features": inputs, "out_features": OUT, "bias": bias}
    return CallProbe(
        {
            "linear": LayerSpec("Linear", arguments, linear),
            "bn": LayerSpec(
                "BatchNorm1d", {"num_features": OUT, "affine": affine, "eps": eps}, norm, training
            ),
        },
        ("layer",),
        then=draw.normal(5, inputs),
    )


def _probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)
    return {
        "layers": _probe(draw),
        "square": _probe(draw, inputs=OUT),
        "no bias": _probe(draw, bias=False),
        "no affine": _probe(draw, affine=False),
        "tiny variance": _probe(draw, low=1e-6),
        "eps": _probe(draw, eps=0.5),
        "float32": _probe(Draw(seed, torch.float32)),
        "training mode": _probe(draw, training=True),
    }


FUSE_LINEAR_BN = Exercise(
    name="fuse_linear_bn",
    kind="function",
    signature="linear, bn",
    section="3.9",
    oracle=fuse_linear_bn,
    probes=_probes,
    aspects=(
        Aspect("output equals bn(linear(x))", "output", "layers", ("output of the layer",)),
        Aspect("as many inputs as outputs", "output", "square", ("output of the layer",)),
        Aspect("a linear layer without bias", "output", "no bias", ("output of the layer",)),
        Aspect("small running_var, where eps counts", "output", "tiny variance", ("output of the layer",)),
        Aspect(
            "a batch norm with affine=False", "output", "no affine", ("output of the layer",), hidden=True
        ),
        Aspect(
            "a batch norm in training mode", "output", "training mode", ("output of the layer",), hidden=True
        ),
        Aspect("a batch norm with another eps", "output", "eps", ("output of the layer",), hidden=True),
        Aspect(
            "float32 layers", "output", "float32", ("output of the layer",), hidden=True, tolerance=SINGLE
        ),
        Aspect(
            "weight and bias do all of it", "output", "no bias", ("weight of the", "bias of the"), hidden=True
        ),
        Aspect("one nn.Linear, and a new one", "interface", "layers", ("is a",)),
        Aspect(
            "its parameters and sizes",
            "interface",
            "no bias",
            ("parameters of the layer", "sizes of the layer"),
        ),
        Aspect("linear and bn left as they were", "interface", "layers", ("input",)),
        Aspect("a bn in training mode left as it was", "interface", "training mode", ("input",), hidden=True),
    ),
    misconceptions=tuple(MISTAKES),
    shortcuts=("fuse_linear_bn",),
)
