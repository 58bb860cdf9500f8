"""Writes the moved tensors into the given containers, and runs the backward pass under autocast."""

import torch
import torch.nn.functional as F
from torch import nn


def to_device(batch, device, non_blocking=False):
    """Move a batch."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=non_blocking)
    if isinstance(batch, dict):
        for key in batch:
            batch[key] = to_device(batch[key], device, non_blocking)
        return batch
    if isinstance(batch, list):
        batch[:] = [to_device(value, device, non_blocking) for value in batch]
        return batch
    if isinstance(batch, tuple):
        values = [to_device(value, device, non_blocking) for value in batch]
        return type(batch)(*values) if hasattr(batch, "_fields") else tuple(values)
    return batch


def train_amp(model, x, y, optimizer, scaler=None, max_norm=None, dtype=torch.bfloat16):
    """One step in mixed precision."""
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
