"""How students get `batch_norm_backward` wrong.

Most of them write g for ∂L/∂y and have the right formula but for one term:

    grad_x = weight / std · (g − mean(g) − x̂ · mean(g · x̂))
"""

from __future__ import annotations

import torch
from torch import Tensor

from course.checks.collect import Mistakes

BATCH_NORM_BACKWARD = Mistakes()


def _forward(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """x_hat and std of the forward pass: the part of the work that is right."""
    std = torch.sqrt(x.var(0, correction=0) + eps)
    return (x - x.mean(0)) / std, std


@BATCH_NORM_BACKWARD.add(
    "you take mean and variance for constants. They depend on every x: two terms are missing, -mean(g) and "
    "-x_hat * mean(g * x_hat)."
)
def statistics_taken_for_constants(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    return weight / std * grad_output, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("the way through the mean is missing in grad_x: -mean(g).")
def mean_taken_for_a_constant(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("the way through the variance is missing in grad_x: -x_hat * mean(g * x_hat).")
def variance_taken_for_a_constant(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("the term of the variance has the wrong sign: it is subtracted.")
def variance_term_added(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0) + x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("the term of the mean has the wrong sign: it is subtracted.")
def mean_term_added(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output + grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("in grad_x you subtract sums over the batch. Both are means: divide by N.")
def sums_for_means(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.sum(0) - x_hat * (grad_output * x_hat).sum(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add(
    "grad_x is N times too large: N*g - sum(g) - x_hat*sum(g*x_hat) must be divided by N."
)
def not_divided_by_n(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_bias, grad_weight = grad_output.sum(0), (grad_output * x_hat).sum(0)
    return weight / std * (len(x) * grad_output - grad_bias - x_hat * grad_weight), grad_weight, grad_bias


@BATCH_NORM_BACKWARD.add(
    "the variance's term is twice as large as it should be: the 2 of the square meets the 1/2 of the root."
)
def variance_term_doubled(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - 2 * x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("the variance's term is half as large as it should be: d(x - mean)^2/dx brings a 2.")
def variance_term_halved(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - 0.5 * x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("the variance's term lacks an x_hat: it is x_hat * mean(g * x_hat).")
def x_hat_missing_in_variance_term(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("the variance's term is x_hat * mean(g * x_hat). You left g outside of the mean.")
def g_outside_of_the_mean(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - grad_output * (x_hat * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add(
    "in the variance's term you use x - mean. Use x_hat, which is divided by std, both times."
)
def centred_for_x_hat(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    centred = x - x.mean(0)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - centred * (grad_output * centred).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("weight is missing in grad_x: g first goes back through y = weight * x_hat + bias.")
def weight_forgotten(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0)) / std
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add(
    "weight is in grad_x twice. Either start from g * weight, or multiply by weight at the end."
)
def weight_twice(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    g = grad_output * weight
    grad_x = weight / std * (g - g.mean(0) - x_hat * (g * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("weight multiplies only g, not the two other terms. All three come from g * weight.")
def weight_on_one_term(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = (weight * grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0)) / std
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add(
    "grad_weight and grad_bias start from g * weight. y = weight * x_hat + bias: they start from g."
)
def weight_in_grad_weight(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    g = grad_output * weight
    return (g - g.mean(0) - x_hat * (g * x_hat).mean(0)) / std, (g * x_hat).sum(0), g.sum(0)


@BATCH_NORM_BACKWARD.add("the factor 1 / std is missing in grad_x.")
def std_forgotten(grad_output, x, weight, eps=1e-5):
    x_hat, _ = _forward(x, eps)
    grad_x = weight * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add(
    "you divide grad_x by the variance. Divide by the standard deviation sqrt(var + eps)."
)
def no_root(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std**2 * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add(
    "you multiply by std on the way back. The derivative of (x - mean) / std is 1 / std."
)
def multiplied_by_std(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight * std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("grad_weight uses x. weight multiplies x_hat: sum(g * x_hat).")
def x_in_grad_weight(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add(
    "grad_weight uses x - mean, without the division by std. weight multiplies x_hat: sum(g * x_hat)."
)
def centred_in_grad_weight(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * (x - x.mean(0))).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add(
    "grad_weight and grad_bias are means. The same weight meets all N examples: their gradients add up."
)
def means_for_sums(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).mean(0), grad_output.mean(0)


@BATCH_NORM_BACKWARD.add(
    "grad_weight and grad_bias still have the shape (N, C). Add them up over the batch: sum(dim=0)."
)
def not_summed(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, grad_output * x_hat, grad_output


@BATCH_NORM_BACKWARD.add(
    "you add up over the features (dim=1). weight and bias have one number per feature: dim=0."
)
def summed_over_features(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(1), grad_output.sum(1)


@BATCH_NORM_BACKWARD.add("grad_weight and grad_bias are swapped. Return grad_x, grad_weight, grad_bias.")
def weight_and_bias_swapped(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, grad_output.sum(0), (grad_output * x_hat).sum(0)


@BATCH_NORM_BACKWARD.add(
    "you use the unbiased variance (1/(n-1)). The forward pass used the biased one: unbiased=False.", "3.3"
)
def unbiased_variance(grad_output, x, weight, eps=1e-5):
    std = torch.sqrt(x.var(0) + eps)
    x_hat = (x - x.mean(0)) / std
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("x_hat is computed without subtracting the mean.", "3.3")
def not_centred(grad_output, x, weight, eps=1e-5):
    _, std = _forward(x, eps)
    x_hat = x / std
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add(
    "your variance is mean(x^2) - mean^2. With a large mean two large numbers cancel and the digits are "
    "gone: subtract the mean first.",
    "3.3",
)
def mean_of_squares(grad_output, x, weight, eps=1e-5):
    std = torch.sqrt(x.square().mean(0) - x.mean(0) ** 2 + eps)
    x_hat = (x - x.mean(0)) / std
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("eps is missing. The forward pass divided by sqrt(var + eps).")
def no_eps(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, 0.0)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("eps is added after the root. The forward pass divided by sqrt(var + eps).")
def eps_outside_root(grad_output, x, weight, eps=1e-5):
    std = torch.sqrt(x.var(0, correction=0)) + eps
    x_hat = (x - x.mean(0)) / std
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add("eps is 1e-5 whatever the argument says. Use the argument.")
def eps_fixed(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, 1e-5)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add(
    "eps is missing in 1 / std at the front; x_hat has it. Both divide by the same sqrt(var + eps)."
)
def eps_in_x_hat_only(grad_output, x, weight, eps=1e-5):
    x_hat, _ = _forward(x, eps)
    _, std = _forward(x, 0.0)
    grad_x = weight / std * (grad_output - grad_output.mean(0) - x_hat * (grad_output * x_hat).mean(0))
    return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0)


@BATCH_NORM_BACKWARD.add(
    "autograd cannot help here: the checks call your function where nothing is recorded. Write the formula."
)
def autograd_used(grad_output, x, weight, eps=1e-5):
    x, weight = x.detach().clone().requires_grad_(), weight.detach().clone().requires_grad_()
    bias = torch.zeros_like(weight, requires_grad=True)
    x_hat, _ = _forward(x, eps)
    return torch.autograd.grad(weight * x_hat + bias, (x, weight, bias), grad_output)


@BATCH_NORM_BACKWARD.add(
    "grad_output or x is changed in place (such as `x -= mean`). The caller still needs both."
)
def changes_its_input(grad_output, x, weight, eps=1e-5):
    x_hat, std = _forward(x, eps)
    grad_bias, grad_weight = grad_output.sum(0), (grad_output * x_hat).sum(0)
    grad_output -= grad_output.mean(0) + x_hat * grad_weight / len(x)
    return weight / std * grad_output, grad_weight, grad_bias
