"""Exercise `EarlyStopping`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch

from course.checks.framework import Aspect, Draw, Exercise, Probe
from course.checks.probes.sampling import RejectProbe
from course.checks.probes.stopping import StopProbe
from course.checks.regularization.stopping_mistakes import STOPPING
from course.early_stopping import EarlyStopping

NAN, INF = float("nan"), float("inf")


def _probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)
    scale, shift = (round(draw.uniform(1, low=0.1, high=0.3).item(), 3) for _ in range(2))

    def probe(*losses: float, patience: int = 2, note: str = "", **options: Any) -> Probe:
        """Losses in the given order, on a scale of their own; equal ones stay equal."""
        own = {key: options.pop(key) for key in ("restores", "frozen", "dtype") if key in options}
        delta = {key: scale * value for key, value in options.items()}
        return StopProbe(tuple(scale * loss + shift for loss in losses), patience, delta, note=note, **own)

    return {
        "valley": probe(
            5, 4, 2, 1, 3, 2, 4, 3, patience=3, note="the 4th of 8 losses is the best, patience 3"
        ),
        "two valleys": probe(
            5, 3, 4, 5, 2, 3, 1, 4, 3, patience=3, note="worse for two epochs, then better, patience 3"
        ),
        "first": probe(1, 2, patience=1, note="the 2nd of 2 losses is worse, patience 1"),
        "falling": probe(6, 5, 4, 3, 2, 1, patience=1, note="each loss is better"),
        "zigzag": probe(
            4, 6, 5, 3, 5, 4, 3.5, patience=3, note="after the best, losses fall again without reaching it"
        ),
        "equal": probe(3, 2, 2, 2, patience=2, note="equal losses, patience 2"),
        "delta": probe(
            *(8, 6, 5.5, 5.2, 4.8, 4.5, 4.9),
            patience=2,
            min_delta=1.0,
            note="min_delta 1: 6 is better than 8, 5.5 and 5.2 not, 4.8 is, 4.5 and 4.9 not",
        ),
        "slow": probe(10, 9.6, 9.2, 8.8, 8.4, patience=4, min_delta=0.7, note="a slow fall, min_delta 0.7"),
        "exactly": StopProbe((4.0, 3.0, 2.0, 2.0), 2, {"min_delta": 1.0}, note="exactly min_delta better"),
        "nan": StopProbe((3.0, 2.0, NAN, NAN, NAN), 3, note="nan after two losses"),
        "nan first": StopProbe((NAN, 3.0, 2.5, 2.6), 2, note="the first loss is nan"),
        "tiny": StopProbe((1.0, 0.99998, 0.99996, 0.99994), 2, note="losses that fall by 0.00002 each"),
        "negative": StopProbe((-1.0, -3.0, -2.0, -2.5), 2, note="losses below 0"),
        "zero": StopProbe((1.0, 0.0, 0.5, 0.2), 2, note="a loss of 0 is the best"),
        "large": StopProbe((3e9, 2e9, 2.5e9), 1, note="losses of 1e9"),
        "frozen": probe(3, 2, 4, 5, frozen=True, dtype=torch.float32),
        "none": RejectProbe((0,), note="patience = 0"),
        "minus": RejectProbe((3,), {"min_delta": -0.5}, note="min_delta = -0.5"),
    }


_S, _R = "stop", "restore"
STOPS = ("stops",)
RESTORED = ("restored: parameter", "restored: buffer")

EARLY_STOPPING = Exercise(
    name="EarlyStopping",
    kind="plain class",
    signature="patience, min_delta=0.0",
    section="5.4",
    oracle=EarlyStopping,
    probes=_probes,
    aspects=(
        Aspect("stops after patience losses that are not better", _S, "valley", STOPS),
        Aspect("a better loss starts the count again", _S, "two valleys", STOPS),
        Aspect("patience 1", _S, "first", STOPS),
        Aspect("no stop while the loss falls", _S, "falling", STOPS),
        Aspect("compared with the best loss, not with the last", _S, "zigzag", STOPS),
        Aspect("an equal loss is not better", _S, "equal", STOPS),
        Aspect("min_delta", _S, "delta", STOPS),
        Aspect("nan is not better", _S, "nan", STOPS),
        Aspect("a slow fall adds up", _S, "slow", STOPS, hidden=True),
        Aspect("exactly min_delta is not enough", _S, "exactly", STOPS, hidden=True),
        Aspect("a first loss of nan", _S, "nan first", STOPS, hidden=True),
        Aspect("a very small fall is better too", _S, "tiny", STOPS, hidden=True),
        Aspect("losses below 0", _S, "negative", STOPS, hidden=True),
        Aspect("a loss of 0", _S, "zero", STOPS, hidden=True),
        Aspect("large losses", _S, "large", STOPS, hidden=True),
        Aspect("ValueError for patience = 0", _S, "none", ("raises",)),
        Aspect("ValueError for min_delta = -0.5", _S, "minus", ("raises",), hidden=True),
        Aspect("step leaves the model as it is", _S, "valley", ("each step",)),
        Aspect("the parameters of the best epoch", _R, "valley", ("restored: parameter",)),
        Aspect("its buffers (running statistics, counters)", _R, "valley", ("restored: buffer",)),
        Aspect("restore works again after more training", _R, "valley", ("restored again",)),
        Aspect("the model keeps its tensors", _R, "valley", ("kept",)),
        Aspect("the first of two equal losses", _R, "equal", RESTORED),
        Aspect("with min_delta", _R, "delta", RESTORED),
        Aspect("when the last epoch is the best", _R, "falling", RESTORED),
        Aspect("before losses of nan", _R, "nan", RESTORED),
        Aspect("the best of two valleys", _R, "two valleys", RESTORED, hidden=True),
        Aspect("after a first loss of nan", _R, "nan first", RESTORED, hidden=True),
        Aspect("losses below 0 ", _R, "negative", RESTORED, hidden=True),
        Aspect("a loss of 0 ", _R, "zero", RESTORED, hidden=True),
        Aspect("large losses ", _R, "large", RESTORED, hidden=True),
        Aspect("another network of the same kind", _R, "valley", ("another network",), hidden=True),
        Aspect("frozen layers, float32", _R, "frozen", (*RESTORED, "kept"), hidden=True),
    ),
    misconceptions=tuple(STOPPING),
)
