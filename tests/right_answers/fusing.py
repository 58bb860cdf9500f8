"""Right answers to fuse_linear_bn."""

import copy

import torch
from torch import nn


def fuse_into_a_new_linear(linear, bn):
    scale = 1 / torch.sqrt(bn.running_var + bn.eps)
    if bn.affine:
        scale = bn.weight * scale
    bias = linear.bias if linear.bias is not None else 0
    fused = nn.Linear(linear.in_features, linear.out_features, dtype=linear.weight.dtype)
    with torch.no_grad():
        fused.weight.copy_(linear.weight * scale[:, None])
        fused.bias.copy_((bias - bn.running_mean) * scale)
        if bn.affine:
            fused.bias += bn.bias
    return fused


def fuse_a_deepcopy(linear, bn):
    fused = copy.deepcopy(linear)
    inv_std = (bn.running_var + bn.eps).rsqrt()
    scale = inv_std if bn.weight is None else bn.weight.data * inv_std
    shift = 0 if bn.bias is None else bn.bias.data
    b = torch.zeros_like(bn.running_mean) if linear.bias is None else linear.bias.data
    fused.weight.data = torch.diag(scale) @ linear.weight.data
    fused.bias = nn.Parameter(scale * (b - bn.running_mean) + shift)
    return fused


class FusedLinear(nn.Linear):
    """A linear layer that is made from its weights."""

    def __init__(self, weight, bias):
        super().__init__(weight.shape[1], weight.shape[0])
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())


def fuse_in_functional_style(linear, bn):
    gamma = torch.ones_like(bn.running_var) if bn.weight is None else bn.weight
    beta = torch.zeros_like(bn.running_mean) if bn.bias is None else bn.bias
    b = torch.zeros_like(bn.running_mean) if linear.bias is None else linear.bias
    s = gamma / (bn.running_var + bn.eps) ** 0.5
    return FusedLinear(torch.einsum("o,oi->oi", s, linear.weight), beta + s * (b - bn.running_mean))


def fuse_row_by_row(linear, bn):
    rows, biases = [], []
    for i in range(linear.out_features):
        gamma, beta = (bn.weight[i], bn.bias[i]) if bn.affine else (1.0, 0.0)
        factor = gamma / (bn.running_var[i] + bn.eps).sqrt()
        old_bias = linear.bias[i] if linear.bias is not None else 0.0
        rows.append(linear.weight[i] * factor)
        biases.append((old_bias - bn.running_mean[i]) * factor + beta)
    fused = nn.Linear(linear.in_features, linear.out_features, bias=True).to(linear.weight)
    fused.load_state_dict({"weight": torch.stack(rows), "bias": torch.stack(biases)})
    return fused


@torch.no_grad()
def fuse_with_assigned_parameters(linear, bn):
    fused = nn.Linear(linear.in_features, linear.out_features)
    std = torch.sqrt(bn.running_var + bn.eps)
    gamma, beta, old_bias = bn.weight, bn.bias, linear.bias
    if gamma is None:
        gamma, beta = torch.tensor(1.0), torch.tensor(0.0)
    if old_bias is None:
        old_bias = torch.tensor(0.0)
    fused.weight = nn.Parameter((linear.weight.T * (gamma / std)).T)
    fused.bias = nn.Parameter(gamma * (old_bias - bn.running_mean) / std + beta)
    return fused


RIGHT = {
    "fuse_linear_bn": {
        "new nn.Linear, no_grad copies": fuse_into_a_new_linear,
        "deepcopy and .data": fuse_a_deepcopy,
        "subclass of Linear": fuse_in_functional_style,
        "row by row, load_state_dict": fuse_row_by_row,
        "assigned parameters": fuse_with_assigned_parameters,
    }
}
