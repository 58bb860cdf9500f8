"""Right, by other routes: one base class for both batch norms, einsum, and a loop over the groups."""

import torch
from torch import nn


class BatchNorm1d(nn.Module):
    """Batch normalization of (N, C) or (N, C, L)."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.register_parameter("weight", nn.Parameter(torch.ones(num_features)) if affine else None)
        self.register_parameter("bias", nn.Parameter(torch.zeros(num_features)) if affine else None)
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x):
        rows = x.transpose(0, 1).flatten(1)
        if self.training:
            n = rows.shape[1]
            mean = rows.sum(1) / n
            var = ((rows - mean[:, None]) ** 2).sum(1) / n
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean.detach()
            unbiased = var.detach() * n / (n - 1)
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * unbiased
            self.num_batches_tracked += 1
        else:
            mean, var = self.running_mean, self.running_var
        rows = (rows - mean[:, None]) / (var[:, None] + self.eps) ** 0.5
        if self.weight is not None:
            rows = self.weight[:, None] * rows + self.bias[:, None]
        return rows.unflatten(1, (x.shape[0], *x.shape[2:])).transpose(0, 1)


class BatchNorm2d(BatchNorm1d):
    """The base class already takes any number of places."""


class GroupNorm(nn.Module):
    """Normalize each group of channels of each example (N, C, *) by itself."""

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True):
        super().__init__()
        self.num_groups, self.eps = num_groups, eps
        self.weight = nn.Parameter(torch.ones(num_channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_channels)) if affine else None

    def forward(self, x):
        groups = []
        for group in x.chunk(self.num_groups, dim=1):
            axes = tuple(range(1, x.dim()))
            mean = group.mean(axes, keepdim=True)
            var = (group - mean).square().mean(axes, keepdim=True)
            groups.append((group - mean) / (var + self.eps).sqrt())
        y = torch.cat(groups, dim=1)
        if self.weight is not None:
            y = torch.einsum("nc...,c->nc...", y, self.weight)
            y = y + self.bias.view(-1, *[1] * (x.dim() - 2))
        return y
