"""How students get `GroupNorm` wrong, beside the mistakes in the formula: axes and parameters."""

from __future__ import annotations

from torch import Tensor

from course.checks.batch_norm.formula_mistakes import formula_mistakes, misconception
from course.checks.batch_norm.norm_steps import Group


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
            (
                EachChannelByItself,
                "each channel is normalized by itself: that is instance norm. "
                "The channels of one group share a mean.",
            ),
            (
                GroupsAcrossTheBatch,
                "the groups reach over the whole batch. Group norm takes each example by itself.",
            ),
            (
                GroupsOfTheBatch,
                "you cut the batch into groups. Cut the channels of each example: reshape(N, num_groups, "
                "-1).",
            ),
            (
                GroupsInterleaved,
                "your groups take every G-th channel. A group is made of neighbours: reshape(N, "
                "num_groups, -1).",
            ),
            (
                NumberForSize,
                "num_groups is the number of groups; you take it for the number of channels in a group.",
            ),
            (
                PositionsApart,
                "each position has a mean of its own. A group's mean is over its channels and all positions.",
            ),
            (
                OneWeightPerGroup,
                "weight has one number per group. weight and bias have one number per channel.",
            ),
            (
                WeightAlongTheLastAxis,
                "weight meets the last axis of x. It belongs to the channels: reshape it to (1, C, 1, 1) "
                "for images.",
            ),
            (AffineIgnored, "with affine=False the layer still has weight and bias. They are None then."),
            (
                ArgumentsSwapped,
                "num_groups comes first, then num_channels: GroupNorm(num_groups, num_channels).",
            ),
            (
                ImagesOnly,
                "only images (N, C, H, W) work. x is (N, C, *): also (N, C) and (N, C, L). "
                "reshape(N, G, -1) fits all.",
            ),
            (
                ViewNeedsOrder,
                "`view` does not work when the memory is not in order (channels_last, a transposed "
                "tensor). Use reshape.",
            ),
            (
                NotReshapedBack,
                "y has the shape of the groups. Reshape it back to the shape of x, then apply weight and "
                "bias.",
            ),
        )
    ),
)
