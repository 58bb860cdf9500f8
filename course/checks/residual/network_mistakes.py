"""How students get `ResNet` wrong: the stem and the stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course.checks.collect import Mistakes
from course.checks.residual.network_steps import Net

STAGES = Mistakes()
_mistake = STAGES.add


# --- The stem -----------------------------------------------------------------------------------------------


@_mistake("the max pool of the stem is missing: MaxPool2d(3, stride=2, padding=1) comes before layer1.")
class no_max_pool(Net):
    def stem(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn1(self.conv1(x)))


@_mistake("the max pool has no padding, so the border counts less. MaxPool2d(3, stride=2, padding=1).")
class max_pool_without_padding(Net):
    def make_stem(self, in_channels: int) -> None:
        super().make_stem(in_channels)
        self.pool = nn.MaxPool2d(3, 2)


@_mistake(
    "the max pool looks at 2×2 pixels. In a ResNet its windows overlap: MaxPool2d(3, stride=2, padding=1)."
)
class max_pool_of_two(Net):
    def make_stem(self, in_channels: int) -> None:
        super().make_stem(in_channels)
        self.pool = nn.MaxPool2d(2, 2)


@_mistake("the stem takes the mean of its windows. It is a max pool: MaxPool2d(3, stride=2, padding=1).")
class average_pool_in_the_stem(Net):
    def make_stem(self, in_channels: int) -> None:
        super().make_stem(in_channels)
        self.pool = nn.AvgPool2d(3, 2, 1)


@_mistake("the first convolution is 3×3, as in networks for small pictures. Here it is 7×7 with stride 2.")
class stem_for_small_pictures(Net):
    def make_stem(self, in_channels: int) -> None:
        super().make_stem(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 64, 3, 1, 1, bias=False)


@_mistake("the first convolution has stride 1. It halves the picture: stride=2.")
class stem_without_stride(Net):
    def make_stem(self, in_channels: int) -> None:
        super().make_stem(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 1, 3, bias=False)


@_mistake("the first convolution has no padding. With padding=3 its output is half the picture.")
class stem_without_padding(Net):
    def make_stem(self, in_channels: int) -> None:
        super().make_stem(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, bias=False)


@_mistake("the first convolution has a bias. The norm behind it subtracts it again: bias=False.")
class stem_with_bias(Net):
    def make_stem(self, in_channels: int) -> None:
        super().make_stem(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3)


@_mistake("bn1 is not applied: convolution, norm, ReLU, max pool.")
class stem_without_norm(Net):
    def stem(self, x: Tensor) -> Tensor:
        return self.pool(torch.relu(self.conv1(x)))


@_mistake("the ReLU of the stem is missing: convolution, norm, ReLU, max pool.")
class stem_without_relu(Net):
    def stem(self, x: Tensor) -> Tensor:
        return self.pool(self.bn1(self.conv1(x)))


@_mistake("in_channels is ignored: the first convolution always expects 3 channels.")
class in_channels_ignored(Net):
    def make_stem(self, in_channels: int) -> None:
        super().make_stem(3)


# --- The stages ---------------------------------------------------------------------------------------------


@_mistake("layer1 has stride 2. The max pool has just halved the picture: layer1 keeps its size.")
class first_stage_with_stride(Net):
    def stride(self, index: int) -> int:
        return 2


@_mistake("no stage has a stride. layer2, layer3 and layer4 begin with stride 2.")
class no_strides(Net):
    def stride(self, index: int) -> int:
        return 1


class _KeepsItsSize(Net):
    kept: int

    def stride(self, index: int) -> int:
        return 1 if index == self.kept else super().stride(index)


@_mistake("layer2 has stride 1. layer2, layer3 and layer4 begin with stride 2.")
class second_stage_without_stride(_KeepsItsSize):
    kept = 1


@_mistake("layer3 has stride 1. layer2, layer3 and layer4 begin with stride 2.")
class third_stage_without_stride(_KeepsItsSize):
    kept = 2


@_mistake("layer4 has stride 1. layer2, layer3 and layer4 begin with stride 2.")
class fourth_stage_without_stride(_KeepsItsSize):
    kept = 3


@_mistake("all stages have 64 channels. They double from stage to stage: 64, 128, 256, 512.")
class channels_do_not_double(Net):
    def channels(self, index: int) -> int:
        return 64

    def make_head(self, block: Any, num_classes: int) -> None:
        self.fc = nn.Linear(64 * block.expansion, num_classes)


@_mistake("every stage has two blocks, whatever `layers` says. Stage i has layers[i] blocks.")
class layers_ignored(Net):
    def stage(self, block: Any, channels: int, blocks: int, index: int) -> nn.Module:
        return super().stage(block, channels, 2, index)


@_mistake("the stages take the numbers of `layers` from the end. layer1 has layers[0] blocks.")
class layers_reversed(Net):
    def make_stages(self, block: Any, layers: Sequence[int]) -> None:
        super().make_stages(block, layers[::-1])


@_mistake(
    "a stage expects the channels without the expansion. The stage before it gives out "
    "channels * block.expansion."
)
class expansion_forgotten_between(Net):
    def stage(self, block: Any, channels: int, blocks: int, index: int) -> nn.Module:
        made = super().stage(block, channels, blocks, index)
        self.in_planes = channels
        return made


@_mistake(
    "the stages are in a list, which PyTorch does not look into: their weights are not trained or saved."
)
class stages_in_a_list(Net):
    def make_stages(self, block: Any, layers: Sequence[int]) -> None:
        super().make_stages(block, layers)
        self.stages = [self._modules.pop(f"layer{i}") for i in range(1, 5)]

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(x)


@_mistake("fc gets 256 numbers, not 512. x goes through all four stages, and layer4 has 512 channels.")
class last_stage_skipped(Net):
    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.stem(x))))
        return self.head(x)


@_mistake("layer4 has 256 channels. They double from stage to stage: 64, 128, 256, 512.")
class last_stage_does_not_double(Net):
    def channels(self, index: int) -> int:
        return 64 * 2 ** min(index, 2)
