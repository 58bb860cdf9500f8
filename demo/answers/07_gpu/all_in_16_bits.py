"""Converts the whole network instead of using autocast."""

import torch
import torch.nn.functional as F
from torch import nn


def train_amp(model, x, y, optimizer, scaler=None, max_norm=None, dtype=torch.bfloat16):
    """One step with everything in 16 bits."""
    model.to(dtype)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x.to(dtype)), y).float()
    if scaler is None:
        scaler = torch.amp.GradScaler(x.device.type, enabled=False)
    scaler.scale(loss).backward()
    if max_norm is not None:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.detach()
