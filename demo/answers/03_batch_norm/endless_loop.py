"""Tries a loop before he defines the function, and the loop never ends."""

import torch

done = 0
while done < 3:
    row = torch.randn(4)


def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
    """Normalize x (N, C) with remembered statistics (C,). Returns y (N, C)."""
    rows = []
    while len(rows) < len(x):
        rows.append(weight * (x[len(rows)] - running_mean) / torch.sqrt(running_var + eps) + bias)
    return torch.stack(rows)
