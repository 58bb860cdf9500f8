"""How students get `kaiming_uniform_` and `kaiming_normal_` wrong."""

from __future__ import annotations

import math

import torch
from torch import nn

from course.checks.collect import Mistakes
from course.checks.initialization.filling_steps import (
    add_ways_of_filling,
    add_ways_of_filling_normally,
    average,
    fans,
    normal,
    uniform,
)

KAIMING_UNIFORM, KAIMING_NORMAL = Mistakes(), Mistakes()


def _he_std(tensor, a, mode, nonlinearity):
    fan_in, fan_out = fans(tensor)
    return nn.init.calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)


_OTHER = {"fan_in": "fan_out", "fan_out": "fan_in"}
_TABLE = "your own table has no gain for this nonlinearity. nn.init.calculate_gain knows them all."
_TABLED = {"selu": "linear"}
"""Where a table lacks a gain, 1 is taken, which is that of a straight line."""


def _leaky_if(a, nonlinearity):
    return "leaky_relu" if a else nonlinearity


@KAIMING_UNIFORM.add("the bound is sqrt(3) times the standard deviation: gain * sqrt(3 / n).")
def std_as_bound(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return uniform(tensor, _he_std(tensor, a, mode, nonlinearity))


@KAIMING_UNIFORM.add("gain stands under the root. The bound is gain * sqrt(3 / n): only 3 / n is under it.")
def gain_under_the_root(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    gain = nn.init.calculate_gain(nonlinearity, a)
    return uniform(tensor, math.sqrt(3) * _he_std(tensor, a, mode, nonlinearity) / math.sqrt(gain))


@KAIMING_UNIFORM.add("a is ignored: for leaky_relu the gain is sqrt(2 / (1 + a**2)).")
def slope_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return uniform(tensor, math.sqrt(3) * _he_std(tensor, 0, mode, nonlinearity))


@KAIMING_UNIFORM.add("mode is ignored: with fan_out, n is the number of outputs.")
def mode_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return uniform(tensor, math.sqrt(3) * _he_std(tensor, a, "fan_in", nonlinearity))


@KAIMING_UNIFORM.add("fan_in and fan_out are exchanged: the shape of a weight is (out, in, ...).", "2.4")
def fans_exchanged(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return uniform(tensor, math.sqrt(3) * _he_std(tensor, a, _OTHER[mode], nonlinearity))


@KAIMING_UNIFORM.add("nonlinearity is ignored: each has its own gain, see nn.init.calculate_gain.")
def nonlinearity_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return uniform(tensor, math.sqrt(3) * _he_std(tensor, a, mode, "leaky_relu"))


@KAIMING_UNIFORM.add("a counts for leaky_relu only. The gain of another nonlinearity has no slope in it.")
def slope_for_all(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return uniform(tensor, math.sqrt(3) * _he_std(tensor, a, mode, _leaky_if(a, nonlinearity)))


@KAIMING_UNIFORM.add(_TABLE)
def gain_not_in_the_table(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return uniform(tensor, math.sqrt(3) * _he_std(tensor, a, mode, _TABLED.get(nonlinearity, nonlinearity)))


@KAIMING_UNIFORM.add("the root of n is missing: the bound is gain * sqrt(3 / n).")
def root_missing(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    gain = nn.init.calculate_gain(nonlinearity, a)
    return uniform(tensor, math.sqrt(3) * _he_std(tensor, a, mode, nonlinearity) ** 2 / gain)


@KAIMING_UNIFORM.add("the 2 is missing: relu throws half of the variance away, so gain**2 is 2 (for a = 0).")
def two_missing(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return uniform(tensor, math.sqrt(1.5) * _he_std(tensor, a, mode, nonlinearity))


@KAIMING_UNIFORM.add("a must be squared: the gain is sqrt(2 / (1 + a**2)).")
def slope_not_squared(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    gain = math.sqrt(2 / (1 + a)) if nonlinearity == "leaky_relu" else nn.init.calculate_gain(nonlinearity, a)
    return uniform(tensor, gain * math.sqrt(3) * _he_std(tensor, 0, mode, "linear"))


@KAIMING_UNIFORM.add("you draw from [0, b]. All weights positive: draw from [-b, b], with mean 0.")
def positive_only(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    with torch.no_grad():
        return tensor.uniform_(0, math.sqrt(3) * _he_std(tensor, a, mode, nonlinearity))


@KAIMING_UNIFORM.add("these are normal numbers of the right variance. Uniform ones end at the bound.")
def normal_instead(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return normal(tensor, _he_std(tensor, a, mode, nonlinearity))


@KAIMING_UNIFORM.add("the kernel of a convolution does not count in your fan: in * kH * kW.", "2.4")
def kernel_forgotten(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return uniform(
        tensor,
        math.sqrt(3)
        * _he_std(tensor.flatten(2)[..., 0:1] if tensor.dim() > 2 else tensor, a, mode, nonlinearity),
    )


@KAIMING_UNIFORM.add(
    "n is the mean of the fans, as in Xavier. He takes fan_in, or fan_out when mode says so."
)
def fan_avg_taken(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return uniform(tensor, math.sqrt(3 / average(tensor)) * nn.init.calculate_gain(nonlinearity, a))


add_ways_of_filling(
    KAIMING_UNIFORM,
    lambda t, a=0, mode="fan_in", nonlinearity="leaky_relu": uniform(
        t, math.sqrt(3) * _he_std(t, a, mode, nonlinearity)
    ),
)


@KAIMING_NORMAL.add("sqrt(3) belongs to the bound of the uniform kind. Here std = gain / sqrt(n).")
def bound_as_std(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return normal(tensor, math.sqrt(3) * _he_std(tensor, a, mode, nonlinearity))


@KAIMING_NORMAL.add("normal_ wants the standard deviation; you give it the variance. Take the root.")
def variance_as_std(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return normal(tensor, _he_std(tensor, a, mode, nonlinearity) ** 2)


@KAIMING_NORMAL.add("gain stands under the root. std = gain / sqrt(n): only n is under it.")
def gain_under_the_root(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    gain = nn.init.calculate_gain(nonlinearity, a)
    return normal(tensor, _he_std(tensor, a, mode, nonlinearity) / math.sqrt(gain))


@KAIMING_NORMAL.add("a is ignored: for leaky_relu the gain is sqrt(2 / (1 + a**2)).")
def slope_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return normal(tensor, _he_std(tensor, 0, mode, nonlinearity))


@KAIMING_NORMAL.add("mode is ignored: with fan_out, n is the number of outputs.")
def mode_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return normal(tensor, _he_std(tensor, a, "fan_in", nonlinearity))


@KAIMING_NORMAL.add("fan_in and fan_out are exchanged: the shape of a weight is (out, in, ...).", "2.4")
def fans_exchanged(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return normal(tensor, _he_std(tensor, a, _OTHER[mode], nonlinearity))


@KAIMING_NORMAL.add("nonlinearity is ignored: each has its own gain, see nn.init.calculate_gain.")
def nonlinearity_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return normal(tensor, _he_std(tensor, a, mode, "leaky_relu"))


@KAIMING_NORMAL.add("a counts for leaky_relu only. The gain of another nonlinearity has no slope in it.")
def slope_for_all(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return normal(tensor, _he_std(tensor, a, mode, _leaky_if(a, nonlinearity)))


@KAIMING_NORMAL.add(_TABLE)
def gain_not_in_the_table(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return normal(tensor, _he_std(tensor, a, mode, _TABLED.get(nonlinearity, nonlinearity)))


@KAIMING_NORMAL.add("the 2 is missing: relu throws half of the variance away, so gain**2 is 2 (for a = 0).")
def two_missing(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return normal(tensor, _he_std(tensor, a, mode, nonlinearity) / math.sqrt(2))


@KAIMING_NORMAL.add("these are uniform numbers of the right variance. Draw normal ones.")
def uniform_instead(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return uniform(tensor, math.sqrt(3) * _he_std(tensor, a, mode, nonlinearity))


@KAIMING_NORMAL.add("the kernel of a convolution does not count in your fan: in * kH * kW.", "2.4")
def kernel_forgotten(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    one = tensor.flatten(2)[..., 0:1] if tensor.dim() > 2 else tensor
    return normal(tensor, _he_std(one, a, mode, nonlinearity))


add_ways_of_filling_normally(
    KAIMING_NORMAL,
    lambda t, a=0, mode="fan_in", nonlinearity="leaky_relu": _he_std(t, a, mode, nonlinearity),
)
