"""Where the tensors live: choose an accelerator, wait for it, and say what it is.

A GPU works through a queue: a call such as ``model(x)`` returns before the numbers exist. Whoever
measures time must wait for the queue to be empty, which is what `synchronize` does.
"""

import os
import platform

import torch

__all__ = ["best_device", "describe", "synchronize"]


def best_device() -> torch.device:
    """Return the fastest device of this machine: ``cuda``, else ``mps`` (Apple), else ``cpu``."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def synchronize(device: torch.device | str) -> None:
    """Wait until ``device`` has finished all work that was given to it; nothing to wait for on a CPU."""
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def describe(device: torch.device | str) -> str:
    """Return a short description, such as ``"NVIDIA H200 (140 GiB)"`` or ``"CPU (x86_64, 2 cores)"``."""
    device = torch.device(device)
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name} ({properties.total_memory / 2**30:.0f} GiB)"
    if device.type == "mps":
        return f"Apple GPU ({platform.machine()})"
    if device.type == "cpu":
        cores = os.cpu_count() or 1
        return f"CPU ({platform.machine()}, {cores} core{'s' if cores > 1 else ''})"
    return str(device)
