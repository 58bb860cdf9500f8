"""How students get `LayerNorm` wrong, beside the mistakes in the formula: axes and parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course.checks.batch_norm.formula_mistakes import formula_mistakes, misconception
from course.checks.batch_norm.norm_steps import Layer


class OverTheBatch(Layer):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, 0)


class OverBatchToo(Layer):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, *range(x.dim()))


class LastAxisOnly(Layer):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, -1)


class AllButTheFirst(Layer):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, *(range(1, x.dim()) or [0]))


class FirstAxes(Layer):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, *range(len(self.shape)))


class AsManyAxesAfterTheBatch(Layer):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, *range(1, min(1 + len(self.shape), x.dim())))


class OneWeightPerChannel(Layer):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine(shape[:1], has_weight, has_bias)

    def fit(self, parameter: Tensor, x: Tensor) -> Tensor:
        return parameter.view(-1, *(1 for _ in self.shape[1:]))


class FlatWeight(Layer):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine((torch.Size(shape).numel(),), has_weight, has_bias)

    def fit(self, parameter: Tensor, x: Tensor) -> Tensor:
        return parameter.view(self.shape)


class ScalarWeight(Layer):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine((1,), has_weight, has_bias)


class ElementwiseAffineIgnored(Layer):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine(shape, True, has_bias or not has_weight)


class BiasArgumentIgnored(Layer):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine(shape, has_weight, has_weight)


class NoBiasNoWeight(Layer):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine(shape, has_bias, has_bias)


class WeightSkippedWithoutBias(Layer):
    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        return x_hat if self.bias is None else super().scale_and_shift(x_hat)


class BiasWithoutAffine(Layer):
    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, bias)
        self.make_affine(self.shape, elementwise_affine, bias)


class NumberOnly(Layer):
    def blocks(self, x: Tensor) -> Tensor:
        if len(self.shape) > 1:
            raise TypeError("normalized_shape must be an int")
        return super().blocks(x)


class TupleOnly(Layer):
    def __init__(
        self,
        normalized_shape: Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__(tuple(normalized_shape), eps, elementwise_affine, bias)


class ArgumentsInAnotherOrder(Layer):
    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        elementwise_affine: bool = True,
        eps: float = 1e-5,
        bias: bool = True,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, bias)


class RemembersStatistics(Layer):
    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, bias)
        self.register_buffer("running_mean", torch.zeros(()))
        self.register_buffer("running_var", torch.ones(()))

    def normalize(self, x: Tensor) -> Tensor:
        if not self.training:
            return self.divide(x - self.running_mean, self.running_var)
        with torch.no_grad():
            self.running_mean.lerp_(x.mean(), 0.1)
            self.running_var.lerp_(x.var(), 0.1)
        return super().normalize(x)


LAYER_NORM = (
    *formula_mistakes(Layer),
    *(
        misconception(Layer, *entry)
        for entry in (
            (
                OverTheBatch,
                "you average over the batch (dim=0): that is batch norm. "
                "Layer norm takes the last axes of each example.",
            ),
            (
                OverBatchToo,
                "you average over the whole batch. Layer norm takes each example by itself, over its last "
                "axes.",
            ),
            (
                LastAxisOnly,
                "you average over the last axis only. normalized_shape may name several: take as many axes "
                "from the end.",
            ),
            (
                AllButTheFirst,
                "you average over everything but the batch. "
                "normalized_shape says over which axes: the last len(normalized_shape).",
            ),
            (
                FirstAxes,
                "you count the axes from the front. normalized_shape names the last axes: "
                "-len(normalized_shape), ..., -1.",
            ),
            (
                AsManyAxesAfterTheBatch,
                "you count the axes from the batch axis on. "
                "Count from the end: there may be more axes before them.",
            ),
            (
                OneWeightPerChannel,
                "weight has one number per channel. In layer norm weight and bias have the shape "
                "normalized_shape.",
            ),
            (FlatWeight, "weight is flat. weight and bias have the shape normalized_shape."),
            (ScalarWeight, "weight is a single number. weight and bias have the shape normalized_shape."),
            (
                ElementwiseAffineIgnored,
                "with elementwise_affine=False the layer still has weight and bias. They are None then.",
            ),
            (BiasArgumentIgnored, "with bias=False the layer still has a bias. It is None then."),
            (NoBiasNoWeight, "with bias=False the weight is gone too. Only the bias is None then."),
            (
                WeightSkippedWithoutBias,
                "with bias=False the weight is not applied any more. Ask for each of them by itself.",
            ),
            (
                BiasWithoutAffine,
                "with elementwise_affine=False the layer still has a bias. "
                "Weight and bias are both None then.",
            ),
            (
                NumberOnly,
                "only a number works for normalized_shape. It may also be a tuple such as (C, H, W).",
            ),
            (
                TupleOnly,
                "only a tuple works for normalized_shape. "
                "It may also be a number: turn it into (normalized_shape,) first.",
            ),
            (
                ArgumentsInAnotherOrder,
                "the arguments have another order than torch's: "
                "normalized_shape, eps, elementwise_affine, bias.",
            ),
            (
                RemembersStatistics,
                "you keep running statistics. Layer norm needs none: each example brings its own, in both "
                "modes.",
            ),
        )
    ),
)
