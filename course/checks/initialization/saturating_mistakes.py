"""How students get `sigmoid`, `tanh` and their derivatives wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

SIGMOID, SIGMOID_BACKWARD, TANH, TANH_BACKWARD = Mistakes(), Mistakes(), Mistakes(), Mistakes()


_NAN = (
    "autograd also goes through the branch that is not taken, "
    "where exp is inf: 0 * inf = nan. Clamp x in each branch, so that exp gets no positive number."
)


# --- sigmoid ------------------------------------------------------------------------------------------------


@SIGMOID.add("the minus in the exponent is missing: 1 / (1 + exp(-x)). Yours falls where sigmoid rises.")
def minus_missing(x):
    return 0.5 * (1 - torch.tanh(x / 2))


@SIGMOID.add(
    "exp(x) / (1 + exp(x)) is inf / inf = nan for large x. "
    "Write the formula so that exp never gets a large positive number."
)
def large_x_overflows(x):
    return torch.exp(x) / (1 + torch.exp(x))


@SIGMOID.add(
    "autograd goes through exp(-x) too: at x = -1000 it meets 0 * inf = nan. "
    "Clamp x first, or use (1 + tanh(x / 2)) / 2."
)
def autograd_meets_infinity(x):
    return 1 / (1 + torch.exp(-x))


@SIGMOID.add(_NAN)
def branch_not_taken(x):
    return torch.where(x >= 0, 1 / (1 + torch.exp(-x)), torch.exp(x) / (1 + torch.exp(x)))


@SIGMOID.add("autograd sees a kink at 0 in |x| or clamp, and sigmoid'(0) comes out as 0.5. It is 1/4.")
def kink_at_zero(x):
    return torch.exp(-torch.log1p(torch.exp(-x.abs())) - (-x).clamp(min=0))


@SIGMOID.add("autograd's slope of |x| at 0 is 0, so sigmoid'(0) comes out as 0. It is 1/4.")
def slope_lost_at_zero(x):
    e = torch.exp(-x.abs())
    return torch.where(x >= 0, 1 / (1 + e), e / (1 + e))


@SIGMOID.add(
    "0.5 everywhere: the clamps are exchanged. exp(-x) is for x >= 0, so x.clamp(min=0) there; "
    "exp(x) is for x < 0, so x.clamp(max=0)."
)
def clamps_exchanged(x):
    right, left = torch.exp(-x.clamp(max=0)), torch.exp(x.clamp(min=0))
    return torch.where(x >= 0, 1 / (1 + right), left / (1 + left))


@SIGMOID.add(
    "0.5 everywhere: the branches of torch.where are exchanged. The first one is for x >= 0, with exp(-x)."
)
def branches_exchanged(x):
    right, left = torch.exp(-x.clamp(min=0)), torch.exp(x.clamp(max=0))
    return torch.where(x >= 0, left / (1 + left), 1 / (1 + right))


@SIGMOID.add("this is tanh. sigmoid lies between 0 and 1: (1 + tanh(x / 2)) / 2.")
def tanh_instead(x):
    return torch.tanh(x)


@SIGMOID.add("x must be halved inside tanh: sigmoid(x) = (1 + tanh(x / 2)) / 2.")
def not_halved(x):
    return 0.5 * (1 + torch.tanh(x))


@SIGMOID.add("the 1 in the denominator is missing: 1 / (1 + exp(-x)). Without it you compute exp(x).")
def one_missing(x):
    return torch.exp(x)


@SIGMOID.add(
    "no gradient comes through: detach(), .data or no_grad() cuts the graph. Use tensor operations only."
)
def graph_cut(x):
    return 0.5 * (1 + torch.tanh(x.detach() / 2))


@SIGMOID.add("you change x itself. An operation that ends in _, or x /= 2, writes into the caller's tensor.")
def input_changed(x):
    x /= 2
    return 0.5 * (1 + torch.tanh(x))


@SIGMOID.add(
    "this is a straight line, cut off at 0 and 1 (a 'hard' sigmoid). The sigmoid is 1 / (1 + exp(-x))."
)
def straight_line(x):
    return torch.clamp(x / 4 + 0.5, 0, 1)


# --- sigmoid_backward ---------------------------------------------------------------------------------------


def _sigmoid(x):
    return 0.5 * (1 + torch.tanh(x / 2))


@SIGMOID_BACKWARD.add(
    "grad_output is missing. The chain rule multiplies: grad_output * s * (1 - s).", section="2.1"
)
def grad_output_missing(grad_output, x):
    s = _sigmoid(x)
    return s * (1 - s)


@SIGMOID_BACKWARD.add(
    "grad_output and x are exchanged: the slope is taken at x, and grad_output multiplies it."
)
def arguments_exchanged(grad_output, x):
    s = _sigmoid(grad_output)
    return x * s * (1 - s)


@SIGMOID_BACKWARD.add(
    "brackets: grad_output * s * (1 - s). Without them the 1 is not part of the difference."
)
def brackets_missing(grad_output, x):
    s = _sigmoid(x)
    return grad_output * s * 1 - s


@SIGMOID_BACKWARD.add("x * (1 - x) takes x for the output. First s = sigmoid(x), then s * (1 - s).")
def input_taken_for_output(grad_output, x):
    return grad_output * x * (1 - x)


@SIGMOID_BACKWARD.add("the factor (1 - s) is missing: the slope s * (1 - s) vanishes on both sides.")
def falling_factor_missing(grad_output, x):
    return grad_output * _sigmoid(x)


@SIGMOID_BACKWARD.add("the factor s is missing: the slope s * (1 - s) vanishes on both sides.")
def rising_factor_missing(grad_output, x):
    return grad_output * (1 - _sigmoid(x))


@SIGMOID_BACKWARD.add("1 - s**2 is tanh's derivative, written with its output. For sigmoid: s * (1 - s).")
def formula_of_tanh(grad_output, x):
    return grad_output * (1 - _sigmoid(x) ** 2)


@SIGMOID_BACKWARD.add(
    "exp(-x) / (1 + exp(-x))**2 is inf / inf = nan at x = -1000. Use s * (1 - s) with a sigmoid that is safe."
)
def overflows(grad_output, x):
    e = torch.exp(-x)
    return grad_output * e / (1 + e) ** 2


@SIGMOID_BACKWARD.add("a sign is wrong: the slope is s * (1 - s), not s * (1 + s).")
def plus(grad_output, x):
    s = _sigmoid(x)
    return grad_output * s * (1 + s)


@SIGMOID_BACKWARD.add("the sign is wrong: sigmoid rises everywhere, so its slope s * (1 - s) is positive.")
def minus(grad_output, x):
    s = _sigmoid(x)
    return grad_output * s * (s - 1)


@SIGMOID_BACKWARD.add("the slope is taken at grad_output. It is s * (1 - s) with s = sigmoid(x).")
def slope_at_grad_output(grad_output, x):
    s = _sigmoid(grad_output)
    return grad_output * s * (1 - s)


# --- tanh ---------------------------------------------------------------------------------------------------


@TANH.add(
    "exp(1000) is inf, and inf / inf is nan, on both sides. "
    "Divide above and below by the larger exponential, or clamp x first."
)
def both_sides_overflow(x):
    return (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))


@TANH.add(
    "(exp(2x) - 1) / (exp(2x) + 1) is inf / inf = nan for large x. Clamp x first, or give exp only x <= 0."
)
def large_x_overflows(x):
    return (torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1)


@TANH.add(
    "(1 - exp(-2x)) / (1 + exp(-2x)) is inf / inf = nan for very negative x. "
    "Clamp x first, or give exp only numbers <= 0."
)
def negative_x_overflows(x):
    return (1 - torch.exp(-2 * x)) / (1 + torch.exp(-2 * x))


@TANH.add("autograd goes through exp too, and where it is inf meets 0 * inf = nan. Clamp x before exp.")
def autograd_meets_infinity(x):
    return 1 - 2 / (torch.exp(2 * x) + 1)


@TANH.add(_NAN)
def branch_not_taken(x):
    right = (1 - torch.exp(-2 * x)) / (1 + torch.exp(-2 * x))
    return torch.where(x >= 0, right, (torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1))


@TANH.add("autograd's slope of |x| and sign(x) at 0 is 0, so tanh'(0) comes out as 0. It is 1.")
def slope_lost_at_zero(x):
    e = torch.exp(-2 * x.abs())
    return torch.sign(x) * (1 - e) / (1 + e)


@TANH.add("this is the sigmoid, between 0 and 1. tanh(x) = 2 * sigmoid(2x) - 1 lies between -1 and 1.")
def sigmoid_instead(x):
    return torch.sigmoid(x)


@TANH.add("x must be doubled inside the sigmoid: tanh(x) = 2 * sigmoid(2x) - 1.")
def not_doubled(x):
    return 2 * torch.sigmoid(x) - 1


@TANH.add("the 2 in front is missing: 2 * sigmoid(2x) - 1. Yours lies between -1 and 0.")
def not_stretched(x):
    return torch.sigmoid(2 * x) - 1


@TANH.add("plus and minus are exchanged: tanh is (exp(x) - exp(-x)) / (exp(x) + exp(-x)), and tanh(0) = 0.")
def upside_down(x):
    e = torch.exp(-2 * x.clamp(-20, 20))
    return (1 + e) / (1 - e)


@TANH.add("this is a straight line, cut off at -1 and 1 (a 'hard' tanh). tanh bends.")
def straight_line(x):
    return x.clamp(-1, 1)


@TANH.add(
    "no gradient comes through: detach(), .data or no_grad() cuts the graph. Use tensor operations only."
)
def graph_cut(x):
    return 2 * torch.sigmoid(2 * x.detach()) - 1


@TANH.add("you change x itself. An operation that ends in _, or x *= 2, writes into the caller's tensor.")
def input_changed(x):
    x *= 2
    return 2 * torch.sigmoid(x) - 1


# --- tanh_backward ------------------------------------------------------------------------------------------


@TANH_BACKWARD.add(
    "grad_output is missing. The chain rule multiplies: grad_output * (1 - tanh(x)**2).", section="2.1"
)
def grad_output_missing(grad_output, x):
    return 1 - torch.tanh(x) ** 2


@TANH_BACKWARD.add("the square is missing: the slope is 1 - tanh(x)**2.")
def square_missing(grad_output, x):
    return grad_output * (1 - torch.tanh(x))


@TANH_BACKWARD.add("grad_output and x are exchanged: the slope is taken at x, and grad_output multiplies it.")
def arguments_exchanged(grad_output, x):
    return x * (1 - torch.tanh(grad_output) ** 2)


@TANH_BACKWARD.add("brackets: grad_output * (1 - t**2). Without them the 1 is not part of the difference.")
def brackets_missing(grad_output, x):
    return grad_output * 1 - torch.tanh(x) ** 2


@TANH_BACKWARD.add("1 - x**2 takes x for the output. First t = tanh(x), then 1 - t**2.")
def input_taken_for_output(grad_output, x):
    return grad_output * (1 - x**2)


@TANH_BACKWARD.add("t * (1 - t) is the derivative of the sigmoid. For tanh: 1 - t**2.")
def formula_of_sigmoid(grad_output, x):
    t = torch.tanh(x)
    return grad_output * t * (1 - t)


@TANH_BACKWARD.add("the square is on the wrong side of the bracket: 1 - t**2, not (1 - t)**2.")
def bracket_squared(grad_output, x):
    return grad_output * (1 - torch.tanh(x)) ** 2


@TANH_BACKWARD.add("a sign is wrong: the slope is 1 - t**2, not 1 + t**2.")
def plus(grad_output, x):
    return grad_output * (1 + torch.tanh(x) ** 2)


@TANH_BACKWARD.add(
    "exp(1000) is inf, and your formula makes inf / inf = nan of it. Use 1 - t**2 with a tanh that is safe."
)
def overflows(grad_output, x):
    t = (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))
    return grad_output * (1 - t**2)


@TANH_BACKWARD.add("you multiply by tanh(x), the value, not by its slope 1 - tanh(x)**2.")
def value_instead_of_slope(grad_output, x):
    return grad_output * torch.tanh(x)
