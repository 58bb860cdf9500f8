"""How students get `xavier_uniform_` and `xavier_normal_` wrong."""

from __future__ import annotations

import math

import torch

from course.checks.collect import Mistakes
from course.checks.initialization.filling_steps import (
    add_ways_of_filling,
    add_ways_of_filling_normally,
    average,
    fans,
    normal,
    uniform,
)

XAVIER_UNIFORM, XAVIER_NORMAL = Mistakes(), Mistakes()


@XAVIER_UNIFORM.add(
    "gain * sqrt(2 / (fan_in + fan_out)) is the standard deviation. The bound is sqrt(3) times that."
)
def std_as_bound(tensor, gain=1.0):
    return uniform(tensor, gain * math.sqrt(1 / average(tensor)))


@XAVIER_UNIFORM.add("you draw from [0, b]. All weights positive: draw from [-b, b], with mean 0.")
def positive_only(tensor, gain=1.0):
    with torch.no_grad():
        return tensor.uniform_(0, gain * math.sqrt(3 / average(tensor)))


@XAVIER_UNIFORM.add("tensor.uniform_(b) draws from [b, 1]. Give both ends: tensor.uniform_(-b, b).")
def upper_end_left_at_one(tensor, gain=1.0):
    with torch.no_grad():
        return tensor.uniform_(gain * math.sqrt(3 / average(tensor)))


@XAVIER_UNIFORM.add(
    "the bound is sqrt(6 / (fan_in + fan_out)); yours has the 3 that belongs to the mean of the fans."
)
def sum_taken_for_mean(tensor, gain=1.0):
    return uniform(tensor, gain * math.sqrt(3 / sum(fans(tensor))))


@XAVIER_UNIFORM.add("only fan_in counts. Xavier is the compromise of both: sqrt(6 / (fan_in + fan_out)).")
def fan_in_only(tensor, gain=1.0):
    return uniform(tensor, gain * math.sqrt(3 / fans(tensor)[0]))


@XAVIER_UNIFORM.add("gain is ignored. It multiplies the bound.")
def gain_ignored(tensor, gain=1.0):
    return uniform(tensor, math.sqrt(3 / average(tensor)))


@XAVIER_UNIFORM.add(
    "gain stands under the root. It multiplies the bound: gain * sqrt(6 / (fan_in + fan_out))."
)
def gain_under_the_root(tensor, gain=1.0):
    return uniform(tensor, math.sqrt(3 * gain / average(tensor)))


@XAVIER_UNIFORM.add(
    "the kernel of a convolution does not count in your fans: in * kH * kW and out * kH * kW.", "2.4"
)
def kernel_forgotten(tensor, gain=1.0):
    return uniform(tensor, gain * math.sqrt(6 / (tensor.shape[0] + tensor.shape[1])))


@XAVIER_UNIFORM.add("these are normal numbers of the right variance. Uniform ones end at the bound.")
def normal_instead(tensor, gain=1.0):
    return normal(tensor, gain * math.sqrt(1 / average(tensor)))


@XAVIER_UNIFORM.add("the root is missing: b = gain * sqrt(6 / (fan_in + fan_out)).")
def root_missing(tensor, gain=1.0):
    return uniform(tensor, gain * 3 / average(tensor))


add_ways_of_filling(XAVIER_UNIFORM, lambda t, gain=1.0: uniform(t, gain * math.sqrt(3 / average(t))))


@XAVIER_NORMAL.add(
    "sqrt(6 / (fan_in + fan_out)) is the bound of the uniform kind. Here std = sqrt(2 / (fan_in + fan_out))."
)
def bound_as_std(tensor, gain=1.0):
    return normal(tensor, gain * math.sqrt(3 / average(tensor)))


@XAVIER_NORMAL.add("normal_ wants the standard deviation; you give it the variance. Take the root.")
def variance_as_std(tensor, gain=1.0):
    return normal(tensor, gain**2 / average(tensor))


@XAVIER_NORMAL.add("only fan_in counts. Xavier is the compromise of both: sqrt(2 / (fan_in + fan_out)).")
def fan_in_only(tensor, gain=1.0):
    return normal(tensor, gain * math.sqrt(1 / fans(tensor)[0]))


@XAVIER_NORMAL.add("the 2 is missing: 2 / (fan_in + fan_out) is one over the mean of the fans.")
def sum_taken_for_mean(tensor, gain=1.0):
    return normal(tensor, gain * math.sqrt(1 / sum(fans(tensor))))


@XAVIER_NORMAL.add("gain is ignored. It multiplies the standard deviation.")
def gain_ignored(tensor, gain=1.0):
    return normal(tensor, math.sqrt(1 / average(tensor)))


@XAVIER_NORMAL.add("gain stands under the root. It multiplies the standard deviation.")
def gain_under_the_root(tensor, gain=1.0):
    return normal(tensor, math.sqrt(gain / average(tensor)))


@XAVIER_NORMAL.add(
    "the kernel of a convolution does not count in your fans: in * kH * kW and out * kH * kW.", "2.4"
)
def kernel_forgotten(tensor, gain=1.0):
    return normal(tensor, gain * math.sqrt(2 / (tensor.shape[0] + tensor.shape[1])))


@XAVIER_NORMAL.add("these are uniform numbers of the right variance. Draw normal ones.")
def uniform_instead(tensor, gain=1.0):
    return uniform(tensor, gain * math.sqrt(3 / average(tensor)))


add_ways_of_filling_normally(XAVIER_NORMAL, lambda t, gain=1.0: gain * math.sqrt(1 / average(t)))
