"""How students get `InstanceNorm2d` wrong, beside the mistakes in the formula: axes and parameters."""

from __future__ import annotations

import torch
from torch import Tensor

from course.checks.batch_norm.formula_mistakes import formula_mistakes, misconception
from course.checks.batch_norm.norm_steps import Instance


class AsBatchNorm(Instance):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, 0, 2, 3)


class AsLayerNorm(Instance):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, 1, 2, 3)


class OverChannels(Instance):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, 1)


class RowsApart(Instance):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, 3)


class ColumnsApart(Instance):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, 2)


class ChannelsTakenLast(Instance):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x, 1, 2)


class VarianceOfTheBatch(Instance):
    def normalize(self, x: Tensor) -> Tensor:
        return self.divide(x - x.mean((2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True))


class AffineByDefault(Instance):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True
    ) -> None:
        super().__init__(num_features, eps, momentum, affine)


class ArgumentsInAnotherOrder(Instance):
    def __init__(
        self, num_features: int, eps: float = 1e-5, affine: bool = False, momentum: float = 0.1
    ) -> None:
        super().__init__(num_features, eps, momentum, bool(affine))


class AffineAlways(Instance):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine(shape, True, True)


class AffineNever(Instance):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine(shape, False, False)


class WeightAlongWidth(Instance):
    def fit(self, parameter: Tensor, x: Tensor) -> Tensor:
        return parameter


class BuffersOfBatchNorm(Instance):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False
    ) -> None:
        super().__init__(num_features, eps, momentum, affine)
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))


class RunningStatisticsInEvaluation(Instance):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False
    ) -> None:
        super().__init__(num_features, eps, momentum, affine)
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def normalize(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.running_mean.lerp_(x.mean((0, 2, 3)), 0.1)
                self.running_var.lerp_(x.var((2, 3)).mean(0), 0.1)
            return super().normalize(x)
        return self.divide(x - self.fit(self.running_mean, x), self.fit(self.running_var, x))


INSTANCE_NORM = (
    *(
        misconception(Instance, *entry)
        for entry in (
            (
                AsBatchNorm,
                "you average over the batch too: that is batch norm. "
                "Instance norm takes each image by itself: dim=(2, 3).",
            ),
            (
                AsLayerNorm,
                "you average over the channels too: that is layer norm. "
                "Instance norm takes each channel by itself: dim=(2, 3).",
            ),
            (
                OverChannels,
                "you average over the channels (dim=1). Instance norm averages over height and width: "
                "dim=(2, 3).",
            ),
            (
                RowsApart,
                "each row of the picture has a mean of its own. "
                "Average over height and width together: dim=(2, 3).",
            ),
            (
                ColumnsApart,
                "each column of the picture has a mean of its own. "
                "Average over height and width together: dim=(2, 3).",
            ),
            (
                ChannelsTakenLast,
                "you average over the axes (1, 2), as for images (N, H, W, C). "
                "In PyTorch height and width are the axes 2 and 3.",
            ),
            (
                VarianceOfTheBatch,
                "the mean is that of the picture, the variance that of the batch. Both belong to dim=(2, 3).",
            ),
            (
                AffineByDefault,
                "affine is True by default. Unlike the other norms, InstanceNorm2d has affine=False by "
                "default.",
            ),
            (
                ArgumentsInAnotherOrder,
                "the arguments have another order than torch's: num_features, eps, momentum, affine.",
            ),
            (AffineAlways, "with affine=False the layer still has weight and bias. They are None then."),
            (AffineNever, "with affine=True the layer needs weight (ones) and bias (zeros) of shape (C,)."),
            (
                WeightAlongWidth,
                "weight meets the last axis (the width). It belongs to the channels: reshape it to (1, C, "
                "1, 1).",
            ),
            (
                BuffersOfBatchNorm,
                "the layer has running statistics. Instance norm keeps none: its state_dict has no buffers.",
            ),
            (
                RunningStatisticsInEvaluation,
                "in evaluation mode you use running statistics. "
                "Instance norm has none: each picture brings its own.",
            ),
        )
    ),
    *formula_mistakes(Instance),
)
