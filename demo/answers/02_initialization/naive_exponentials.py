"""Right for moderate numbers only: exponentials that overflow, and branches whose gradient is nan."""

import torch


def sigmoid(x):
    return torch.exp(x) / (1 + torch.exp(x))


def tanh(x):
    return (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))


def elu(x, alpha=1.0):
    return torch.where(x > 0, x, alpha * (torch.exp(x) - 1))
