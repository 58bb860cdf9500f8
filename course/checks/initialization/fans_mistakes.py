"""How students get `calculate_fan_in_and_fan_out` wrong."""

from __future__ import annotations

import math

import torch

from course.checks.collect import Mistakes

CALCULATE_FAN_IN_AND_FAN_OUT = Mistakes()


def _refuse(tensor):
    if tensor.dim() < 2:
        raise ValueError("a tensor with fewer than 2 dimensions has no fans")


@CALCULATE_FAN_IN_AND_FAN_OUT.add("the two are exchanged: a weight of nn.Linear has the shape (out, in).")
def exchanged(tensor):
    _refuse(tensor)
    positions = math.prod(tensor.shape[2:])
    return tensor.shape[0] * positions, tensor.shape[1] * positions


@CALCULATE_FAN_IN_AND_FAN_OUT.add("the kernel does not count. Each output sees in * kH * kW numbers.")
def kernel_forgotten(tensor):
    _refuse(tensor)
    return tensor.shape[1], tensor.shape[0]


@CALCULATE_FAN_IN_AND_FAN_OUT.add("the kernel is missing in fan_out: out * kH * kW.")
def kernel_in_fan_in_only(tensor):
    _refuse(tensor)
    return tensor.shape[1] * math.prod(tensor.shape[2:]), tensor.shape[0]


@CALCULATE_FAN_IN_AND_FAN_OUT.add("the kernel is taken as square, kH * kH. It has kH * kW positions.")
def kernel_taken_as_square(tensor):
    _refuse(tensor)
    positions = tensor.shape[2] ** (tensor.dim() - 2) if tensor.dim() > 2 else 1
    return tensor.shape[1] * positions, tensor.shape[0] * positions


@CALCULATE_FAN_IN_AND_FAN_OUT.add("only one axis of the kernel counts. All of them multiply: kH * kW.")
def one_kernel_axis(tensor):
    _refuse(tensor)
    positions = tensor.shape[2] if tensor.dim() > 2 else 1
    return tensor.shape[1] * positions, tensor.shape[0] * positions


@CALCULATE_FAN_IN_AND_FAN_OUT.add(
    "the axes of the kernel are added. A kernel of kH x kW has kH * kW positions."
)
def kernel_axes_added(tensor):
    _refuse(tensor)
    positions = sum(tensor.shape[2:]) or 1
    return tensor.shape[1] * positions, tensor.shape[0] * positions


@CALCULATE_FAN_IN_AND_FAN_OUT.add(
    "these are floats. Fans are counts: use whole numbers, * and math.prod, no /."
)
def floats_returned(tensor):
    _refuse(tensor)
    positions = math.prod(tensor.shape[2:])
    return float(tensor.shape[1] * positions), float(tensor.shape[0] * positions)


@CALCULATE_FAN_IN_AND_FAN_OUT.add(
    "these are tensors. Fans are whole numbers (int): multiply the entries of tensor.shape."
)
def tensors_returned(tensor):
    _refuse(tensor)
    positions = math.prod(tensor.shape[2:])
    return torch.tensor(tensor.shape[1] * positions), torch.tensor(tensor.shape[0] * positions)


@CALCULATE_FAN_IN_AND_FAN_OUT.add(
    "a bias (1 dimension) has no fan in and fan out. Raise a ValueError below 2 dimensions."
)
def nothing_refused(tensor):
    shape = (1, 1, *tensor.shape)[-max(2, tensor.dim()) :]
    positions = math.prod(shape[2:])
    return shape[1] * positions, shape[0] * positions


@CALCULATE_FAN_IN_AND_FAN_OUT.add(
    "below 2 dimensions your code fails with another error. Look at tensor.dim() first: ValueError."
)
def another_error(tensor):
    positions = math.prod(tensor.shape[2:])
    return tensor.shape[1] * positions, tensor.shape[0] * positions


@CALCULATE_FAN_IN_AND_FAN_OUT.add("`assert` raises an AssertionError. Write `raise ValueError(...)`.")
def asserted(tensor):
    assert tensor.dim() >= 2, "a weight has two dimensions or more"
    positions = math.prod(tensor.shape[2:])
    return tensor.shape[1] * positions, tensor.shape[0] * positions


@CALCULATE_FAN_IN_AND_FAN_OUT.add("convolutions are refused. A weight may have 2 dimensions or more.")
def convolutions_refused(tensor):
    if tensor.dim() != 2:
        raise ValueError("expected a matrix")
    return tensor.shape[1], tensor.shape[0]


@CALCULATE_FAN_IN_AND_FAN_OUT.add(
    "the last two axes are taken as (out, in). In torch the first two are; the kernel comes last."
)
def last_two_axes(tensor):
    _refuse(tensor)
    positions = math.prod(tensor.shape[:-2])
    return tensor.shape[-1] * positions, tensor.shape[-2] * positions


@CALCULATE_FAN_IN_AND_FAN_OUT.add(
    "the two are exchanged, and the kernel does not count: a weight has the shape (out, in, *kernel)."
)
def exchanged_without_kernel(tensor):
    _refuse(tensor)
    return tensor.shape[0], tensor.shape[1]
