"""One training step in mixed precision: 16 bits where they are fast, 32 bits where they are needed.

Micikevicius et al., 2018, "Mixed Precision Training", https://arxiv.org/abs/1710.03740. Autocast runs the
matrix products and convolutions in 16 bits and leaves sums, norms and losses in 32; the weights stay in 32.
float16 has 5 bits for the exponent, so small gradients become 0 in it: the loss is multiplied by a large
number before the backward pass and the gradients are divided by it afterwards (`torch.amp.GradScaler`).
bfloat16 has 8 bits for the exponent, as float32 has, and needs no scaling.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["train_amp"]


def train_amp(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler | None = None,
    max_norm: float | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> Tensor:
    """Do one step of training with autocast and return the loss: a scalar on the device, without graph.

    ``x`` (N, ...) and ``y`` (N,), class indices, are on the model's device. Forward pass and cross-entropy
    run under autocast with ``dtype``, the backward pass outside of it. With ``scaler`` the loss is scaled and
    the step left to it; with ``max_norm`` the (true, unscaled) gradients are clipped to this total norm.
    Gradients of an earlier step do not count.
    """
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        loss.backward()
    else:
        scaler.scale(loss).backward()
    if max_norm is not None:
        if scaler is not None:
            scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
    return loss.detach()
