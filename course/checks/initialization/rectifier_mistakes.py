"""How students get `relu`, `leaky_relu` and their derivatives wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

RELU, RELU_BACKWARD, LEAKY_RELU, LEAKY_RELU_BACKWARD = Mistakes(), Mistakes(), Mistakes(), Mistakes()


# --- relu ---------------------------------------------------------------------------------------------------


@RELU.add("this is |x|. relu makes negative numbers 0, not positive.")
def absolute_value(x):
    return x.abs()


@RELU.add("you keep the negative numbers. relu keeps the positive ones: max(0, x).")
def wrong_side(x):
    return x.clamp(max=0)


@RELU.add("negative numbers leak through. That is leaky_relu; relu gives exactly 0 for them.")
def leaks(x):
    return torch.where(x > 0, x, 0.01 * x)


@RELU.add("x[x < 0] = 0 writes into the caller's tensor. Make a new one: torch.where, clamp or a product.")
def input_changed(x):
    x[x < 0] = 0
    return x


@RELU.add("you return 0 and 1, which is relu's derivative. relu keeps the value of x: x * (x > 0).")
def step_returned(x):
    return (x > 0).to(x.dtype) + 0 * x


@RELU.add("large numbers are cut off. relu has no upper end.")
def cut_off_above(x):
    return x.clamp(0, 6)


@RELU.add(
    "no gradient comes through: detach(), .data or no_grad() cuts the graph. Use tensor operations only."
)
def graph_cut(x):
    return x.detach().clamp(min=0)


@RELU.add("this is softplus, log(1 + exp(x)): smooth, and not 0 for x < 0. relu is max(0, x).")
def softplus_instead(x):
    return torch.nn.functional.softplus(x)


# --- relu_backward ------------------------------------------------------------------------------------------


@RELU_BACKWARD.add("you multiply by relu(x), the value. The slope is 1 where x > 0.")
def value_instead_of_slope(grad_output, x):
    return grad_output * x.clamp(min=0)


@RELU_BACKWARD.add("at x = 0 the gradient is 0, by torch's convention: x > 0 lets it through, not x >= 0.")
def open_at_zero(grad_output, x):
    return grad_output * (x >= 0)


@RELU_BACKWARD.add("at x = 0 you give half of the gradient. torch takes the slope from the left there: 0.")
def half_at_zero(grad_output, x):
    return grad_output * ((x > 0).to(x.dtype) + 0.5 * (x == 0))


@RELU_BACKWARD.add("the gate looks at the sign of grad_output. Whether relu is open is decided by x.")
def gate_by_gradient(grad_output, x):
    return grad_output.clamp(min=0)


@RELU_BACKWARD.add("grad_output is missing: the chain rule multiplies the slope by it.", "2.1")
def grad_output_missing(grad_output, x):
    return (x > 0).to(x.dtype)


@RELU_BACKWARD.add("the gradient passes where x < 0. It passes where x > 0.")
def wrong_side(grad_output, x):
    return grad_output * (x < 0)


@RELU_BACKWARD.add("sign(x) is -1 for x < 0: the derivative of |x|. relu's slope is 0 there.")
def sign_as_slope(grad_output, x):
    return grad_output * torch.sign(x)


@RELU_BACKWARD.add("you change grad_output itself: grad_output[x <= 0] = 0 writes into the caller's tensor.")
def input_changed(grad_output, x):
    grad_output[x <= 0] = 0
    return grad_output


# --- leaky_relu ---------------------------------------------------------------------------------------------

_SIGN_OF_OUTPUT = (
    "the sign of the output decides in your code. With a slope of 0 or below it says nothing about x: "
    "ask for x > 0."
)
_ZERO_REPLACED = "`negative_slope or 0.01` makes 0.01 of a slope of 0. Use the argument as it is."
_MINUS_LOST = "the slope has lost its minus (abs?). A negative negative_slope stays negative."


@LEAKY_RELU.add("the slope is 0.01 whatever the argument says. Use negative_slope.")
def slope_fixed(x, negative_slope=0.01):
    return torch.where(x > 0, x, 0.01 * x)


@LEAKY_RELU.add(
    "max(x, negative_slope * x) picks the wrong side when negative_slope is above 1. Ask for x > 0."
)
def maximum_taken(x, negative_slope=0.01):
    return torch.maximum(x, negative_slope * x)


@LEAKY_RELU.add(_SIGN_OF_OUTPUT)
def sign_of_output(x, negative_slope=0.01):
    return torch.where(negative_slope * x > 0, x, negative_slope * x)


@LEAKY_RELU.add(_ZERO_REPLACED)
def zero_replaced(x, negative_slope=0.01):
    return torch.where(x > 0, x, (negative_slope or 0.01) * x)


@LEAKY_RELU.add(_MINUS_LOST)
def minus_lost(x, negative_slope=0.01):
    return torch.where(x > 0, x, abs(negative_slope) * x)


@LEAKY_RELU.add("the slope is on the wrong side: positive numbers stay, negative ones are multiplied by it.")
def wrong_side(x, negative_slope=0.01):
    return torch.where(x > 0, negative_slope * x, x)


@LEAKY_RELU.add("a sign is wrong: negative_slope * x is negative for x < 0. Yours rises on both sides.")
def rises_on_both_sides(x, negative_slope=0.01):
    return torch.where(x > 0, x, -negative_slope * x)


@LEAKY_RELU.add("negative numbers become 0. That is relu; here they keep a part: negative_slope * x.")
def nothing_leaks(x, negative_slope=0.01):
    return torch.where(x > 0, x, 0 * x)


@LEAKY_RELU.add("for x < 0 you return negative_slope itself. It is a slope: multiply it by x.")
def slope_as_value(x, negative_slope=0.01):
    return torch.where(x > 0, x, torch.full_like(x, negative_slope))


@LEAKY_RELU.add("for x < 0 you return x + negative_slope * x. Only negative_slope * x is left there.")
def added_to_x(x, negative_slope=0.01):
    return x + negative_slope * x.clamp(max=0)


@LEAKY_RELU.add("for x > 0 you return x + negative_slope * x. Only x is left there.")
def added_on_the_right(x, negative_slope=0.01):
    return x.clamp(min=0) + negative_slope * x


@LEAKY_RELU.add(
    "x[x < 0] *= negative_slope writes into the caller's tensor. Make a new one with torch.where."
)
def input_changed(x, negative_slope=0.01):
    x[x < 0] *= negative_slope
    return x


@LEAKY_RELU.add("no gradient comes through: detach(), .data or no_grad() cuts the graph.")
def graph_cut(x, negative_slope=0.01):
    x = x.detach()
    return torch.where(x > 0, x, negative_slope * x)


# --- leaky_relu_backward ------------------------------------------------------------------------------------


@LEAKY_RELU_BACKWARD.add("the slope is 0.01 whatever the argument says. Use negative_slope.")
def slope_fixed(grad_output, x, negative_slope=0.01):
    return torch.where(x > 0, grad_output, 0.01 * grad_output)


@LEAKY_RELU_BACKWARD.add(
    "at x = 0 the slope is negative_slope, by torch's convention: x > 0 has 1, not x >= 0."
)
def one_at_zero(grad_output, x, negative_slope=0.01):
    return torch.where(x >= 0, grad_output, negative_slope * grad_output)


@LEAKY_RELU_BACKWARD.add(_SIGN_OF_OUTPUT)
def sign_of_output(grad_output, x, negative_slope=0.01):
    y = torch.where(x > 0, x, negative_slope * x)
    return torch.where(y > 0, grad_output, negative_slope * grad_output)


@LEAKY_RELU_BACKWARD.add(
    "x > negative_slope * x is the wrong question when negative_slope is above 1. Ask for x > 0."
)
def larger_one_taken(grad_output, x, negative_slope=0.01):
    return torch.where(x > negative_slope * x, grad_output, negative_slope * grad_output)


@LEAKY_RELU_BACKWARD.add(_ZERO_REPLACED)
def zero_replaced(grad_output, x, negative_slope=0.01):
    return torch.where(x > 0, grad_output, (negative_slope or 0.01) * grad_output)


@LEAKY_RELU_BACKWARD.add(_MINUS_LOST)
def minus_lost(grad_output, x, negative_slope=0.01):
    return torch.where(x > 0, grad_output, abs(negative_slope) * grad_output)


@LEAKY_RELU_BACKWARD.add("you multiply by leaky_relu(x), the value. The slope is 1 or negative_slope.")
def value_instead_of_slope(grad_output, x, negative_slope=0.01):
    return grad_output * torch.where(x > 0, x, negative_slope * x)


@LEAKY_RELU_BACKWARD.add("grad_output is missing: the chain rule multiplies the slope by it.", "2.1")
def grad_output_missing(grad_output, x, negative_slope=0.01):
    return torch.where(x > 0, torch.ones_like(x), negative_slope)


@LEAKY_RELU_BACKWARD.add("no gradient passes where x < 0. A part of it does, negative_slope times.")
def nothing_leaks(grad_output, x, negative_slope=0.01):
    return grad_output * (x > 0)


@LEAKY_RELU_BACKWARD.add("the gate looks at the sign of grad_output. The slope is decided by the sign of x.")
def gate_by_gradient(grad_output, x, negative_slope=0.01):
    return torch.where(grad_output > 0, grad_output, negative_slope * grad_output)


@LEAKY_RELU_BACKWARD.add("grad_output is missing where x < 0: it is multiplied by negative_slope there.")
def grad_output_on_one_side(grad_output, x, negative_slope=0.01):
    return torch.where(x > 0, grad_output, negative_slope)


@LEAKY_RELU_BACKWARD.add("a sign is wrong: the slope for x < 0 is negative_slope, not minus it.")
def minus(grad_output, x, negative_slope=0.01):
    return torch.where(x > 0, grad_output, -negative_slope * grad_output)
