"""How students get `batch_norm_train` wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

BATCH_NORM_TRAIN = Mistakes()


@BATCH_NORM_TRAIN.add(
    "you normalize with the unbiased variance (1/(n-1)), which is torch's default. "
    "Batch norm divides by the biased one (1/n): unbiased=False."
)
def unbiased_variance(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add(
    "y is right, but the variance that you return is another one (1/(n-1)). Return the one you used."
)
def unbiased_variance_returned(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, x.var(0)


@BATCH_NORM_TRAIN.add("y is right, but you return the standard deviation. Return the variance.")
def std_returned(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    std = torch.sqrt(var + eps)
    return weight * (x - mean) / std + bias, mean, std


@BATCH_NORM_TRAIN.add("the variance that you return contains eps. Add eps only under the root.")
def variance_with_eps_returned(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0) + eps
    return weight * (x - mean) / torch.sqrt(var) + bias, mean, var


@BATCH_NORM_TRAIN.add("the mean and the variance that you return are swapped. Return y, mean, var.")
def statistics_swapped(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, var, mean


@BATCH_NORM_TRAIN.add(
    "mean and var have the shape (1, C). They should have (C,): leave keepdim=True away, or squeeze(0)."
)
def axis_kept(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0, keepdim=True), x.var(0, correction=0, keepdim=True)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add(
    "you return mean and var of y. Return those of x: they are needed for the evaluation mode."
)
def statistics_of_y(x, weight, bias, eps=1e-5):
    y = weight * (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps) + bias
    return y, y.mean(0), y.var(0, correction=0)


@BATCH_NORM_TRAIN.add(
    "you normalize each example over its features (dim=1): that is layer norm. "
    "Batch norm takes each feature over the batch: dim=0."
)
def each_example_by_itself(x, weight, bias, eps=1e-5):
    mean, var = x.mean(1, keepdim=True), x.var(1, correction=0, keepdim=True)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean.squeeze(1), var.squeeze(1)


@BATCH_NORM_TRAIN.add("one mean and one variance for the whole batch. Each feature has its own: dim=0.")
def one_statistic_for_all(x, weight, bias, eps=1e-5):
    mean, var = x.mean(), x.var(correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add("the variance is over all features together. Each feature has its own: dim=0.")
def one_variance_for_all(x, weight, bias, eps=1e-5):
    mean = x.mean(0)
    var = (x - mean).square().mean()
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add("eps is added after the root. It belongs to the variance: sqrt(var + eps).")
def eps_outside_root(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / (torch.sqrt(var) + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add("eps is missing. The denominator is sqrt(var + eps).")
def no_eps(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var) + bias, mean, var


@BATCH_NORM_TRAIN.add("eps is 1e-5 whatever the argument says. Use the argument.")
def eps_fixed(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + 1e-5) + bias, mean, var


@BATCH_NORM_TRAIN.add("you add eps squared. The denominator is sqrt(var + eps).")
def eps_squared(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps**2) + bias, mean, var


@BATCH_NORM_TRAIN.add("eps replaces small variances (clamp). It is added to every variance: sqrt(var + eps).")
def eps_as_lower_bound(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var.clamp(min=eps)) + bias, mean, var


@BATCH_NORM_TRAIN.add("you divide by the variance. Divide by the standard deviation sqrt(var + eps).")
def no_root(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / (var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add("you multiply by the standard deviation. Divide by it.")
def multiplied(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) * torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add("the mean is not subtracted before the division.")
def not_centred(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * x / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add("brackets are missing: x - mean / std divides only the mean. Write (x - mean) / std.")
def brackets_missing(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean / torch.sqrt(var + eps)) + bias, mean, var


@BATCH_NORM_TRAIN.add(
    "your variance is mean(x^2). That is the variance only when the mean is 0: subtract the mean first.",
    "3.1",
)
def squares_not_centred(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.square().mean(0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add(
    "your variance is mean(x^2) - mean^2. With a large mean two large numbers cancel and the digits are "
    "gone: subtract the mean first."
)
def mean_of_squares(x, weight, bias, eps=1e-5):
    mean = x.mean(0)
    var = x.square().mean(0) - mean**2
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add("your variance is the mean of |x - mean|. Take the mean of (x - mean)^2.")
def mean_absolute_deviation(x, weight, bias, eps=1e-5):
    mean = x.mean(0)
    var = (x - mean).abs().mean(0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add("your variance is a sum: divide it by the number of examples.")
def variance_not_divided(x, weight, bias, eps=1e-5):
    mean = x.mean(0)
    var = (x - mean).square().sum(0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add("weight and bias are swapped: weight (gamma) multiplies, bias (beta) is added.")
def weight_and_bias_swapped(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return bias * (x - mean) / torch.sqrt(var + eps) + weight, mean, var


@BATCH_NORM_TRAIN.add("bias is added before the multiplication. First weight * x_hat, then + bias.")
def shift_before_scale(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * ((x - mean) / torch.sqrt(var + eps) + bias), mean, var


@BATCH_NORM_TRAIN.add("weight and bias are not applied: you return x_hat. y = weight * x_hat + bias.")
def affine_forgotten(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return (x - mean) / torch.sqrt(var + eps), mean, var


@BATCH_NORM_TRAIN.add("bias is never added: y = weight * x_hat + bias.")
def bias_forgotten(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps), mean, var


@BATCH_NORM_TRAIN.add("weight is never multiplied: y = weight * x_hat + bias.")
def weight_forgotten(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add("weight scales x itself: weight * x + bias. It scales the normalized x_hat.")
def x_for_x_hat(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * x + bias, mean, var


@BATCH_NORM_TRAIN.add(
    "no gradient flows through mean and variance (no_grad, detach or .data). "
    "They depend on x, so they are part of the graph.",
    "3.4",
)
def statistics_detached(x, weight, bias, eps=1e-5):
    with torch.no_grad():
        mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add(
    "no gradient flows through the variance (no_grad, detach or .data). It depends on x too.", "3.4"
)
def variance_detached(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.detach().var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add(
    "no gradient flows through the mean (no_grad, detach or .data). It depends on x too.", "3.4"
)
def mean_detached(x, weight, bias, eps=1e-5):
    mean, var = x.detach().mean(0), x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add(
    "no gradient arrives at weight and bias: you use a copy of them (.data or detach).", "3.4"
)
def affine_detached(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight.data * (x - mean) / torch.sqrt(var + eps) + bias.data, mean, var


@BATCH_NORM_TRAIN.add(
    "x is changed in place (such as `x -= mean`). The caller still needs it: write into a new tensor."
)
def changes_its_input(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    x -= mean
    return weight * x / torch.sqrt(var + eps) + bias, mean, var


@BATCH_NORM_TRAIN.add("you return only y. Return y, mean, var.")
def only_y_returned(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias
