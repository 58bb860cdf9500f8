"""How students get `mse_loss` and `cross_entropy` wrong."""

from __future__ import annotations

import math

import torch

from course.checks.collect import Mistakes

MSE = Mistakes()


def _same_shapes(input, target):
    if input.shape != target.shape:
        raise ValueError(f"{tuple(input.shape)} and {tuple(target.shape)}")


@MSE.add("you add the squares up. Take their mean, so that the loss does not grow with the batch.")
def summed(input, target):
    _same_shapes(input, target)
    return (input - target).square().sum()


@MSE.add("you divide by 2. torch's mse_loss, and this one, is the mean of the squares itself.")
def halved(input, target):
    _same_shapes(input, target)
    return (input - target).square().mean() / 2


@MSE.add("you divide by the number of rows only. The mean is over all entries, those of a row too.")
def per_row(input, target):
    _same_shapes(input, target)
    return (input - target).square().sum() / len(input)


@MSE.add("one number per entry comes back. The loss is one number: their mean.")
def not_reduced(input, target):
    _same_shapes(input, target)
    return (input - target).square()


@MSE.add("one number per row comes back. The loss is one number: the mean over all rows.")
def mean_of_each_row(input, target):
    _same_shapes(input, target)
    return (input - target).square().mean(dim=-1)


@MSE.add("this is the root of the mean square. The loss is the mean square itself.")
def rooted(input, target):
    _same_shapes(input, target)
    return (input - target).square().mean().sqrt()


@MSE.add("these are absolute differences. Square them.")
def absolute(input, target):
    _same_shapes(input, target)
    return (input - target).abs().mean()


@MSE.add("the differences are not squared, so that errors of both signs cancel.")
def not_squared(input, target):
    _same_shapes(input, target)
    return (input - target).mean()


@MSE.add("you square the mean difference, in which errors cancel. Square first, then take the mean.")
def squared_mean(input, target):
    _same_shapes(input, target)
    return (input - target).mean().square()


@MSE.add("you subtract the squares. Subtract first, then square: (input - target)².")
def difference_of_squares(input, target):
    _same_shapes(input, target)
    return (input.square() - target.square()).mean()


@MSE.add("the sum is divided by n - 1. This is a mean: divide by the number of entries.")
def divided_by_one_less(input, target):
    _same_shapes(input, target)
    return (input - target).square().sum() / (input.numel() - 1)


@MSE.add("you return a Python number (.item()). No gradient can come through it: return the tensor.")
def python_number(input, target):
    _same_shapes(input, target)
    return (input - target).square().mean().item()


@MSE.add("the input is cut off from its history (detach, .data, no_grad). Then no gradient arrives.")
def detached(input, target):
    _same_shapes(input, target)
    return (input.detach() - target).square().mean()


@MSE.add(
    "shapes that differ are not refused: (N, 1) against (N,) gives N × N differences. Raise a ValueError."
)
def broadcast(input, target):
    return (input - target).square().mean()


@MSE.add("only the number of rows is compared: (N, 1) and (N,) agree in it. Compare the whole shapes.")
def lengths_compared(input, target):
    if len(input) != len(target):
        raise ValueError("different lengths")
    return (input - target).square().mean()


@MSE.add("only the number of axes is compared: (N, 1) and (N, 3) agree in it. Compare the whole shapes.")
def axes_compared(input, target):
    if input.dim() != target.dim():
        raise ValueError("different numbers of axes")
    return (input - target).square().mean()


@MSE.add("an assert refuses the shapes, and whoever runs python -O has none. Raise a ValueError.")
def asserted(input, target):
    assert input.shape == target.shape, f"{tuple(input.shape)} and {tuple(target.shape)}"
    return (input - target).square().mean()


@MSE.add("shapes that differ are made equal with view or flatten. Raise a ValueError: it may be a mistake.")
def reshaped(input, target):
    if input.numel() != target.numel():
        raise ValueError("different sizes")
    return (input.flatten() - target.flatten()).square().mean()


@MSE.add("you change input in place (`input -= target`). The caller still needs it: make a new tensor.")
def in_place(input, target):
    _same_shapes(input, target)
    input -= target
    return input.square().mean()


CROSS_ENTROPY = Mistakes()


def _rows(logits):
    return torch.arange(len(logits))


def _log_softmax(logits):
    return logits - logits.logsumexp(dim=1, keepdim=True)


def _mean_loss(log_p, target):
    return -log_p[_rows(log_p), target].mean()


@CROSS_ENTROPY.add("you add the examples up. Take the mean over the batch.")
def summed(logits, target):
    return -_log_softmax(logits)[_rows(logits), target].sum()


@CROSS_ENTROPY.add("one loss per example comes back. Take their mean.")
def not_reduced(logits, target):
    return -_log_softmax(logits)[_rows(logits), target]


@CROSS_ENTROPY.add("the sign is wrong: a log of a probability is negative. The loss is its negative.")
def no_minus(logits, target):
    return _log_softmax(logits)[_rows(logits), target].mean()


@CROSS_ENTROPY.add("you divide by N · C. The mean is over the N examples.")
def divided_by_all(logits, target):
    one_hot = torch.zeros_like(logits).scatter(1, target[:, None], 1.0)
    return -(one_hot * _log_softmax(logits)).mean()


@CROSS_ENTROPY.add("exp of a large logit is inf, and inf/inf is nan. Subtract each row's maximum first.")
def naive(logits, target):
    return _mean_loss((logits.exp() / logits.exp().sum(dim=1, keepdim=True)).log(), target)


@CROSS_ENTROPY.add("log(sum(exp(z))) overflows at z = 89 (float32). Use logsumexp, or subtract the maximum.")
def log_sum_exp_naive(logits, target):
    return (logits.exp().sum(dim=1).log() - logits[_rows(logits), target]).mean()


@CROSS_ENTROPY.add(
    "softmax rounds a small probability to 0, and log(0) is -inf. Take z - logsumexp(z): never the log of a "
    "probability."
)
def log_of_softmax(logits, target):
    return _mean_loss(logits.softmax(dim=1).log(), target)


@CROSS_ENTROPY.add("log(p + 1e-8) hides the overflow: the loss never exceeds 18. Take z - logsumexp(z).")
def log_with_eps(logits, target):
    return _mean_loss((logits.softmax(dim=1) + 1e-8).log(), target)


@CROSS_ENTROPY.add(
    "clamped probabilities bound the loss, and no gradient comes through. Take z - logsumexp(z)."
)
def clamped_probabilities(logits, target):
    return _mean_loss(logits.softmax(dim=1).clamp(min=1e-12).log(), target)


@CROSS_ENTROPY.add("the logits are clamped: two large ones that differ become equal. Use logsumexp.")
def clamped_logits(logits, target):
    clamped = logits.clamp(-80, 80)
    return _mean_loss(clamped - clamped.exp().sum(dim=1, keepdim=True).log(), target)


@CROSS_ENTROPY.add(
    "you subtract one maximum of the whole batch: a row far below it underflows to log(0). "
    "Each row has its own."
)
def maximum_of_the_batch(logits, target):
    shifted = logits - logits.max().detach()
    return _mean_loss(shifted - shifted.exp().sum(dim=1, keepdim=True).log(), target)


@CROSS_ENTROPY.add("the maximum that you subtracted in exp is not added again: log Σ exp(z - m) + m.")
def maximum_forgotten(logits, target):
    top = logits.amax(dim=1, keepdim=True)
    log_sum = (logits - top).exp().sum(dim=1).log()
    return (log_sum - logits[_rows(logits), target]).mean()


@CROSS_ENTROPY.add("you subtract a row's minimum, or its mean. exp still overflows: subtract the maximum.")
def minimum_subtracted(logits, target):
    shifted = logits - logits.amin(dim=1, keepdim=True)
    return _mean_loss(shifted - shifted.exp().sum(dim=1, keepdim=True).log(), target)


@CROSS_ENTROPY.add("the softmax runs over the batch (dim=0). The classes are in dim=1.")
def over_the_batch(logits, target):
    return _mean_loss(logits - logits.logsumexp(dim=0, keepdim=True), target)


@CROSS_ENTROPY.add("the softmax runs over all numbers at once. Each row has its own: dim=1.")
def over_everything(logits, target):
    return _mean_loss(logits - logits.flatten().logsumexp(dim=0), target)


@CROSS_ENTROPY.add(
    "the loss is in bits (log2). The loss uses the natural logarithm: divide later, to show it."
)
def in_bits(logits, target):
    return _mean_loss(_log_softmax(logits), target) / math.log(2)


@CROSS_ENTROPY.add("you take log10. The loss uses the natural logarithm.")
def log10(logits, target):
    return _mean_loss(_log_softmax(logits), target) / math.log(10)


@CROSS_ENTROPY.add("the softmax is missing: this is the mean of the logits of the right classes.")
def no_softmax(logits, target):
    return _mean_loss(logits, target)


@CROSS_ENTROPY.add("the log is missing: this is the mean probability of the right class.")
def no_log(logits, target):
    return _mean_loss(logits.softmax(dim=1), target)


@CROSS_ENTROPY.add("the log is missing: this is 1 - p. The loss is -log p.")
def one_minus_p(logits, target):
    return (1 - logits.softmax(dim=1)[_rows(logits), target]).mean()


@CROSS_ENTROPY.add("log of the mean of p is not the mean of log p. Take the log of each example first.")
def log_of_the_mean(logits, target):
    return -_log_softmax(logits)[_rows(logits), target].exp().mean().log()


@CROSS_ENTROPY.add("the softmax is taken twice. The argument is called logits: it is not normalized yet.")
def softmax_twice(logits, target):
    return _mean_loss(_log_softmax(logits.softmax(dim=1)), target)


@CROSS_ENTROPY.add(
    "log_p[:, target] takes the targets of all examples in each row. Take one per row: [arange(N), target]."
)
def every_target_in_every_row(logits, target):
    return -_log_softmax(logits)[:, target].mean()


@CROSS_ENTROPY.add("the wrong classes count too (1 - p). Only the probability of the right class counts.")
def binary(logits, target):
    p = logits.softmax(dim=1)
    one_hot = torch.zeros_like(logits).scatter(1, target[:, None], 1.0)
    return -(one_hot * p.log() + (1 - one_hot) * (1 - p).log()).sum(dim=1).mean()


@CROSS_ENTROPY.add("each class gets a sigmoid of its own. The classes exclude each other: softmax.")
def sigmoids(logits, target):
    return _mean_loss(logits.sigmoid().log(), target)


@CROSS_ENTROPY.add("this is the entropy of the prediction. The target does not occur in it.")
def entropy(logits, target):
    log_p = _log_softmax(logits)
    return -(log_p.exp() * log_p).sum(dim=1).mean()


@CROSS_ENTROPY.add("the log-probability of the largest logit is taken. Take that of the target.")
def of_the_prediction(logits, target):
    return _mean_loss(_log_softmax(logits), logits.argmax(dim=1))


@CROSS_ENTROPY.add("the classes are counted from 1. A target is an index: it counts from 0.")
def classes_from_one(logits, target):
    return _mean_loss(_log_softmax(logits), target - 1)


@CROSS_ENTROPY.add(
    "this is the squared error of the probabilities. The cross-entropy is -log p of the target."
)
def squared_error(logits, target):
    one_hot = torch.zeros_like(logits).scatter(1, target[:, None], 1.0)
    return (logits.softmax(dim=1) - one_hot).square().sum(dim=1).mean()


@CROSS_ENTROPY.add(
    "you return a Python number (.item()). No gradient can come through it: return the tensor."
)
def python_number(logits, target):
    return _mean_loss(_log_softmax(logits), target).item()


@CROSS_ENTROPY.add(
    "log Σ exp(z) is cut off (detach, no_grad): the gradient lacks the part that lowers the wrong classes."
)
def normalizer_detached(logits, target):
    return (logits.logsumexp(dim=1).detach() - logits[_rows(logits), target]).mean()


@CROSS_ENTROPY.add("the logits are cut off from their history (detach, .data, no_grad). No gradient arrives.")
def detached(logits, target):
    return _mean_loss(_log_softmax(logits.detach()), target)


@CROSS_ENTROPY.add("you change the logits in place (`logits -= max`). The caller still needs them.")
def in_place(logits, target):
    logits -= logits.amax(dim=1, keepdim=True).detach()
    return _mean_loss(logits - logits.exp().sum(dim=1, keepdim=True).log(), target)


@CROSS_ENTROPY.add(
    "1 is missing or added in the sum: log(1 + Σ exp z). The sum runs over the C classes alone."
)
def one_in_the_sum(logits, target):
    extra = torch.cat([logits, torch.zeros_like(logits[:, :1])], dim=1)
    return (extra.logsumexp(dim=1) - logits[_rows(logits), target]).mean()
