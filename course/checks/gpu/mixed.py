"""Exercise `train_amp`: the steps that are done, and what is looked at."""

from __future__ import annotations

from typing import Any

from course import mixed_precision as reference
from course.checks.framework import Aspect, Exercise, Probe, Tolerance
from course.checks.gpu.mixed_mistakes import TRAIN_AMP as MISTAKES
from course.checks.probes.precision import PrecisionProbe

SIXTEEN_BITS = Tolerance(
    1e-3,
    1e-5,
    "the same 16-bit products in another order differ by a last bit now and then; a mistake shows by 1e-2",
)


def _probes(seed: int) -> dict[str, Probe]:
    seeds = iter(range(seed, seed + 100))

    def probe(**settings: Any) -> Probe:
        return PrecisionProbe(next(seeds), **settings)

    return {
        "plain": probe(note="bfloat16, no scaler"),
        "float16": probe(precision="float16", note="dtype=torch.float16"),
        "leftovers": probe(leftovers=True, note="the gradients of an earlier step are still there"),
        "scaled": probe(scale=1024.0, precision="float16", note="float16, scale 1024"),
        "overflow": probe(scale=2.0**40, precision="float16", note="scale 2^40: the gradients overflow"),
        "clipped": probe(max_norm=0.05, note="max_norm = 0.05"),
        "scaled, clipped": probe(
            scale=256.0, max_norm=0.05, precision="float16", note="scale 256, max_norm = 0.05"
        ),
        "scaled bfloat16": probe(scale=64.0),
        "loose": probe(max_norm=1e4, scale=512.0, precision="float16"),
        "leftovers, scaled": probe(leftovers=True, scale=128.0, max_norm=0.1, precision="float16"),
        "small lr": probe(lr=0.1, precision="float16"),
        "elsewhere": probe(claims="cuda", note="the tensors say that they are on a GPU"),
    }


WEIGHTS = ("weights",)
EVENTS = ("events",)
_A, _S, _C = "autocast", "scaler", "clipping"


def _aspect(label: str, group: str, probe: str, looks_at: tuple[str, ...], **options: Any) -> Aspect:
    return Aspect(label, group, probe, looks_at, tolerance=SIXTEEN_BITS, **options)


TRAIN_AMP = Exercise(
    name="train_amp",
    kind="function",
    signature="model, x, y, optimizer, scaler=None, max_norm=None, dtype=torch.bfloat16",
    section="7.5",
    oracle=reference.train_amp,
    probes=_probes,
    aspects=(
        _aspect("the forward pass is in bfloat16", _A, "plain", ("autocast: what",)),
        _aspect("another dtype", _A, "float16", ("autocast: what",)),
        _aspect("the loss is in float32", _A, "plain", ("dtype of the loss",)),
        _aspect("the loss", _A, "plain", ("loss",)),
        _aspect("the loss has no graph", _A, "plain", ("the loss has a graph",)),
        _aspect("the backward pass is outside of autocast", _A, "plain", ("autocast: on",)),
        _aspect("the parameters stay in float32", _A, "plain", ("dtypes",)),
        _aspect("the weights after the step", _A, "plain", WEIGHTS),
        _aspect("gradients of an earlier step do not count", _A, "leftovers", WEIGHTS),
        _aspect("one forward pass", _A, "plain", ("forward passes",)),
        _aspect("one backward pass, one step", _A, "plain", EVENTS),
        _aspect("autocast is off afterwards", _A, "plain", ("autocast is",)),
        _aspect("autocast is for the device of x", _A, "elsewhere", ("autocast: what",)),
        _aspect("the network is in training mode", _A, "plain", ("mode",)),
        _aspect("weights, float16", _A, "float16", (*WEIGHTS, "loss"), hidden=True),
        _aspect("another learning rate", _A, "small lr", WEIGHTS, hidden=True),
        _aspect("the order with a scaler", _S, "scaled", EVENTS),
        _aspect("the weights with a scaler", _S, "scaled", WEIGHTS),
        _aspect("the loss that is returned is not scaled", _S, "scaled", ("loss",)),
        _aspect("the scale afterwards", _S, "scaled", ("scale",)),
        _aspect("gradients that overflow: no step", _S, "overflow", (*EVENTS, *WEIGHTS)),
        _aspect("gradients that overflow: a smaller scale", _S, "overflow", ("scale",)),
        _aspect("a scaler with bfloat16", _S, "scaled bfloat16", (*EVENTS, *WEIGHTS, "scale"), hidden=True),
        _aspect("earlier gradients, with a scaler", _S, "leftovers, scaled", WEIGHTS, hidden=True),
        _aspect("clipping without a scaler", _C, "clipped", ("norm", *WEIGHTS)),
        _aspect("the order: unscale, clip, step", _C, "scaled, clipped", EVENTS),
        _aspect("the true gradients are clipped", _C, "scaled, clipped", ("norm", *WEIGHTS)),
        _aspect("nothing is clipped below max_norm", _C, "loose", ("norm", *WEIGHTS), hidden=True),
    ),
    misconceptions=tuple(MISTAKES),
)
