"""Strides in the 1×1 convolution, as in the first version of the paper, and a stage without its stride."""

from torch import nn
from torch.nn import functional as F


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 and a skip."""

    expansion = 4

    def __init__(self, in_channels, channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.downsample = None
        if stride != 1 or in_channels != 4 * channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, 4 * channels, 1, stride, bias=False), nn.BatchNorm2d(4 * channels)
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        skip = x if self.downsample is None else self.downsample(x)
        return F.relu(y + skip)


def make_layer(block, in_channels, channels, blocks, stride=1):
    layers = []
    for _ in range(blocks):
        layers.append(block(in_channels, channels, stride))
        in_channels = channels * block.expansion
    return nn.Sequential(*layers)
