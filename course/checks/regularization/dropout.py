"""Exercise `Dropout`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course.checks.framework import Aspect, Draw, Exercise, Probe
from course.checks.probes.drawing import OTHER_SEED, SAME_SEED
from course.checks.probes.sampling import MaskProbe, RejectProbe
from course.checks.regularization import statistics as S
from course.checks.regularization.dropout_mistakes import DROPOUT as MISTAKES

ROWS, FEATURES, DRAWS = 16, 25, 25
MAPS, MAP_DRAWS = (4, 5, 4, 6), 12
SMALL, SMALL_DRAWS = (2, 5), 250
DRAWN = ROWS * FEATURES * DRAWS


def _batch(draw: Draw, *shape: int) -> Tensor:
    """Numbers of both signs, none of them 0: a 0 in the output has been dropped."""
    x = draw.normal(*shape)
    return x + 0.1 * torch.where(x < 0, -1, 1)


def _probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(place: int, *shape: int, draws: int = DRAWS, source: Draw = draw, **options: Any) -> Probe:
        note = ", ".join(f"{name} = {value}" for name, value in options.items())
        x, grad_output = _batch(source, *shape), source.normal(*shape)
        return MaskProbe(
            x, grad_output, options, draws, 100 * seed + place, note=note or "p = 0.5, by default"
        )

    return {
        "default": probe(1, ROWS, FEATURES),
        "few": probe(2, ROWS, FEATURES, p=0.2),
        "most": probe(3, ROWS, FEATURES, source=single, p=0.9),
        "none": probe(4, 3, 5, draws=2, p=0.0),
        "all": probe(5, 3, 5, draws=2, p=1.0),
        "maps": probe(6, *MAPS, draws=MAP_DRAWS, p=0.3),
        "small": probe(7, *SMALL, draws=SMALL_DRAWS, p=0.4),
        "negative": RejectProbe(options={"p": -0.1}, note="p = -0.1"),
        "above": RejectProbe(options={"p": 1.5}, note="p = 1.5"),
    }


OUTPUTS, GRADIENTS = ("training: outputs",), ("training: gradients",)
_T, _E, _G, _I = "training", "evaluation", "gradient", "interface"


def _law(label: str, probe: str, measure: S.Measure, hidden: bool = False) -> Aspect:
    return Aspect(label, _T, probe, OUTPUTS, hidden, S.EXACT, measure=measure)


def _share(label: str, probe: str, p: float, hidden: bool = False, count: int = DRAWN) -> Aspect:
    return Aspect(label, _T, probe, OUTPUTS, hidden, S.share_tolerance(count, p), measure=S.dropped)


def _together(label: str, probe: str, axis: int | tuple[int, ...], hidden: bool = False) -> Aspect:
    return Aspect(label, _T, probe, OUTPUTS, hidden, S.TOGETHER, measure=S.masks_together(axis))


FACTOR = S.Tolerance(1e-5, 0.0, "all that stays is divided by the same number")

DROPOUT = Exercise(
    name="Dropout",
    kind="class",
    signature="p=0.5",
    section="5.3",
    oracle=nn.Dropout,
    probes=_probes,
    aspects=(
        Aspect("shape and dtype", _T, "few", ("output",), measure=S.nothing),
        _law("each output is 0 or x / (1 - p)", "few", S.outcomes(0.2)),
        Aspect("factor of what stays: 1 / (1 - p)", _T, "few", OUTPUTS, tolerance=FACTOR, measure=S.factor),
        _share("share of zeros: p", "few", 0.2),
        _share("share of zeros, p = 0.5 by default", "default", 0.5),
        _together("each row has a mask of its own", "few", 1),
        _together("each feature is drawn by itself", "few", 2),
        _together("a new mask in each call", "few", 0),
        _together("the number of zeros in a batch is random", "small", (1, 2)),
        Aspect("p = 0: nothing is dropped", _T, "none", ("output",)),
        Aspect("p = 1: all is dropped", _T, "all", ("output",)),
        Aspect("x left as it was", _T, "few", ("input",)),
        Aspect(
            "training again after evaluation",
            _T,
            "default",
            ("training again",),
            tolerance=S.AGAIN,
            measure=lambda output: S.share(output == 0),
        ),
        Aspect(
            "training mode where gradients are switched off",
            *(_T, "default", ("without gradients",), False, S.AGAIN),
            measure=lambda output: S.share(output == 0),
        ),
        _law("each output is 0 or x / (1 - p), float32, p = 0.9", "most", S.outcomes(0.9), hidden=True),
        _share("share of zeros, p = 0.9", "most", 0.9, hidden=True),
        _law("feature maps (N, C, H, W)", "maps", S.outcomes(0.3), hidden=True),
        _together("each pixel of a map is drawn by itself", "maps", (3, 4), hidden=True),
        _together("each channel is drawn by itself", "maps", 2, hidden=True),
        _together("each picture has a mask of its own", "maps", 1, hidden=True),
        Aspect("torch's generator decides the mask", _T, "few", (SAME_SEED,), hidden=True),
        Aspect("another seed, another mask", _T, "few", (OTHER_SEED,), hidden=True),
        Aspect("evaluation mode: the identity", _E, "few", ("evaluation: output",)),
        Aspect("its gradient passes as it is", _E, "few", ("evaluation: gradient",)),
        Aspect("p = 1 in evaluation mode", _E, "all", ("evaluation: output",)),
        Aspect("float32, p = 0.9", _E, "most", ("evaluation: output",), hidden=True),
        Aspect("evaluation after more training", _E, "default", ("evaluation again",), hidden=True),
        Aspect("the mask of the forward pass", _G, "few", GRADIENTS, tolerance=S.EXACT, measure=S.same_mask),
        Aspect("p = 0: the gradient passes as it is", _G, "none", ("gradient",)),
        Aspect("p = 0.9, float32", _G, "most", GRADIENTS, True, S.EXACT, measure=S.same_mask),
        Aspect("feature maps (N, C, H, W) ", _G, "maps", GRADIENTS, True, S.EXACT, measure=S.same_mask),
        Aspect("no parameters, no buffers", _I, "few", ("names",)),
        Aspect("ValueError for p = 1.5", _I, "above", ("raises",)),
        Aspect("ValueError for p = -0.1", _I, "negative", ("raises",)),
    ),
    misconceptions=tuple(MISTAKES),
    shortcuts=("dropout", "scaled_dot_product"),
)
