"""How students get `batch_norm_eval` wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

BATCH_NORM_EVAL = Mistakes()


@BATCH_NORM_EVAL.add(
    "you normalize with the batch. In evaluation the running statistics take its place: one example must "
    "not depend on its neighbours."
)
def batch_statistics(x, running_mean, running_var, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias


@BATCH_NORM_EVAL.add("you subtract the mean of the batch. Subtract running_mean.")
def batch_mean(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * (x - x.mean(0)) / torch.sqrt(running_var + eps) + bias


@BATCH_NORM_EVAL.add("you divide by the std of the batch. Use running_var.")
def batch_variance(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * (x - running_mean) / torch.sqrt(x.var(0, correction=0) + eps) + bias


@BATCH_NORM_EVAL.add(
    "you blend the running statistics with those of the batch first. Blending belongs to training."
)
def blended_statistics(x, running_mean, running_var, weight, bias, eps=1e-5):
    mean = 0.9 * running_mean + 0.1 * x.mean(0)
    var = 0.9 * running_var + 0.1 * x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias


@BATCH_NORM_EVAL.add("you correct running_var by n/(n-1). It is unbiased already: use it as it is.")
def corrected_again(x, running_mean, running_var, weight, bias, eps=1e-5):
    n = max(len(x), 2)
    return weight * (x - running_mean) / torch.sqrt(running_var * n / (n - 1) + eps) + bias


@BATCH_NORM_EVAL.add("you turn running_var back into a biased variance, (n-1)/n. Use it as it is.")
def made_biased_again(x, running_mean, running_var, weight, bias, eps=1e-5):
    n = max(len(x), 2)
    return weight * (x - running_mean) / torch.sqrt(running_var * (n - 1) / n + eps) + bias


@BATCH_NORM_EVAL.add("running_mean and running_var are swapped.")
def statistics_swapped(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * (x - running_var) / torch.sqrt(running_mean + eps) + bias


@BATCH_NORM_EVAL.add("running_mean is not subtracted.", "3.3")
def not_centred(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * x / torch.sqrt(running_var + eps) + bias


@BATCH_NORM_EVAL.add(
    "brackets are missing: x - mean / std divides only the mean. Write (x - mean) / std.", "3.3"
)
def brackets_missing(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * (x - running_mean / torch.sqrt(running_var + eps)) + bias


@BATCH_NORM_EVAL.add(
    "you divide by the variance. Divide by the standard deviation sqrt(running_var + eps).", "3.3"
)
def no_root(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * (x - running_mean) / (running_var + eps) + bias


@BATCH_NORM_EVAL.add("eps is missing. The denominator is sqrt(running_var + eps), as in training.", "3.3")
def no_eps(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * (x - running_mean) / torch.sqrt(running_var) + bias


@BATCH_NORM_EVAL.add(
    "eps is added after the root. It belongs to the variance: sqrt(running_var + eps).", "3.3"
)
def eps_outside_root(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * (x - running_mean) / (torch.sqrt(running_var) + eps) + bias


@BATCH_NORM_EVAL.add("eps is 1e-5 whatever the argument says. Use the argument.", "3.3")
def eps_fixed(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * (x - running_mean) / torch.sqrt(running_var + 1e-5) + bias


@BATCH_NORM_EVAL.add("you add eps squared. The denominator is sqrt(running_var + eps).", "3.3")
def eps_squared(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * (x - running_mean) / torch.sqrt(running_var + eps**2) + bias


@BATCH_NORM_EVAL.add("weight and bias are swapped: weight (gamma) multiplies, bias (beta) is added.", "3.3")
def weight_and_bias_swapped(x, running_mean, running_var, weight, bias, eps=1e-5):
    return bias * (x - running_mean) / torch.sqrt(running_var + eps) + weight


@BATCH_NORM_EVAL.add("bias is added before the multiplication. First weight * x_hat, then + bias.", "3.3")
def shift_before_scale(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * ((x - running_mean) / torch.sqrt(running_var + eps) + bias)


@BATCH_NORM_EVAL.add("weight and bias are not applied. Evaluation needs them too: y = weight * x_hat + bias.")
def affine_forgotten(x, running_mean, running_var, weight, bias, eps=1e-5):
    return (x - running_mean) / torch.sqrt(running_var + eps)


@BATCH_NORM_EVAL.add("bias is never added: y = weight * x_hat + bias.", "3.3")
def bias_forgotten(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * (x - running_mean) / torch.sqrt(running_var + eps)


@BATCH_NORM_EVAL.add(
    "nothing is normalized: you only apply weight and bias. "
    "Evaluation normalizes too, with the running statistics."
)
def only_affine(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * x + bias


@BATCH_NORM_EVAL.add("running_mean and running_var change in evaluation. Update them in training only.")
def updates_statistics(x, running_mean, running_var, weight, bias, eps=1e-5):
    y = weight * (x - running_mean) / torch.sqrt(running_var + eps) + bias
    with torch.no_grad():
        running_mean.lerp_(x.mean(0), 0.1)
        running_var.lerp_(x.var(0, correction=0), 0.1)
    return y


@BATCH_NORM_EVAL.add(
    "x is changed in place (such as `x -= running_mean`). The caller still needs it: write into a new tensor."
)
def changes_its_input(x, running_mean, running_var, weight, bias, eps=1e-5):
    x -= running_mean
    return weight * x / torch.sqrt(running_var + eps) + bias


@BATCH_NORM_EVAL.add("a batch of one example loses its first axis (squeeze). y has the shape of x: (N, C).")
def squeezed(x, running_mean, running_var, weight, bias, eps=1e-5):
    return (weight * (x - running_mean) / torch.sqrt(running_var + eps) + bias).squeeze()


@BATCH_NORM_EVAL.add(
    "you refuse a batch of one example. In evaluation it is allowed: the statistics are remembered."
)
def refuses_one_example(x, running_mean, running_var, weight, bias, eps=1e-5):
    if len(x) < 2:
        raise ValueError("expected more than 1 value per channel")
    return weight * (x - running_mean) / torch.sqrt(running_var + eps) + bias


@BATCH_NORM_EVAL.add(
    "no gradient flows (no_grad or detach). eval() is not no_grad(): in fine-tuning, gradients pass "
    "through here too."
)
def no_gradient(x, running_mean, running_var, weight, bias, eps=1e-5):
    with torch.no_grad():
        return weight * (x - running_mean) / torch.sqrt(running_var + eps) + bias
