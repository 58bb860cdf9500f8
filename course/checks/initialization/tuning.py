"""Exercise `lsuv_init`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course.checks.framework import SINGLE, Aspect, Draw, Exercise, Probe, Tolerance
from course.checks.initialization import statistics
from course.checks.initialization.tuning_mistakes import LSUV_INIT as MISTAKES
from course.checks.probes.drawing import TuneProbe
from course.checks.probes.networks import Network, Part, in_a_row
from course.initialization import lsuv_init


def _linear(inputs: int, outputs: int, **options: Any) -> Part:
    return Part("Linear", (inputs, outputs), options)


def _conv(inputs: int, outputs: int, **options: Any) -> Part:
    return Part("Conv2d", (inputs, outputs, 3), options)


RELU, TANH, SIGMOID = Part("ReLU"), Part("Tanh"), Part("Sigmoid")
IN_PLACE = Part("ReLU", (True,))
DENSE = in_a_row(_linear(6, 12), RELU, _linear(12, 8), TANH, _linear(8, 3))
CONV = in_a_row(_conv(2, 4), RELU, _conv(4, 6, stride=2, bias=False), RELU, Part("Flatten"), _linear(54, 5))
NESTED = in_a_row(
    in_a_row(_linear(6, 9), TANH), in_a_row(in_a_row(_linear(9, 9, bias=False), TANH), _linear(9, 4))
)
DROPOUT = in_a_row(_linear(6, 12), RELU, Part("Dropout", (0.5,)), _linear(12, 8), RELU, _linear(8, 3))
OVERWRITING = in_a_row(_linear(6, 12), IN_PLACE, _linear(12, 3))
AWAKE = in_a_row(_linear(6, 12), SIGMOID, _linear(12, 16), TANH, _linear(16, 3))
"""On zeros only its first output is constant: sigmoid(0) is 1/2."""


def _probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def batch(draw: Draw = draw) -> Tensor:
        """Inputs that are neither centred nor of variance 1."""
        return draw.normal(40, 6, mean=2.0, std=3.0)

    def probe(network: Network, x: Tensor, **options: Any) -> Probe:
        return TuneProbe(network, x, seed=seed, **options)

    return {
        "dense": probe(DENSE, batch()),
        "conv": probe(CONV, draw.normal(25, 2, 9, 9, mean=1.0, std=0.2)),
        "dropout": probe(DROPOUT, batch(), note="a model with dropout, in training mode"),
        "evaluation": probe(DROPOUT, batch(), training=False, note="in evaluation mode"),
        "nested": probe(NESTED, batch()),
        "zeros": probe(AWAKE, torch.zeros(40, 6, dtype=torch.float64), note="a batch of zeros"),
        "float32": probe(DENSE, 0.01 * batch(single), dtype=torch.float32, note="inputs near 0.03"),
        "in place": probe(OVERWRITING, batch(), note="nn.ReLU(inplace=True)"),
        "mixed": probe(
            DROPOUT,
            batch(),
            evaluating=("2",),
            frozen=("3.weight",),
            grad_enabled=False,
            note="called under torch.no_grad(), with a dropout in evaluation mode and a frozen weight",
        ),
    }


VARIANCE = Tolerance(
    0.02, 0.0, "n and n - 1 differ by 1 % in the smallest output here; a mistake is off by more than 5 %"
)
ORTHOGONAL = Tolerance(1e-4, 1e-4, "orthogonality is exact; drawn in float32 it holds to 1e-6")
_V, _W, _M = "variance", "weights", "model"


def _directions(label: str, probe: str, layers: tuple[int, ...], hidden: bool = False) -> Aspect:
    keys = tuple(f"weight of layer {index}" for index in layers)
    return Aspect(label, _W, probe, keys, hidden, ORTHOGONAL, measure=statistics.directions)


UNSCALED = Aspect(
    "a layer whose output does not vary",
    *(_W, "zeros", ("weight of layer 0",), False, ORTHOGONAL),
    measure=statistics.unscaled,
)


LSUV_INIT = Exercise(
    name="lsuv_init",
    kind="function",
    signature="model, x",
    section="2.8",
    oracle=lsuv_init,
    probes=_probes,
    aspects=(
        Aspect("variance 1 after the first layer", _V, "dense", ("variance of layer 0",), tolerance=VARIANCE),
        Aspect("variance 1 after every layer", _V, "dense", ("variance",), tolerance=VARIANCE),
        Aspect("a convolutional network", _V, "conv", ("variance",), tolerance=VARIANCE),
        Aspect("dropout is off while measuring", _V, "dropout", ("variance",), tolerance=VARIANCE),
        Aspect(
            "an activation that works in place",
            *(_V, "in place", ("variance of layer 0",), False, VARIANCE),
        ),
        Aspect("a network of networks", _V, "nested", ("variance",), hidden=True, tolerance=VARIANCE),
        Aspect("float32, small inputs", _V, "float32", ("variance",), hidden=True, tolerance=VARIANCE),
        Aspect(
            "the layer behind one whose output does not vary",
            *(_V, "zeros", ("variance of layer 1",), True, VARIANCE),
        ),
        Aspect("in evaluation mode", _V, "evaluation", ("variance",), hidden=True, tolerance=VARIANCE),
        _directions("weights orthogonal, up to a factor", "dense", (0, 1, 2)),
        _directions("weights of convolutions, too", "conv", (0, 1, 2)),
        Aspect("biases 0", _W, "dense", ("bias",)),
        UNSCALED,
        Aspect("biases 0 in a convolutional network", _W, "conv", ("bias",), hidden=True),
        _directions("a network of networks ", "nested", (0, 1, 2), hidden=True),
        Aspect("returns the model that it was given", _M, "dense", ("returned",)),
        Aspect("its parameters are the same objects, and learn", _M, "dense", ("parameters",)),
        Aspect("training mode stays on", _M, "dropout", ("mode",)),
        Aspect("evaluation mode stays on", _M, "evaluation", ("mode",), hidden=True),
        Aspect("each module has its own mode again", _M, "mixed", ("mode",), hidden=True),
        Aspect("a frozen weight stays frozen", _M, "mixed", ("parameters",), hidden=True),
        Aspect("gradients stay switched off", _M, "mixed", ("grad mode",), hidden=True),
        Aspect("the seed is left to the caller", _M, "dense", ("seed",), hidden=True),
        Aspect("no hooks, no gradients are left", _M, "dense", ("traces", "grad mode")),
        Aspect("x left as it was", _M, "dense", ("input",), hidden=True, tolerance=SINGLE),
    ),
    misconceptions=tuple(MISTAKES),
    shortcuts=("lsuv",),
)
