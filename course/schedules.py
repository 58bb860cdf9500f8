"""Schedules: change the learning rate while the training goes on.

A schedule holds an optimizer and writes into its ``param_groups``. Call ``schedule.step()`` after
``optimizer.step()``: once per epoch or once per batch, whatever its numbers count. Each group keeps its own
base rate, the one that it had when the schedule was made.

He, Zhang, Ren & Sun, 2016, "Deep Residual Learning for Image Recognition" (steps of 1/10); Loshchilov &
Hutter, 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", equation 5 (cosine); Goyal et al., 2017,
"Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", section 2.2 (gradual warm-up).
"""

import math
from typing import Protocol

__all__ = ["CosineAnnealingLR", "LinearWarmup", "Schedule", "StepLR"]


class _HasGroups(Protocol):
    @property
    def param_groups(self) -> list[dict]: ...


class Schedule:
    """What all schedules share: a count t of the calls of ``step()``, and a base rate per group.

    After t calls each group's rate is ``self.rate(base, t)``, in closed form. When it is made, t is 0, and
    the rate for the very first step is set at once. As in torch, the base rate is kept under the key
    "initial_lr", and a second schedule on the same optimizer finds it there.
    """

    def __init__(self, optimizer: _HasGroups) -> None:
        self.optimizer = optimizer
        self.t = 0
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self._set_rates()

    def step(self) -> None:
        """Go on to the next rate."""
        self.t += 1
        self._set_rates()

    def rate(self, base: float, t: int) -> float:
        """The learning rate after t calls of ``step()`` in a group with the base rate ``base``."""
        raise NotImplementedError

    def _set_rates(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(group["initial_lr"], self.t)


class StepLR(Schedule):
    """Multiply the rate by ``gamma`` once in ``step_size`` calls: base · gamma^(t // step_size)."""

    def __init__(self, optimizer: _HasGroups, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        """See `Schedule.rate`."""
        return base * self.gamma ** (t // self.step_size)


class CosineAnnealingLR(Schedule):
    """Let the rate fall from the base to ``eta_min`` in ``T_max`` calls, along half a cosine.

    eta_min + (base − eta_min) · (1 + cos(π t / T_max)) / 2. What comes after T_max calls is left open (here,
    as in torch, the rate rises again).
    """

    def __init__(self, optimizer: _HasGroups, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        """See `Schedule.rate`."""
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class LinearWarmup(Schedule):
    """Let the rate grow in equal steps, up to the base: base · min(1, (t + 1) / warmup_steps).

    The first update is made with base / warmup_steps (a rate of 0 would waste it), the one with number
    ``warmup_steps`` and all later ones with the base. It is torch's ``LinearLR(optimizer, 1 / warmup_steps,
    1.0, warmup_steps - 1)``. Meant for one call per batch.
    """

    def __init__(self, optimizer: _HasGroups, warmup_steps: int) -> None:
        self.warmup_steps = warmup_steps
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        """See `Schedule.rate`."""
        return base * min(1.0, (t + 1) / self.warmup_steps)
