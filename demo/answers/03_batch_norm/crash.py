"""Two cells that raise before anything is defined: a misspelled class and a call that cannot work."""

import torch
from torch import nn


class InstanceNorm2d(nn.Modul):
    """Normalize each channel of each image (N, C, H, W) by itself."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=False):
        super().__init__()
        self.eps = eps

    def forward(self, x):
        mean = x.mean((2, 3), keepdim=True)
        var = x.var((2, 3), unbiased=False, keepdim=True)
        return (x - mean) / torch.sqrt(var + self.eps)


def fuse_linear_bn(linear, bn=nn.BatchNorm1d()):
    """A new nn.Linear that computes bn(linear(x)) for a BatchNorm1d in evaluation mode."""
    return nn.Sequential(linear, bn)
