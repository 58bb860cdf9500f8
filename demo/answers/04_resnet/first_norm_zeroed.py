"""Zeroes the first norm of a block, and the bias instead of the weight."""

from torch import nn


def zero_init_residual(model):
    for module in model.modules():
        if hasattr(module, "bn1") and hasattr(module, "conv2"):
            nn.init.zeros_(module.bn1.weight)
