"""Exercises `standardize` and `min_max_scale`: what is drawn, what is looked at."""

from __future__ import annotations

import torch
from torch import Tensor

from course import scaling as reference
from course.checks.framework import SINGLE, SINGLE_LARGE_MEAN, Aspect, CallProbe, Draw, Exercise, Probe
from course.checks.optimization.scaling_mistakes import MIN_MAX, STANDARDIZE

BOTH = ("train", "test")


def _features(draw: Draw, n: int, *shape: int, constant: float | None = None) -> Tensor:
    """Examples (n, *shape) whose features have units of their own: spreads from 0.01 to 100."""
    count = torch.Size(shape).numel()
    spread = 10.0 ** torch.linspace(-2, 2, count, dtype=torch.float64).view(shape)
    x = (draw.normal(n, *shape).double() + draw.normal(*shape).double()) * spread
    if constant is not None:
        x[:, 0] = constant
    return x


def _probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(n: int, m: int, *shape: int, note: str = "", dtype: torch.dtype = torch.float64) -> Probe:
        train, test = _features(draw, n, *shape), _features(draw, m, *shape) + 0.5
        return CallProbe({"x_train": train.to(dtype), "x_test": test.to(dtype)}, BOTH, note=note)

    # The mean of eight equal halves is exact, so that std == 0 finds the constant feature too.
    train, test = _features(draw, 8, 4, constant=1.5), _features(draw, 5, 4, constant=1.5)
    differs = test.clone()
    differs[:, 0] += draw.uniform(5, low=1.0, high=2.0)
    tiny = _features(draw, 6, 3) * 1e-4
    ones = torch.full((4, 3), 2.0, dtype=torch.float64)
    return {
        "features": probe(6, 4, 4, note="6 training rows, 4 test rows, 4 features with units of their own"),
        "constant": CallProbe({"x_train": train, "x_test": test}, BOTH, note="feature 0 is always 1.5"),
        "constant differs": CallProbe(
            {"x_train": train, "x_test": differs}, BOTH, note="feature 0 is 1.5 in training, not in the test"
        ),
        "tiny": CallProbe(
            {"x_train": tiny, "x_test": tiny[:2] * 1.5}, BOTH, note="spreads from 1e-6 to 1e-2"
        ),
        "one row": CallProbe({"x_train": train, "x_test": test[:1]}, BOTH),
        "pictures": probe(5, 3, 2, 3),
        "float32": probe(7, 4, 3, dtype=torch.float32),
        "large mean": CallProbe(
            {"x_train": single.normal(20, 3, mean=3000.0), "x_test": single.normal(4, 3, mean=3000.0)}, BOTH
        ),
        "all constant": CallProbe({"x_train": ones, "x_test": ones[:2] + 1}, BOTH),
        "strided": CallProbe({"x_train": _features(draw, 3, 6).T, "x_test": _features(draw, 3, 4).T}, BOTH),
    }


ASPECTS = (
    Aspect("the training split", "scaling", "features", ("train",)),
    Aspect("the test split, with the same numbers", "scaling", "features", ("test",)),
    Aspect("both left as they were", "scaling", "features", ("input",)),
    Aspect("features of small spread", "scaling", "tiny", BOTH),
    Aspect("a single test row", "scaling", "one row", BOTH, hidden=True),
    Aspect("features in a grid (N, 2, 3)", "scaling", "pictures", BOTH, hidden=True),
    Aspect("float32", "scaling", "float32", BOTH, hidden=True, tolerance=SINGLE),
    Aspect("mean 3000 in float32", "scaling", "large mean", BOTH, hidden=True, tolerance=SINGLE_LARGE_MEAN),
    Aspect("data that is not contiguous", "scaling", "strided", BOTH, hidden=True),
    Aspect("a constant feature", "constant", "constant", BOTH),
    Aspect("constant in training, not in the test", "constant", "constant differs", BOTH),
    Aspect("nothing but constants", "constant", "all constant", BOTH, hidden=True),
)

STANDARDIZE_EXERCISE = Exercise(
    name="standardize",
    kind="function",
    signature="x_train, x_test",
    section="1.2",
    oracle=reference.standardize,
    probes=_probes,
    aspects=ASPECTS,
    misconceptions=tuple(STANDARDIZE),
)

MIN_MAX_SCALE = Exercise(
    name="min_max_scale",
    kind="function",
    signature="x_train, x_test",
    section="1.2",
    oracle=reference.min_max_scale,
    probes=_probes,
    aspects=ASPECTS,
    misconceptions=tuple(MIN_MAX),
)
