"""Moves what lies directly in the batch, and nothing that is deeper."""

import torch


def to_device(batch, device, non_blocking=False):
    """Move a batch."""

    def move(value):
        if isinstance(value, torch.Tensor):
            return value.to(device, non_blocking=non_blocking)
        return value

    if isinstance(batch, dict):
        return {key: move(value) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        moved = [move(value) for value in batch]
        return type(batch)(*moved) if hasattr(batch, "_fields") else type(batch)(moved)
    return move(batch)
