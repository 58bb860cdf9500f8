"""Right, with torch.var_mean and torch.addcmul where the lesson writes formulas."""

import torch
from torch import nn


def batch_norm_train(x, weight, bias, eps=1e-5):
    """Normalize x (N, C) with its own statistics. Returns y (N, C), mean (C,) and var (C,)."""
    var, mean = torch.var_mean(x, dim=0, correction=0)
    return torch.addcmul(bias, weight, (x - mean) * torch.rsqrt(var + eps)), mean, var


def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
    """Normalize x (N, C) with remembered statistics (C,). Returns y (N, C)."""
    scale = weight * torch.rsqrt(running_var + eps)
    return x * scale + (bias - running_mean * scale)


class LayerNorm(nn.Module):
    """Normalize each example over its last axes."""

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True):
        super().__init__()
        self.shape = torch.Size([normalized_shape] if isinstance(normalized_shape, int) else normalized_shape)
        self.eps = eps
        self.weight = self.bias = None
        if elementwise_affine:
            self.weight = nn.Parameter(torch.ones(self.shape))
            if bias:
                self.bias = nn.Parameter(torch.zeros(self.shape))

    def forward(self, x):
        flat = x.flatten(x.dim() - len(self.shape))
        var, mean = torch.var_mean(flat, dim=-1, correction=0, keepdim=True)
        y = ((flat - mean) * torch.rsqrt(var + self.eps)).view_as(x)
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias
