"""How students get `BasicBlock` wrong, beside what both blocks share."""

from __future__ import annotations

import torch
from torch import Tensor

from course.checks.collect import Mistakes
from course.checks.residual.block_steps import Basic, BasicSteps, mistakes_in
from course.checks.residual.branch_mistakes import BRANCH
from course.checks.residual.skip_mistakes import SKIP

BASIC = Mistakes(mistakes_in(Basic, (*SKIP, *BRANCH)))
_mistake = BASIC.add


@_mistake(
    "`expansion` is missing: write `expansion = 1` in the class body. make_layer reads it from the class."
)
class no_expansion(BasicSteps):
    pass


@_mistake(
    "the skip adds the output of the first ReLU. It adds the block's input: keep x under its own name "
    "until the sum."
)
class skip_of_the_first_activation(Basic):
    def forward(self, x: Tensor) -> Tensor:
        if self.downsample is not None:
            return super().forward(x)
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + y)


@_mistake("the first convolution runs twice, the second never: conv2 follows the first ReLU.")
class first_convolution_twice(Basic):
    def branch(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv1(torch.relu(self.bn1(self.conv1(x)))))


@_mistake("conv1 has no stride, so the branch is larger than the skip. Pass the stride to conv1.")
class stride_forgotten(Basic):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        super().make_branch(before, after, 1)


# Where the stride is 1, nothing tells which of the two it is.
_SHRINKS = (
    "conv1 or conv2 makes the picture smaller, so that x cannot be added. Both are 3×3 convolutions with "
    "padding=1."
)


@_mistake(_SHRINKS)
class first_without_padding(Basic):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        super().make_branch(before, after, stride)
        self.conv1.padding = (0, 0)


@_mistake(_SHRINKS)
class second_without_padding(Basic):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        super().make_branch(before, after, stride)
        self.conv2.padding = (0, 0)


@_mistake("conv2 is made for in_channels. It follows conv1, so out_channels come in.")
class second_takes_in_channels(Basic):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        super().make_branch(before, after, stride)
        self.conv2 = self.conv(before, after, 3)


@_mistake("the stride is on the second convolution. The first one has it.")
class stride_on_the_second(Basic):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        super().make_branch(before, after, 1)
        self.conv2 = self.conv(after, after, 3, stride)


@_mistake("both convolutions have the stride, so the branch shrinks twice. Only the first one has it.")
class stride_twice(Basic):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        super().make_branch(before, after, stride)
        self.conv2 = self.conv(after, after, 3, stride)


@_mistake("the first convolution keeps in_channels; the second changes them. It is the other way round.")
class second_changes_the_channels(Basic):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        self.conv1, self.bn1 = self.conv(before, before, 3, stride), self.norm(before)
        self.conv2, self.bn2 = self.conv(before, after, 3), self.norm(after)
