"""Exercise `zero_init_residual`: what is drawn, what is looked at."""

from __future__ import annotations

from course.checks.framework import Aspect, Exercise, Probe
from course.checks.probes.changing import ChangeProbe
from course.checks.residual.zero_init_mistakes import ZERO_INIT as MISTAKES
from course.residual import zero_init_residual

LAYERS = (2, 1, 3, 2)


def _probes(seed: int) -> dict[str, Probe]:
    return {
        "basic": ChangeProbe("BasicBlock", (2, 2, 2, 2), seed),
        "bottleneck": ChangeProbe("Bottleneck", (1, 2, 1, 1), seed),
        "other basic": ChangeProbe("BasicBlock", LAYERS, seed + 1),
        "other bottleneck": ChangeProbe("Bottleneck", LAYERS, seed + 1),
    }


def _last_norms(norm: str, layers: tuple[int, ...]) -> tuple[str, ...]:
    """Keys of what becomes 0."""
    return tuple(
        f"afterwards: layer{stage}.{index}.{norm}.weight"
        for stage, blocks in enumerate(layers, 1)
        for index in range(blocks)
    )


ZERO_INIT_RESIDUAL = Exercise(
    name="zero_init_residual",
    kind="function",
    signature="model",
    section="4.6",
    oracle=zero_init_residual,
    probes=_probes,
    aspects=(
        Aspect("bn2.weight of every BasicBlock is 0", "zeros", "basic", _last_norms("bn2", (2, 2, 2, 2))),
        Aspect(
            "bn3.weight of every Bottleneck is 0", "zeros", "bottleneck", _last_norms("bn3", (1, 2, 1, 1))
        ),
        Aspect(
            "other numbers of BasicBlocks", "zeros", "other basic", _last_norms("bn2", LAYERS), hidden=True
        ),
        Aspect(
            "other numbers of Bottlenecks",
            "zeros",
            "other bottleneck",
            _last_norms("bn3", LAYERS),
            hidden=True,
        ),
        Aspect("all else as it was, with BasicBlocks", "rest", "basic", ("afterwards: ",)),
        Aspect("all else as it was, with Bottlenecks", "rest", "bottleneck", ("afterwards: ",)),
        Aspect("all of it can still learn", "rest", "basic", ("parameters that", "gradients", "training")),
        Aspect("another network of BasicBlocks", "rest", "other basic", ("",), hidden=True),
        Aspect("another network of Bottlenecks", "rest", "other bottleneck", ("",), hidden=True),
    ),
    misconceptions=tuple(MISTAKES),
)
