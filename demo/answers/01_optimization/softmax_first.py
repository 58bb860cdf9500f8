"""Takes the logarithm of a softmax that has underflowed, and lets shapes broadcast."""

import torch


def mse_loss(input, target):
    return ((input - target) ** 2).mean()


def cross_entropy(logits, target):
    p = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    return -torch.log(p[torch.arange(len(target)), target]).mean()
