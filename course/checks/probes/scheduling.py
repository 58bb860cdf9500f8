"""Probes of a learning rate schedule: an optimizer of torch's with some groups, and its rates call by call.

The optimizer is torch's own, so that a broken one of the student's costs nothing here. It is put together
without its constructor: that one would import torch's compiler first, which takes up to 2 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course.checks.plain import Unusable, type_name
from course.checks.probes.traces import Notes


@dataclass(frozen=True)
class ScheduleProbe:
    """Make a schedule for an optimizer and call its ``step()``.

    Args:
        rates: learning rate of each parameter group at the start.
        calls: how often ``step()`` is called.
        arguments: of the schedule, after the optimizer.
        options: keyword arguments.
        dtype: of the numbers.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    rates: tuple[float, ...]
    calls: int
    arguments: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float64
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


RECORDS = (ScheduleProbe,)
"""What may travel."""


def torchs_sgd(rates: tuple[float, ...]) -> torch.optim.SGD:
    """An SGD of torch's with a parameter in each group."""
    groups = [
        {"params": [nn.Parameter(torch.ones(2))], "lr": rate, "momentum": 0.5 + index / 8, "dampening": 0}
        for index, rate in enumerate(rates)
    ]
    for group in groups:
        group |= {"weight_decay": 0.25, "nesterov": False, "maximize": False, "foreach": None}
        group |= {"differentiable": False, "fused": None}
    optimizer = torch.optim.SGD.__new__(torch.optim.SGD)
    defaults = {key: value for key, value in groups[0].items() if key != "params"}
    optimizer.__setstate__({"param_groups": groups, "state": {}, "defaults": defaults})
    return optimizer


def observe_schedule(make: Callable[..., Any], probe: ScheduleProbe, notes: Notes) -> None:
    """Take a schedule's class through a probe.

    The rates stand under "first rate of group I", "rate of group I" (before the first call and after each),
    and everything else in the groups under "others as before".
    """
    optimizer = torchs_sgd(probe.rates)
    groups = list(optimizer.param_groups)
    before = [dict(group) for group in groups]
    parameters = [group["params"][0] for group in groups]
    for p in parameters:
        p.grad = torch.ones(2)
    rates: list[list[float]] = []
    with notes.log.calls() if notes.log else notes.logged():
        schedule = make(optimizer, *probe.arguments, **probe.options)
        rates.append(_rates(groups))
        for _ in range(probe.calls):
            schedule.step()
            rates.append(_rates(groups))
    same = [*map(id, optimizer.param_groups)] == [*map(id, groups)] and all(
        group.get(key) is value
        for group, old in zip(groups, before, strict=True)
        for key, value in old.items()
        if key not in ("lr", "initial_lr")
    )
    notes.write("others as before", same)
    still = all(p.grad is not None and bool((p == 1).all() and (p.grad == 1).all()) for p in parameters)
    notes.write("others as before: parameters and gradients", still)
    for index, column in enumerate(zip(*rates, strict=True)):
        notes.write(f"first rate of group {index}", _numbers(column[:1]))
        notes.write(f"rate of group {index}", _numbers(column))


def _rates(groups: list[dict[str, Any]]) -> list[float]:
    rates = []
    for group in groups:
        rate = group.get("lr")
        if isinstance(rate, Tensor) and rate.numel() == 1:
            rate = rate.item()
        if isinstance(rate, bool) or not isinstance(rate, int | float):
            raise Unusable(f"Your schedule wrote a {type_name(rate)} into group['lr']; it should be a float.")
        rates.append(float(rate))
    return rates


def _numbers(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
