"""Right, but prints and warns wherever he can."""

import warnings

import torch
from torch import nn


def batch_norm_train(x, weight, bias, eps=1e-5):
    """Normalize x (N, C) with its own statistics. Returns y (N, C), mean (C,) and var (C,)."""
    print("batch_norm_train got", x.shape, x.dtype)
    mean = x.mean(0)
    print("mean:", mean)
    var = ((x - mean) ** 2).mean(0)
    print("var:", var)
    if len(x) < 8:
        warnings.warn("a batch this small has noisy statistics", stacklevel=2)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


class InstanceNorm2d(nn.Module):
    """Normalize each channel of each image (N, C, H, W) by itself."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=False):
        super().__init__()
        if momentum != 0.1:
            warnings.warn("momentum does nothing without running statistics", stacklevel=2)
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None

    def forward(self, x):
        print("InstanceNorm2d.forward", tuple(x.shape))
        warnings.warn("normalizing every channel of every image", stacklevel=2)
        mean = x.mean((2, 3), keepdim=True)
        var = x.var((2, 3), unbiased=False, keepdim=True)
        y = (x - mean) / torch.sqrt(var + self.eps)
        if self.weight is not None:
            y = self.weight.view(1, -1, 1, 1) * y + self.bias.view(1, -1, 1, 1)
        return y
