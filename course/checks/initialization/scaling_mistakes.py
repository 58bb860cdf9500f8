"""How students get `lecun_normal_` and `variance_scaling_` wrong."""

from __future__ import annotations

import math

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

LECUN_NORMAL, VARIANCE_SCALING = Mistakes(), Mistakes()


@LECUN_NORMAL.add("the mean of the fans is Xavier's. LeCun's variance is 1 / fan_in.")
def fan_avg_taken(tensor):
    return normal(tensor, math.sqrt(1 / average(tensor)))


@LECUN_NORMAL.add("fan_out is the wrong side: LeCun's variance is 1 / fan_in, for the way forward.")
def fan_out_taken(tensor):
    return normal(tensor, math.sqrt(1 / fans(tensor)[1]))


@LECUN_NORMAL.add("2 / fan_in is He's variance, for relu. LeCun's is 1 / fan_in.")
def variance_of_he(tensor):
    return normal(tensor, math.sqrt(2 / fans(tensor)[0]))


@LECUN_NORMAL.add("normal_ wants the standard deviation; you give it the variance 1 / fan_in. Take the root.")
def variance_as_std(tensor):
    return normal(tensor, 1 / fans(tensor)[0])


@LECUN_NORMAL.add("the kernel of a convolution does not count in your fan_in: in * kH * kW.", "2.4")
def kernel_forgotten(tensor):
    return normal(tensor, math.sqrt(1 / tensor.shape[1]))


@LECUN_NORMAL.add("these are uniform numbers of the right variance. Draw normal ones.")
def uniform_instead(tensor):
    return uniform(tensor, math.sqrt(3 / fans(tensor)[0]))


@LECUN_NORMAL.add("the normal numbers are cut off at 2 standard deviations, as in Keras. Here they are not.")
def truncated(tensor):
    std = math.sqrt(1 / fans(tensor)[0]) / 0.8796  # after the cut it is right
    return nn.init.trunc_normal_(tensor, 0, std, -2 * std, 2 * std)


add_ways_of_filling_normally(LECUN_NORMAL, lambda t: math.sqrt(1 / fans(t)[0]))


# --- variance_scaling ---------------------------------------------------------------------------------------


def _n(tensor, mode):
    fan_in, fan_out = fans(tensor)
    choice = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    if mode not in choice:
        raise ValueError(f"unknown mode {mode}")
    return choice[mode]


def _scaled(tensor, variance, distribution):
    if tensor.dim() < 2:
        raise ValueError("no fans")
    if distribution == "normal":
        return normal(tensor, math.sqrt(variance))
    if distribution == "uniform":
        return uniform(tensor, math.sqrt(3 * variance))
    raise ValueError(f"unknown distribution {distribution}")


def _right(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    if tensor.dim() < 2:
        raise ValueError("no fans")
    return _scaled(tensor, scale / _n(tensor, mode), distribution)


@VARIANCE_SCALING.add("scale is ignored: the variance is scale / n.")
def scale_ignored(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    return _right(tensor, 1.0, mode, distribution)


@VARIANCE_SCALING.add(
    "scale multiplies the standard deviation, as gain does. It belongs to the variance: sqrt(scale / n)."
)
def scale_as_gain(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    return _right(tensor, scale**2, mode, distribution)


@VARIANCE_SCALING.add("mode is ignored: n is fan_in, fan_out or their mean.")
def mode_ignored(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    _n(tensor, mode) if tensor.dim() > 1 else None
    return _right(tensor, scale, "fan_in", distribution)


@VARIANCE_SCALING.add("fan_avg is the mean of fan_in and fan_out; you take their sum. Divide it by 2.")
def sum_for_mean(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    return _right(tensor, scale / 2 if mode == "fan_avg" else scale, mode, distribution)


@VARIANCE_SCALING.add("fan_avg is rounded down: divide with /, not with //. The mean of 3 and 4 is 3.5.")
def mean_rounded(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    if mode == "fan_avg" and tensor.dim() > 1:
        return _scaled(tensor, scale / int(average(tensor)), distribution)
    return _right(tensor, scale, mode, distribution)


@VARIANCE_SCALING.add("fan_avg is (fan_in + fan_out) / 2, not the root of their product.")
def geometric_mean(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    if mode == "fan_avg" and tensor.dim() > 1:
        return _scaled(tensor, scale / math.sqrt(math.prod(fans(tensor))), distribution)
    return _right(tensor, scale, mode, distribution)


@VARIANCE_SCALING.add("fan_in and fan_out are exchanged: the shape of a weight is (out, in, ...).", "2.4")
def fans_exchanged(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    other = {"fan_in": "fan_out", "fan_out": "fan_in"}
    return _right(tensor, scale, other.get(mode, mode), distribution)


@VARIANCE_SCALING.add(
    "uniform: U(-b, b) has the variance b**2 / 3, so the bound is sqrt(3 * scale / n). The 3 is missing."
)
def std_as_bound(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    return _right(tensor, scale / 3 if distribution == "uniform" else scale, mode, distribution)


@VARIANCE_SCALING.add(
    "uniform: sqrt(12 * scale / n) is the whole width, from -b to b. The bound b is half of it."
)
def width_as_bound(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    return _right(tensor, scale * 4 if distribution == "uniform" else scale, mode, distribution)


@VARIANCE_SCALING.add("uniform: the root is missing. The bound is sqrt(3 * scale / n).")
def root_of_bound_missing(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    if tensor.dim() < 2 or distribution != "uniform":
        return _right(tensor, scale, mode, distribution)
    return uniform(tensor, 3 * scale / _n(tensor, mode))


@VARIANCE_SCALING.add(
    "distribution is ignored: you draw normal numbers also where uniform ones are asked for."
)
def always_normal(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    return _right(tensor, scale, mode, "normal" if distribution == "uniform" else distribution)


@VARIANCE_SCALING.add(
    "normal: normal_ wants the standard deviation; you give it the variance scale / n. Take the root."
)
def variance_as_std(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    if tensor.dim() < 2 or distribution != "normal":
        return _right(tensor, scale, mode, distribution)
    return normal(tensor, scale / _n(tensor, mode))


@VARIANCE_SCALING.add(
    "the kernel of a convolution does not count in your fans: in * kH * kW and out * kH * kW.", "2.4"
)
def kernel_forgotten(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    return _right(tensor, scale * math.prod(tensor.shape[2:]), mode, distribution)


@VARIANCE_SCALING.add("an unknown mode is accepted. Raise a ValueError, or a misspelt mode goes unnoticed.")
def any_mode(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    return _right(tensor, scale, mode if mode in ("fan_in", "fan_out") else "fan_avg", distribution)


@VARIANCE_SCALING.add(
    "an unknown distribution is accepted. Raise a ValueError, or a misspelt name goes unnoticed."
)
def any_distribution(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    return _right(tensor, scale, mode, distribution if distribution == "normal" else "uniform")


@VARIANCE_SCALING.add(
    "an unknown mode fails with a KeyError or another error. Say what is wrong: raise a ValueError."
)
def key_error(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    if mode not in ("fan_in", "fan_out", "fan_avg"):
        raise KeyError(mode)
    return _right(tensor, scale, mode, distribution)


add_ways_of_filling(VARIANCE_SCALING, _right)
