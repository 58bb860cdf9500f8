"""Exercises `StepLR`, `CosineAnnealingLR` and `LinearWarmup`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, StepLR

from course.checks.framework import Aspect, Draw, Exercise, Probe
from course.checks.optimization.schedules_mistakes import COSINE, STEP, WARMUP
from course.checks.probes.scheduling import ScheduleProbe

RATES = ("rate of group",)
ONE_GROUP = ("rate of group 0",)
FIRST = ("first rate",)

SHORTCUTS = tuple(
    f".{name}"
    for name in (
        *("LambdaLR", "MultiplicativeLR", "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR"),
        *("SequentialLR", "PolynomialLR", "CosineAnnealingLR", "ChainedScheduler", "ReduceLROnPlateau"),
        *("CyclicLR", "CosineAnnealingWarmRestarts", "OneCycleLR"),
    )
)
"""torch's own schedules. Its base class LRScheduler is none: whoever builds on it writes the formula."""


def _rates(draw: Draw, count: int) -> tuple[float, ...]:
    return tuple(round(float(rate), 3) for rate in draw.uniform(count, low=0.05, high=2.0))


def _exercise(name: str, signature: str, oracle: Any, probes: Any, mistakes: Any, options: str) -> Exercise:
    """All three are looked at in the same way; `options` names what is special about one."""
    return Exercise(
        name=name,
        kind="plain class",
        signature=signature,
        section="1.6",
        oracle=oracle,
        probes=probes,
        aspects=(
            Aspect("the first rate", "schedule", "rates", FIRST),
            Aspect("one rate per call", "schedule", "rates", RATES),
            Aspect("several groups", "schedule", "groups", RATES),
            Aspect(options, "schedule", "options", RATES),
            Aspect("nothing else is changed", "schedule", "groups", ("others as before",)),
            Aspect("other numbers", "schedule", "other", RATES, hidden=True),
            Aspect("as short as it can be", "schedule", "short", RATES, hidden=True),
            Aspect("a long run", "schedule", "long", RATES, hidden=True),
        ),
        misconceptions=tuple(mistakes),
        shortcuts=tuple(shortcut.lower() for shortcut in SHORTCUTS),
        given=("course.schedules.Schedule",),
    )


def _step_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)
    return {
        "rates": ScheduleProbe((0.8,), 8, (3,), note="lr 0.8, step_size 3, gamma 0.1"),
        "groups": ScheduleProbe(_rates(draw, 3), 7, (2,), {"gamma": 0.5}, note="step_size 2, gamma 0.5"),
        "options": ScheduleProbe((0.8,), 9, (4,), {"gamma": 0.7}, note="step_size 4, gamma 0.7"),
        "other": ScheduleProbe(_rates(draw, 2), 11, (5, 0.25)),
        "short": ScheduleProbe(_rates(draw, 1), 5, (1,), {"gamma": 0.9}),
        "long": ScheduleProbe((*_rates(draw, 1), 2e-5), 40, (10,), {"gamma": 0.3}),
    }


STEP_LR = _exercise(
    "StepLR", "optimizer, step_size, gamma=0.1", StepLR, _step_probes, STEP, "another step_size and gamma"
)


def _cosine_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)
    return {
        "rates": ScheduleProbe((0.8,), 8, (8,), note="lr 0.8, T_max 8"),
        "groups": ScheduleProbe(_rates(draw, 3), 5, (5,), {"eta_min": 0.01}, note="T_max 5, eta_min 0.01"),
        "options": ScheduleProbe((0.8,), 6, (6,), {"eta_min": 0.2}, note="lr 0.8, T_max 6, eta_min 0.2"),
        "other": ScheduleProbe(_rates(draw, 2), 7, (10, 0.03)),
        "short": ScheduleProbe(_rates(draw, 1), 1, (1,)),
        "long": ScheduleProbe((*_rates(draw, 1), 2e-5), 50, (50,), {"eta_min": 1e-6}),
    }


COSINE_ANNEALING_LR = _exercise(
    "CosineAnnealingLR", "optimizer, T_max, eta_min=0", CosineAnnealingLR, _cosine_probes, COSINE, "eta_min"
)


class _TorchsWarmup(LinearLR):
    """`LinearLR` with the one argument of the exercise."""

    def __init__(self, optimizer: Optimizer, warmup_steps: int) -> None:
        super().__init__(optimizer, 1 / warmup_steps, 1.0, warmup_steps - 1)


def _warmup_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)
    return {
        "rates": ScheduleProbe((0.8,), 7, (4,), note="lr 0.8, warmup_steps 4"),
        "groups": ScheduleProbe(_rates(draw, 3), 6, (5,), note="warmup_steps 5"),
        "options": ScheduleProbe((0.6,), 3, (10,), note="lr 0.6, warmup_steps 10, 3 calls"),
        "other": ScheduleProbe(_rates(draw, 2), 9, (7,)),
        "short": ScheduleProbe(_rates(draw, 1), 3, (1,)),
        "long": ScheduleProbe((*_rates(draw, 1), 2e-5), 40, (25,)),
    }


LINEAR_WARMUP = _exercise(
    "LinearWarmup", "optimizer, warmup_steps", _TorchsWarmup, _warmup_probes, WARMUP, "before the end"
)
