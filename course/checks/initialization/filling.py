"""Exercises `xavier_*`, `kaiming_*`, `lecun_normal_` and `variance_scaling_`: what is drawn and looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from course.checks.collect import Mistakes
from course.checks.framework import Aspect, Exercise, Probe
from course.checks.initialization import kaiming_mistakes, scaling_mistakes, statistics, xavier_mistakes
from course.checks.probes.drawing import OTHER_SEED, SAME_SEED, FillProbe, RefusalProbe

DENSE, CONV, CONV1D = (30, 50), (8, 5, 3, 4), (8, 12, 5)
"""Fans 50 and 30, 60 and 96, 60 and 40: far enough apart for the tolerance of 4 %."""
SHAPES = {"conv": CONV, "conv1d": CONV1D, "odd": (30, 51)}
"""First word of a probe's name → its shape, if it is not DENSE. The mean of the odd fans is 40.5."""


def _probe(name: str, seed: int, options: Mapping[str, Any]) -> FillProbe:
    """A probe that draws enough numbers; its name says into what."""
    shape = SHAPES.get(name.partition(",")[0], DENSE)
    return FillProbe(
        shape,
        options,
        seed,
        draws=math.ceil(statistics.DRAWN / math.prod(shape)),
        dtype=torch.float32 if "float32" in name else torch.float64,
        strided="strided" in name,
        note=f"shape {shape}" + "".join(f", {key} = {value}" for key, value in options.items()),
    )


def place_probes(seed: int) -> dict[str, Probe]:
    """Probes of how a tensor is filled, for the aspects `PLACE`."""
    plain = "a plain tensor, under torch.no_grad()"
    return {
        "parameter": FillProbe((5, 7), seed=seed, parameter=True, note="an nn.Parameter"),
        "plain": FillProbe((5, 7), seed=seed, grad_enabled=False, note=plain),
    }


def filling_probes(variants: Mapping[str, Mapping[str, Any]]) -> Callable[[int], dict[str, Probe]]:
    """Probes of an initializer: name → options, and those that every initializer has."""
    named = {"dense": {}, "conv": {}, **variants, "conv1d": {}, "float32": {}, "strided": {}}

    def probes(seed: int) -> dict[str, Probe]:
        drawn: dict[str, Probe] = {
            name: _probe(name, 1000 * seed + place, options)
            for place, (name, options) in enumerate(named.items())
        }
        return {**drawn, **place_probes(seed)}

    return probes


# --- Aspects ------------------------------------------------------------------------------------------------

FILLED = ("filled",)
_D, _P = "distribution", "in-place"


def std(label: str, probe: str, hidden: bool = False) -> Aspect:
    """The standard deviation of all numbers that a probe draws."""
    return Aspect(label, _D, probe, FILLED, hidden, statistics.STD, measure=statistics.std)


def bound(label: str, probe: str, hidden: bool = False) -> Aspect:
    """The largest of the uniform numbers that a probe draws."""
    return Aspect(label, _D, probe, FILLED, hidden, statistics.LARGEST, measure=statistics.largest)


def shape(probe: str, hidden: bool = False, also: str = "") -> tuple[Aspect, ...]:
    """Mean and distribution of the numbers that a probe draws."""
    return (
        Aspect(f"mean 0{also}", _D, probe, FILLED, hidden, statistics.MEAN, measure=statistics.mean),
        Aspect(
            f"share within 1/2, 1, 3/2 standard deviations{also}",
            *(_D, probe, FILLED, hidden, statistics.SHARES),
            measure=statistics.shares,
        ),
    )


TAIL = Aspect(
    "share beyond 2.5 standard deviations",
    *(_D, "dense", FILLED, True, statistics.TAIL),
    measure=statistics.tail,
)
DISTINCT = Aspect(
    "every weight is drawn by itself",
    *(_D, "dense", FILLED, True, statistics.DISTINCT),
    measure=statistics.distinct,
)
OTHERS = (
    DISTINCT,
    std("one kernel axis (Conv1d)", "conv1d", hidden=True),
    std("a float32 tensor", "float32", hidden=True),
    std("a tensor that is not contiguous", "strided", hidden=True),
)

PLACE = (
    Aspect("returns the tensor that it was given", _P, "parameter", ("returned",)),
    Aspect("its memory and requires_grad stay", _P, "parameter", ("memory", "requires_grad")),
    Aspect("an nn.Parameter, and no graph is left", _P, "parameter", ("graph", "grad mode")),
    Aspect("the same seed gives the same numbers", _P, "parameter", (SAME_SEED,)),
    Aspect("another seed gives other numbers", _P, "parameter", (OTHER_SEED,)),
    Aspect("a plain tensor asks for no gradient", _P, "plain", ("requires_grad",), hidden=True),
    Aspect("gradients stay switched off", _P, "plain", ("grad mode",), hidden=True),
)
"""How a tensor is filled, whatever with."""


def _exercise(
    name: str,
    signature: str,
    oracle: Callable[..., Tensor],
    variants: Mapping[str, Mapping[str, Any]],
    aspects: tuple[Aspect, ...],
    misconceptions: Mistakes,
    shortcuts: tuple[str, ...] = (),
) -> Exercise:
    return Exercise(
        name=name,
        kind="function",
        signature=signature,
        section="2.5",
        oracle=oracle,
        probes=filling_probes(variants),
        aspects=(*aspects, *OTHERS, *PLACE),
        misconceptions=tuple(misconceptions),
        shortcuts=shortcuts or (name.rstrip("_"),),
    )


_GAIN = {"gain": {"gain": 2.5}}

XAVIER_UNIFORM = _exercise(
    "xavier_uniform_",
    "tensor, gain=1.0",
    nn.init.xavier_uniform_,
    _GAIN,
    (
        bound("largest |weight| of a linear layer: the bound", "dense"),
        std("standard deviation", "dense"),
        *shape("dense"),
        bound("largest |weight| of a convolution", "conv"),
        bound("gain as an argument", "gain"),
    ),
    xavier_mistakes.XAVIER_UNIFORM,
)

XAVIER_NORMAL = _exercise(
    "xavier_normal_",
    "tensor, gain=1.0",
    nn.init.xavier_normal_,
    _GAIN,
    (
        std("standard deviation, linear layer", "dense"),
        *shape("dense"),
        std("standard deviation, convolution", "conv"),
        std("gain as an argument", "gain"),
        TAIL,
    ),
    xavier_mistakes.XAVIER_NORMAL,
)

_HE = {
    "a": {"a": 0.5},
    "fan_out": {"mode": "fan_out"},
    "relu": {"a": 0.7, "nonlinearity": "relu"},
    "linear": {"nonlinearity": "linear"},
    "tanh": {"a": 0.7, "nonlinearity": "tanh"},
    "conv, fan_out": {"a": 2.0, "mode": "fan_out"},
    "selu": {"nonlinearity": "selu"},
}
_HE_SIGNATURE = 'tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"'

KAIMING_UNIFORM = _exercise(
    "kaiming_uniform_",
    _HE_SIGNATURE,
    nn.init.kaiming_uniform_,
    _HE,
    (
        bound("largest |weight| of a linear layer: the bound", "dense"),
        std("standard deviation", "dense"),
        *shape("dense"),
        bound("largest |weight| of a convolution", "conv"),
        bound("a as an argument", "a"),
        bound("mode fan_out", "fan_out"),
        bound("nonlinearity linear", "linear"),
        bound("nonlinearity relu, where a does not count", "relu", hidden=True),
        bound("nonlinearity tanh, where a does not count", "tanh", hidden=True),
        bound("nonlinearity selu", "selu", hidden=True),
        bound("a convolution with a and fan_out", "conv, fan_out", hidden=True),
    ),
    kaiming_mistakes.KAIMING_UNIFORM,
)

KAIMING_NORMAL = _exercise(
    "kaiming_normal_",
    _HE_SIGNATURE,
    nn.init.kaiming_normal_,
    _HE,
    (
        std("standard deviation, linear layer", "dense"),
        *shape("dense"),
        std("standard deviation, convolution", "conv"),
        std("a as an argument", "a"),
        std("mode fan_out", "fan_out"),
        std("nonlinearity linear", "linear"),
        std("nonlinearity relu, where a does not count", "relu", hidden=True),
        std("nonlinearity tanh, where a does not count", "tanh", hidden=True),
        std("nonlinearity selu", "selu", hidden=True),
        std("a convolution with a and fan_out", "conv, fan_out", hidden=True),
        TAIL,
    ),
    kaiming_mistakes.KAIMING_NORMAL,
)


def _lecun_oracle(tensor: Tensor) -> Tensor:
    """torch has none; a gain of 1 makes one of its Kaiming initializer."""
    return nn.init.kaiming_normal_(tensor, nonlinearity="linear")


LECUN_NORMAL = _exercise(
    "lecun_normal_",
    "tensor",
    _lecun_oracle,
    {},
    (
        std("standard deviation, linear layer", "dense"),
        *shape("dense"),
        std("standard deviation, convolution", "conv"),
        TAIL,
    ),
    scaling_mistakes.LECUN_NORMAL,
    shortcuts=("lecun_normal", "kaiming_normal"),
)


# --- variance_scaling_ --------------------------------------------------------------------------------------


def _scaling_oracle(
    tensor: Tensor, scale: float = 1.0, mode: str = "fan_in", distribution: str = "normal"
) -> Tensor:
    """torch has none; its own fans, `normal_` and `uniform_` make one."""
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(tensor)
    fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    if mode not in fans or distribution not in ("normal", "uniform"):
        raise ValueError(mode, distribution)
    std = math.sqrt(scale / fans[mode])
    if distribution == "normal":
        return nn.init.normal_(tensor, 0, std)
    return nn.init.uniform_(tensor, -math.sqrt(3) * std, math.sqrt(3) * std)


_SCALING = {
    "scale": {"scale": 2.5},
    "fan_out": {"mode": "fan_out"},
    "fan_avg": {"mode": "fan_avg"},
    "uniform": {"distribution": "uniform"},
    "all": {"scale": 0.3, "mode": "fan_avg", "distribution": "uniform"},
    "conv, all": {"scale": 2.0, "mode": "fan_avg", "distribution": "uniform"},
    "conv, fan_out": {"scale": 2.0, "mode": "fan_out"},
    "odd, all": {"mode": "fan_avg", "distribution": "uniform"},
}


def _scaling_probes(seed: int) -> dict[str, Probe]:
    return {
        **filling_probes(_SCALING)(seed),
        "mode": RefusalProbe((3, 4), {"mode": "fan_on"}, note='mode="fan_on"'),
        "short mode": RefusalProbe((3, 4), {"mode": "fan"}, note='mode="fan"'),
        "distribution": RefusalProbe((3, 4), {"distribution": "norm"}, note='distribution="norm"'),
        "bias": RefusalProbe((4,)),
    }


VARIANCE_SCALING = Exercise(
    name="variance_scaling_",
    kind="function",
    signature='tensor, scale=1.0, mode="fan_in", distribution="normal"',
    section="2.6",
    oracle=_scaling_oracle,
    probes=_scaling_probes,
    aspects=(
        std("standard deviation, linear layer", "dense"),
        *shape("dense"),
        std("scale as an argument", "scale"),
        std("mode fan_out", "fan_out"),
        std("mode fan_avg", "fan_avg"),
        bound("distribution uniform: the bound", "uniform"),
        *shape("uniform", also=", uniform"),
        bound("all three arguments", "all"),
        std("standard deviation, convolution", "conv"),
        bound("a convolution and all three arguments", "conv, all", hidden=True),
        std("a convolution and fan_out", "conv, fan_out", hidden=True),
        bound("fans with an odd sum, fan_avg", "odd, all", hidden=True),
        Aspect("ValueError for an unknown mode", _D, "mode", ("raises",)),
        Aspect("ValueError for a part of a mode's name", _D, "short mode", ("raises",), hidden=True),
        Aspect("ValueError for an unknown distribution", _D, "distribution", ("raises",)),
        Aspect("ValueError for a bias (1 dimension)", _D, "bias", ("raises",), hidden=True),
        TAIL,
        *OTHERS,
        *PLACE,
    ),
    misconceptions=tuple(scaling_mistakes.VARIANCE_SCALING),
    shortcuts=("variance_scaling",),
)
