"""Computes the right numbers, and returns them in a new tensor: the layer keeps the old ones."""

import math

import torch


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    field = tensor[0][0].numel()
    fan = field * (tensor.shape[1] if mode == "fan_in" else tensor.shape[0])
    bound = torch.nn.init.calculate_gain(nonlinearity, a) * math.sqrt(3 / fan)
    return torch.empty_like(tensor).uniform_(-bound, bound)


def orthogonal_(tensor, gain=1):
    rows = tensor.shape[0]
    q, _ = torch.linalg.qr(torch.randn(rows, tensor.numel() // rows).T)
    return gain * q.T.reshape(tensor.shape)
