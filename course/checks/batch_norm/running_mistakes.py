"""How students get the BatchNorm layers wrong: what the running statistics keep."""

from __future__ import annotations

import torch
from torch import Tensor

from course.checks.batch_norm.layer_steps import BatchNorm
from course.checks.framework import Misconception


class KeepsBiasedVariance(BatchNorm):
    def kept_var(self, var: Tensor, n: int) -> Tensor:
        return var


class NormalizesWithUnbiasedVariance(BatchNorm):
    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.var(self.axes(x), correction=1)

    def kept_var(self, var: Tensor, n: int) -> Tensor:
        return var


class MomentumReversed(BatchNorm):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return self.momentum * old + (1 - self.momentum) * new


class MomentumFixed(BatchNorm):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return 0.9 * old + 0.1 * new


class AddsWithoutForgetting(BatchNorm):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return old + self.momentum * new


class AveragesAllBatches(BatchNorm):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return old + (new - old) / self.num_batches_tracked


class StartsWithFirstBatch(BatchNorm):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return new if self.num_batches_tracked == 1 else super().blend(old, new)


class KeepsStandardDeviation(BatchNorm):
    def kept_var(self, var: Tensor, n: int) -> Tensor:
        return super().kept_var(var, n).sqrt()


class KeepsLastBatch(BatchNorm):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return new


class VarianceAroundRunningMean(BatchNorm):
    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.copy_(self.blend(self.running_mean, mean))
            n = self.count(x)
            around = (x - self.per_channel(self.running_mean, x)).square().sum(self.axes(x)) / (n - 1)
            self.running_var.copy_(self.blend(self.running_var, around))


class NeverUpdates(BatchNorm):
    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        pass


class GraphInRunningStatistics(BatchNorm):
    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        self.num_batches_tracked += 1
        self.running_mean = self.blend(self.running_mean, mean)
        self.running_var = self.blend(self.running_var, self.kept_var(var, self.count(x)))


class CounterStands(BatchNorm):
    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        super().update(x, mean, var)
        self.num_batches_tracked.zero_()


class UpdatesMeanOnly(BatchNorm):
    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        kept = self.running_var.clone()
        super().update(x, mean, var)
        self.running_var.copy_(kept)


class UpdatesVarianceOnly(BatchNorm):
    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        kept = self.running_mean.clone()
        super().update(x, mean, var)
        self.running_mean.copy_(kept)


class EpsInRunningVariance(BatchNorm):
    def kept_var(self, var: Tensor, n: int) -> Tensor:
        return super().kept_var(var, n) + self.eps


class StatisticsOfTheOutput(BatchNorm):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if not self.training:
            return self.running_mean, self.running_var
        mean = self.batch_mean(x)
        return mean, self.batch_var(x, mean)

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        if self.training:
            mean = self.batch_mean(y)
            self.update(y, mean, self.batch_var(y, mean))
        return y


class SingleChannelSqueezed(BatchNorm):
    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        super().update(x, mean, var)
        self.running_mean = self.running_mean.squeeze()
        self.running_var = self.running_var.squeeze()


TWO_VARIANCES = "3.5"

RUNNING = (
    Misconception(
        "biased_running_var",
        KeepsBiasedVariance,
        "you stored the variance that you normalized with (1/n). "
        "torch's running_var keeps the unbiased one (1/(n-1)).",
        TWO_VARIANCES,
    ),
    Misconception(
        "unbiased_normalization",
        NormalizesWithUnbiasedVariance,
        "you normalized with the unbiased variance (1/(n-1)). Batch norm divides by the biased one (1/n).",
        TWO_VARIANCES,
    ),
    Misconception(
        "momentum_reversed",
        MomentumReversed,
        "momentum is the wrong way round. In torch it is the share of the NEW batch: 0.9 * old + 0.1 * new.",
        TWO_VARIANCES,
    ),
    Misconception(
        "momentum_fixed",
        MomentumFixed,
        "the running statistics move by 0.1 whatever `momentum` is. Use self.momentum.",
        TWO_VARIANCES,
    ),
    Misconception(
        "running_sum",
        AddsWithoutForgetting,
        "the running statistics only grow: you add the new part, but do not shrink the old one by (1 - "
        "momentum).",
        TWO_VARIANCES,
    ),
    Misconception(
        "plain_average",
        AveragesAllBatches,
        "you average all batches with equal weight. The running statistics forget: each batch has the "
        "share `momentum`.",
        TWO_VARIANCES,
    ),
    Misconception(
        "first_batch_copied",
        StartsWithFirstBatch,
        "the first batch replaces the running statistics. "
        "They start at mean 0 and variance 1 and move from there.",
        TWO_VARIANCES,
    ),
    Misconception(
        "running_std",
        KeepsStandardDeviation,
        "running_var holds standard deviations. Keep the variance, and take the root when you normalize.",
        TWO_VARIANCES,
    ),
    Misconception(
        "last_batch_kept",
        KeepsLastBatch,
        "the running statistics are those of the last batch. Blend them with the old ones.",
        TWO_VARIANCES,
    ),
    Misconception(
        "variance_around_running_mean",
        VarianceAroundRunningMean,
        "the variance that you keep is taken around running_mean. Take it around the mean of its own batch.",
        TWO_VARIANCES,
    ),
    Misconception(
        "never_updated",
        NeverUpdates,
        "the running statistics never change. Update them in each forward pass in training mode.",
        TWO_VARIANCES,
    ),
    Misconception(
        "graph_in_running_statistics",
        GraphInRunningStatistics,
        "the running statistics hold on to the graph of the batch. "
        "Update them under torch.no_grad() or detach first.",
        TWO_VARIANCES,
    ),
    Misconception(
        "counter_stands", CounterStands, "num_batches_tracked does not count. Add 1 for each training batch."
    ),
    Misconception(
        "only_mean_updated",
        UpdatesMeanOnly,
        "running_mean is updated, but running_var never changes.",
        TWO_VARIANCES,
    ),
    Misconception(
        "only_variance_updated",
        UpdatesVarianceOnly,
        "running_var is updated, but running_mean never changes.",
        TWO_VARIANCES,
    ),
    Misconception(
        "eps_in_running_var",
        EpsInRunningVariance,
        "running_var contains eps. Keep the variance itself; eps is added under the root, at every use.",
        TWO_VARIANCES,
    ),
    Misconception(
        "statistics_of_the_output",
        StatisticsOfTheOutput,
        "the running statistics are those of the output. Keep the mean and the variance of x.",
        TWO_VARIANCES,
    ),
    Misconception(
        "single_channel_squeezed",
        SingleChannelSqueezed,
        "with one channel the running statistics lose their shape (1,): squeeze() takes away every axis of "
        "size 1.",
    ),
)
"""Mistakes with the running statistics, for BatchNorm1d and BatchNorm2d."""
