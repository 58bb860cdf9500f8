"""Right answers to to_device, benchmark_step and train_amp."""

import statistics
import time
import timeit
from collections.abc import Mapping
from time import perf_counter, perf_counter_ns

import numpy as np
import torch
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_
from torch.utils._pytree import tree_map

from course import device as course_device
from course.device import synchronize

# --- to_device ----------------------------------------------------------------------------------------------


def move_by_matching(batch, device, non_blocking=False):
    match batch:
        case torch.Tensor():
            return batch.to(device, non_blocking=non_blocking)
        case {}:
            return {k: move_by_matching(v, device, non_blocking) for k, v in batch.items()}
        case list():
            return [move_by_matching(v, device, non_blocking) for v in batch]
        case tuple() if hasattr(batch, "_make"):
            return batch._make(move_by_matching(v, device, non_blocking) for v in batch)
        case tuple():
            return tuple(move_by_matching(v, device, non_blocking) for v in batch)
    return batch


def move_with_an_inner_function(batch, device, non_blocking=False):
    device = torch.device(device)

    def move(value):
        if torch.is_tensor(value):
            return value if value.device == device else value.to(device, value.dtype, non_blocking)
        if isinstance(value, Mapping):
            moved = {}
            for key in value:
                moved[key] = move(value[key])
            return moved
        if isinstance(value, (list, tuple)):
            items = list(map(move, value))
            if isinstance(value, list):
                return items
            return (
                tuple(items)
                if type(value) is tuple
                else type(value)(**dict(zip(value._fields, items, strict=True)))
            )
        return value

    return move(batch)


def move_with_a_tree(batch, device, non_blocking=False):
    """torch's own walk through containers is a tool; what to do with a leaf is still to be said."""
    return tree_map(
        lambda leaf: (
            leaf.to(device=device, non_blocking=non_blocking) if isinstance(leaf, torch.Tensor) else leaf
        ),
        batch,
    )


def move_and_replace(batch, device, non_blocking=False):
    if hasattr(batch, "device") and hasattr(batch, "to"):
        return batch.to(device, non_blocking=non_blocking)
    if type(batch) is dict:
        return dict(zip(batch, move_and_replace(list(batch.values()), device, non_blocking), strict=True))
    if type(batch) in (list, tuple):
        return type(batch)(move_and_replace(item, device, non_blocking) for item in batch)
    if isinstance(batch, tuple):
        values = {
            name: move_and_replace(getattr(batch, name), device, non_blocking) for name in batch._fields
        }
        return batch._replace(**values)
    return batch


# --- benchmark_step -----------------------------------------------------------------------------------------


def measure_with_names_imported(step, device, warmup=3, repeats=10):
    for _ in range(warmup):
        step()
    synchronize(device)
    times = []
    for _ in range(repeats):
        start = perf_counter()
        step()
        synchronize(device)
        times.append(perf_counter() - start)
    return statistics.median(times)


def measure_in_nanoseconds(step, device, warmup=3, repeats=10):
    times = []
    for call in range(warmup + repeats):
        course_device.synchronize(device)
        before = perf_counter_ns()
        step()
        course_device.synchronize(device)
        if call >= warmup:
            times.append(perf_counter_ns() - before)
    return float(np.median(times)) / 1e9


def measure_by_hand(step, device, warmup=3, repeats=10):
    device = torch.device(device)

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()

    def once():
        wait()
        start = time.monotonic()
        step()
        wait()
        return time.monotonic() - start

    times = sorted([once() for _ in range(warmup + repeats)][warmup:])
    middle = repeats // 2
    return times[middle] if repeats % 2 else (times[middle - 1] + times[middle]) / 2


def measure_with_timeit(step, device, warmup=3, repeats=10):
    def whole():
        step()
        synchronize(device)

    for _ in range(warmup):
        whole()
    times = timeit.repeat(whole, repeat=repeats, number=1)
    return torch.tensor(times, dtype=torch.float64).quantile(0.5).item()


def measure_with_the_accelerator(step, device, warmup=3, repeats=10):
    device = torch.device(device)
    wait = (lambda: None) if device.type == "cpu" else (lambda: torch.accelerator.synchronize(device))
    times = np.zeros(repeats)
    for _ in range(warmup):
        step()
    for i in range(len(times)):
        wait()
        times[i] = -time.perf_counter()
        step()
        wait()
        times[i] += time.perf_counter()
    return np.median(times)


# --- train_amp ----------------------------------------------------------------------------------------------


def train_with_a_disabled_scaler(model, x, y, optimizer, scaler=None, max_norm=None, dtype=torch.bfloat16):
    """One way through: a scaler that is switched off does nothing."""
    scaler = scaler or torch.amp.GradScaler(x.device.type, enabled=False)
    with torch.autocast(device_type=x.device.type, dtype=dtype):
        logits = model(x)
        loss = F.cross_entropy(logits, y)
    optimizer.zero_grad(set_to_none=False)
    scaler.scale(loss).backward()
    if max_norm:
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.detach()


def train_in_two_branches(model, x, y, optimizer, scaler=None, max_norm=None, dtype=torch.bfloat16):
    for p in model.parameters():
        p.grad = None
    kind = next(model.parameters()).device.type
    with torch.amp.autocast(kind, dtype):
        loss = torch.nn.CrossEntropyLoss()(model(x), y)
    if scaler is not None:
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
    else:
        loss.backward()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
    return loss.detach().clone()


def train_and_clear_afterwards(model, x, y, optimizer, scaler=None, max_norm=None, dtype=torch.bfloat16):
    model.zero_grad()

    @torch.autocast(x.device.type, dtype=dtype)
    def forward():
        return F.cross_entropy(model(x).float(), y)

    loss = forward()
    scaled = loss if scaler is None else scaler.scale(loss)
    scaled.backward()
    if max_norm is not None:
        if scaler:
            scaler.unscale_(optimizer)
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients]))
        factor = torch.clamp(max_norm / (norm + 1e-6), max=1.0)
        for g in gradients:
            g.mul_(factor)
    if scaler:
        scaler.step(optimizer)
        scaler.update()
    else:
        optimizer.step()
    optimizer.zero_grad()
    with torch.no_grad():
        return loss + 0


RIGHT = {
    "to_device": {
        "match": move_by_matching,
        "inner function": move_with_an_inner_function,
        "tree": move_with_a_tree,
        "replace": move_and_replace,
    },
    "benchmark_step": {
        "names imported": measure_with_names_imported,
        "nanoseconds": measure_in_nanoseconds,
        "by hand": measure_by_hand,
        "timeit": measure_with_timeit,
        "accelerator": measure_with_the_accelerator,
    },
    "train_amp": {
        "disabled scaler": train_with_a_disabled_scaler,
        "two branches": train_in_two_branches,
        "clear afterwards": train_and_clear_afterwards,
    },
}
