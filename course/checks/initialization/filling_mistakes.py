"""How students get the initializers wrong: the wrong variance, and the wrong way to fill a tensor."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from course.checks.collect import Mistakes

XAVIER_UNIFORM, XAVIER_NORMAL, KAIMING_UNIFORM, KAIMING_NORMAL = (
    Mistakes(),
    Mistakes(),
    Mistakes(),
    Mistakes(),
)
LECUN_NORMAL, VARIANCE_SCALING = Mistakes(), Mistakes()

Fill = Callable[..., Tensor]


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


def _fans(tensor):
    positions = math.prod(tensor.shape[2:])
    return tensor.shape[1] * positions, tensor.shape[0] * positions


@torch.no_grad()
def _uniform(tensor, bound):
    return tensor.uniform_(-bound, bound)


@torch.no_grad()
def _normal(tensor, std):
    return tensor.normal_(0, std)


def _average(tensor):
    return sum(_fans(tensor)) / 2


# --- xavier -------------------------------------------------------------------------------------------------


@XAVIER_UNIFORM.add(
    "gain * sqrt(2 / (fan_in + fan_out)) is the standard deviation. The bound is sqrt(3) times that."
)
def std_as_bound(tensor, gain=1.0):
    return _uniform(tensor, gain * math.sqrt(1 / _average(tensor)))


@XAVIER_UNIFORM.add("you draw from [0, b]. All weights positive: draw from [-b, b], with mean 0.")
def positive_only(tensor, gain=1.0):
    with torch.no_grad():
        return tensor.uniform_(0, gain * math.sqrt(3 / _average(tensor)))


@XAVIER_UNIFORM.add(
    "the bound is sqrt(6 / (fan_in + fan_out)); yours has the 3 that belongs to the mean of the fans."
)
def sum_taken_for_mean(tensor, gain=1.0):
    return _uniform(tensor, gain * math.sqrt(3 / sum(_fans(tensor))))


@XAVIER_UNIFORM.add("only fan_in counts. Xavier is the compromise of both: sqrt(6 / (fan_in + fan_out)).")
def fan_in_only(tensor, gain=1.0):
    return _uniform(tensor, gain * math.sqrt(3 / _fans(tensor)[0]))


@XAVIER_UNIFORM.add("gain is ignored. It multiplies the bound.")
def gain_ignored(tensor, gain=1.0):
    return _uniform(tensor, math.sqrt(3 / _average(tensor)))


@XAVIER_UNIFORM.add(
    "gain stands under the root. It multiplies the bound: gain * sqrt(6 / (fan_in + fan_out))."
)
def gain_under_the_root(tensor, gain=1.0):
    return _uniform(tensor, math.sqrt(3 * gain / _average(tensor)))


@XAVIER_UNIFORM.add(
    "the kernel of a convolution does not count in your fans: in * kH * kW and out * kH * kW.", "2.4"
)
def kernel_forgotten(tensor, gain=1.0):
    return _uniform(tensor, gain * math.sqrt(6 / (tensor.shape[0] + tensor.shape[1])))


@XAVIER_UNIFORM.add("these are normal numbers of the right variance. Uniform ones end at the bound.")
def normal_instead(tensor, gain=1.0):
    return _normal(tensor, gain * math.sqrt(1 / _average(tensor)))


@XAVIER_UNIFORM.add("the root is missing: b = gain * sqrt(6 / (fan_in + fan_out)).")
def root_missing(tensor, gain=1.0):
    return _uniform(tensor, gain * 3 / _average(tensor))


add_ways_of_filling(XAVIER_UNIFORM, lambda t, gain=1.0: _uniform(t, gain * math.sqrt(3 / _average(t))))


@XAVIER_NORMAL.add(
    "sqrt(6 / (fan_in + fan_out)) is the bound of the uniform kind. Here std = sqrt(2 / (fan_in + fan_out))."
)
def bound_as_std(tensor, gain=1.0):
    return _normal(tensor, gain * math.sqrt(3 / _average(tensor)))


@XAVIER_NORMAL.add("normal_ wants the standard deviation; you give it the variance. Take the root.")
def variance_as_std(tensor, gain=1.0):
    return _normal(tensor, gain**2 / _average(tensor))


@XAVIER_NORMAL.add("only fan_in counts. Xavier is the compromise of both: sqrt(2 / (fan_in + fan_out)).")
def fan_in_only(tensor, gain=1.0):
    return _normal(tensor, gain * math.sqrt(1 / _fans(tensor)[0]))


@XAVIER_NORMAL.add("the 2 is missing: 2 / (fan_in + fan_out) is one over the mean of the fans.")
def sum_taken_for_mean(tensor, gain=1.0):
    return _normal(tensor, gain * math.sqrt(1 / sum(_fans(tensor))))


@XAVIER_NORMAL.add("gain is ignored. It multiplies the standard deviation.")
def gain_ignored(tensor, gain=1.0):
    return _normal(tensor, math.sqrt(1 / _average(tensor)))


@XAVIER_NORMAL.add("gain stands under the root. It multiplies the standard deviation.")
def gain_under_the_root(tensor, gain=1.0):
    return _normal(tensor, math.sqrt(gain / _average(tensor)))


@XAVIER_NORMAL.add(
    "the kernel of a convolution does not count in your fans: in * kH * kW and out * kH * kW.", "2.4"
)
def kernel_forgotten(tensor, gain=1.0):
    return _normal(tensor, gain * math.sqrt(2 / (tensor.shape[0] + tensor.shape[1])))


@XAVIER_NORMAL.add("these are uniform numbers of the right variance. Draw normal ones.")
def uniform_instead(tensor, gain=1.0):
    return _uniform(tensor, gain * math.sqrt(3 / _average(tensor)))


add_ways_of_filling(XAVIER_NORMAL, lambda t, gain=1.0: _normal(t, gain * math.sqrt(1 / _average(t))))


# --- kaiming ------------------------------------------------------------------------------------------------


def _he_std(tensor, a, mode, nonlinearity):
    fan_in, fan_out = _fans(tensor)
    return nn.init.calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)


@KAIMING_UNIFORM.add("the bound is sqrt(3) times the standard deviation: gain * sqrt(3 / n).")
def std_as_bound(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _uniform(tensor, _he_std(tensor, a, mode, nonlinearity))


@KAIMING_UNIFORM.add("a is ignored: for leaky_relu the gain is sqrt(2 / (1 + a**2)).")
def slope_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _uniform(tensor, math.sqrt(3) * _he_std(tensor, 0, mode, nonlinearity))


@KAIMING_UNIFORM.add("mode is ignored: with fan_out, n is the number of outputs.")
def mode_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _uniform(tensor, math.sqrt(3) * _he_std(tensor, a, "fan_in", nonlinearity))


@KAIMING_UNIFORM.add("nonlinearity is ignored: each has its own gain, see nn.init.calculate_gain.")
def nonlinearity_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _uniform(tensor, math.sqrt(3) * _he_std(tensor, a, mode, "leaky_relu"))


@KAIMING_UNIFORM.add("the 2 is missing: relu throws half of the variance away, so gain**2 is 2 (for a = 0).")
def two_missing(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _uniform(tensor, math.sqrt(1.5) * _he_std(tensor, a, mode, nonlinearity))


@KAIMING_UNIFORM.add("a must be squared: the gain is sqrt(2 / (1 + a**2)).")
def slope_not_squared(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    gain = math.sqrt(2 / (1 + a)) if nonlinearity == "leaky_relu" else nn.init.calculate_gain(nonlinearity, a)
    return _uniform(tensor, gain * math.sqrt(3) * _he_std(tensor, 0, mode, "linear"))


@KAIMING_UNIFORM.add("you draw from [0, b]. All weights positive: draw from [-b, b], with mean 0.")
def positive_only(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    with torch.no_grad():
        return tensor.uniform_(0, math.sqrt(3) * _he_std(tensor, a, mode, nonlinearity))


@KAIMING_UNIFORM.add("these are normal numbers of the right variance. Uniform ones end at the bound.")
def normal_instead(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _normal(tensor, _he_std(tensor, a, mode, nonlinearity))


@KAIMING_UNIFORM.add("the kernel of a convolution does not count in your fan: in * kH * kW.", "2.4")
def kernel_forgotten(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _uniform(
        tensor,
        math.sqrt(3)
        * _he_std(tensor.flatten(2)[..., 0:1] if tensor.dim() > 2 else tensor, a, mode, nonlinearity),
    )


@KAIMING_UNIFORM.add(
    "n is the mean of the fans, as in Xavier. He takes fan_in, or fan_out when mode says so."
)
def fan_avg_taken(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _uniform(tensor, math.sqrt(3 / _average(tensor)) * nn.init.calculate_gain(nonlinearity, a))


add_ways_of_filling(
    KAIMING_UNIFORM,
    lambda t, a=0, mode="fan_in", nonlinearity="leaky_relu": _uniform(
        t, math.sqrt(3) * _he_std(t, a, mode, nonlinearity)
    ),
)


@KAIMING_NORMAL.add("sqrt(3) belongs to the bound of the uniform kind. Here std = gain / sqrt(n).")
def bound_as_std(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _normal(tensor, math.sqrt(3) * _he_std(tensor, a, mode, nonlinearity))


@KAIMING_NORMAL.add("normal_ wants the standard deviation; you give it the variance. Take the root.")
def variance_as_std(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _normal(tensor, _he_std(tensor, a, mode, nonlinearity) ** 2)


@KAIMING_NORMAL.add("a is ignored: for leaky_relu the gain is sqrt(2 / (1 + a**2)).")
def slope_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _normal(tensor, _he_std(tensor, 0, mode, nonlinearity))


@KAIMING_NORMAL.add("mode is ignored: with fan_out, n is the number of outputs.")
def mode_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _normal(tensor, _he_std(tensor, a, "fan_in", nonlinearity))


@KAIMING_NORMAL.add("nonlinearity is ignored: each has its own gain, see nn.init.calculate_gain.")
def nonlinearity_ignored(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _normal(tensor, _he_std(tensor, a, mode, "leaky_relu"))


@KAIMING_NORMAL.add("the 2 is missing: relu throws half of the variance away, so gain**2 is 2 (for a = 0).")
def two_missing(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _normal(tensor, _he_std(tensor, a, mode, nonlinearity) / math.sqrt(2))


@KAIMING_NORMAL.add("these are uniform numbers of the right variance. Draw normal ones.")
def uniform_instead(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return _uniform(tensor, math.sqrt(3) * _he_std(tensor, a, mode, nonlinearity))


@KAIMING_NORMAL.add("the kernel of a convolution does not count in your fan: in * kH * kW.", "2.4")
def kernel_forgotten(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    one = tensor.flatten(2)[..., 0:1] if tensor.dim() > 2 else tensor
    return _normal(tensor, _he_std(one, a, mode, nonlinearity))


add_ways_of_filling(
    KAIMING_NORMAL,
    lambda t, a=0, mode="fan_in", nonlinearity="leaky_relu": _normal(t, _he_std(t, a, mode, nonlinearity)),
)


# --- lecun --------------------------------------------------------------------------------------------------


@LECUN_NORMAL.add("the mean of the fans is Xavier's. LeCun's variance is 1 / fan_in.")
def fan_avg_taken(tensor):
    return _normal(tensor, math.sqrt(1 / _average(tensor)))


@LECUN_NORMAL.add("fan_out is the wrong side: LeCun's variance is 1 / fan_in, for the way forward.")
def fan_out_taken(tensor):
    return _normal(tensor, math.sqrt(1 / _fans(tensor)[1]))


@LECUN_NORMAL.add("2 / fan_in is He's variance, for relu. LeCun's is 1 / fan_in.")
def variance_of_he(tensor):
    return _normal(tensor, math.sqrt(2 / _fans(tensor)[0]))


@LECUN_NORMAL.add("normal_ wants the standard deviation; you give it the variance 1 / fan_in. Take the root.")
def variance_as_std(tensor):
    return _normal(tensor, 1 / _fans(tensor)[0])


@LECUN_NORMAL.add("the kernel of a convolution does not count in your fan_in: in * kH * kW.", "2.4")
def kernel_forgotten(tensor):
    return _normal(tensor, math.sqrt(1 / tensor.shape[1]))


@LECUN_NORMAL.add("these are uniform numbers of the right variance. Draw normal ones.")
def uniform_instead(tensor):
    return _uniform(tensor, math.sqrt(3 / _fans(tensor)[0]))


@LECUN_NORMAL.add("the normal numbers are cut off at 2 standard deviations, as in Keras. Here they are not.")
def truncated(tensor):
    std = math.sqrt(1 / _fans(tensor)[0]) / 0.8796
    return nn.init.trunc_normal_(tensor, 0, std, -2 * std, 2 * std)


add_ways_of_filling(LECUN_NORMAL, lambda t: _normal(t, math.sqrt(1 / _fans(t)[0])))


# --- variance_scaling ---------------------------------------------------------------------------------------


def _n(tensor, mode):
    fan_in, fan_out = _fans(tensor)
    fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    if mode not in fans:
        raise ValueError(f"unknown mode {mode}")
    return fans[mode]


def _scaled(tensor, variance, distribution):
    if tensor.dim() < 2:
        raise ValueError("no fans")
    if distribution == "normal":
        return _normal(tensor, math.sqrt(variance))
    if distribution == "uniform":
        return _uniform(tensor, math.sqrt(3 * variance))
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


@VARIANCE_SCALING.add("fan_avg is (fan_in + fan_out) / 2, not the root of their product.")
def geometric_mean(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    if mode == "fan_avg" and tensor.dim() > 1:
        return _scaled(tensor, scale / math.sqrt(math.prod(_fans(tensor))), distribution)
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
    return _normal(tensor, scale / _n(tensor, mode))


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
