"""How students get `prelu` and its derivatives wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

PRELU, PRELU_BACKWARD = Mistakes(), Mistakes()


# --- prelu --------------------------------------------------------------------------------------------------


def _per_channel(weight, x):
    return weight if weight.numel() == 1 else weight.view(-1, *[1] * (x.dim() - 2))


@PRELU.add(
    "weight * x lines up with the last axis of x. Channels are axis 1: "
    "for images weight needs the shape (C, 1, 1)."
)
def last_axis(x, weight):
    return torch.where(x > 0, x, weight * x)


@PRELU.add("the weight meets the examples (axis 0). It belongs to the channels, axis 1.")
def first_axis(x, weight):
    if weight.numel() > 1:
        weight = weight.view(-1, *[1] * (x.dim() - 1))
    return torch.where(x > 0, x, weight * x)


@PRELU.add("only the first slope is used. Each channel has its own.")
def first_slope_for_all(x, weight):
    return torch.where(x > 0, x, weight[0] * x)


@PRELU.add("all channels get the mean of the slopes. Each channel has its own.")
def mean_slope_for_all(x, weight):
    return torch.where(x > 0, x, weight.mean() * x)


@PRELU.add("max(x, weight * x) is right for slopes below 1 only. Ask for x > 0.")
def maximum_taken(x, weight):
    return torch.maximum(x, _per_channel(weight, x) * x)


@PRELU.add("the sign of the output decides in your code. A slope may be negative: ask for x > 0.")
def sign_of_output(x, weight):
    y = _per_channel(weight, x) * x
    return torch.where(y > 0, x, y)


@PRELU.add("the slope is on the wrong side: positive numbers stay, negative ones are multiplied by it.")
def wrong_side(x, weight):
    return torch.where(x > 0, _per_channel(weight, x) * x, x)


@PRELU.add("weight gets no gradient: detach(), .data or .item() cuts it off. It is learned, so it needs one.")
def weight_cut_off(x, weight):
    return torch.where(x > 0, x, _per_channel(weight.detach(), x) * x)


@PRELU.add("a sign is wrong: max(0, x) + weight * min(0, x). Yours subtracts, or takes |x|.")
def sign_wrong(x, weight):
    return x.clamp(min=0) - _per_channel(weight, x) * x.clamp(max=0)


@PRELU.add("x[x < 0] *= ... writes into the caller's tensor. Make a new one with torch.where.")
def input_changed(x, weight):
    y = torch.where(x > 0, x, _per_channel(weight, x) * x)
    x[...] = y
    return y


@PRELU.add(
    "a single slope, weight of shape (1,), is not handled: it serves any x, also one without channels."
)
def channels_taken_for_granted(x, weight):
    weight = weight.expand(x.shape[1]).view(-1, *[1] * (x.dim() - 2))
    return torch.where(x > 0, x, weight * x)


# --- prelu_backward -----------------------------------------------------------------------------------------


def _right(grad_output, x, weight):
    terms = torch.where(x > 0, 0, grad_output * x)
    return _grad_x(grad_output, x, weight), _sum(terms, weight)


def _grad_x(grad_output, x, weight):
    return torch.where(x > 0, grad_output, _per_channel(weight, x) * grad_output)


def _sum(terms, weight):
    if weight.numel() == 1:
        return terms.sum().reshape(1)
    return terms.sum([axis for axis in range(terms.dim()) if axis != 1])


@PRELU_BACKWARD.add(
    "grad_x: the weight lines up with the last axis. Channels are axis 1: reshape it to (C, 1, 1)."
)
def last_axis(grad_output, x, weight):
    grad_x = torch.where(x > 0, grad_output, weight * grad_output)
    return grad_x, _right(grad_output, x, weight)[1]


@PRELU_BACKWARD.add("grad_x: no gradient passes where x < 0. Weight times grad_output does.")
def nothing_leaks(grad_output, x, weight):
    return grad_output * (x > 0), _right(grad_output, x, weight)[1]


@PRELU_BACKWARD.add(
    "grad_x at x = 0 is weight * grad_output, by torch's convention: x > 0 has slope 1, not x >= 0."
)
def one_at_zero(grad_output, x, weight):
    grad_x = torch.where(x >= 0, grad_output, _per_channel(weight, x) * grad_output)
    return grad_x, _right(grad_output, x, weight)[1]


@PRELU_BACKWARD.add("the sign of the output decides in your code. A slope may be negative: ask for x > 0.")
def sign_of_output(grad_output, x, weight):
    opened = torch.where(x > 0, x, _per_channel(weight, x) * x) > 0
    grad_x = torch.where(opened, grad_output, _per_channel(weight, x) * grad_output)
    return grad_x, _sum(torch.where(opened, 0, grad_output * x), weight)


@PRELU_BACKWARD.add("grad_x: you multiply by prelu(x), the value. The slope is 1 or weight.")
def value_instead_of_slope(grad_output, x, weight):
    grad_x = grad_output * torch.where(x > 0, x, _per_channel(weight, x) * x)
    return grad_x, _right(grad_output, x, weight)[1]


@PRELU_BACKWARD.add(
    "grad_weight: numbers with x > 0 count too. The slope does nothing to them, so leave them out."
)
def positive_numbers_counted(grad_output, x, weight):
    return _grad_x(grad_output, x, weight), _sum(grad_output * x, weight)


@PRELU_BACKWARD.add("grad_weight sums over x > 0. The slope acts where x < 0.")
def wrong_side_summed(grad_output, x, weight):
    return _grad_x(grad_output, x, weight), _sum(grad_output * x.clamp(min=0), weight)


@PRELU_BACKWARD.add("grad_weight: the factor x is missing. The derivative of weight * x by weight is x.")
def x_missing(grad_output, x, weight):
    return _grad_x(grad_output, x, weight), _sum(grad_output * (x <= 0), weight)


@PRELU_BACKWARD.add(
    "grad_weight: grad_output is missing. The chain rule multiplies x by it, before the sum.", "2.1"
)
def grad_output_missing(grad_output, x, weight):
    return _grad_x(grad_output, x, weight), _sum(x.clamp(max=0), weight)


@PRELU_BACKWARD.add(
    "grad_weight is a mean. One slope serves many numbers, and their gradients add up: a sum."
)
def mean_instead_of_sum(grad_output, x, weight):
    grad_x, grad_weight = _right(grad_output, x, weight)
    return grad_x, grad_weight * weight.numel() / x.numel()


@PRELU_BACKWARD.add(
    "grad_weight is summed over the examples only. Sum over every axis but 1, to weight's shape."
)
def summed_over_examples_only(grad_output, x, weight):
    return _grad_x(grad_output, x, weight), torch.where(x > 0, 0, grad_output * x).sum(0)


@PRELU_BACKWARD.add(
    "grad_weight: reshape(C, -1) cuts the numbers in their order in memory, examples first, so it mixes the "
    "channels. Sum over all axes but 1."
)
def reshaped_to_channels(grad_output, x, weight):
    terms = torch.where(x > 0, 0, grad_output * x)
    return _grad_x(grad_output, x, weight), terms.reshape(len(weight), -1).sum(1)


@PRELU_BACKWARD.add("grad_weight is one sum over all channels. Each slope gets the sum of its own channel.")
def one_sum_for_all(grad_output, x, weight):
    terms = torch.where(x > 0, 0, grad_output * x)
    return _grad_x(grad_output, x, weight), terms.sum().expand(weight.shape).clone()


@PRELU_BACKWARD.add("grad_weight must have weight's shape, also (1,): yours has no dimensions there.")
def no_dimensions(grad_output, x, weight):
    grad_x, grad_weight = _right(grad_output, x, weight)
    return grad_x, grad_weight.squeeze() if weight.numel() == 1 else grad_weight


@PRELU_BACKWARD.add("the order is grad_x, grad_weight: that of prelu's arguments.")
def order_swapped(grad_output, x, weight):
    grad_x, grad_weight = _right(grad_output, x, weight)
    return grad_weight, grad_x


@PRELU_BACKWARD.add("grad_weight is multiplied by weight. That is the way to x; here it is grad_output * x.")
def times_weight(grad_output, x, weight):
    grad_x, grad_weight = _right(grad_output, x, weight)
    return grad_x, grad_weight * weight
