"""Bring a batch to a device, whatever containers its tensors are in.

What a `DataLoader` yields may be a tensor, a pair, a dictionary, a named tuple, or any of these inside
another. `Tensor.to` does the work; it returns the tensor itself when it is there already.
"""

from typing import Any

import torch
from torch import Tensor

__all__ = ["to_device"]


def to_device(batch: Any, device: torch.device | str, non_blocking: bool = False) -> Any:
    """Return ``batch`` with its tensors on ``device``.

    Lists, tuples, named tuples and dictionaries are looked into and built anew, as the same type; other
    values (numbers, strings, None, …) are passed on. The given containers stay as they are, and a tensor that
    is on the device already is not copied. With ``non_blocking`` a copy from pinned memory to a GPU does not
    make Python wait.
    """
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=non_blocking)
    if isinstance(batch, dict):
        return type(batch)((key, to_device(value, device, non_blocking)) for key, value in batch.items())
    if isinstance(batch, list | tuple):
        moved = [to_device(value, device, non_blocking) for value in batch]
        return type(batch)(*moved) if hasattr(batch, "_fields") else type(batch)(moved)
    return batch
