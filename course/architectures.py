"""The networks that deck D3 compares ResNet with: LeNet-5, AlexNet, VGG-16 and GoogLeNet.

They are here to be counted (`course.counting`), not to be trained. Dropout and local response normalization
have no parameters and are left out. So are GoogLeNet's two auxiliary outputs, which only its training uses.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["alexnet", "googlenet", "lenet5", "vgg16"]


def lenet5() -> nn.Sequential:
    """LeNet-5 (LeCun et al., 1998) as in deck D3: images (N, 1, 28, 28) → 10 classes."""
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2),
        nn.Sigmoid(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, kernel_size=5),
        nn.Sigmoid(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        *_dense(16 * 5 * 5, [120, 84], nn.Sigmoid),
        nn.Linear(84, 10),
    )


def alexnet() -> nn.Sequential:
    """AlexNet (Krizhevsky, Sutskever & Hinton, 2012): images (N, 3, 224, 224) → 1000 classes.

    ``groups=2`` where the paper splits a layer over two GPUs.
    """
    return nn.Sequential(
        *_convolution(3, 96, kernel_size=11, stride=4, padding=2),
        nn.MaxPool2d(3, stride=2),
        *_convolution(96, 256, kernel_size=5, padding=2, groups=2),
        nn.MaxPool2d(3, stride=2),
        *_convolution(256, 384, kernel_size=3, padding=1),
        *_convolution(384, 384, kernel_size=3, padding=1, groups=2),
        *_convolution(384, 256, kernel_size=3, padding=1, groups=2),
        nn.MaxPool2d(3, stride=2),
        nn.Flatten(),
        *_dense(256 * 6 * 6, [4096, 4096], nn.ReLU),
        nn.Linear(4096, 1000),
    )


def vgg16() -> nn.Sequential:
    """VGG-16 (Simonyan & Zisserman, 2015, configuration D): images (N, 3, 224, 224) → 1000 classes."""
    layers: list[nn.Module] = []
    before = 3
    for channels, repeats in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(repeats):
            layers += _convolution(before, channels, kernel_size=3, padding=1)
            before = channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(
        *layers, nn.Flatten(), *_dense(512 * 7 * 7, [4096, 4096], nn.ReLU), nn.Linear(4096, 1000)
    )


def googlenet() -> nn.Sequential:
    """GoogLeNet (Szegedy et al., 2015, table 1): images (N, 3, 224, 224) → 1000 classes."""
    return nn.Sequential(
        *_convolution(3, 64, kernel_size=7, stride=2, padding=3),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        *_convolution(64, 64, kernel_size=1),
        *_convolution(64, 192, kernel_size=3, padding=1),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        Inception(192, 64, (96, 128), (16, 32), 32),
        Inception(256, 128, (128, 192), (32, 96), 64),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        Inception(480, 192, (96, 208), (16, 48), 64),
        Inception(512, 160, (112, 224), (24, 64), 64),
        Inception(512, 128, (128, 256), (24, 64), 64),
        Inception(512, 112, (144, 288), (32, 64), 64),
        Inception(528, 256, (160, 320), (32, 128), 128),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        Inception(832, 256, (160, 320), (32, 128), 128),
        Inception(832, 384, (192, 384), (48, 128), 128),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(1024, 1000),
    )


class Inception(nn.Module):
    """Four branches side by side, joined along the channels: 1×1, 3×3, 5×5 and a pooling.

    ``reduced_3x3``, ``reduced_5x5``: channels after the 1×1 that saves work, channels after the filter.
    """

    def __init__(
        self,
        in_channels: int,
        direct: int,
        reduced_3x3: tuple[int, int],
        reduced_5x5: tuple[int, int],
        pooled: int,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                nn.Sequential(*_convolution(in_channels, direct, kernel_size=1)),
                nn.Sequential(
                    *_convolution(in_channels, reduced_3x3[0], kernel_size=1),
                    *_convolution(*reduced_3x3, kernel_size=3, padding=1),
                ),
                nn.Sequential(
                    *_convolution(in_channels, reduced_5x5[0], kernel_size=1),
                    *_convolution(*reduced_5x5, kernel_size=5, padding=2),
                ),
                nn.Sequential(
                    nn.MaxPool2d(3, stride=1, padding=1), *_convolution(in_channels, pooled, kernel_size=1)
                ),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, sum of the branches' channels, H, W)."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def _convolution(in_channels: int, out_channels: int, **options: int) -> list[nn.Module]:
    return [nn.Conv2d(in_channels, out_channels, **options), nn.ReLU()]  # type: ignore[arg-type]


def _dense(inputs: int, widths: Sequence[int], activation: type[nn.Module]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inputs, width), activation()]
        inputs = width
    return layers
