"""How students get `Bottleneck` wrong, beside what both blocks share."""

from __future__ import annotations

import torch
from torch import Tensor

from course.checks.collect import Mistakes
from course.checks.residual.block_steps import Neck, NeckSteps, mistakes_in
from course.checks.residual.branch_mistakes import BRANCH
from course.checks.residual.skip_mistakes import SKIP

BOTTLENECK = Mistakes(mistakes_in(Neck, (*SKIP, *BRANCH)))
_mistake = BOTTLENECK.add


@_mistake(
    "`expansion` is missing: write `expansion = 4` in the class body. make_layer reads it from the class."
)
class no_expansion(NeckSteps):
    pass


@_mistake("`expansion` is 1 in your class. A bottleneck gives out 4 times `channels`: expansion = 4.")
class expansion_of_one(Neck):
    expansion = 1


@_mistake("the output has `channels` channels. The last convolution widens it to 4 * channels.")
class no_widening(Neck):
    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, channels, stride)
        self.conv3, self.bn3 = self.conv(channels, channels, 1), self.norm(channels)
        self.downsample = self.make_skip(in_channels, channels, stride)


@_mistake(
    "you take `channels` for the output's. It is that of the 3×3 convolution; the output has 4 times as many."
)
class channels_of_the_output(Neck):
    def make_branch(self, before: int, channels: int, stride: int) -> None:
        super().make_branch(before, max(channels // 4, 1), stride)
        self.conv3, self.bn3 = self.conv(max(channels // 4, 1), channels, 1), self.norm(channels)

    def make_skip(self, before, after, stride):
        return super().make_skip(before, after // 4, stride)


@_mistake(
    "whether a projection is needed: you compare in_channels with channels. The output has 4 * channels."
)
class compares_with_the_narrow(Neck):
    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, channels, stride)
        if not self.is_needed(in_channels, channels, stride):
            self.downsample = None
        elif self.downsample is None:
            self.downsample = self.projection(in_channels, channels * 4, stride)


@_mistake(
    "the stride is on the first 1×1 convolution, as in the paper: three of four pixels are never read. "
    "torchvision has it on the 3×3."
)
class stride_on_the_first(Neck):
    def make_branch(self, before: int, channels: int, stride: int) -> None:
        super().make_branch(before, channels, 1)
        self.conv1 = self.conv(before, channels, 1, stride)


@_mistake("the stride is on the last 1×1 convolution. The 3×3 convolution has it.")
class stride_on_the_third(Neck):
    def make_branch(self, before: int, channels: int, stride: int) -> None:
        super().make_branch(before, channels, 1)
        self.conv3 = self.conv(channels, channels * 4, 1, stride)


@_mistake("two convolutions have the stride, so the branch shrinks twice. Only the 3×3 has it.")
class stride_twice(Neck):
    def make_branch(self, before: int, channels: int, stride: int) -> None:
        super().make_branch(before, channels, stride)
        self.conv1 = self.conv(before, channels, 1, stride)


@_mistake("all three convolutions are 3×3. The first and the last are 1×1: that is what saves the work.")
class all_3x3(Neck):
    def conv(self, before: int, after: int, size: int, stride: int = 1):
        in_branch = not hasattr(self, "bn3")  # downsample is made last
        return super().conv(before, after, 3 if in_branch else size, stride)


@_mistake("the middle convolution is 1×1, so no pixel ever sees another. It is 3×3 with padding 1.")
class all_1x1(Neck):
    def conv(self, before: int, after: int, size: int, stride: int = 1):
        return super().conv(before, after, 1, stride)


@_mistake("conv2 has no stride, so the branch is larger than the skip. Pass the stride to conv2.")
class stride_forgotten(Neck):
    def make_branch(self, before: int, channels: int, stride: int) -> None:
        super().make_branch(before, channels, 1)


@_mistake("the 1×1 convolutions have padding=1 too, so the picture grows. Only the 3×3 has padding.")
class padding_everywhere(Neck):
    def make_branch(self, before: int, channels: int, stride: int) -> None:
        super().make_branch(before, channels, stride)
        self.conv1.padding = self.conv3.padding = (1, 1)


@_mistake("bn3 has `channels` channels. It follows conv3, which gives out 4 * channels.")
class third_norm_too_narrow(Neck):
    def make_branch(self, before: int, channels: int, stride: int) -> None:
        super().make_branch(before, channels, stride)
        self.bn3 = self.norm(channels)


@_mistake("the ReLU after the second norm is missing: it follows bn1 and bn2.")
class no_second_relu(Neck):
    def branch(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return self.bn3(self.conv3(y))


@_mistake("the ReLU after the first norm is missing: it follows bn1 and bn2.")
class no_first_relu(Neck):
    def branch(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn2(self.conv2(self.bn1(self.conv1(x)))))
        return self.bn3(self.conv3(y))


@_mistake(
    "the middle is wide and the ends are narrow: that is MobileNet's block. Here conv1 narrows, conv3 widens."
)
class inverted(Neck):
    def make_branch(self, before: int, channels: int, stride: int) -> None:
        wide = channels * 4
        self.conv1, self.bn1 = self.conv(before, wide, 1), self.norm(wide)
        self.conv2, self.bn2 = self.conv(wide, wide, 3, stride), self.norm(wide)
        self.conv3, self.bn3 = self.conv(wide, wide, 1), self.norm(wide)
