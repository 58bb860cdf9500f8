"""How students get the BatchNorm layers wrong: one right layer in small steps, one changed step a mistake.

Every mistake is a mixin, so that BatchNorm1d and BatchNorm2d share it: `named(Mistake, base)` puts it on top
of a right layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course.checks.framework import Misconception


class SmallSteps(nn.Module):
    """A right batch norm for (N, C, ...) input in small steps, for a mistake to change one of them."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.make_affine()
        self.make_buffers()

    def make_affine(self) -> None:
        self.weight = nn.Parameter(torch.ones(self.num_features)) if self.affine else None
        self.bias = nn.Parameter(torch.zeros(self.num_features)) if self.affine else None

    def make_buffers(self) -> None:
        self.register_buffer("running_mean", torch.zeros(self.num_features))
        self.register_buffer("running_var", torch.ones(self.num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def axes(self, x: Tensor) -> tuple[int, ...]:
        return (0, *range(2, x.dim()))

    def count(self, x: Tensor) -> int:
        return x.numel() // self.num_features

    def batch_mean(self, x: Tensor) -> Tensor:
        return x.mean(self.axes(x))

    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.var(self.axes(x), correction=0)

    def kept_var(self, var: Tensor, n: int) -> Tensor:
        return var * n / (n - 1)

    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return (1 - self.momentum) * old + self.momentum * new

    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.copy_(self.blend(self.running_mean, mean))
            self.running_var.copy_(self.blend(self.running_var, self.kept_var(var, self.count(x))))

    def is_training(self) -> bool:
        return self.training

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if not self.is_training():
            return self.running_mean, self.running_var
        mean = self.batch_mean(x)
        var = self.batch_var(x, mean)
        self.update(x, mean, var)
        return mean, var

    def per_channel(self, value: Tensor, x: Tensor) -> Tensor:
        return value.reshape(-1, *(1 for _ in x.shape[2:]))

    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var + self.eps)

    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.weight is None or self.bias is None:
            return x_hat
        return self.per_channel(self.weight, x_hat) * x_hat + self.per_channel(self.bias, x_hat)

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.statistics(x)
        x_hat = self.divide(x - self.per_channel(mean, x), self.per_channel(var, x))
        return self.scale_and_shift(x_hat)


class KeepsBiasedVariance(SmallSteps):
    def kept_var(self, var: Tensor, n: int) -> Tensor:
        return var


class NormalizesWithUnbiasedVariance(SmallSteps):
    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.var(self.axes(x), correction=1)

    def kept_var(self, var: Tensor, n: int) -> Tensor:
        return var


class MomentumReversed(SmallSteps):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return self.momentum * old + (1 - self.momentum) * new


class MomentumFixed(SmallSteps):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return 0.9 * old + 0.1 * new


class AddsWithoutForgetting(SmallSteps):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return old + self.momentum * new


class AveragesAllBatches(SmallSteps):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return old + (new - old) / self.num_batches_tracked


class StartsWithFirstBatch(SmallSteps):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return new if self.num_batches_tracked == 1 else super().blend(old, new)


class KeepsStandardDeviation(SmallSteps):
    def kept_var(self, var: Tensor, n: int) -> Tensor:
        return super().kept_var(var, n).sqrt()


class KeepsLastBatch(SmallSteps):
    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return new


class VarianceAroundRunningMean(SmallSteps):
    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.copy_(self.blend(self.running_mean, mean))
            n = self.count(x)
            around = (x - self.per_channel(self.running_mean, x)).square().sum(self.axes(x)) / (n - 1)
            self.running_var.copy_(self.blend(self.running_var, around))


class NeverUpdates(SmallSteps):
    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        pass


class UpdatesInEvaluation(SmallSteps):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.batch_mean(x)
        var = self.batch_var(x, mean)
        kept = self.running_mean.clone(), self.running_var.clone()
        self.update(x, mean, var)
        return (mean, var) if self.training else kept


class BatchStatisticsInEvaluation(SmallSteps):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.batch_mean(x)
        var = self.batch_var(x, mean)
        if self.training:
            self.update(x, mean, var)
        return mean, var


class IgnoresMode(SmallSteps):
    def is_training(self) -> bool:
        return True


class RunningStatisticsInTraining(SmallSteps):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.training:
            mean = self.batch_mean(x)
            self.update(x, mean, self.batch_var(x, mean))
        return self.running_mean.clone(), self.running_var.clone()


class ModeFromGrad(SmallSteps):
    def is_training(self) -> bool:
        return torch.is_grad_enabled()


class EpsOutsideRoot(SmallSteps):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / (torch.sqrt(var) + self.eps)


class NoEps(SmallSteps):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var)


class EpsFixed(SmallSteps):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var + 1e-5)


class EpsSquared(SmallSteps):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var + self.eps**2)


class NoRoot(SmallSteps):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / (var + self.eps)


class NotCentred(SmallSteps):
    def forward(self, x: Tensor) -> Tensor:
        _, var = self.statistics(x)
        return self.scale_and_shift(self.divide(x, self.per_channel(var, x)))


class StatisticsDetached(SmallSteps):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, var = super().statistics(x)
        return mean.detach(), var.detach()


class GraphInRunningStatistics(SmallSteps):
    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        self.num_batches_tracked += 1
        self.running_mean = self.blend(self.running_mean, mean)
        self.running_var = self.blend(self.running_var, self.kept_var(var, self.count(x)))


class PlainAttributes(SmallSteps):
    def make_buffers(self) -> None:
        self.running_mean = torch.zeros(self.num_features)
        self.running_var = torch.ones(self.num_features)
        self.num_batches_tracked = torch.tensor(0)

    def _apply(self, fn, recurse=True):
        # Keeps the dtype of the attributes right, so that only what this mistake is about goes wrong.
        for name in ("running_mean", "running_var"):
            self.__dict__[name] = fn(self.__dict__[name])
        return super()._apply(fn, recurse)


class BuffersAsParameters(SmallSteps):
    def make_buffers(self) -> None:
        self.running_mean = nn.Parameter(torch.zeros(self.num_features))
        self.running_var = nn.Parameter(torch.ones(self.num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))


class NoCounter(SmallSteps):
    def make_buffers(self) -> None:
        self.register_buffer("running_mean", torch.zeros(self.num_features))
        self.register_buffer("running_var", torch.ones(self.num_features))
        self.num_batches_tracked = 0


class CounterStands(SmallSteps):
    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        super().update(x, mean, var)
        self.num_batches_tracked.zero_()


class RunningVarStartsAtZero(SmallSteps):
    def make_buffers(self) -> None:
        super().make_buffers()
        self.running_var.zero_()


class WeightStartsAtZero(SmallSteps):
    def make_affine(self) -> None:
        super().make_affine()
        if self.weight is not None:
            nn.init.zeros_(self.weight)


class AffineIgnored(SmallSteps):
    def make_affine(self) -> None:
        self.weight = nn.Parameter(torch.ones(self.num_features))
        self.bias = nn.Parameter(torch.zeros(self.num_features))


class WeightAndBiasSwapped(SmallSteps):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.weight is None or self.bias is None:
            return x_hat
        return self.per_channel(self.bias, x_hat) * x_hat + self.per_channel(self.weight, x_hat)


class ShiftBeforeScale(SmallSteps):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.weight is None or self.bias is None:
            return x_hat
        return self.per_channel(self.weight, x_hat) * (x_hat + self.per_channel(self.bias, x_hat))


class AffineForgotten(SmallSteps):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        return x_hat


class AffineInTrainingOnly(SmallSteps):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        return super().scale_and_shift(x_hat) if self.training else x_hat


class MeanOfSquares(SmallSteps):
    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.square().mean(self.axes(x)) - mean.square()


class SquaresNotCentred(SmallSteps):
    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.square().mean(self.axes(x))


class CountsImages(SmallSteps):
    def count(self, x: Tensor) -> int:
        return x.shape[0]


class OneStatisticForAll(SmallSteps):
    def batch_mean(self, x: Tensor) -> Tensor:
        return x.mean().expand(self.num_features)

    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.var(correction=0).expand(self.num_features)

    def count(self, x: Tensor) -> int:
        return x.numel()


class MeanOfVariances(SmallSteps):
    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.var(tuple(range(2, x.dim())), correction=0).mean(0)


class PerSample(SmallSteps):
    """Normalizes each sample by itself in training, as layer or instance norm would."""

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.statistics(x)
        mean, var = self.per_channel(mean, x), self.per_channel(var, x)
        if self.training:
            axes = tuple(range(2, x.dim())) or (1,)
            mean, var = x.mean(axes, keepdim=True), x.var(axes, correction=0, keepdim=True)
        return self.scale_and_shift(self.divide(x - mean, var))


class PerPosition(SmallSteps):
    """Normalizes each position by itself, over the batch only."""

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.statistics(x)
        mean, var = self.per_channel(mean, x), self.per_channel(var, x)
        if self.training:
            mean, var = x.mean(0, keepdim=True), x.var(0, correction=0, keepdim=True)
        return self.scale_and_shift(self.divide(x - mean, var))


class WeightAlongLastAxis(SmallSteps):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.weight is None or self.bias is None:
            return x_hat
        return self.weight * x_hat + self.bias


class InPlace(SmallSteps):
    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.statistics(x)
        x -= self.per_channel(mean, x)
        return self.scale_and_shift(self.divide(x, self.per_channel(var, x)))


class SuperForgotten(SmallSteps):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True
    ) -> None:
        self.weight = nn.Parameter(torch.ones(num_features))


def named(name: str, mistake: type[SmallSteps], message: str, section: str | None = None) -> Misconception:
    """A misconception whose implementation is a layer."""
    return Misconception(name, mistake, message, section)


TWO_VARIANCES = "3.5"

SHARED = (
    named(
        "biased_running_var",
        KeepsBiasedVariance,
        "you stored the variance that you normalized with (1/n). "
        "torch's running_var keeps the unbiased one (1/(n-1)).",
        TWO_VARIANCES,
    ),
    named(
        "unbiased_normalization",
        NormalizesWithUnbiasedVariance,
        "you normalized with the unbiased variance (1/(n-1)). Batch norm divides by the biased one (1/n).",
        TWO_VARIANCES,
    ),
    named(
        "momentum_reversed",
        MomentumReversed,
        "momentum is the wrong way round. In torch it is the share of the NEW batch: 0.9 * old + 0.1 * new.",
        TWO_VARIANCES,
    ),
    named(
        "momentum_fixed",
        MomentumFixed,
        "the running statistics move by 0.1 whatever `momentum` is. Use self.momentum.",
        TWO_VARIANCES,
    ),
    named(
        "running_sum",
        AddsWithoutForgetting,
        "the running statistics only grow: you add the new part, but do not shrink the old one by (1 "
        "- momentum).",
        TWO_VARIANCES,
    ),
    named(
        "plain_average",
        AveragesAllBatches,
        "you average all batches with equal weight. The running statistics forget: each batch has "
        "the share `momentum`.",
        TWO_VARIANCES,
    ),
    named(
        "first_batch_copied",
        StartsWithFirstBatch,
        "the first batch replaces the running statistics. "
        "They start at mean 0 and variance 1 and move from there.",
        TWO_VARIANCES,
    ),
    named(
        "running_std",
        KeepsStandardDeviation,
        "running_var holds standard deviations. Keep the variance, and take the root when you normalize.",
        TWO_VARIANCES,
    ),
    named(
        "last_batch_kept",
        KeepsLastBatch,
        "the running statistics are those of the last batch. Blend them with the old ones.",
        TWO_VARIANCES,
    ),
    named(
        "variance_around_running_mean",
        VarianceAroundRunningMean,
        "the variance that you keep is taken around running_mean. Take it around the mean of its own batch.",
        TWO_VARIANCES,
    ),
    named(
        "never_updated",
        NeverUpdates,
        "the running statistics never change. Update them in each forward pass in training mode.",
        TWO_VARIANCES,
    ),
    named(
        "updates_in_evaluation",
        UpdatesInEvaluation,
        "evaluation changes the running statistics. Update them only when self.training is true.",
        TWO_VARIANCES,
    ),
    named(
        "batch_statistics_in_evaluation",
        BatchStatisticsInEvaluation,
        "in evaluation mode you still normalize with the batch. Use running_mean and running_var there.",
        TWO_VARIANCES,
    ),
    named(
        "mode_ignored",
        IgnoresMode,
        "your layer behaves in evaluation mode as in training. Ask self.training which mode it is in.",
        TWO_VARIANCES,
    ),
    named(
        "running_statistics_in_training",
        RunningStatisticsInTraining,
        "in training mode you normalize with the running statistics. Use the mean and variance of the batch.",
        TWO_VARIANCES,
    ),
    named(
        "mode_from_grad",
        ModeFromGrad,
        "you read the mode from torch.is_grad_enabled(). "
        "Gradients and mode are independent: ask self.training.",
        TWO_VARIANCES,
    ),
    named(
        "eps_outside_root",
        EpsOutsideRoot,
        "eps is outside the square root. It belongs inside: sqrt(var + eps).",
        "3.3",
    ),
    named("no_eps", NoEps, "eps is missing: the denominator is sqrt(var + eps).", "3.3"),
    named("eps_fixed", EpsFixed, "eps is 1e-5 whatever the argument says. Use self.eps.", "3.3"),
    named("eps_squared", EpsSquared, "you add eps squared. The denominator is sqrt(var + eps).", "3.3"),
    named(
        "no_root",
        NoRoot,
        "you divide by the variance. Divide by the standard deviation sqrt(var + eps).",
        "3.3",
    ),
    named("not_centred", NotCentred, "the mean is not subtracted before the division.", "3.3"),
    named(
        "statistics_detached",
        StatisticsDetached,
        "the gradient does not flow through mean and variance (no_grad, detach or .data). "
        "They depend on x, so they are part of the graph.",
        "3.4",
    ),
    named(
        "graph_in_running_statistics",
        GraphInRunningStatistics,
        "the running statistics hold on to the graph of the batch. "
        "Update them under torch.no_grad() or detach first.",
        TWO_VARIANCES,
    ),
    named(
        "plain_attributes",
        PlainAttributes,
        "running_mean and running_var are plain attributes: they are neither saved nor moved with the model. "
        "Use register_buffer.",
    ),
    named(
        "buffers_as_parameters",
        BuffersAsParameters,
        "running_mean and running_var are nn.Parameters, so an optimizer would change them. "
        "Use register_buffer.",
    ),
    named(
        "counter_missing",
        NoCounter,
        "num_batches_tracked is not a buffer. torch keeps it in the state_dict as an int64 tensor "
        "that starts at 0.",
    ),
    named(
        "counter_stands", CounterStands, "num_batches_tracked does not count. Add 1 for each training batch."
    ),
    named(
        "running_var_starts_at_zero",
        RunningVarStartsAtZero,
        "running_var starts at 0. It starts at 1, like weight.",
    ),
    named(
        "weight_starts_at_zero",
        WeightStartsAtZero,
        "weight starts at 0, so the layer's output is 0. It starts at 1.",
    ),
    named(
        "affine_ignored",
        AffineIgnored,
        "with affine=False the layer still has weight and bias. "
        "They are None then (register_parameter(name, None)).",
    ),
    named(
        "weight_and_bias_swapped",
        WeightAndBiasSwapped,
        "weight and bias are swapped: weight (gamma) multiplies, bias (beta) is added.",
        "3.3",
    ),
    named(
        "shift_before_scale",
        ShiftBeforeScale,
        "bias is added before the multiplication. First weight * x_hat, then + bias.",
        "3.3",
    ),
    named(
        "affine_forgotten",
        AffineForgotten,
        "weight and bias are never applied: y = weight * x_hat + bias.",
        "3.3",
    ),
    named(
        "affine_in_training_only",
        AffineInTrainingOnly,
        "weight and bias are applied in training mode only. Evaluation needs them too.",
        TWO_VARIANCES,
    ),
    named(
        "mean_of_squares",
        MeanOfSquares,
        "your variance is mean(x^2) - mean^2. With a large mean two large numbers cancel and the "
        "digits are gone: "
        "subtract the mean first.",
        "3.3",
    ),
    named(
        "squares_not_centred",
        SquaresNotCentred,
        "your variance is mean(x^2). That is the variance only when the mean is 0: subtract the mean first.",
        "3.3",
    ),
    named(
        "one_statistic_for_all",
        OneStatisticForAll,
        "one mean and one variance for the whole batch. Each channel (or feature) has its own.",
    ),
    named(
        "changes_its_input",
        InPlace,
        "x is changed in place (such as `x -= mean`). The caller still needs it: write into a new tensor.",
    ),
    named(
        "super_forgotten",
        SuperForgotten,
        "super().__init__() is missing. It must be the first line of __init__.",
    ),
)
"""Mistakes that BatchNorm1d and BatchNorm2d share."""
