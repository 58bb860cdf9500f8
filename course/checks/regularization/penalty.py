"""Exercise `l2_penalty`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course.checks.framework import SINGLE, Aspect, Draw, Exercise, Probe
from course.checks.probes.penalties import PenaltyProbe
from course.checks.regularization.penalty_mistakes import PENALTY
from course.regularization import l2_penalty


def _probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def parameters(source: Draw = draw) -> tuple[Tensor, ...]:
        """A layer's weight, its bias, a kernel and a single number, of different sizes."""
        return (
            source.normal(3, 4),
            source.normal(3, std=2.0) + 0.5,
            source.normal(2, 3, 2, 2, std=0.5),
            source.normal(1) + 1,
        )

    def probe(*values: Tensor, factor: float = 0.3, **options: Any) -> Probe:
        return PenaltyProbe(values, factor, **options)

    before = tuple(draw.normal(*each.shape) for each in parameters())
    return {
        "model": probe(*parameters(), note="4 parameters, weight_decay = 0.3"),
        "one": probe(draw.normal(3, 4), factor=0.1, note="one parameter, weight_decay = 0.1"),
        "generator": probe(*parameters(), given_as="generator", note="as from model.parameters()"),
        "zeros": probe(torch.zeros(3, 2, dtype=torch.float64), draw.normal(2), note="one weight is 0"),
        "no price": probe(*parameters(), factor=0.0, note="weight_decay = 0"),
        "twice": probe(*parameters(), gradients=before, twice=True),
        "frozen": probe(*parameters(), frozen=(0, 3), note="2 of 4 parameters ask for no gradient"),
        "large": probe(*(300 * each for each in parameters()), factor=2.0),
        "float32": probe(*parameters(single), dtype=torch.float32),
    }


_V, _G = "value", "gradient"
PENALTY_KEY, GRADIENTS = ("penalty",), ("gradient of",)

L2_PENALTY = Exercise(
    name="l2_penalty",
    kind="function",
    signature="parameters, weight_decay",
    section="5.2",
    oracle=l2_penalty,
    probes=_probes,
    aspects=(
        Aspect("the penalty of one parameter", _V, "one", PENALTY_KEY),
        Aspect("the penalty of a model", _V, "model", PENALTY_KEY),
        Aspect("parameters from a generator", _V, "generator", PENALTY_KEY),
        Aspect("weight_decay = 0", _V, "no price", PENALTY_KEY),
        Aspect("parameters left as they were", _V, "model", ("input", "parameter")),
        Aspect("a second call gives the same", _V, "twice", PENALTY_KEY, hidden=True),
        Aspect("frozen parameters count as well", _V, "frozen", PENALTY_KEY, hidden=True),
        Aspect("float32 parameters", _V, "float32", PENALTY_KEY, hidden=True, tolerance=SINGLE),
        Aspect("the gradient: weight_decay times the weight", _G, "one", GRADIENTS),
        Aspect("what torch's SGD adds for a model", _G, "model", GRADIENTS),
        Aspect("the gradient of a weight that is 0", _G, "zeros", GRADIENTS),
        Aspect("parameters from a generator ", _G, "generator", GRADIENTS, hidden=True),
        Aspect("added to the gradients that are there", _G, "twice", GRADIENTS, hidden=True),
        Aspect("no gradient for what is frozen", _G, "frozen", GRADIENTS, hidden=True),
        Aspect("large weights", _G, "large", GRADIENTS, hidden=True),
        Aspect("float32 parameters ", _G, "float32", GRADIENTS, hidden=True, tolerance=SINGLE),
    ),
    misconceptions=tuple(PENALTY),
)
