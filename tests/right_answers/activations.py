"""Right answers to the activations and their derivatives."""

import math

import numpy as np
import torch
from torch.nn import functional as F

ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805


# --- sigmoid ------------------------------------------------------------------------------------------------


def sigmoid_from_tanh(x):
    return (torch.tanh(x / 2) + 1) / 2


def sigmoid_with_clamp(x):
    return 1 / (1 + torch.exp(-x.clamp(-40, 40)))


def sigmoid_from_softmax(x):
    return torch.softmax(torch.stack([x, torch.zeros_like(x)]), dim=0)[0]


def sigmoid_in_two_halves(x):
    above, below = torch.exp(-x.clamp(min=0)), torch.exp(x.clamp(max=0))
    return torch.where(x >= 0, 1 / (1 + above), below / (1 + below))


def sigmoid_from_softplus(x):
    return torch.exp(-F.softplus(-x))


def sigmoid_from_logaddexp(x):
    return (x - torch.logaddexp(x, x.new_zeros(()))).exp()


class SigmoidFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        e = torch.exp(-x.abs())
        y = torch.where(x >= 0, 1 / (1 + e), e / (1 + e))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad_output):
        (y,) = ctx.saved_tensors
        return grad_output * y * (1 - y)


def sigmoid_as_a_function_of_autograd(x):
    return SigmoidFunction.apply(x)


def sigmoid_slope(grad_output, x):
    s = torch.sigmoid(x)
    return grad_output * s * (1 - s)


def sigmoid_slope_with_exp(grad_output, x):
    e = torch.exp(-x.abs())
    return grad_output * e / (1 + e) ** 2


def sigmoid_slope_from_tanh(grad_output, x):
    return grad_output * (1 - torch.tanh(x / 2) ** 2) / 4


def sigmoid_slope_in_numpy(grad_output, x):
    e = np.exp(-np.abs(x.numpy()))
    return grad_output * torch.from_numpy(e / (1 + e) ** 2)


# --- tanh ---------------------------------------------------------------------------------------------------


def tanh_from_sigmoid(x):
    return 2 * torch.sigmoid(2 * x) - 1


def tanh_with_clamp(x):
    z = torch.clamp(x, -30, 30)
    return (torch.exp(z) - torch.exp(-z)) / (torch.exp(z) + torch.exp(-z))


def tanh_from_expm1(x):
    e = torch.expm1(2 * x.clamp(-20, 20))
    return e / (e + 2)


def tanh_from_softmax(x):
    both = torch.softmax(torch.stack([x, -x]), 0)
    return both[0] - both[1]


def tanh_slope(grad_output, x):
    return grad_output * (1 - torch.tanh(x).pow(2))


def tanh_slope_from_cosh(grad_output, x):
    return grad_output / torch.cosh(x) ** 2


def tanh_slope_from_sigmoid(grad_output, x):
    s = torch.sigmoid(2 * x)
    return 4 * grad_output * s * (1 - s)


def tanh_slope_of_products(grad_output, x):
    t = 2 * torch.sigmoid(2 * x) - 1
    return torch.addcmul(grad_output, grad_output * t, t, value=-1)


# --- rectifiers ---------------------------------------------------------------------------------------------


def relu_slope_with_where(grad_output, x):
    return torch.where(x > 0, grad_output, torch.zeros_like(grad_output))


def relu_slope_masked(grad_output, x):
    grad = grad_output.clone()
    grad[x <= 0] = 0
    return grad


def leaky_by_halves(x, negative_slope=0.01):
    return x.clamp(min=0) + negative_slope * x.clamp(max=0)


def leaky_with_factor(x, negative_slope=0.01):
    factor = torch.ones_like(x)
    factor[x < 0] = negative_slope
    return x * factor


def leaky_from_relu(x, negative_slope=0.01):
    return torch.relu(x) - negative_slope * torch.relu(-x)


def leaky_slope_with_factor(grad_output, x, negative_slope=0.01):
    positive = (x > 0).to(x.dtype)
    return grad_output * (positive + negative_slope * (1 - positive))


def leaky_slope_masked(grad_output, x, negative_slope=0.01):
    grad = grad_output.clone()
    grad[x <= 0] *= negative_slope
    return grad


def channels(weight, x):
    shape = [1] * x.dim()
    if len(weight) > 1:
        shape[1] = -1
    return weight.reshape(shape)


def prelu_with_where(x, weight):
    return torch.where(x > 0, x, channels(weight, x) * x)


def prelu_from_relu(x, weight):
    return torch.relu(x) - channels(weight, x) * torch.relu(-x)


def prelu_channels_last(x, weight):
    if weight.numel() == 1:
        return x.clamp(min=0) + weight * x.clamp(max=0)
    x = x.movedim(1, -1)
    return (x.clamp(min=0) + weight * x.clamp(max=0)).movedim(-1, 1)


def prelu_with_a_loop(x, weight):
    if weight.numel() == 1:
        return torch.where(x >= 0, x, weight * x)
    planes = [torch.where(p >= 0, p, w * p) for p, w in zip(x.unbind(1), weight, strict=True)]
    return torch.stack(planes, dim=1)


def prelu_slopes_with_flatten(grad_output, x, weight):
    negative = (x <= 0).to(x.dtype)
    grad_x = grad_output * (1 - negative) + grad_output * negative * channels(weight, x)
    terms = grad_output * x * negative
    if len(weight) == 1:
        return grad_x, terms.sum().view(1)
    return grad_x, terms.transpose(0, 1).flatten(1).sum(1)


def prelu_slopes_with_sum_to_size(grad_output, x, weight):
    w = channels(weight, x)
    terms = grad_output * torch.clamp(x, max=0)
    return torch.where(x > 0, grad_output, w * grad_output), terms.sum_to_size(w.shape).reshape(weight.shape)


def prelu_slopes_with_loops(grad_output, x, weight):
    grad_x, grad_weight = grad_output.clone(), torch.zeros_like(weight)
    if len(weight) == 1:
        grad_x[x <= 0] *= weight
        grad_weight[0] = (grad_output * x)[x <= 0].sum()
        return [grad_x, grad_weight]
    for c in range(len(weight)):
        mask = x[:, c] <= 0
        grad_x[:, c] = torch.where(mask, weight[c], 1) * grad_output[:, c]
        grad_weight[c] = (grad_output[:, c] * x[:, c])[mask].sum()
    return [grad_x, grad_weight]


# --- exponential --------------------------------------------------------------------------------------------


def elu_with_where(x, alpha=1.0):
    return torch.where(x > 0, x, alpha * (torch.exp(torch.clamp(x, max=0)) - 1))


def elu_by_halves(x, alpha=1.0):
    return x.clamp(min=0) + alpha * torch.expm1(x.clamp(max=0))


def elu_with_masks(x, alpha=1.0):
    y = x.clone()
    negative = x < 0
    y[negative] = alpha * (x[negative].exp() - 1)
    return y


def elu_with_safe_where(x, alpha=1.0):
    safe = torch.where(x > 0, torch.zeros_like(x), x)
    return torch.where(x > 0, x, alpha * torch.expm1(safe))


def elu_slope_with_where(grad_output, x, alpha=1.0):
    return torch.where(x > 0, grad_output, grad_output * alpha * torch.exp(x))


def elu_slope_from_value(grad_output, x, alpha=1.0):
    return grad_output * torch.where(x > 0, torch.ones_like(x), elu_with_where(x, alpha) + alpha)


def elu_slope_masked(grad_output, x, alpha=1.0):
    grad = grad_output.clone()
    negative = x <= 0
    grad[negative] *= alpha * x[negative].exp()
    return grad


def selu_slope_with_clamp(grad_output, x):
    slope = ALPHA * torch.exp(x.clamp(max=0))
    slope[x > 0] = 1.0
    return SCALE * slope * grad_output


RIGHT = {
    "sigmoid": {
        "from tanh": sigmoid_from_tanh,
        "clamp": sigmoid_with_clamp,
        "softmax": sigmoid_from_softmax,
        "two halves": sigmoid_in_two_halves,
        "softplus": sigmoid_from_softplus,
        "logaddexp": sigmoid_from_logaddexp,
        "autograd.Function": sigmoid_as_a_function_of_autograd,
    },
    "sigmoid_backward": {
        "s (1 - s)": sigmoid_slope,
        "exp(-|x|)": sigmoid_slope_with_exp,
        "from tanh": sigmoid_slope_from_tanh,
        "numpy": sigmoid_slope_in_numpy,
    },
    "tanh": {
        "from sigmoid": tanh_from_sigmoid,
        "clamp": tanh_with_clamp,
        "expm1": tanh_from_expm1,
        "softmax": tanh_from_softmax,
    },
    "tanh_backward": {
        "1 - t²": tanh_slope,
        "cosh": tanh_slope_from_cosh,
        "from sigmoid": tanh_slope_from_sigmoid,
        "addcmul": tanh_slope_of_products,
    },
    "relu": {
        "clamp": lambda x: x.clamp(min=0),
        "product": lambda x: x * (x > 0),
        "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
        "half of x + |x|": lambda x: (x + x.abs()) / 2,
        "masked_fill": lambda x: x.masked_fill(x < 0, 0.0),
    },
    "relu_backward": {
        "product": lambda grad_output, x: grad_output * (x > 0).float(),
        "where": relu_slope_with_where,
        "masked": relu_slope_masked,
        "heaviside": lambda grad_output, x: grad_output * torch.heaviside(x, x.new_zeros(())),
    },
    "leaky_relu": {
        "halves": leaky_by_halves,
        "factor": leaky_with_factor,
        "from relu": leaky_from_relu,
        "where": lambda x, negative_slope=0.01: torch.where(x < 0, x * negative_slope, x),
    },
    "leaky_relu_backward": {
        "factor": leaky_slope_with_factor,
        "masked": leaky_slope_masked,
        "where": lambda grad_output, x, negative_slope=0.01: (
            grad_output * torch.where(x > 0, 1.0, negative_slope).to(x.dtype)
        ),
    },
    "prelu": {
        "where": prelu_with_where,
        "from relu": prelu_from_relu,
        "channels last": prelu_channels_last,
        "loop": prelu_with_a_loop,
    },
    "prelu_backward": {
        "flatten": prelu_slopes_with_flatten,
        "sum_to_size": prelu_slopes_with_sum_to_size,
        "loops": prelu_slopes_with_loops,
    },
    "elu": {
        "where": elu_with_where,
        "halves": elu_by_halves,
        "masks": elu_with_masks,
        "where, twice": elu_with_safe_where,
    },
    "elu_backward": {
        "where": elu_slope_with_where,
        "from the value": elu_slope_from_value,
        "masked": elu_slope_masked,
    },
    "selu": {
        "of elu": lambda x: SCALE * elu_with_where(x, ALPHA),
        "halves": lambda x: SCALE * x.clamp(min=0) + SCALE * ALPHA * (torch.exp(x.clamp(max=0)) - 1),
        "masks": lambda x: SCALE * elu_with_masks(x, ALPHA),
        "math.prod": lambda x: elu_by_halves(x, ALPHA) * math.prod([SCALE]),
    },
    "selu_backward": {
        "of elu_backward": lambda grad_output, x: SCALE * elu_slope_with_where(grad_output, x, ALPHA),
        "clamp": selu_slope_with_clamp,
        "masked": lambda grad_output, x: elu_slope_masked(SCALE * grad_output, x, ALPHA),
    },
}
