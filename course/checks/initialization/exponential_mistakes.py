"""How students get `elu`, `selu` and their derivatives wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

ELU, ELU_BACKWARD, SELU, SELU_BACKWARD = Mistakes(), Mistakes(), Mistakes(), Mistakes()
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805

_NAN = (
    "autograd also goes through the branch that is not taken, "
    "where exp(1000) is inf: 0 * inf = nan. Give exp only min(x, 0)."
)


def _elu(x, alpha=1.0):
    return torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0)))


# --- elu ----------------------------------------------------------------------------------------------------


@ELU.add(_NAN)
def branch_not_taken(x, alpha=1.0):
    return torch.where(x > 0, x, alpha * (torch.exp(x) - 1))


@ELU.add(
    "(x <= 0) * exp(x) is 0 * inf = nan at x = 1000. Choose with torch.where, and give exp only min(x, 0)."
)
def product_with_infinity(x, alpha=1.0):
    return (x > 0) * x + (x <= 0) * alpha * (torch.exp(x) - 1)


@ELU.add("alpha is 1 whatever the argument says. It multiplies exp(x) - 1.")
def alpha_ignored(x, alpha=1.0):
    return _elu(x)


@ELU.add("`alpha or 1.0` makes 1 of an alpha of 0. Use alpha as it is.")
def zero_replaced(x, alpha=1.0):
    return _elu(x, alpha or 1.0)


@ELU.add("the - 1 is missing: for x <= 0 it is alpha * (exp(x) - 1), so that both halves meet at 0.")
def one_missing(x, alpha=1.0):
    return torch.where(x > 0, x, alpha * torch.exp(x.clamp(max=0)))


@ELU.add("brackets: alpha * (exp(x) - 1), not alpha * exp(x) - 1.")
def brackets(x, alpha=1.0):
    return torch.where(x > 0, x, alpha * torch.exp(x.clamp(max=0)) - 1)


@ELU.add("alpha stands in the exponent. It multiplies the bracket: alpha * (exp(x) - 1).")
def alpha_in_exponent(x, alpha=1.0):
    return torch.where(x > 0, x, torch.expm1(alpha * x.clamp(max=0)))


@ELU.add("for x < 0 you return alpha * x, as leaky_relu does. elu bends: alpha * (exp(x) - 1).")
def straight_line(x, alpha=1.0):
    return torch.where(x > 0, x, alpha * x)


@ELU.add("a sign is wrong: exp(x) - 1 is negative for x < 0. Yours is positive: 1 - exp(x).")
def sign_wrong(x, alpha=1.0):
    return torch.where(x > 0, x, -alpha * torch.expm1(x.clamp(max=0)))


@ELU.add("the exponent has the wrong sign: exp(x) goes to 0 for x -> -inf, exp(-x) blows up.")
def exponent_negated(x, alpha=1.0):
    return torch.where(x > 0, x, alpha * (torch.exp(-x.clamp(max=0)) - 1))


@ELU.add(
    "the larger of the two is elu only for alpha <= 1. With alpha = 2.5, which is the larger just below 0? "
    "Choose with torch.where(x > 0, ...)."
)
def maximum_taken(x, alpha=1.0):
    return torch.maximum(x, alpha * torch.expm1(x.clamp(max=0)))


@ELU.add("no gradient comes through: detach(), .data or no_grad() cuts the graph.")
def graph_cut(x, alpha=1.0):
    return _elu(x.detach(), alpha)


@ELU.add(
    "you change x itself: x[x < 0] = ... writes into the caller's tensor. Make a new one with torch.where."
)
def input_changed(x, alpha=1.0):
    x[x < 0] = alpha * torch.expm1(x[x < 0])
    return x


# --- elu_backward -------------------------------------------------------------------------------------------


@ELU_BACKWARD.add("for x <= 0 you use elu's value. The derivative of alpha * (exp(x) - 1) is alpha * exp(x).")
def value_instead_of_slope(grad_output, x, alpha=1.0):
    return grad_output * torch.where(x > 0, 1, alpha * torch.expm1(x.clamp(max=0)))


@ELU_BACKWARD.add("alpha is missing: the slope for x <= 0 is alpha * exp(x).")
def alpha_ignored(grad_output, x, alpha=1.0):
    return grad_output * torch.exp(x.clamp(max=0))


@ELU_BACKWARD.add("`alpha or 1.0` makes 1 of an alpha of 0. Use alpha as it is.")
def zero_replaced(grad_output, x, alpha=1.0):
    return grad_output * torch.where(x > 0, 1, (alpha or 1.0) * torch.exp(x.clamp(max=0)))


@ELU_BACKWARD.add("at x = 0 the slope is alpha, by torch's convention: x > 0 has slope 1, not x >= 0.")
def one_at_zero(grad_output, x, alpha=1.0):
    return grad_output * torch.where(x >= 0, 1, alpha * torch.exp(x.clamp(max=0)))


@ELU_BACKWARD.add("(x <= 0) * exp(x) is 0 * inf = nan at x = 1000. Choose with torch.where.")
def product_with_infinity(grad_output, x, alpha=1.0):
    return grad_output * ((x > 0) + (x <= 0) * alpha * torch.exp(x))


@ELU_BACKWARD.add("grad_output is missing: the chain rule multiplies the slope by it.", "2.1")
def grad_output_missing(grad_output, x, alpha=1.0):
    return torch.where(x > 0, 1, alpha * torch.exp(x.clamp(max=0)))


@ELU_BACKWARD.add("grad_output is missing where x <= 0: it is multiplied by alpha * exp(x) there.")
def grad_output_on_one_side(grad_output, x, alpha=1.0):
    return torch.where(x > 0, grad_output, alpha * torch.exp(x.clamp(max=0)))


@ELU_BACKWARD.add(
    "no gradient passes where x < 0. alpha * exp(x) times grad_output does: that is elu's point."
)
def nothing_passes(grad_output, x, alpha=1.0):
    return grad_output * (x > 0)


@ELU_BACKWARD.add("for x > 0 you multiply by x. elu is a straight line there: its slope is 1.")
def x_for_the_slope(grad_output, x, alpha=1.0):
    return grad_output * torch.where(x > 0, x, alpha * torch.exp(x.clamp(max=0)))


@ELU_BACKWARD.add("alpha * exp(x) is used for all x. For x > 0 the slope is 1.")
def exponential_everywhere(grad_output, x, alpha=1.0):
    return grad_output * alpha * torch.exp(x)


# --- selu ---------------------------------------------------------------------------------------------------


@SELU.add(_NAN)
def branch_not_taken(x):
    return SCALE * torch.where(x > 0, x, ALPHA * (torch.exp(x) - 1))


@SELU.add(
    "(x <= 0) * exp(x) is 0 * inf = nan at x = 1000. Choose with torch.where, and give exp only min(x, 0)."
)
def product_with_infinity(x):
    return SCALE * ((x > 0) * x + (x <= 0) * ALPHA * (torch.exp(x) - 1))


@SELU.add(
    "the two constants are exchanged: SCALE = 1.0507 multiplies everything, ALPHA = 1.6733 the exponential."
)
def constants_exchanged(x):
    return ALPHA * _elu(x, SCALE)


@SELU.add("SCALE is missing: selu(x) = SCALE * elu(x, ALPHA).")
def scale_missing(x):
    return _elu(x, ALPHA)


@SELU.add("ALPHA is missing: selu(x) = SCALE * elu(x, ALPHA).")
def alpha_missing(x):
    return SCALE * _elu(x)


@SELU.add("SCALE multiplies the positive side only. It multiplies both: SCALE * elu(x, ALPHA).")
def scale_on_one_side(x):
    return torch.where(x > 0, SCALE * x, ALPHA * torch.expm1(x.clamp(max=0)))


@SELU.add("SCALE is missing for x > 0. It multiplies both sides: SCALE * elu(x, ALPHA).")
def scale_on_the_other_side(x):
    return torch.where(x > 0, x, SCALE * ALPHA * torch.expm1(x.clamp(max=0)))


@SELU.add("the constants are rounded. Take all digits of the text: the fixed point depends on them.")
def constants_rounded(x):
    return 1.05 * _elu(x, 1.67)


@SELU.add("four decimals of the constants are not enough. Use SELU_SCALE and SELU_ALPHA of the text.")
def four_decimals(x):
    return 1.0507 * _elu(x, 1.6733)


@SELU.add("the - 1 is missing: for x <= 0 it is SCALE * ALPHA * (exp(x) - 1).")
def one_missing(x):
    return SCALE * torch.where(x > 0, x, ALPHA * torch.exp(x.clamp(max=0)))


@SELU.add("no gradient comes through: detach(), .data or no_grad() cuts the graph.")
def graph_cut(x):
    return SCALE * _elu(x.detach(), ALPHA)


# --- selu_backward ------------------------------------------------------------------------------------------


def _slope(x, alpha):
    return torch.where(x > 0, 1, alpha * torch.exp(x.clamp(max=0)))


@SELU_BACKWARD.add("SCALE is missing: selu is SCALE * elu(x, ALPHA), and so is its slope.")
def scale_missing(grad_output, x):
    return grad_output * _slope(x, ALPHA)


@SELU_BACKWARD.add("SCALE is missing for x > 0: the slope there is SCALE, not 1.")
def scale_on_one_side(grad_output, x):
    return grad_output * torch.where(x > 0, 1, SCALE * ALPHA * torch.exp(x.clamp(max=0)))


@SELU_BACKWARD.add("ALPHA is missing: the slope for x <= 0 is SCALE * ALPHA * exp(x).")
def alpha_missing(grad_output, x):
    return grad_output * SCALE * _slope(x, 1.0)


@SELU_BACKWARD.add("at x = 0 the slope is SCALE * ALPHA, by torch's convention: x > 0 has SCALE, not x >= 0.")
def scale_at_zero(grad_output, x):
    return grad_output * SCALE * torch.where(x >= 0, 1, ALPHA * torch.exp(x.clamp(max=0)))


@SELU_BACKWARD.add("for x <= 0 you use selu's value. The derivative of exp(x) - 1 is exp(x).")
def value_instead_of_slope(grad_output, x):
    return grad_output * SCALE * torch.where(x > 0, 1, ALPHA * torch.expm1(x.clamp(max=0)))


@SELU_BACKWARD.add("grad_output is missing: the chain rule multiplies the slope by it.", "2.1")
def grad_output_missing(grad_output, x):
    return SCALE * _slope(x, ALPHA)


@SELU_BACKWARD.add("(x <= 0) * exp(x) is 0 * inf = nan at x = 1000. Choose with torch.where.")
def product_with_infinity(grad_output, x):
    return grad_output * SCALE * ((x > 0) + (x <= 0) * ALPHA * torch.exp(x))


@SELU_BACKWARD.add("the two constants are exchanged: the slope for x > 0 is SCALE = 1.0507.")
def constants_exchanged(grad_output, x):
    return grad_output * ALPHA * _slope(x, SCALE)


@SELU_BACKWARD.add("the constants are rounded. Take all digits of the text: the fixed point depends on them.")
def constants_rounded(grad_output, x):
    return grad_output * 1.05 * _slope(x, 1.67)


@SELU_BACKWARD.add(
    "four decimals of the constants are not enough. Use SELU_SCALE and SELU_ALPHA of the text."
)
def four_decimals(grad_output, x):
    return grad_output * 1.0507 * _slope(x, 1.6733)
