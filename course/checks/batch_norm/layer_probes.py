"""What is drawn and what is looked at in `BatchNorm1d` and `BatchNorm2d`.

Probes make mistakes show: batches of 2, 3 and 5 samples (n against n - 1), sizes that differ between calls,
a variance of 1e-6 (where eps sits), mean 3000 in float32 (cancellation), weight and bias random, H != W.

The groups are kept apart: a mistake in the running statistics must not cost the points of evaluation mode, so
evaluation starts from statistics that are copied into the layer.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course.checks.batch_norm.common import (
    HARD_INPUTS,
    NAMES_AND_VALUES,
    PARAMETERS,
    SMALL_VARIANCE,
    TINY,
    affine,
    batch,
    far_batch,
    strided,
    tiny_batch,
)
from course.checks.framework import (
    SINGLE_LARGE_MEAN,
    Aspect,
    DeepCopy,
    Describe,
    Draw,
    Forward,
    ModuleProbe,
    Probe,
    Reload,
    Tolerance,
)

C = 4
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")

ROUGH = Tolerance(
    5e-2, 5e-2, "asks which statistics are used; where eps sits and n against n - 1 have aspects of their own"
)

Shape = Callable[[int], tuple[int, ...]]


def flat(n: int) -> tuple[int, ...]:
    """Rows (N, C)."""
    return (n, C)


def sequence(n: int) -> tuple[int, ...]:
    """Sequences (N, C, L)."""
    return (n, C, 5)


def image(n: int) -> tuple[int, ...]:
    """Images (N, C, H, W)."""
    return (n, C, 3, 5)


def statistics(draw: Draw) -> dict[str, Tensor]:
    """Running statistics of a layer that has been trained: neither 0 nor 1 any more."""
    return {"running_mean": draw.normal(C), "running_var": draw.uniform(C, low=0.5, high=3.0)}


def _seasoned(draw: Draw) -> dict[str, Tensor]:
    """State of a layer that has been trained."""
    return {**affine(draw, C), **statistics(draw)}


def probes(shape: Shape, seed: int) -> dict[str, Probe]:
    """The probes that both layers share, for inputs of a shape."""
    draw, single = Draw(seed), Draw(seed, torch.float32)
    count = shape(3)[0] * (len(torch.zeros(shape(1)).flatten()) // C)
    note = f"{count} values per {'channel' if len(shape(1)) > 2 else 'feature'}"
    tiny = tiny_batch(draw, *shape(3))
    far = far_batch(single, *shape(8))
    return {
        "new": ModuleProbe((C,), (Describe("new"),)),
        "no affine": ModuleProbe(
            (C,), (Describe("new"), batch(draw, "batch", *shape(3))), {"affine": False}, watch=BUFFERS[:2]
        ),
        "one batch": ModuleProbe(
            (C,),
            (batch(draw, "one batch", *shape(3)),),
            state=affine(draw, C),
            watch=BUFFERS,
            gradients=PARAMETERS,
            note=note,
        ),
        "three batches": ModuleProbe(
            (C,),
            tuple(batch(draw, f"batch {i}", *shape(n)) for i, n in enumerate((2, 5, 3), 1)),
            state=affine(draw, C),
            watch=BUFFERS,
        ),
        "momentum": ModuleProbe(
            (C,),
            tuple(batch(draw, f"batch {i}", *shape(3)) for i in (1, 2)),
            {"momentum": 0.01},
            state=_seasoned(draw),
            watch=BUFFERS,
        ),
        "no_grad": ModuleProbe(
            (C,),
            (Forward("training without gradients", draw.features(*shape(3)), grad_enabled=False),),
            state=_seasoned(draw),
            watch=BUFFERS,
        ),
        "evaluation": ModuleProbe(
            (C,),
            (
                batch(draw, "evaluation", *shape(3), training=False),
                batch(draw, "training between", *shape(50)),
                batch(draw, "second evaluation", *shape(1), training=False),
            ),
            # Half old, half new, and n near n - 1: what the update gets wrong is not asked here.
            {"momentum": 0.5},
            state=_seasoned(draw),
            watch=BUFFERS,
            gradients=PARAMETERS,
        ),
        "tiny variance": ModuleProbe((C,), (tiny,), state=affine(draw, C), note=TINY),
        "eps": ModuleProbe((C,), (tiny,), {"eps": 1e-2}, state=_seasoned(draw), watch=BUFFERS[:2]),
        "eps, evaluation": ModuleProbe(
            (C,),
            (batch(draw, "evaluation", *shape(2), training=False),),
            {"eps": 1e-2},
            state=_seasoned(draw),
        ),
        "positional": ModuleProbe((C, 1e-2, 0.3, True), (tiny,), state=affine(draw, C), watch=BUFFERS[:2]),
        "one channel": ModuleProbe(
            (1,), (batch(draw, "batch", 3, 1, *shape(3)[2:]),), watch=BUFFERS[:2], note="one channel"
        ),
        "float32": ModuleProbe(
            (C,),
            (batch(single, "batch", *shape(4)),),
            dtype=torch.float32,
            state=affine(single, C),
            watch=BUFFERS[:2],
        ),
        "large mean": ModuleProbe((C,), (far,), dtype=torch.float32, watch=("running_var",)),
        "strided": ModuleProbe(
            (C,), (Forward("batch", strided(draw.features(*shape(3)))),), state=affine(draw, C)
        ),
        "saved": ModuleProbe(
            (C,),
            (Reload(), Describe("loaded")),
            state=_seasoned(draw),
        ),
        "copied": ModuleProbe(
            (C,),
            (batch(draw, "batch", *shape(3)), DeepCopy(), batch(draw, "batch of the copy", *shape(3))),
            state=_seasoned(draw),
            watch=BUFFERS,
        ),
        "no affine, evaluation": ModuleProbe(
            (C,),
            (batch(draw, "evaluation", *shape(2), training=False),),
            {"affine": False},
            state=statistics(draw),
        ),
    }


ASPECTS = (
    *NAMES_AND_VALUES,
    Aspect(
        "affine=False: no weight, no bias",
        "interface",
        "no affine",
        ("new: parameters", "new: buffers", "output"),
        tolerance=ROUGH,
    ),
    Aspect("a saved state_dict loads into a new layer", "interface", "saved", ("loaded: ",), hidden=True),
    Aspect(
        "a deep copy after a training step",
        "interface",
        "copied",
        ("output, batch of the copy",),
        hidden=True,
        tolerance=ROUGH,
    ),
    Aspect("output, training mode", "forward", "one batch", ("output",)),
    Aspect("gradients of x, weight, bias", "forward", "one batch", ("gradient",)),
    SMALL_VARIANCE,
    Aspect("input left as it was", "forward", "one batch", ("input",)),
    Aspect(
        "input left as it was, evaluation mode",
        "forward",
        "evaluation",
        ("input x after evaluation",),
        hidden=True,
    ),
    Aspect("eps as the second argument", "forward", "positional", ("output",), hidden=True),
    Aspect("one channel", "forward", "one channel", ("output",), hidden=True),
    *HARD_INPUTS,
    Aspect("running_mean after one batch", "running-stats", "one batch", ("running_mean",)),
    Aspect("running_var after one batch", "running-stats", "one batch", ("running_var",)),
    Aspect("num_batches_tracked", "running-stats", "three batches", ("num_batches_tracked",)),
    Aspect("three batches of 2, 5 and 3 samples", "running-stats", "three batches", ("running",)),
    Aspect("momentum as an argument", "running-stats", "momentum", ("running",), hidden=True),
    Aspect("momentum as the third argument", "running-stats", "positional", ("running",), hidden=True),
    Aspect("running statistics with affine=False", "running-stats", "no affine", ("running",), hidden=True),
    Aspect("running_var without eps", "running-stats", "eps", ("running_var",), hidden=True),
    Aspect("running statistics of one channel", "running-stats", "one channel", ("running",), hidden=True),
    Aspect(
        "a deep copy has statistics of its own",
        "running-stats",
        "copied",
        ("running_mean of the original", "running_var of the original"),
        hidden=True,
    ),
    Aspect(
        "training mode under no_grad",
        "running-stats",
        "no_grad",
        ("running", "num_batches_tracked"),
        hidden=True,
    ),
    Aspect(
        "running_var in float32",
        "running-stats",
        "large mean",
        ("running_var",),
        hidden=True,
        tolerance=SINGLE_LARGE_MEAN,
    ),
    Aspect("output, evaluation mode", "evaluation", "evaluation", ("output, evaluation",)),
    Aspect(
        "evaluation leaves the running statistics alone",
        "evaluation",
        "evaluation",
        tuple(f"{name} after evaluation" for name in BUFFERS),
    ),
    Aspect(
        "evaluation, training, evaluation",
        "evaluation",
        "evaluation",
        ("output, second evaluation", "gradient of x, second evaluation"),
        hidden=True,
        tolerance=ROUGH,
    ),
    Aspect(
        "affine=False in evaluation mode", "evaluation", "no affine, evaluation", ("output",), hidden=True
    ),
    Aspect("eps in evaluation mode", "evaluation", "eps, evaluation", ("output",), hidden=True),
    Aspect(
        "gradients in evaluation mode",
        "evaluation",
        "evaluation",
        tuple(f"gradient of {name}, evaluation" for name in ("x", *PARAMETERS)),
        hidden=True,
    ),
)
