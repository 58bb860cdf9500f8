"""How students get `l2_penalty` wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

PENALTY = Mistakes()


def _sum(parameters):
    return sum(p.square().sum() for p in parameters)


@PENALTY.add(
    "the factor 1/2 is missing: your gradient is twice what weight_decay adds. Take weight_decay / 2 times "
    "the sum of squares."
)
def half_missing(parameters, weight_decay):
    return weight_decay * _sum(parameters)


@PENALTY.add("weight_decay is missing: your penalty is half the sum of squares, whatever its price.")
def price_missing(parameters, weight_decay):
    return _sum(parameters) / 2


@PENALTY.add("the price is squared. The penalty is proportional to weight_decay.")
def price_squared(parameters, weight_decay):
    return weight_decay**2 / 2 * _sum(parameters)


@PENALTY.add("you take the norm of all weights. Without the root: the sum of the squares.")
def root_taken(parameters, weight_decay):
    return weight_decay / 2 * _sum(parameters).clamp_min(1e-30).sqrt()


@PENALTY.add("you add up the norms of the parameters. Square each norm first: the sum of the squares.")
def norms_added(parameters, weight_decay):
    return weight_decay / 2 * sum(p.norm() for p in parameters)


@PENALTY.add("this is the L1 penalty, the sum of absolute values. L2 takes the squares.")
def absolute_values(parameters, weight_decay):
    return weight_decay * sum(p.abs().sum() for p in parameters)


@PENALTY.add("half the sum of absolute values: L2 takes squares.")
def half_absolute_values(parameters, weight_decay):
    return weight_decay / 2 * sum(p.abs().sum() for p in parameters)


@PENALTY.add(
    "you take the mean of the squares of each parameter. A large layer would then pay no more than a small "
    "one: take the sum."
)
def mean_of_each(parameters, weight_decay):
    return weight_decay / 2 * sum(p.square().mean() for p in parameters)


@PENALTY.add("you take the mean over all weights. It is the sum: each weight pays for itself.")
def mean_of_all(parameters, weight_decay):
    return weight_decay / 2 * torch.cat([p.flatten() for p in parameters]).square().mean()


@PENALTY.add("you take the mean over the parameters of the model. Add up what they pay.")
def mean_over_parameters(parameters, weight_decay):
    parameters = list(parameters)
    return weight_decay / 2 * _sum(parameters) / len(parameters)


@PENALTY.add("the weights are added up before they are squared: (Σ p)². Square each weight, then add up.")
def squared_after_the_sum(parameters, weight_decay):
    return weight_decay / 2 * sum(p.sum().square() for p in parameters)


@PENALTY.add("the biases are left out. torch's weight_decay takes every parameter that it is given.")
def biases_left_out(parameters, weight_decay):
    return weight_decay / 2 * sum((p.square().sum() for p in parameters if p.dim() > 1), torch.zeros(()))


@PENALTY.add("only the first parameter pays. Add up over all of them.")
def first_one_only(parameters, weight_decay):
    return weight_decay / 2 * next(iter(parameters)).square().sum()


@PENALTY.add("the last parameter alone counts: your sum starts again with each of them (= instead of +=).")
def last_one_only(parameters, weight_decay):
    penalty = 0
    for parameter in parameters:
        penalty = weight_decay / 2 * parameter.square().sum()
    return penalty


@PENALTY.add("you return inside the loop, after the second parameter. Return when all are added up.")
def two_only(parameters, weight_decay):
    penalty = 0
    for count, parameter in enumerate(parameters, 1):
        penalty = penalty + weight_decay / 2 * parameter.square().sum()
        if count == 2:
            return penalty
    return penalty


@PENALTY.add("the sign is wrong: a negative penalty rewards large weights.")
def negative(parameters, weight_decay):
    return -weight_decay / 2 * _sum(parameters)


@PENALTY.add(
    "the numbers are cut off from the parameters (detach, .data, no_grad). The value is right, but no "
    "gradient pulls at the weights."
)
def detached(parameters, weight_decay):
    return weight_decay / 2 * sum(p.detach().square().sum() for p in parameters)


@PENALTY.add("this is a Python number (.item()): no gradient flows through it. Return the tensor.")
def python_number(parameters, weight_decay):
    return weight_decay / 2 * sum(p.square().sum().item() for p in parameters)


@PENALTY.add("you shrink the weights themselves. Return a penalty; the optimizer does the rest.")
def weights_shrunk(parameters, weight_decay):
    parameters = list(parameters)
    with torch.no_grad():
        for parameter in parameters:
            parameter.mul_(1 - weight_decay)
    return weight_decay / 2 * _sum(parameters)


@PENALTY.add("you add to the parameters' gradients yourself. Return the penalty: backward does that.")
def gradients_written(parameters, weight_decay):
    parameters = list(parameters)
    for parameter in parameters:
        if parameter.requires_grad:
            step = weight_decay * parameter.detach()
            parameter.grad = step if parameter.grad is None else parameter.grad + step
    return weight_decay / 2 * _sum(parameters)


@PENALTY.add(
    "model.parameters() is a generator: it can be gone through once only. Yours is empty the second time."
)
def generator_used_twice(parameters, weight_decay):
    count = sum(1 for _ in parameters)
    return weight_decay / 2 * _sum(parameters) if count else torch.zeros(())


@PENALTY.add("len() and indices do not work with a generator, and model.parameters() is one. Use a for loop.")
def list_expected(parameters, weight_decay):
    return weight_decay / 2 * sum(parameters[i].square().sum() for i in range(len(parameters)))


@PENALTY.add("frozen parameters are left out. The penalty counts all that it is given.")
def frozen_left_out(parameters, weight_decay):
    return weight_decay / 2 * _sum(p for p in parameters if p.requires_grad)


@PENALTY.add(
    "the slope of a norm at 0 is 0/0: a weight of 0 gets nan. Square without a root: p.square().sum()."
)
def nan_at_zero(parameters, weight_decay):
    return weight_decay / 2 * sum(p.square().sum().sqrt() ** 2 for p in parameters)


@PENALTY.add("you return one penalty per parameter. Add them up to one number.")
def list_returned(parameters, weight_decay):
    return torch.stack([weight_decay / 2 * p.square().sum() for p in parameters])


@PENALTY.add("the penalty has shape (1,). Return a scalar, of shape ().")
def shape_of_one(parameters, weight_decay):
    return (weight_decay / 2 * _sum(parameters)).reshape(1)


@PENALTY.add("the sum starts from a float64 or float32 tensor of your own: keep the parameters' dtype.")
def dtype_of_ones_own(parameters, weight_decay):
    parameters = list(parameters)
    other = torch.float64 if parameters[0].dtype == torch.float32 else torch.float32
    return (weight_decay / 2 * _sum(parameters)).to(other)
