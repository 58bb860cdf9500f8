"""Mistakes of layer, instance and group norm in the axes and in the parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course.checks.batch_norm.formula_mistakes import formula_mistakes, misconception
from course.checks.batch_norm.norm_steps import Group, Instance, Layer

# --- LayerNorm ----------------------------------------------------------------------------------------------


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
            (OverTheBatch, "you average over the batch (dim=0): that is batch norm. Layer norm takes the last axes of each example."),
            (OverBatchToo, "you average over the whole batch. Layer norm takes each example by itself, over its last axes."),
            (LastAxisOnly, "you average over the last axis only. normalized_shape may name several: take as many axes from the end."),
            (AllButTheFirst, "you average over everything but the batch. normalized_shape says over which axes: the last len(normalized_shape)."),
            (FirstAxes, "you count the axes from the front. normalized_shape names the last axes: -len(normalized_shape), ..., -1."),
            (AsManyAxesAfterTheBatch, "you count the axes from the batch axis on. Count from the end: there may be more axes before them."),
            (OneWeightPerChannel, "weight has one number per channel. In layer norm weight and bias have the shape normalized_shape."),
            (FlatWeight, "weight is flat. weight and bias have the shape normalized_shape."),
            (ScalarWeight, "weight is a single number. weight and bias have the shape normalized_shape."),
            (ElementwiseAffineIgnored, "with elementwise_affine=False the layer still has weight and bias. They are None then."),
            (BiasArgumentIgnored, "with bias=False the layer still has a bias. It is None then."),
            (NoBiasNoWeight, "with bias=False the weight is gone too. Only the bias is None then."),
            (BiasWithoutAffine, "with elementwise_affine=False the layer still has a bias. Weight and bias are both None then."),
            (NumberOnly, "only a number works for normalized_shape. It may also be a tuple such as (C, H, W)."),
            (TupleOnly, "only a tuple works for normalized_shape. It may also be a number: turn it into (normalized_shape,) first."),
            (RemembersStatistics, "you keep running statistics. Layer norm needs none: each example brings its own, in both modes."),
        )
    ),
)


# --- InstanceNorm2d -----------------------------------------------------------------------------------------


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
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine)


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
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False) -> None:
        super().__init__(num_features, eps, momentum, affine)
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))


class RunningStatisticsInEvaluation(Instance):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False) -> None:
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
    *formula_mistakes(Instance),
    *(
        misconception(Instance, *entry)
        for entry in (
            (AsBatchNorm, "you average over the batch too: that is batch norm. Instance norm takes each image by itself: dim=(2, 3)."),
            (AsLayerNorm, "you average over the channels too: that is layer norm. Instance norm takes each channel by itself: dim=(2, 3)."),
            (OverChannels, "you average over the channels (dim=1). Instance norm averages over height and width: dim=(2, 3)."),
            (RowsApart, "each row of the picture has a mean of its own. Average over height and width together: dim=(2, 3)."),
            (ColumnsApart, "each column of the picture has a mean of its own. Average over height and width together: dim=(2, 3)."),
            (ChannelsTakenLast, "you average over the axes (1, 2), as for images (N, H, W, C). In PyTorch height and width are the axes 2 and 3."),
            (VarianceOfTheBatch, "the mean is that of the picture, the variance that of the batch. Both belong to dim=(2, 3)."),
            (AffineByDefault, "affine is True by default. Unlike the other norms, InstanceNorm2d has affine=False by default."),
            (AffineAlways, "with affine=False the layer still has weight and bias. They are None then."),
            (AffineNever, "with affine=True the layer needs weight (ones) and bias (zeros) of shape (C,)."),
            (WeightAlongWidth, "weight meets the last axis (the width). It belongs to the channels: reshape it to (1, C, 1, 1)."),
            (BuffersOfBatchNorm, "the layer has running statistics. Instance norm keeps none: its state_dict has no buffers."),
            (RunningStatisticsInEvaluation, "in evaluation mode you use running statistics. Instance norm has none: each picture brings its own."),
        )
    ),
)


# --- GroupNorm ----------------------------------------------------------------------------------------------


class GroupsIgnored(Group):
    def blocks(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class EachChannelByItself(Group):
    def normalize(self, x: Tensor) -> Tensor:
        blocks = x.reshape(*x.shape[:2], -1)
        mean = blocks.mean(-1, keepdim=True)
        return self.divide(blocks - mean, self.var(blocks, mean)).reshape(x.shape)


class GroupsAcrossTheBatch(Group):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(self.blocks(x), 0, 2).reshape(x.shape)


class GroupsOfTheBatch(Group):
    def normalize(self, x: Tensor) -> Tensor:
        return self.over(x.reshape(self.num_groups, -1), 1).reshape(x.shape)


class GroupsInterleaved(Group):
    def normalize(self, x: Tensor) -> Tensor:
        blocks = x.reshape(len(x), -1, self.num_groups, x[0, 0].numel())
        return self.over(blocks, 1, 3).reshape(x.shape)


class NumberForSize(Group):
    def blocks(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), x.shape[1] // self.num_groups, -1)


class PositionsApart(Group):
    def normalize(self, x: Tensor) -> Tensor:
        blocks = x.reshape(len(x), self.num_groups, x.shape[1] // self.num_groups, -1)
        return self.over(blocks, 2).reshape(x.shape)


class OneWeightPerGroup(Group):
    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(num_groups, num_channels, eps, affine)
        self.make_affine((num_groups,), affine, affine)

    def fit(self, parameter: Tensor, x: Tensor) -> Tensor:
        return super().fit(parameter.repeat_interleave(x.shape[1] // self.num_groups), x)


class WeightAlongTheLastAxis(Group):
    def fit(self, parameter: Tensor, x: Tensor) -> Tensor:
        return parameter


class AffineIgnored(Group):
    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        super().make_affine(shape, True, True)


class ArgumentsSwapped(Group):
    def __init__(self, num_channels: int, num_groups: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(num_groups, num_channels, eps, affine)


class ImagesOnly(Group):
    def blocks(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return x.reshape(n, self.num_groups, c // self.num_groups * h * w)


class ViewNeedsOrder(Group):
    def blocks(self, x: Tensor) -> Tensor:
        return x.view(len(x), self.num_groups, -1)


class NotReshapedBack(Group):
    def forward(self, x: Tensor) -> Tensor:
        blocks = self.blocks(x)
        mean = self.mean(blocks)
        return self.divide(blocks - mean, self.var(blocks, mean))


GROUP_NORM = (
    *formula_mistakes(Group),
    *(
        misconception(Group, *entry)
        for entry in (
            (GroupsIgnored, "num_groups is not used: you average over all channels, which is layer norm."),
            (EachChannelByItself, "each channel is normalized by itself: that is instance norm. The channels of one group share a mean."),
            (GroupsAcrossTheBatch, "the groups reach over the whole batch. Group norm takes each example by itself."),
            (GroupsOfTheBatch, "you cut the batch into groups. Cut the channels of each example: reshape(N, num_groups, -1)."),
            (GroupsInterleaved, "your groups take every G-th channel. A group is made of neighbours: reshape(N, num_groups, -1)."),
            (NumberForSize, "num_groups is the number of groups; you take it for the number of channels in a group."),
            (PositionsApart, "each position has a mean of its own. A group's mean is over its channels and all positions."),
            (OneWeightPerGroup, "weight has one number per group. weight and bias have one number per channel."),
            (WeightAlongTheLastAxis, "weight meets the last axis of x. It belongs to the channels: reshape it to (1, C, 1, 1) for images."),
            (AffineIgnored, "with affine=False the layer still has weight and bias. They are None then."),
            (ArgumentsSwapped, "num_groups comes first, then num_channels: GroupNorm(num_groups, num_channels)."),
            (ImagesOnly, "only images (N, C, H, W) work. x is (N, C, *): also (N, C) and (N, C, L). reshape(N, G, -1) fits all."),
            (ViewNeedsOrder, "`view` does not work when the memory is not in order (channels_last, a transposed tensor). Use reshape."),
            (NotReshapedBack, "y has the shape of the groups. Reshape it back to the shape of x, then apply weight and bias."),
        )
    ),
)
