"""Mistakes in the formula that layer, instance and group norm share, written once for all three.

Each is a mixin: `formula_mistakes(Layer)` puts every one of them on top of a right layer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course.checks.batch_norm.norm_steps import Norm
from course.checks.framework import Misconception


class UnbiasedVariance(Norm):
    def var(self, blocks: Tensor, mean: Tensor) -> Tensor:
        return blocks.var(-1, keepdim=True)


class SquaresNotCentred(Norm):
    def var(self, blocks: Tensor, mean: Tensor) -> Tensor:
        return blocks.square().mean(-1, keepdim=True)


class MeanOfSquares(Norm):
    def var(self, blocks: Tensor, mean: Tensor) -> Tensor:
        return blocks.square().mean(-1, keepdim=True) - mean.square()


class OneVarianceForAll(Norm):
    def var(self, blocks: Tensor, mean: Tensor) -> Tensor:
        return (blocks - mean).square().mean()


class NotCentred(Norm):
    def normalize(self, x: Tensor) -> Tensor:
        blocks = self.blocks(x)
        return self.divide(blocks, self.var(blocks, self.mean(blocks))).reshape(x.shape)


class OnlyCentred(Norm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred


class NoRoot(Norm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / (var + self.eps)


class NoEps(Norm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var)


class EpsOutsideRoot(Norm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / (torch.sqrt(var) + self.eps)


class EpsSquared(Norm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var + self.eps**2)


class EpsFixed(Norm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var + 1e-5)


class StatisticsDetached(Norm):
    def mean(self, blocks: Tensor) -> Tensor:
        return super().mean(blocks).detach()

    def var(self, blocks: Tensor, mean: Tensor) -> Tensor:
        return super().var(blocks, mean).detach()


class VarianceDetached(Norm):
    def var(self, blocks: Tensor, mean: Tensor) -> Tensor:
        return super().var(blocks, mean).detach()


class WeightAndBiasSwapped(Norm):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.weight is None or self.bias is None:
            return super().scale_and_shift(x_hat)
        return x_hat * self.fit(self.bias, x_hat) + self.fit(self.weight, x_hat)


class ShiftBeforeScale(Norm):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.weight is None or self.bias is None:
            return super().scale_and_shift(x_hat)
        return (x_hat + self.fit(self.bias, x_hat)) * self.fit(self.weight, x_hat)


class AffineForgotten(Norm):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        return x_hat


class BiasForgotten(Norm):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        return x_hat if self.weight is None else x_hat * self.fit(self.weight, x_hat)


class AffineInTrainingOnly(Norm):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        return super().scale_and_shift(x_hat) if self.training else x_hat


class AffineBeforeNormalizing(Norm):
    def forward(self, x: Tensor) -> Tensor:
        return self.normalize(self.scale_and_shift(x))


class WeightStartsAtZero(Norm):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine(shape, has_weight, has_bias)
        if self.weight is not None:
            nn.init.zeros_(self.weight)


class RandomStart(Norm):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine(shape, has_weight, has_bias)
        if self.weight is not None:
            nn.init.normal_(self.weight)


class AffineNotLearned(Norm):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        self.weight = torch.ones(shape, dtype=torch.float64) if has_weight else None
        self.bias = torch.zeros(shape, dtype=torch.float64) if has_bias else None


class AffineAsBuffers(Norm):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        self.register_buffer("weight", torch.ones(shape) if has_weight else None)
        self.register_buffer("bias", torch.zeros(shape) if has_bias else None)


class NotTrainable(Norm):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine(shape, has_weight, has_bias)
        for parameter in self.parameters():
            parameter.requires_grad_(False)


class NamesFromThePaper(Norm):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        self.gamma = nn.Parameter(torch.ones(shape)) if has_weight else None
        self.beta = nn.Parameter(torch.zeros(shape)) if has_bias else None

    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.gamma is not None:
            x_hat = x_hat * self.fit(self.gamma, x_hat)
        return x_hat if self.beta is None else x_hat + self.fit(self.beta, x_hat)


class NoGradientInEvaluation(Norm):
    def forward(self, x: Tensor) -> Tensor:
        with torch.set_grad_enabled(self.training):
            return super().forward(x)


class IdentityInEvaluation(Norm):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.training else x.clone()


class InPlace(Norm):
    def normalize(self, x: Tensor) -> Tensor:
        blocks = self.blocks(x)  # shares its memory with x, as views do
        mean = self.mean(blocks)
        var = self.var(blocks, mean)
        blocks -= mean
        return self.divide(blocks, var).reshape(x.shape)


class SuperForgotten(Norm):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.weight = nn.Parameter(torch.ones(1))


FORMULA = (
    (
        UnbiasedVariance,
        "you use the unbiased variance (1/(n-1)), which is torch's default. "
        "All norms use the biased one: unbiased=False.",
        "3.3",
    ),
    (
        SquaresNotCentred,
        "your variance is mean(x^2). That is the variance only when the mean is 0: subtract the mean first.",
        "3.1",
    ),
    (
        MeanOfSquares,
        "your variance is mean(x^2) - mean^2. With a large mean two large numbers cancel and the digits "
        "are gone: subtract the mean first.",
        "3.3",
    ),
    (
        OneVarianceForAll,
        "one variance for the whole batch. The variance has the same axes as the mean.",
        None,
    ),
    (NotCentred, "the mean is not subtracted before the division.", "3.3"),
    (OnlyCentred, "you subtract the mean, but do not divide by the standard deviation.", "3.3"),
    (NoRoot, "you divide by the variance. Divide by the standard deviation sqrt(var + eps).", "3.3"),
    (NoEps, "eps is missing. The denominator is sqrt(var + eps).", "3.3"),
    (EpsOutsideRoot, "eps is added after the root. It belongs to the variance: sqrt(var + eps).", "3.3"),
    (EpsSquared, "you add eps squared. The denominator is sqrt(var + eps).", "3.3"),
    (EpsFixed, "eps is 1e-5 whatever the argument says. Use self.eps.", "3.3"),
    (
        StatisticsDetached,
        "the gradient does not flow through mean and variance (no_grad, detach or .data). "
        "They depend on x, so they are part of the graph.",
        "3.4",
    ),
    (
        VarianceDetached,
        "the gradient does not flow through the variance (no_grad, detach or .data). It depends on x too.",
        "3.4",
    ),
    (
        WeightAndBiasSwapped,
        "weight and bias are swapped: weight (gamma) multiplies, bias (beta) is added.",
        "3.3",
    ),
    (ShiftBeforeScale, "bias is added before the multiplication. First weight * x_hat, then + bias.", "3.3"),
    (AffineForgotten, "weight and bias are not applied: y = weight * x_hat + bias.", "3.3"),
    (BiasForgotten, "bias is never added: y = weight * x_hat + bias.", "3.3"),
    (
        AffineInTrainingOnly,
        "weight and bias are applied in training mode only. Evaluation needs them too.",
        "3.5",
    ),
    (
        AffineBeforeNormalizing,
        "weight and bias are applied to x before it is normalized. "
        "They come last: y = weight * x_hat + bias.",
        "3.3",
    ),
    (WeightStartsAtZero, "weight starts at 0, so the layer's output is 0. It starts at 1.", None),
    (
        RandomStart,
        "weight starts with random numbers. It starts at 1, bias at 0: at first the layer only normalizes.",
        None,
    ),
    (
        AffineNotLearned,
        "weight and bias are plain tensors, so no optimizer finds them. Wrap them in nn.Parameter.",
        None,
    ),
    (
        AffineAsBuffers,
        "weight and bias are buffers, so no optimizer finds them. Wrap them in nn.Parameter.",
        None,
    ),
    (
        NotTrainable,
        "weight and bias do not ask for a gradient (requires_grad=False), so they never learn.",
        None,
    ),
    (
        NamesFromThePaper,
        "gamma and beta are called weight and bias in torch. "
        "With other names saved weights cannot be loaded.",
        None,
    ),
    (
        NoGradientInEvaluation,
        "in evaluation mode no gradient flows (no_grad). eval() is not no_grad(): the caller decides.",
        "3.5",
    ),
    (
        IdentityInEvaluation,
        "in evaluation mode x comes back unchanged. Only batch norm has two modes; this norm computes the "
        "same in both.",
        None,
    ),
    (
        InPlace,
        "x is changed in place (such as `x -= mean`). The caller still needs it: write into a new tensor.",
        None,
    ),
    (SuperForgotten, "super().__init__() is missing. It must be the first line of __init__.", None),
)


def _slug(mistake: type) -> str:
    """EpsOutsideRoot → eps_outside_root."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in mistake.__name__).removeprefix("_")


def misconception(base: type[Norm], mistake: type, message: str, section: str | None = None) -> Misconception:
    """The misconception of a right layer with this mistake on top."""
    wrong = type(mistake.__name__, (mistake, base), {})
    return Misconception(_slug(mistake), wrong, message, section)


def formula_mistakes(base: type[Norm]) -> tuple[Misconception, ...]:
    """The mistakes of `FORMULA`, each on top of a right layer."""
    return tuple(misconception(base, *entry) for entry in FORMULA)
