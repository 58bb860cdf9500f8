"""How students get `clip_grad_norm_` and `clip_grad_value_` wrong."""

from __future__ import annotations

from types import GeneratorType

import torch
from torch import Tensor

from course.checks.collect import Mistakes

CLIP_GRAD_NORM, CLIP_GRAD_VALUE = Mistakes(), Mistakes()


def _gradients(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [each.grad for each in parameters if each.grad is not None]


def _norm(gradients, norm_type=2.0):
    if not gradients:
        return torch.tensor(0.0)
    return torch.linalg.vector_norm(torch.cat([each.flatten() for each in gradients]), norm_type)


def _factor(norm, max_norm):
    return (max_norm / (norm + 1e-6)).clamp(max=1.0)


def _listed(parameters):
    return parameters if isinstance(parameters, list | tuple | GeneratorType) else [parameters]


_COPY_CLIPPED = (
    "a gradient that is not contiguous is not clipped: reshape or flatten gave you a copy of it. "
    "Change p.grad itself."
)
_LIST_EXPECTED = (
    "only lists and generators are accepted. filter(...) is neither: ask for a single tensor, "
    "and loop over all the rest."
)


def _right(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    norm = _norm(gradients, norm_type)
    for each in gradients:
        each *= _factor(norm, max_norm)
    return norm


# --- by norm ------------------------------------------------------------------------------------------------


@CLIP_GRAD_NORM.add(
    "each gradient is clipped by its own norm. All share one factor, from the norm of them together."
)
def each_by_itself(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    norm = _norm(gradients, norm_type)
    for each in gradients:
        each *= _factor(_norm([each], norm_type), max_norm)
    return norm


@CLIP_GRAD_NORM.add("gradients below max_norm grow: the factor must not be above 1.")
def always_scaled(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    norm = _norm(gradients, norm_type)
    for each in gradients:
        each *= max_norm / (norm + 1e-6)
    return norm


@CLIP_GRAD_NORM.add(
    "the norms of the gradients are added. For p = 2 their squares add up: sqrt(sum of squares)."
)
def norms_added(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    norm = sum((_norm([each], norm_type) for each in gradients), torch.tensor(0.0))
    for each in gradients:
        each *= _factor(norm, max_norm)
    return norm


@CLIP_GRAD_NORM.add("the root is missing: the norm is sqrt(sum of squares).")
def root_missing(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    norm = _norm(gradients, norm_type)
    norm = norm**norm_type if norm_type < torch.inf else norm
    for each in gradients:
        each *= _factor(norm, max_norm)
    return norm


@CLIP_GRAD_NORM.add("norm_type is ignored: you always take the 2-norm.")
def norm_type_ignored(parameters, max_norm, norm_type=2.0):
    return _right(parameters, max_norm)


@CLIP_GRAD_NORM.add(
    "norm_type inf needs a way of its own: x**inf is 0, 1 or inf. The inf-norm is the largest |entry|."
)
def infinity_as_power(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    powers = [each.abs().pow(norm_type).sum() for each in gradients]
    norm = sum(powers, torch.tensor(0.0)) ** (1 / norm_type)
    for each in gradients:
        each *= _factor(norm, max_norm)
    return norm


@CLIP_GRAD_NORM.add("you return the norm after clipping. The norm before it is what one wants to watch.")
def norm_afterwards(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    _right(parameters if isinstance(parameters, Tensor) else Holder.of(gradients), max_norm, norm_type)
    return _norm(gradients, norm_type)


class Holder:
    """Stands for a parameter whose gradient is known."""

    def __init__(self, grad):
        self.grad = grad

    @classmethod
    def of(cls, gradients):
        return [cls(each) for each in gradients]


@CLIP_GRAD_NORM.add("you return the factor. Return the total norm before clipping.")
def factor_returned(parameters, max_norm, norm_type=2.0):
    return _factor(_right(parameters, max_norm, norm_type), max_norm)


@CLIP_GRAD_NORM.add(
    "you return a Python number. torch returns a tensor without dimensions: leave out .item() and float()."
)
def number_returned(parameters, max_norm, norm_type=2.0):
    return _right(parameters, max_norm, norm_type).item()


@CLIP_GRAD_NORM.add(
    "p.grad = p.grad * factor puts a new tensor in its place. Scale in place: p.grad.mul_(factor)."
)
def new_gradients(parameters, max_norm, norm_type=2.0):
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    norm = _norm(_gradients(parameters), norm_type)
    for each in parameters:
        if each.grad is not None:
            each.grad = each.grad * _factor(norm, max_norm)
    return norm


@CLIP_GRAD_NORM.add(
    "max and min are confused: short gradients grow, long ones stay. The factor is at most 1: clamp(max=1)."
)
def at_least_one(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    norm = _norm(gradients, norm_type)
    for each in gradients:
        each *= (max_norm / (norm + 1e-6)).clamp(min=1.0)
    return norm


@CLIP_GRAD_NORM.add(
    "nothing changes: p.grad * factor makes a new tensor, and nobody keeps it. Use p.grad.mul_(factor)."
)
def not_in_place(parameters, max_norm, norm_type=2.0):
    return _norm(_gradients(parameters), norm_type)


@CLIP_GRAD_NORM.add("you scale the parameters. The gradients are to be scaled: p.grad.mul_(factor).")
def parameters_scaled(parameters, max_norm, norm_type=2.0):
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    norm = _norm(_gradients(parameters), norm_type)
    for each in parameters:
        each.data *= _factor(norm, max_norm)
    return norm


@CLIP_GRAD_NORM.add(_COPY_CLIPPED)
def copy_clipped(parameters, max_norm, norm_type=2.0):
    return _right(Holder.of(each.reshape(-1) for each in _gradients(parameters)), max_norm, norm_type)


@CLIP_GRAD_NORM.add("a parameter without a gradient is not handled: p.grad is None there. Skip it.")
def none_not_skipped(parameters, max_norm, norm_type=2.0):
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    norm = _norm([each.grad for each in parameters], norm_type)
    for each in parameters:
        each.grad *= _factor(norm, max_norm)
    return norm


@CLIP_GRAD_NORM.add(
    "a generator is used up after the first loop: model.parameters() is one. Make a list of it first."
)
def generator_used_up(parameters, max_norm, norm_type=2.0):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    norm = _norm([each.grad for each in parameters if each.grad is not None], norm_type)
    for each in parameters:
        if each.grad is not None:
            each.grad *= _factor(norm, max_norm)
    return norm


@CLIP_GRAD_NORM.add(
    "a single tensor is not handled: put it into a list first. Ask isinstance(parameters, torch.Tensor): "
    "a plain tensor is no nn.Parameter."
)
def single_tensor_not_handled(parameters, max_norm, norm_type=2.0):
    return _right(list(parameters), max_norm, norm_type)


@CLIP_GRAD_NORM.add(_LIST_EXPECTED)
def list_expected(parameters, max_norm, norm_type=2.0):
    return _right(_listed(parameters), max_norm, norm_type)


@CLIP_GRAD_NORM.add(
    "without any gradient your code fails. The norm of nothing is 0: return torch.tensor(0.0)."
)
def empty_not_handled(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    norm = torch.linalg.vector_norm(torch.cat([each.flatten() for each in gradients]), norm_type)
    for each in gradients:
        each *= _factor(norm, max_norm)
    return norm


@CLIP_GRAD_NORM.add("without any gradient you return a Python number. Return a tensor: torch.tensor(0.0).")
def zero_as_number(parameters, max_norm, norm_type=2.0):
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return _right(parameters, max_norm, norm_type) if _gradients(parameters) else 0.0


@CLIP_GRAD_NORM.add("every entry is clipped by itself. That is clip_grad_value_, and it turns the gradient.")
def clipped_by_value(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    norm = _norm(gradients, norm_type)
    for each in gradients:
        each.clamp_(-max_norm, max_norm)
    return norm


@CLIP_GRAD_NORM.add("above max_norm the gradients get norm 1, as the deck says. They get norm max_norm.")
def scaled_to_one(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    norm = _norm(gradients, norm_type)
    for each in gradients:
        each *= 1 / (norm + 1e-6) if norm > max_norm else 1.0
    return norm


@CLIP_GRAD_NORM.add(
    "gradients of 0 become nan: max_norm / 0 * 0. Add 1e-6 to the norm, or divide only above max_norm."
)
def nan_at_zero(parameters, max_norm, norm_type=2.0):
    gradients = _gradients(parameters)
    norm = _norm(gradients, norm_type)
    for each in gradients:
        each *= torch.where(norm > 0, _factor(norm, max_norm), torch.nan)
    return norm


# --- by value -----------------------------------------------------------------------------------------------


def _all(parameters):
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)


@CLIP_GRAD_VALUE.add("only large positive entries are clipped. The lower end is -clip_value.")
def above_only(parameters, clip_value):
    for each in _gradients(parameters):
        each.clamp_(max=clip_value)


@CLIP_GRAD_VALUE.add("negative entries become 0. The lower end is -clip_value, not 0.")
def from_zero(parameters, clip_value):
    for each in _gradients(parameters):
        each.clamp_(0, clip_value)


@CLIP_GRAD_VALUE.add(
    "nothing changes: p.grad.clamp(...) makes a new tensor. With the underscore it works in place: clamp_."
)
def not_in_place(parameters, clip_value):
    for each in _gradients(parameters):
        each.clamp(-clip_value, clip_value)


@CLIP_GRAD_VALUE.add("p.grad = ... puts a new tensor in its place. Clamp in place: p.grad.clamp_.")
def new_gradients(parameters, clip_value):
    for each in _all(parameters):
        if each.grad is not None:
            each.grad = each.grad.clamp(-clip_value, clip_value)


@CLIP_GRAD_VALUE.add("you clamp the parameters. The gradients are to be clamped: p.grad.clamp_.")
def parameters_clamped(parameters, clip_value):
    for each in _all(parameters):
        each.data.clamp_(-clip_value, clip_value)


@CLIP_GRAD_VALUE.add("entries that are too large become 0. They become clip_value or -clip_value.")
def large_entries_dropped(parameters, clip_value):
    for each in _gradients(parameters):
        each[each.abs() > clip_value] = 0


@CLIP_GRAD_VALUE.add("every entry gets the size clip_value. Those that are smaller stay as they are.")
def sign_only(parameters, clip_value):
    for each in _gradients(parameters):
        each.sign_().mul_(clip_value)


@CLIP_GRAD_VALUE.add(
    "you scale the gradients by their norm. That is clip_grad_norm_; here each entry is clamped by itself."
)
def clipped_by_norm(parameters, clip_value):
    _right(parameters, clip_value)


@CLIP_GRAD_VALUE.add(
    "you scale by the largest entry. That keeps the direction; here each entry is clamped by itself."
)
def scaled_by_largest(parameters, clip_value):
    _right(parameters, clip_value, torch.inf)


@CLIP_GRAD_VALUE.add(_COPY_CLIPPED)
def copy_clipped(parameters, clip_value):
    for each in _gradients(parameters):
        each.reshape(-1).clamp_(-clip_value, clip_value)


@CLIP_GRAD_VALUE.add(_LIST_EXPECTED)
def list_expected(parameters, clip_value):
    for each in _gradients(_listed(parameters)):
        each.clamp_(-clip_value, clip_value)


@CLIP_GRAD_VALUE.add("a parameter without a gradient is not handled: p.grad is None there. Skip it.")
def none_not_skipped(parameters, clip_value):
    for each in _all(parameters):
        each.grad.clamp_(-clip_value, clip_value)


@CLIP_GRAD_VALUE.add(
    "a single tensor is not handled: put it into a list first. Ask isinstance(parameters, torch.Tensor): "
    "a plain tensor is no nn.Parameter."
)
def single_tensor_not_handled(parameters, clip_value):
    for each in parameters:
        if each.grad is not None:
            each.grad.clamp_(-clip_value, clip_value)


@CLIP_GRAD_VALUE.add("you return something. The gradients are changed in place, and nothing is returned.")
def gradients_returned(parameters, clip_value):
    gradients = _gradients(parameters)
    for each in gradients:
        each.clamp_(-clip_value, clip_value)
    return gradients
