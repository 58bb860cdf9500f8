"""Knows that groups exist, but normalizes over all channels of an example at once."""

import torch
from torch import nn


class GroupNorm(nn.Module):
    """Normalize each group of channels of each example (N, C, *) by itself."""

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True):
        super().__init__()
        self.num_groups, self.eps = num_groups, eps
        self.weight = nn.Parameter(torch.ones(num_channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_channels)) if affine else None

    def forward(self, x):
        axes = tuple(range(1, x.dim()))
        mean = x.mean(axes, keepdim=True)
        var = x.var(axes, unbiased=False, keepdim=True)
        y = (x - mean) / torch.sqrt(var + self.eps)
        if self.weight is not None:
            shape = [1, -1] + [1] * (x.dim() - 2)
            y = self.weight.view(shape) * y + self.bias.view(shape)
        return y
