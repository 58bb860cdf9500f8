"""A right `ResNet` in small steps, for a mistake to change one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """A right `ResNet`, in steps."""

    def __init__(
        self, block: Any, layers: Sequence[int], num_classes: int = 1000, in_channels: int = 3
    ) -> None:
        super().__init__()
        self.in_planes = 64
        self.make_stem(in_channels)
        self.make_stages(block, layers)
        self.make_head(block, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                self.draw(module.weight)

    def make_stem(self, in_channels: int) -> None:
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, 1)

    def make_stages(self, block: Any, layers: Sequence[int]) -> None:
        for index in range(4):
            setattr(self, f"layer{index + 1}", self.stage(block, self.channels(index), layers[index], index))

    def channels(self, index: int) -> int:
        return 64 * 2**index

    def stride(self, index: int) -> int:
        return 1 if index == 0 else 2

    def stage(self, block: Any, channels: int, blocks: int, index: int) -> nn.Module:
        made = []
        for position in range(blocks):
            made.append(block(self.in_planes, channels, self.stride(index) if position == 0 else 1))
            self.in_planes = channels * block.expansion
        return nn.Sequential(*made)

    def make_head(self, block: Any, num_classes: int) -> None:
        self.fc = nn.Linear(512 * block.expansion, num_classes)

    def draw(self, weight: Tensor) -> None:
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")

    def stem(self, x: Tensor) -> Tensor:
        return self.pool(torch.relu(self.bn1(self.conv1(x))))

    def average(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))

    def head(self, x: Tensor) -> Tensor:
        return self.fc(self.average(x))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.head(x)
