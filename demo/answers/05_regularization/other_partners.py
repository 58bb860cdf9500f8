"""Mixes the pictures with one permutation and the labels with another."""

import torch
from torch.nn import functional as F


def mixup(x, y, alpha, num_classes):
    if alpha < 0:
        raise ValueError("alpha must not be negative")
    share = torch.distributions.Beta(alpha, alpha).sample().item() if alpha else 1.0
    onehot = F.one_hot(y, num_classes).to(x.dtype)
    x_mixed = share * x + (1 - share) * x[torch.randperm(len(x))]
    y_soft = share * onehot + (1 - share) * onehot[torch.randperm(len(x))]
    return x_mixed, y_soft
