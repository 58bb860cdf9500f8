"""Clips before unscale_: the scaled gradients become much too short."""

import torch
import torch.nn.functional as F
from torch import nn


def train_amp(model, x, y, optimizer, scaler=None, max_norm=None, dtype=torch.bfloat16):
    """One step in mixed precision."""
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=dtype):
        loss = F.cross_entropy(model(x), y)
    if scaler is None:
        scaler = torch.amp.GradScaler(x.device.type, enabled=False)
    scaler.scale(loss).backward()
    if max_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.detach()
