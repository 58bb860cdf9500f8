"""Right residual blocks in small steps, for a mistake to change one of them.

Most mistakes fit both blocks: they are mixins that override one step (`skip_mistakes`, `branch_mistakes`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from course.checks.framework import Misconception


class Steps(nn.Module):
    """What both blocks share."""

    def conv(self, before: int, after: int, size: int, stride: int = 1) -> nn.Conv2d:
        return nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)

    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels)

    def make_skip(self, before: int, after: int, stride: int) -> nn.Module | None:
        return self.projection(before, after, stride) if self.is_needed(before, after, stride) else None

    def is_needed(self, before: int, after: int, stride: int) -> bool:
        return stride != 1 or before != after

    def projection(self, before: int, after: int, stride: int) -> nn.Module:
        return nn.Sequential(self.conv(before, after, 1, stride), self.norm(after))

    def activate(self, y: Tensor) -> Tensor:
        """The ReLU within the branch."""
        return torch.relu(y)

    def branch(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def skip(self, x: Tensor) -> Tensor:
        return x if self.downsample is None else self.downsample(x)

    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(branch + skip)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.branch(x), self.skip(x))


class BasicSteps(Steps):
    """The steps of `BasicBlock`, without its class attribute."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.make_branch(in_channels, out_channels, stride)
        self.downsample = self.make_skip(in_channels, out_channels, stride)

    def make_branch(self, before: int, after: int, stride: int) -> None:
        self.conv1, self.bn1 = self.conv(before, after, 3, stride), self.norm(after)
        self.conv2, self.bn2 = self.conv(after, after, 3), self.norm(after)

    def branch(self, x: Tensor) -> Tensor:
        y = self.activate(self.bn1(self.conv1(x)))
        return self.bn2(self.conv2(y))


class Basic(BasicSteps):
    """A right `BasicBlock`."""

    expansion = 1


class NeckSteps(Steps):
    """The steps of `Bottleneck`, without its class attribute."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.make_branch(in_channels, channels, stride)
        self.downsample = self.make_skip(in_channels, channels * 4, stride)

    def make_branch(self, before: int, channels: int, stride: int) -> None:
        self.conv1, self.bn1 = self.conv(before, channels, 1), self.norm(channels)
        self.conv2, self.bn2 = self.conv(channels, channels, 3, stride), self.norm(channels)
        self.conv3, self.bn3 = self.conv(channels, channels * 4, 1), self.norm(channels * 4)

    def branch(self, x: Tensor) -> Tensor:
        y = self.activate(self.bn1(self.conv1(x)))
        y = self.activate(self.bn2(self.conv2(y)))
        return self.bn3(self.conv3(y))


class Neck(NeckSteps):
    """A right `Bottleneck`."""

    expansion = 4


def mistakes_in(block: type[Steps], mistakes: Iterable[Misconception]) -> list[Misconception]:
    """The mistakes, which are mixins, made in a block."""
    return [
        dataclasses.replace(each, implementation=type(each.name, (each.implementation, block), {}))
        for each in mistakes
    ]
