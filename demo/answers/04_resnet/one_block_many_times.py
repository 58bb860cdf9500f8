"""The same block again and again: the layers of a stage share their weights."""

from torch import nn


def make_layer(block, in_channels, channels, blocks, stride=1):
    first = block(in_channels, channels, stride)
    other = block(channels * block.expansion, channels)
    return nn.Sequential(first, *[other] * (blocks - 1))
