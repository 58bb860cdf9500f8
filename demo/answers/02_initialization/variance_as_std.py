"""The variance where `normal_` wants the standard deviation, and the std as the bound of a uniform law."""

import math

import torch


def xavier_normal_(tensor, gain=1.0):
    field = tensor[0][0].numel()
    variance = gain**2 * 2 / (field * (tensor.shape[0] + tensor.shape[1]))
    with torch.no_grad():
        return tensor.normal_(0, variance)


def xavier_uniform_(tensor, gain=1.0):
    field = tensor[0][0].numel()
    std = gain * math.sqrt(2 / (field * (tensor.shape[0] + tensor.shape[1])))
    with torch.no_grad():
        return tensor.uniform_(-std, std)


def lecun_normal_(tensor):
    with torch.no_grad():
        return tensor.normal_(0, 1 / tensor[0].numel())
