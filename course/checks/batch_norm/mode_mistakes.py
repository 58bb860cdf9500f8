"""How students get the BatchNorm layers wrong: training mode and evaluation mode."""

from __future__ import annotations

import torch
from torch import Tensor

from course.checks.batch_norm.layer_steps import BatchNorm
from course.checks.framework import Misconception


class UpdatesInEvaluation(BatchNorm):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.batch_mean(x)
        var = self.batch_var(x, mean)
        kept = self.running_mean.clone(), self.running_var.clone()
        self.update(x, mean, var)
        return (mean, var) if self.training else kept


class BatchStatisticsInEvaluation(BatchNorm):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.batch_mean(x)
        var = self.batch_var(x, mean)
        if self.training:
            self.update(x, mean, var)
        return mean, var


class IgnoresMode(BatchNorm):
    def is_training(self) -> bool:
        return True


class RunningStatisticsInTraining(BatchNorm):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.training:
            mean = self.batch_mean(x)
            self.update(x, mean, self.batch_var(x, mean))
        return self.running_mean.clone(), self.running_var.clone()


class ModeFromGrad(BatchNorm):
    def is_training(self) -> bool:
        return torch.is_grad_enabled()


class CountsInEvaluation(BatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            self.num_batches_tracked += 1
        return super().forward(x)


class CorrectedInEvaluation(BatchNorm):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, var = super().statistics(x)
        n = max(self.count(x), 2)
        return mean, var if self.training else var * n / (n - 1)


class EpsFixedInEvaluation(BatchNorm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var + (self.eps if self.training else 1e-5))


class NoGradientInEvaluation(BatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        with torch.no_grad():
            return super().forward(x)


class AffineTakenForGrantedInEvaluation(BatchNorm):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.training:
            return super().scale_and_shift(x_hat)
        return self.per_channel(self.weight, x_hat) * x_hat + self.per_channel(self.bias, x_hat)


class InPlaceInEvaluation(BatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        x -= self.per_channel(self.running_mean, x)
        return self.scale_and_shift(self.divide(x, self.per_channel(self.running_var, x)))


TWO_VARIANCES = "3.5"

MODES = (
    Misconception(
        "updates_in_evaluation",
        UpdatesInEvaluation,
        "evaluation changes the running statistics. Update them only when self.training is true.",
        TWO_VARIANCES,
    ),
    Misconception(
        "batch_statistics_in_evaluation",
        BatchStatisticsInEvaluation,
        "in evaluation mode you still normalize with the batch. Use running_mean and running_var there.",
        TWO_VARIANCES,
    ),
    Misconception(
        "mode_ignored",
        IgnoresMode,
        "your layer behaves in evaluation mode as in training. Ask self.training which mode it is in.",
        TWO_VARIANCES,
    ),
    Misconception(
        "running_statistics_in_training",
        RunningStatisticsInTraining,
        "in training mode you normalize with the running statistics. Use the mean and variance of the batch.",
        TWO_VARIANCES,
    ),
    Misconception(
        "mode_from_grad",
        ModeFromGrad,
        "you read the mode from torch.is_grad_enabled(). "
        "Gradients and mode are independent: ask self.training.",
        TWO_VARIANCES,
    ),
    Misconception(
        "counts_in_evaluation",
        CountsInEvaluation,
        "num_batches_tracked also counts in evaluation. Count the batches of the training only.",
        TWO_VARIANCES,
    ),
    Misconception(
        "corrected_in_evaluation",
        CorrectedInEvaluation,
        "in evaluation you multiply running_var by n/(n-1) again. It is unbiased already: use it as it is.",
        TWO_VARIANCES,
    ),
    Misconception(
        "eps_fixed_in_evaluation",
        EpsFixedInEvaluation,
        "in evaluation mode eps is 1e-5 whatever the argument says. Use self.eps in both modes.",
        TWO_VARIANCES,
    ),
    Misconception(
        "no_gradient_in_evaluation",
        NoGradientInEvaluation,
        "in evaluation mode no gradient flows (no_grad). "
        "eval() is not no_grad(): whoever calls the layer decides.",
        TWO_VARIANCES,
    ),
    Misconception(
        "affine_taken_for_granted_in_evaluation",
        AffineTakenForGrantedInEvaluation,
        "with affine=False evaluation mode still uses weight and bias, which are None then. "
        "Leave them out in both modes.",
        TWO_VARIANCES,
    ),
    Misconception(
        "changes_its_input_in_evaluation",
        InPlaceInEvaluation,
        "in evaluation mode x is changed in place (such as `x -= mean`). "
        "The caller still needs it: write into a new tensor.",
        TWO_VARIANCES,
    ),
)
"""Mistakes with the two modes, for BatchNorm1d and BatchNorm2d."""
