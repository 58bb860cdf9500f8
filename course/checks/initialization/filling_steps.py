"""What the wrong initializers share: right steps, and the wrong ways to fill a tensor."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from course.checks.collect import Mistakes

Fill = Callable[..., Tensor]


def fans(tensor):
    """The right fan_in and fan_out."""
    positions = math.prod(tensor.shape[2:])
    return tensor.shape[1] * positions, tensor.shape[0] * positions


@torch.no_grad()
def uniform(tensor, bound):
    """Fill with numbers from [-bound, bound]."""
    return tensor.uniform_(-bound, bound)


@torch.no_grad()
def normal(tensor, std):
    """Fill with normal numbers of mean 0."""
    return tensor.normal_(0, std)


def average(tensor):
    """The mean of the fans."""
    return sum(fans(tensor)) / 2


def add_ways_of_filling_normally(mistakes: Mistakes, right_std: Callable[..., float]) -> None:
    """The mistakes of `add_ways_of_filling`, and one more of those who fill with normal numbers.

    Args:
        mistakes: see `add_ways_of_filling`.
        right_std: the right standard deviation, called like the student's function.
    """

    @mistakes.add(
        "normal numbers cut off at 2 standard deviations (trunc_normal_) spread less. Use tensor.normal_."
    )
    def cut_off(tensor, *args, **options):
        std = right_std(tensor, *args, **options)
        return nn.init.trunc_normal_(tensor, 0, std, -2 * std, 2 * std)

    add_ways_of_filling(mistakes, lambda t, *args, **options: normal(t, right_std(t, *args, **options)))


def add_ways_of_filling(mistakes: Mistakes, right: Fill) -> None:
    """Right numbers in the wrong place: these mistakes are the same in every initializer.

    Args:
        mistakes: of the exercise; the new ones come last.
        right: a right answer.
    """

    @mistakes.add(
        "you return a new tensor, and the given one keeps its old numbers. Fill it: tensor.normal_, copy_."
    )
    def new_tensor_returned(tensor, *args, **options):
        return right(torch.empty_like(tensor), *args, **options)

    @mistakes.add("the given tensor is filled, but you return another one. Return the same tensor.")
    def copy_returned(tensor, *args, **options):
        return right(tensor, *args, **options).clone()

    @mistakes.add(
        "an nn.Parameter cannot be filled while autograd watches. Fill it inside `with torch.no_grad():`.",
        "2.5",
    )
    def no_grad_missing(tensor, *args, **options):
        filled = right(torch.empty_like(tensor, requires_grad=False), *args, **options)
        return tensor.copy_(filled) if not tensor.requires_grad else tensor.mul_(0).add_(filled)

    @mistakes.add("the tensor no longer asks for a gradient: requires_grad must stay as it was.", "2.5")
    def requires_grad_lost(tensor, *args, **options):
        return right(tensor.requires_grad_(False), *args, **options)

    @mistakes.add(
        "every tensor asks for a gradient after you, also one that did not. "
        "Leave requires_grad alone: `with torch.no_grad():`.",
        "2.5",
    )
    def requires_grad_switched_on(tensor, *args, **options):
        return right(tensor.requires_grad_(False), *args, **options).requires_grad_(True)

    @mistakes.add(
        "tensor.data = ... gives the tensor new memory. Fill the memory that it has: copy_, normal_."
    )
    def memory_replaced(tensor, *args, **options):
        tensor.data = right(torch.empty_like(tensor, requires_grad=False), *args, **options)
        return tensor

    @mistakes.add(
        "gradients are switched off for everything after you: use `with torch.no_grad():`, which ends."
    )
    def gradients_switched_off(tensor, *args, **options):
        torch.set_grad_enabled(False)
        return right(tensor, *args, **options)

    @mistakes.add(
        "set_grad_enabled(True) switches gradients on, also for a caller who had them off. "
        "Use `with torch.no_grad():`.",
        "2.5",
    )
    def gradients_switched_on(tensor, *args, **options):
        right(tensor, *args, **options)
        torch.set_grad_enabled(True)
        return tensor

    @mistakes.add("every call gives the same numbers: you seed inside. Leave the seed to the caller.")
    def seeded_inside(tensor, *args, **options):
        torch.default_generator.manual_seed(3)
        return right(tensor, *args, **options)

    @mistakes.add(
        "the numbers do not come from torch's generator (numpy?): torch.manual_seed must decide them."
    )
    def another_generator(tensor, *args, **options):
        before = torch.default_generator.get_state()
        torch.default_generator.manual_seed(int(np.random.default_rng().integers(2**31)))
        right(tensor, *args, **options)
        torch.default_generator.set_state(before)
        return tensor

    @mistakes.add(
        "all rows are the same: you draw one row and repeat it. Equal units stay equal for ever.", "2.1"
    )
    def one_row_repeated(tensor, *args, **options):
        right(tensor, *args, **options)
        with torch.no_grad():
            tensor.copy_(tensor[:1].expand(tensor.shape).clone())
        return tensor

    @mistakes.add(
        "a tensor that is not contiguous is not filled: reshape or flatten gave you a copy of it.", "2.5"
    )
    def copy_filled(tensor, *args, **options):
        if tensor.is_contiguous():
            return right(tensor, *args, **options)
        right(tensor.detach().contiguous(), *args, **options)
        return tensor
