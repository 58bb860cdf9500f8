"""Exercise `mixup`: what is drawn, what is looked at.

The examples begin with the rows of the identity: what comes out begins with the weights by which they were
mixed, and everything else can be read from those.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course import augmentation as reference
from course.checks.framework import Aspect, Exercise, Probe
from course.checks.probes.drawing import OTHER_SEED, SAME_SEED
from course.checks.probes.sampling import DRAWN, RejectProbe, SampleProbe
from course.checks.regularization import statistics as S
from course.checks.regularization.mixing_mistakes import MIXUP as MISTAKES

N, CALLS = 6, 250
LABELS, CLASSES = torch.tensor([2, 0, 3, 2, 1, 0]), 5
OTHERS = torch.tensor([[2.0, -1.0, 0.5], [3.0, 4.0, -2.0], [-5.0, 1.0, 7.0]]).repeat(2, 1) + torch.eye(N, 3)
EXAMPLES = torch.cat([torch.eye(N), OTHERS], 1)
"""(N, 9): the identity, and three numbers more."""

ONEHOT = F.one_hot(LABELS, CLASSES)


def _probe(
    alpha: float,
    seed: int,
    draws: int = 1,
    n: int = N,
    dtype: torch.dtype = torch.float64,
    shape: tuple[int, ...] = (1, 3, 3),
) -> SampleProbe:
    x = EXAMPLES[:n].to(dtype).reshape(n, *shape)
    inputs = {"x": x, "y": LABELS[:n], "alpha": alpha, "num_classes": CLASSES}
    note = f"{n} examples of {CLASSES} classes, alpha = {alpha:g}"
    return SampleProbe(inputs, ("x_mixed", "y_soft"), {}, draws, seed, note=note)


def _probes(seed: int) -> dict[str, Probe]:
    x, y = EXAMPLES.double().view(N, 1, 3, 3), LABELS
    return {
        "uniform": _probe(1.0, 10 * seed, CALLS),
        "ends": _probe(0.15, 10 * seed + 1, CALLS),
        "middle": _probe(4.0, 10 * seed + 2, CALLS),
        "nothing": _probe(0.0, 10 * seed + 3),
        "float32": _probe(1.0, 10 * seed + 4, 20, dtype=torch.float32, shape=(9,)),
        "one": _probe(1.0, 10 * seed + 5, n=1),
        "negative": RejectProbe((x, y, -1.0, CLASSES), note="alpha = -1"),
    }


ALL = (DRAWN,)
_E, _L, _D = "examples", "labels", "draws"


def _law(label: str, group: str, measure: S.Measure, probe: str = "uniform", hidden: bool = False) -> Aspect:
    return Aspect(label, group, probe, ALL, hidden, S.NEARLY, measure=measure)


def _mixed(build: Any, *more: Tensor) -> S.Measure:
    measure: S.Measure = build(N, EXAMPLES, *more)
    return measure


MIXUP = Exercise(
    name="mixup",
    kind="function",
    signature="x, y, alpha, num_classes",
    section="5.6",
    oracle=reference.mixup,
    probes=_probes,
    aspects=(
        Aspect("x_mixed: shape and dtype", _E, "uniform", ("x_mixed",), measure=S.nothing),
        _law("an example and one other, with weights of sum 1", _E, _mixed(S.two_examples)),
        _law("the sums of the weights", _E, _mixed(S.weight_sums)),
        _law("one λ for all pixels of an example", _E, _mixed(S.one_weight)),
        Aspect("alpha = 0: nothing is mixed", _E, "nothing", ("x_mixed",)),
        Aspect("x and y left as they were", _E, "uniform", ("input",)),
        _law("rows (N, D), float32", _E, _mixed(S.one_weight), "float32", hidden=True),
        Aspect("a single example", _E, "one", ("x_mixed",), hidden=True),
        Aspect("ValueError for alpha = -1", _E, "negative", ("raises",), hidden=True),
        Aspect("y_soft: shape and dtype", _L, "uniform", ("y_soft",), measure=S.nothing),
        _law("labels are mixed with the same partner and λ", _L, _mixed(S.labels_mixed, ONEHOT)),
        _law("each target sums to 1", _L, _mixed(S.target_sums)),
        Aspect(
            "the mean of a target's largest entry",
            *(_L, "uniform", ALL, False, S.MEAN_TARGET),
            measure=_mixed(S.mean_targets),
        ),
        Aspect(
            "the mean of its entry for the own label",
            *(_L, "uniform", ALL, False, S.WEIGHTS),
            measure=_mixed(S.weights_of_the_label, ONEHOT),
        ),
        Aspect("alpha = 0: one-hot labels", _L, "nothing", ("y_soft",)),
        _law("targets, float32", _L, _mixed(S.labels_mixed, ONEHOT), "float32", hidden=True),
        Aspect("float32 targets for float32 examples", _L, "float32", ("y_soft",), True, measure=S.nothing),
        Aspect("a single label", _L, "one", ("y_soft",), hidden=True),
        _law("partners are a permutation of the batch", _D, _mixed(S.partners_differ)),
        Aspect(
            "each example is a partner equally often",
            *(_D, "uniform", ALL, False, S.share_tolerance(CALLS, 1 / N)),
            measure=_mixed(S.partners),
        ),
        Aspect(
            "λ from Beta(1, 1): mean, spread, ends",
            *(_D, "uniform", ALL, False, S.WEIGHTS),
            measure=_mixed(S.weights_of_the_own),
        ),
        Aspect(
            "a new λ in each call",
            *(_D, "uniform", ALL, False, S.DIFFERENT),
            measure=_mixed(S.different_weights),
        ),
        Aspect(
            "λ from Beta(0.15, 0.15)",
            *(_D, "ends", ALL, False, S.WEIGHTS),
            measure=_mixed(S.weights_of_the_own),
        ),
        Aspect(
            "λ from Beta(4, 4)",
            *(_D, "middle", ALL, True, S.WEIGHTS_IN_THE_MIDDLE),
            measure=_mixed(S.weights_of_the_own),
        ),
        Aspect("torch.manual_seed decides", _D, "float32", (SAME_SEED,)),
        Aspect("another seed, another mixture", _D, "float32", (OTHER_SEED,)),
    ),
    misconceptions=tuple(MISTAKES),
    shortcuts=("torchvision",),
)
