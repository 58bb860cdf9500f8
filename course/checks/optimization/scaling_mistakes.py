"""How students get `standardize` and `min_max_scale` wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

STANDARDIZE = Mistakes()


def _ones_for_zeros(scale):
    """What constant features are divided by."""
    return torch.where(scale == 0, 1.0, scale)


def _std(x):
    return _ones_for_zeros(x.std(dim=0, correction=0))


@STANDARDIZE.add("the test split is scaled by its own mean and std. Both splits get those of x_train.")
def own_statistics(x_train, x_test):
    std = x_test.std(dim=0, correction=0)
    return (x_train - x_train.mean(0)) / _std(x_train), (x_test - x_test.mean(0)) / _ones_for_zeros(std)


@STANDARDIZE.add("mean and std come from both splits together. The test split must stay unseen: use x_train.")
def both_splits(x_train, x_test):
    both = torch.cat([x_train, x_test])
    return (x_train - both.mean(0)) / _std(both), (x_test - both.mean(0)) / _std(both)


@STANDARDIZE.add("the test split is shifted by its own mean. Subtract the mean of x_train from both.")
def own_mean(x_train, x_test):
    std = _std(x_train)
    return (x_train - x_train.mean(0)) / std, (x_test - x_test.mean(0)) / std


@STANDARDIZE.add("the test split is divided by its own std. Divide both by the std of x_train.")
def own_std(x_train, x_test):
    mean = x_train.mean(0)
    return (x_train - mean) / _std(x_train), (x_test - mean) / _std(x_test)


@STANDARDIZE.add("the statistics come from x_test. Take them from x_train.")
def statistics_of_test(x_train, x_test):
    return (x_train - x_test.mean(0)) / _std(x_test), (x_test - x_test.mean(0)) / _std(x_test)


@STANDARDIZE.add(
    "x_test comes back as it was, or scaled by the mean and std of the scaled x_train: 0 and 1. "
    "It needs those from before."
)
def test_not_scaled(x_train, x_test):
    return (x_train - x_train.mean(0)) / _std(x_train), x_test.clone()


@STANDARDIZE.add(
    "your std divides by n - 1, torch's default. Here it divides by n: std(dim=0, correction=0)."
)
def unbiased_std(x_train, x_test):
    mean, std = x_train.mean(0), _ones_for_zeros(x_train.std(0))
    return (x_train - mean) / std, (x_test - mean) / std


@STANDARDIZE.add("you take one mean and one std over all numbers. Each feature has its own: dim=0.")
def whole_array(x_train, x_test):
    mean, std = x_train.mean(), _ones_for_zeros(x_train.std(correction=0))
    return (x_train - mean) / std, (x_test - mean) / std


@STANDARDIZE.add("you take mean and std of each example (dim=1). They belong to the features: dim=0.")
def per_example(x_train, x_test):
    def scale(x):
        rows = x.flatten(1)
        std = _ones_for_zeros(rows.std(1, keepdim=True, correction=0))
        return ((rows - rows.mean(1, keepdim=True)) / std).view(x.shape)

    return scale(x_train), scale(x_test)


@STANDARDIZE.add("you divide by the variance. Divide by its root, the standard deviation.")
def no_root(x_train, x_test):
    mean, var = x_train.mean(0), _ones_for_zeros(x_train.var(0, correction=0))
    return (x_train - mean) / var, (x_test - mean) / var


@STANDARDIZE.add("you multiply by the std. Divide by it, so that each feature gets the std 1.")
def multiplied(x_train, x_test):
    mean, std = x_train.mean(0), x_train.std(0, correction=0)
    return (x_train - mean) * std, (x_test - mean) * std


@STANDARDIZE.add("the mean is not subtracted. Shift first, then divide.")
def not_shifted(x_train, x_test):
    return x_train / _std(x_train), x_test / _std(x_train)


@STANDARDIZE.add("the features keep their spread: divide by the std of x_train.")
def not_divided(x_train, x_test):
    return x_train - x_train.mean(0), x_test - x_train.mean(0)


@STANDARDIZE.add(
    "you divide before you subtract: x / std - mean. The mean has the unit of x: (x - mean) / std."
)
def divided_first(x_train, x_test):
    mean, std = x_train.mean(0), _std(x_train)
    return x_train / std - mean, x_test / std - mean


@STANDARDIZE.add("a constant feature is divided by its std of 0, and 0/0 is nan. Divide it by 1.")
def nan_for_constants(x_train, x_test):
    mean, std = x_train.mean(0), x_train.std(0, correction=0)
    return (x_train - mean) / std, (x_test - mean) / std


@STANDARDIZE.add(
    "std + 1e-8 keeps nan away, but a constant feature that differs in the test becomes 1e8. Divide it by 1."
)
def tiny_eps(x_train, x_test):
    mean, std = x_train.mean(0), x_train.std(0, correction=0) + 1e-8
    return (x_train - mean) / std, (x_test - mean) / std


@STANDARDIZE.add(
    "an eps is added to every std. It changes features of small spread: replace only a std of 0."
)
def eps_for_all(x_train, x_test):
    mean, std = x_train.mean(0), x_train.std(0, correction=0) + 1e-5
    return (x_train - mean) / std, (x_test - mean) / std


@STANDARDIZE.add("an eps is added to the variances. It changes features of small spread; replace a std of 0.")
def eps_in_root(x_train, x_test):
    mean, std = x_train.mean(0), (x_train.var(0, correction=0) + 1e-5).sqrt()
    return (x_train - mean) / std, (x_test - mean) / std


@STANDARDIZE.add("a small std is replaced by a lower bound (clamp). Replace only a std of 0, by 1.")
def clamped(x_train, x_test):
    mean, std = x_train.mean(0), x_train.std(0, correction=0).clamp(min=1e-4)
    return (x_train - mean) / std, (x_test - mean) / std


@STANDARDIZE.add("nan becomes 0 at the end, inf a huge number. Divide a constant feature by 1 instead.")
def nan_to_num(x_train, x_test):
    mean, std = x_train.mean(0), x_train.std(0, correction=0)
    return torch.nan_to_num((x_train - mean) / std), torch.nan_to_num((x_test - mean) / std)


@STANDARDIZE.add(
    "a constant feature becomes 0 in the test too. Divided by 1, a test value keeps its difference."
)
def zero_in_test_too(x_train, x_test):
    mean, std = x_train.mean(0), x_train.std(0, correction=0)
    mask = (std != 0).to(std.dtype)
    return (x_train - mean) / _ones_for_zeros(std) * mask, (x_test - mean) / _ones_for_zeros(std) * mask


@STANDARDIZE.add("a constant feature keeps its value. Subtract its mean as well: it becomes 0.")
def constants_untouched(x_train, x_test):
    mean, std = x_train.mean(0), x_train.std(0, correction=0)
    mean = torch.where(std == 0, 0.0, mean)
    return (x_train - mean) / _ones_for_zeros(std), (x_test - mean) / _ones_for_zeros(std)


@STANDARDIZE.add("constant features are dropped. The scaled splits have as many columns as the given ones.")
def constants_dropped(x_train, x_test):
    mean, std = x_train.mean(0), x_train.std(0, correction=0)
    kept = std != 0
    return ((x_train - mean) / std)[:, kept], ((x_test - mean) / std)[:, kept]


@STANDARDIZE.add("this is min-max scaling. Standardizing subtracts the mean and divides by the std.")
def min_max_instead(x_train, x_test):
    low = x_train.amin(0)
    span = _ones_for_zeros(x_train.amax(0) - low)
    return (x_train - low) / span, (x_test - low) / span


@STANDARDIZE.add("you divide by the mean absolute difference. The std is the root of the mean square.")
def mean_absolute(x_train, x_test):
    mean = x_train.mean(0)
    scale = _ones_for_zeros((x_train - mean).abs().mean(0))
    return (x_train - mean) / scale, (x_test - mean) / scale


@STANDARDIZE.add(
    "E[x²] - mean² loses its digits when the mean is large. Subtract the mean first, then square."
)
def mean_of_squares(x_train, x_test):
    mean = x_train.mean(0)
    var = (x_train**2).mean(0) - mean**2
    var = torch.where(x_train.amax(0) == x_train.amin(0), 1.0, var)
    return (x_train - mean) / var.sqrt(), (x_test - mean) / var.sqrt()


@STANDARDIZE.add("you shift by the median. Subtract the mean.")
def median(x_train, x_test):
    middle = x_train.quantile(0.5, dim=0)
    return (x_train - middle) / _std(x_train), (x_test - middle) / _std(x_train)


@STANDARDIZE.add("the two splits come back in the wrong order. Return (train, test).")
def swapped(x_train, x_test):
    mean, std = x_train.mean(0), _std(x_train)
    return (x_test - mean) / std, (x_train - mean) / std


@STANDARDIZE.add("only the training split comes back. Return two tensors: (train, test).")
def train_only(x_train, x_test):
    return (x_train - x_train.mean(0)) / _std(x_train)


@STANDARDIZE.add("you change x_train and x_test in place. The caller still needs them: make new tensors.")
def in_place(x_train, x_test):
    mean, std = x_train.mean(0), _std(x_train)
    for x in (x_train, x_test):
        x -= mean
        x /= std
    return x_train, x_test


MIN_MAX = Mistakes()


def _span(x):
    return _ones_for_zeros(x.amax(0) - x.amin(0))


@MIN_MAX.add("the test split is scaled by its own extremes. Both splits get those of x_train.")
def own_extremes(x_train, x_test):
    return (x_train - x_train.amin(0)) / _span(x_train), (x_test - x_test.amin(0)) / _span(x_test)


@MIN_MAX.add("the extremes come from both splits together. The test split must stay unseen: use x_train.")
def both_splits(x_train, x_test):
    both = torch.cat([x_train, x_test])
    low, span = both.amin(0), _span(both)
    return (x_train - low) / span, (x_test - low) / span


@MIN_MAX.add("the extremes come from x_test. Take them from x_train.")
def extremes_of_test(x_train, x_test):
    low, span = x_test.amin(0), _span(x_test)
    return (x_train - low) / span, (x_test - low) / span


@MIN_MAX.add(
    "x_test comes back as it was, or scaled by the extremes of the scaled x_train: 0 and 1. "
    "It needs those from before."
)
def test_not_scaled(x_train, x_test):
    return (x_train - x_train.amin(0)) / _span(x_train), x_test.clone()


@MIN_MAX.add("you take one minimum and one maximum over all numbers. Each feature has its own: dim=0.")
def whole_array(x_train, x_test):
    low, span = x_train.min(), _ones_for_zeros(x_train.max() - x_train.min())
    return (x_train - low) / span, (x_test - low) / span


@MIN_MAX.add("you take the extremes of each example (dim=1). They belong to the features: dim=0.")
def per_example(x_train, x_test):
    def scale(x):
        rows = x.flatten(1)
        low = rows.amin(1, keepdim=True)
        return ((rows - low) / _ones_for_zeros(rows.amax(1, keepdim=True) - low)).view(x.shape)

    return scale(x_train), scale(x_test)


@MIN_MAX.add("you divide by the maximum. Divide by max - min: the largest value must become 1.")
def divided_by_maximum(x_train, x_test):
    low, high = x_train.amin(0), x_train.amax(0)
    return (x_train - low) / high, (x_test - low) / high


@MIN_MAX.add("the minimum is not subtracted. Shift first: the smallest value must become 0.")
def not_shifted(x_train, x_test):
    return x_train / _span(x_train), x_test / _span(x_train)


@MIN_MAX.add("the features keep their span: divide by max - min.")
def not_divided(x_train, x_test):
    return x_train - x_train.amin(0), x_test - x_train.amin(0)


@MIN_MAX.add("the brackets are missing: x - min / (max - min). Subtract first: (x - min) / (max - min).")
def no_brackets(x_train, x_test):
    low, span = x_train.amin(0), _span(x_train)
    return x_train - low / span, x_test - low / span


@MIN_MAX.add("the largest value becomes 0 and the smallest 1. Subtract the minimum: (x - min) / (max - min).")
def upside_down(x_train, x_test):
    high, span = x_train.amax(0), _span(x_train)
    return (high - x_train) / span, (high - x_test) / span


@MIN_MAX.add("the interval is -1 to 1. Here it is 0 to 1.")
def minus_one_to_one(x_train, x_test):
    low, span = x_train.amin(0), _span(x_train)
    return 2 * (x_train - low) / span - 1, 2 * (x_test - low) / span - 1


@MIN_MAX.add("the test values are clipped to [0, 1]. One that is larger than all of training should stay so.")
def clipped(x_train, x_test):
    low, span = x_train.amin(0), _span(x_train)
    return (x_train - low) / span, ((x_test - low) / span).clamp(0, 1)


@MIN_MAX.add("a constant feature is divided by max - min = 0, and 0/0 is nan. Divide it by 1.")
def nan_for_constants(x_train, x_test):
    low = x_train.amin(0)
    span = x_train.amax(0) - low
    return (x_train - low) / span, (x_test - low) / span


@MIN_MAX.add(
    "an eps of 1e-8 keeps nan away, but a constant feature that differs in the test becomes 1e8. "
    "Divide it by 1."
)
def tiny_eps(x_train, x_test):
    low = x_train.amin(0)
    span = x_train.amax(0) - low + 1e-8
    return (x_train - low) / span, (x_test - low) / span


@MIN_MAX.add("an eps is added to every span. It changes features of small span: replace only a span of 0.")
def eps_for_all(x_train, x_test):
    low = x_train.amin(0)
    span = x_train.amax(0) - low + 1e-5
    return (x_train - low) / span, (x_test - low) / span


@MIN_MAX.add("nan becomes 0 at the end, inf a huge number. Divide a constant feature by 1 instead.")
def nan_to_num(x_train, x_test):
    low = x_train.amin(0)
    span = x_train.amax(0) - low
    return torch.nan_to_num((x_train - low) / span), torch.nan_to_num((x_test - low) / span)


@MIN_MAX.add("a constant feature becomes 0 in the test too. Divided by 1, a test value keeps its difference.")
def zero_in_test_too(x_train, x_test):
    low, span = x_train.amin(0), _span(x_train)
    mask = (x_train.amax(0) != low).to(x_train.dtype)
    return (x_train - low) / span * mask, (x_test - low) / span * mask


@MIN_MAX.add("a constant feature keeps its value. Subtract its minimum as well: it becomes 0.")
def constants_untouched(x_train, x_test):
    low, span = x_train.amin(0), x_train.amax(0) - x_train.amin(0)
    low = torch.where(span == 0, 0.0, low)
    return (x_train - low) / _ones_for_zeros(span), (x_test - low) / _ones_for_zeros(span)


@MIN_MAX.add("constant features are dropped. The scaled splits have as many columns as the given ones.")
def constants_dropped(x_train, x_test):
    low, span = x_train.amin(0), x_train.amax(0) - x_train.amin(0)
    kept = span != 0
    return ((x_train - low) / span)[:, kept], ((x_test - low) / span)[:, kept]


@MIN_MAX.add("this is standardizing. Min-max scaling subtracts the minimum and divides by max - min.")
def standardized(x_train, x_test):
    mean, std = x_train.mean(0), _std(x_train)
    return (x_train - mean) / std, (x_test - mean) / std


@MIN_MAX.add("you subtract the mean. Subtract the minimum: the smallest value must become 0.")
def mean_subtracted(x_train, x_test):
    mean, span = x_train.mean(0), _span(x_train)
    return (x_train - mean) / span, (x_test - mean) / span


@MIN_MAX.add("you divide by 255, as one does with pictures. Take minimum and maximum from x_train.")
def fixed_range(x_train, x_test):
    return x_train / 255, x_test / 255


@MIN_MAX.add("the two splits come back in the wrong order. Return (train, test).")
def swapped(x_train, x_test):
    low, span = x_train.amin(0), _span(x_train)
    return (x_test - low) / span, (x_train - low) / span


@MIN_MAX.add("only the training split comes back. Return two tensors: (train, test).")
def train_only(x_train, x_test):
    return (x_train - x_train.amin(0)) / _span(x_train)


@MIN_MAX.add("you change x_train and x_test in place. The caller still needs them: make new tensors.")
def in_place(x_train, x_test):
    low, span = x_train.amin(0), _span(x_train)
    for x in (x_train, x_test):
        x -= low
        x /= span
    return x_train, x_test
