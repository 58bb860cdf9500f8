"""Divides by n - 1 where the exercise says n, and has eps outside the square root too."""

import torch


def channel_statistics(images):
    """Return the mean image (C, H, W), channel means (C,) and channel standard deviations (C,)."""
    return images.mean(0), images.mean((0, 2, 3)), images.std((0, 2, 3))


def batch_norm_train(x, weight, bias, eps=1e-5):
    """Normalize x (N, C) with its own statistics. Returns y (N, C), mean (C,) and var (C,)."""
    mean = x.mean(0)
    var = x.var(0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias, mean, var


def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
    """Normalize x (N, C) with remembered statistics (C,). Returns y (N, C)."""
    return weight * (x - running_mean) / (torch.sqrt(running_var) + eps) + bias
