"""How students get the BatchNorm layers wrong: the formula, and the axes of each input shape."""

from __future__ import annotations

import torch
from torch import Tensor

from course.checks.batch_norm.layer_steps import BatchNorm
from course.checks.framework import Misconception


class EpsOutsideRoot(BatchNorm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / (torch.sqrt(var) + self.eps)


class NoEps(BatchNorm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var)


class EpsFixed(BatchNorm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var + 1e-5)


class EpsSquared(BatchNorm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var + self.eps**2)


class NoRoot(BatchNorm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / (var + self.eps)


class NotCentred(BatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        _, var = self.statistics(x)
        return self.scale_and_shift(self.divide(x, self.per_channel(var, x)))


class StatisticsDetached(BatchNorm):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, var = super().statistics(x)
        return mean.detach(), var.detach()


class WeightAndBiasSwapped(BatchNorm):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.weight is None or self.bias is None:
            return x_hat
        return self.per_channel(self.bias, x_hat) * x_hat + self.per_channel(self.weight, x_hat)


class ShiftBeforeScale(BatchNorm):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.weight is None or self.bias is None:
            return x_hat
        return self.per_channel(self.weight, x_hat) * (x_hat + self.per_channel(self.bias, x_hat))


class AffineForgotten(BatchNorm):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        return x_hat


class AffineInTrainingOnly(BatchNorm):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        return super().scale_and_shift(x_hat) if self.training else x_hat


class MeanOfSquares(BatchNorm):
    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.square().mean(self.axes(x)) - mean.square()


class SquaresNotCentred(BatchNorm):
    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.square().mean(self.axes(x))


class OneStatisticForAll(BatchNorm):
    def batch_mean(self, x: Tensor) -> Tensor:
        return x.mean().expand(self.num_features)

    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.var(correction=0).expand(self.num_features)

    def count(self, x: Tensor) -> int:
        return x.numel()


class InPlace(BatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.statistics(x)
        x -= self.per_channel(mean, x)
        return self.scale_and_shift(self.divide(x, self.per_channel(var, x)))


FORMULA = (
    Misconception(
        "eps_outside_root",
        EpsOutsideRoot,
        "eps is outside the square root. It belongs inside: sqrt(var + eps).",
        "3.3",
    ),
    Misconception("no_eps", NoEps, "eps is missing: the denominator is sqrt(var + eps).", "3.3"),
    Misconception("eps_fixed", EpsFixed, "eps is 1e-5 whatever the argument says. Use self.eps.", "3.3"),
    Misconception(
        "eps_squared", EpsSquared, "you add eps squared. The denominator is sqrt(var + eps).", "3.3"
    ),
    Misconception(
        "no_root",
        NoRoot,
        "you divide by the variance. Divide by the standard deviation sqrt(var + eps).",
        "3.3",
    ),
    Misconception("not_centred", NotCentred, "the mean is not subtracted before the division.", "3.3"),
    Misconception(
        "statistics_detached",
        StatisticsDetached,
        "the gradient does not flow through mean and variance (no_grad, detach or .data). "
        "They depend on x, so they are part of the graph.",
        "3.4",
    ),
    Misconception(
        "weight_and_bias_swapped",
        WeightAndBiasSwapped,
        "weight and bias are swapped: weight (gamma) multiplies, bias (beta) is added.",
        "3.3",
    ),
    Misconception(
        "shift_before_scale",
        ShiftBeforeScale,
        "bias is added before the multiplication. First weight * x_hat, then + bias.",
        "3.3",
    ),
    Misconception(
        "affine_forgotten",
        AffineForgotten,
        "weight and bias are not applied: y = weight * x_hat + bias.",
        "3.3",
    ),
    Misconception(
        "affine_in_training_only",
        AffineInTrainingOnly,
        "weight and bias are applied in training mode only. Evaluation needs them too.",
        "3.5",
    ),
    Misconception(
        "mean_of_squares",
        MeanOfSquares,
        "your variance is mean(x^2) - mean^2. With a large mean two large numbers cancel and the digits "
        "are gone: subtract the mean first.",
        "3.3",
    ),
    Misconception(
        "squares_not_centred",
        SquaresNotCentred,
        "your variance is mean(x^2). That is the variance only when the mean is 0: subtract the mean first.",
        "3.3",
    ),
    Misconception(
        "one_statistic_for_all",
        OneStatisticForAll,
        "one mean and one variance for the whole batch. Each channel (or feature) has its own.",
    ),
    Misconception(
        "changes_its_input",
        InPlace,
        "x is changed in place (such as `x -= mean`). The caller still needs it: write into a new tensor.",
    ),
)
"""Mistakes in the formula, for BatchNorm1d and BatchNorm2d."""


# --- Axes: which of these are mistakes depends on the shape of the input ------------------------------------


class CountsImages(BatchNorm):
    def count(self, x: Tensor) -> int:
        return x.shape[0]


class MeanOfVariances(BatchNorm):
    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.var(tuple(range(2, x.dim())), correction=0).mean(0)


class PerSample(BatchNorm):
    """Normalizes each sample by itself in training, as layer or instance norm would."""

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.statistics(x)
        mean, var = self.per_channel(mean, x), self.per_channel(var, x)
        if self.training:
            axes = tuple(range(2, x.dim())) or (1,)
            mean, var = x.mean(axes, keepdim=True), x.var(axes, correction=0, keepdim=True)
        return self.scale_and_shift(self.divide(x - mean, var))


class PerPosition(BatchNorm):
    """Normalizes each position by itself, over the batch only."""

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.statistics(x)
        mean, var = self.per_channel(mean, x), self.per_channel(var, x)
        if self.training:
            mean, var = x.mean(0, keepdim=True), x.var(0, correction=0, keepdim=True)
        return self.scale_and_shift(self.divide(x - mean, var))


class WeightAlongLastAxis(BatchNorm):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.weight is None or self.bias is None:
            return x_hat
        return self.weight * x_hat + self.bias


class StatisticsAlongLastAxisInEvaluation(BatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        if self.training or x.dim() == 2:
            return super().forward(x)
        return self.scale_and_shift(self.divide(x - self.running_mean, self.running_var))


class ChannelsMixed(BatchNorm):
    """Reshapes (N, C, ...) to (-1, C) without moving the channels to the end first."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 2:
            return super().forward(x)
        return super().forward(x.reshape(-1, self.num_features)).reshape(x.shape)


class NotPermutedBack(BatchNorm):
    """Moves the channels to the end, and reshapes the result without moving them back."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 2:
            return super().forward(x)
        return super().forward(x.movedim(1, -1).reshape(-1, self.num_features)).reshape(x.shape)
