"""Folds the norm into the weights and forgets that the linear layer had a bias."""

import torch
from torch import nn


def fuse_linear_bn(linear, bn):
    """A new nn.Linear that computes bn(linear(x)) for a BatchNorm1d in evaluation mode."""
    gamma = torch.ones_like(bn.running_mean) if bn.weight is None else bn.weight
    beta = torch.zeros_like(bn.running_mean) if bn.bias is None else bn.bias
    scale = gamma / torch.sqrt(bn.running_var + bn.eps)
    fused = nn.Linear(linear.in_features, linear.out_features).to(linear.weight)
    with torch.no_grad():
        fused.weight.copy_(scale[:, None] * linear.weight)
        fused.bias.copy_(beta - scale * bn.running_mean)
    return fused
