"""Exercises `BatchNorm1d` and `BatchNorm2d`: what is drawn, what is looked at.

Probes make mistakes show: batches of 2, 3 and 5 samples (n against n - 1), sizes that differ between calls,
a variance of 1e-6 (where eps sits), mean 1000 in float32 (cancellation), weight and bias random, H != W.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course.checks.batch_norm import layer_mistakes as mistakes
from course.checks.batch_norm.layer_mistakes import named
from course.checks.batch_norm.shortcuts import NORMS
from course.checks.framework import (
    SINGLE,
    SINGLE_LARGE_MEAN,
    Aspect,
    DeepCopy,
    Describe,
    Draw,
    Exercise,
    Forward,
    ModuleProbe,
    Probe,
    Reload,
)

C = 4
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
PARAMETERS = ("weight", "bias")

Shape = Callable[[int], tuple[int, ...]]


def _flat(n: int) -> tuple[int, ...]:
    return (n, C)


def _sequence(n: int) -> tuple[int, ...]:
    return (n, C, 5)


def _image(n: int) -> tuple[int, ...]:
    return (n, C, 3, 5)


def _affine(draw: Draw) -> dict[str, Tensor]:
    return {"weight": draw.uniform(C, low=0.5, high=2.0), "bias": draw.normal(C)}


def _seasoned(draw: Draw) -> dict[str, Tensor]:
    """State of a layer that has been trained: nothing is 0 or 1 any more."""
    return {
        **_affine(draw),
        "running_mean": draw.normal(C),
        "running_var": draw.uniform(C, low=0.5, high=3.0),
    }


def _batch(draw: Draw, name: str, shape: tuple[int, ...], **options: bool) -> Forward:
    return Forward(name, draw.features(*shape), draw.normal(*shape), **options)


def _probes(shape: Shape, seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)
    count = shape(3)[0] * (len(torch.zeros(shape(1)).flatten()) // C)
    note = f"{count} values per {'channel' if len(shape(1)) > 2 else 'feature'}"
    tiny = Forward("batch", draw.normal(*shape(3), std=1e-3), draw.normal(*shape(3)))
    far = Forward("batch", single.normal(*shape(8), mean=1000.0))
    return {
        "new": ModuleProbe((C,), (Describe("new"),)),
        "no affine": ModuleProbe(
            (C,), (Describe("new"), _batch(draw, "batch", shape(3))), {"affine": False}, watch=BUFFERS[:2]
        ),
        "one batch": ModuleProbe(
            (C,),
            (_batch(draw, "one batch", shape(3)),),
            state=_affine(draw),
            watch=BUFFERS,
            gradients=PARAMETERS,
            note=note,
        ),
        "three batches": ModuleProbe(
            (C,),
            tuple(_batch(draw, f"batch {i}", shape(n)) for i, n in enumerate((2, 5, 3), 1)),
            state=_affine(draw),
            watch=BUFFERS,
        ),
        "momentum": ModuleProbe(
            (C,),
            tuple(_batch(draw, f"batch {i}", shape(3)) for i in (1, 2)),
            {"momentum": 0.01},
            state=_seasoned(draw),
            watch=BUFFERS,
        ),
        "no_grad": ModuleProbe(
            (C,),
            (
                Forward("training without gradients", draw.features(*shape(3)), grad_enabled=False),
                Forward("evaluation with gradients", draw.features(*shape(3)), training=False),
            ),
            state=_seasoned(draw),
            watch=BUFFERS,
        ),
        "evaluation": ModuleProbe(
            (C,),
            (
                _batch(draw, "evaluation", shape(3), training=False),
                _batch(draw, "training again", shape(2)),
                _batch(draw, "evaluation again", shape(1), training=False),
            ),
            state=_seasoned(draw),
            watch=BUFFERS,
            gradients=PARAMETERS,
        ),
        "tiny variance": ModuleProbe(
            (C,), (tiny,), state=_affine(draw), note="variance about 1e-6, eps = 1e-5"
        ),
        "eps": ModuleProbe((C,), (tiny,), {"eps": 1e-2}, state=_affine(draw)),
        "float32": ModuleProbe(
            (C,),
            (_batch(single, "batch", shape(4)),),
            dtype=torch.float32,
            state=_affine(single),
            watch=BUFFERS[:2],
        ),
        "large mean": ModuleProbe((C,), (far,), dtype=torch.float32, watch=("running_var",)),
        "strided": ModuleProbe(
            (C,), (Forward("batch", draw.features(*shape(3)).mT.contiguous().mT),), state=_affine(draw)
        ),
        "saved": ModuleProbe(
            (C,),
            (_batch(draw, "batch", shape(3)), Reload(), _batch(draw, "evaluation", shape(2), training=False)),
            state=_seasoned(draw),
            watch=BUFFERS,
        ),
        "copied": ModuleProbe(
            (C,),
            (_batch(draw, "batch", shape(3)), DeepCopy(), _batch(draw, "batch of the copy", shape(3))),
            state=_seasoned(draw),
            watch=BUFFERS,
        ),
    }


ASPECTS = (
    Aspect(
        "parameters and buffers, by torch's names", "interface", "new", ("new: parameters", "new: buffers")
    ),
    Aspect("their shapes and first values", "interface", "new", ("new: ",)),
    Aspect("affine=False: no weight, no bias", "interface", "no affine", ("new: parameters", "output")),
    Aspect(
        "a saved state_dict loads into a new layer", "interface", "saved", ("output", "running"), hidden=True
    ),
    Aspect(
        "a deep copy has statistics of its own", "interface", "copied", ("output", "running"), hidden=True
    ),
    Aspect("output, training mode", "forward", "one batch", ("output",)),
    Aspect("gradients of x, weight, bias", "forward", "one batch", ("gradient",)),
    Aspect("small variance, where eps counts", "forward", "tiny variance", ("output", "gradient")),
    Aspect("input left as it was", "forward", "one batch", ("input",)),
    Aspect("eps as an argument", "forward", "eps", ("output",), hidden=True),
    Aspect("float32 input", "forward", "float32", ("output",), hidden=True, tolerance=SINGLE),
    Aspect(
        "mean 1000 in float32", "forward", "large mean", ("output",), hidden=True, tolerance=SINGLE_LARGE_MEAN
    ),
    Aspect("input that is not contiguous", "forward", "strided", ("output",), hidden=True),
    Aspect("running_mean after one batch", "running-stats", "one batch", ("running_mean",)),
    Aspect("running_var after one batch", "running-stats", "one batch", ("running_var",)),
    Aspect("num_batches_tracked", "running-stats", "three batches", ("num_batches_tracked",)),
    Aspect("three batches of 2, 5 and 3 samples", "running-stats", "three batches", ("running",)),
    Aspect("momentum as an argument", "running-stats", "momentum", ("running",), hidden=True),
    Aspect(
        "training mode under no_grad",
        "running-stats",
        "no_grad",
        ("output, training", "running_mean after training", "running_var after training"),
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
        ("running_mean after evaluation", "running_var after evaluation"),
    ),
    Aspect("gradients in evaluation mode", "evaluation", "evaluation", ("gradient",), hidden=True),
    Aspect(
        "evaluation mode with gradients switched on",
        "evaluation",
        "no_grad",
        ("output, evaluation", "running_mean after evaluation"),
        hidden=True,
    ),
)


def _sequence_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed + 1)
    step = _batch(draw, "sequences", _sequence(3))
    probe = ModuleProbe(
        (C,),
        (step,),
        state=_affine(draw),
        watch=BUFFERS[:2],
        gradients=PARAMETERS,
        note="15 values per channel",
    )
    return {**_probes(_flat, seed), "sequences": probe}


BATCH_NORM_1D = Exercise(
    name="BatchNorm1d",
    kind="class",
    signature="num_features, eps=1e-5, momentum=0.1, affine=True",
    section="3.6",
    oracle=nn.BatchNorm1d,
    probes=_sequence_probes,
    aspects=(
        *ASPECTS,
        Aspect("input (N, C, L): one statistic per channel", "forward", "sequences", ("output", "gradient")),
        Aspect("running statistics of (N, C, L)", "running-stats", "sequences", ("running",), hidden=True),
    ),
    misconceptions=(
        *mistakes.SHARED,
        named(
            "normalizes_features",
            mistakes.PerSample,
            "you normalized each sample over its features. "
            "Batch norm takes each feature over the batch (dim 0).",
            "3.3",
        ),
        named(
            "sequence_positions_apart",
            mistakes.PerPosition,
            "for (N, C, L) input each position has a statistic of its own. Average over N and L together.",
        ),
        named(
            "sequence_counts_samples",
            mistakes.CountsImages,
            "n in n/(n-1) is the number of values per channel: N times L for (N, C, L) input.",
            "3.5",
        ),
        named(
            "sequence_not_reshaped",
            mistakes.WeightAlongLastAxis,
            "weight meets the last axis of x. For (N, C, L) input it needs the shape (1, C, 1).",
        ),
    ),
    shortcuts=NORMS,
)

BATCH_NORM_2D = Exercise(
    name="BatchNorm2d",
    kind="class",
    signature="num_features, eps=1e-5, momentum=0.1, affine=True",
    section="3.7",
    oracle=nn.BatchNorm2d,
    probes=lambda seed: _probes(_image, seed),
    aspects=ASPECTS,
    misconceptions=(
        *mistakes.SHARED,
        named(
            "normalizes_images",
            mistakes.PerSample,
            "each image is normalized by itself: that is instance norm. "
            "Average over the batch too: dim=(0, 2, 3).",
        ),
        named(
            "pixels_apart",
            mistakes.PerPosition,
            "each pixel has a mean of its own. Average over the batch, the height and the width: "
            "dim=(0, 2, 3).",
        ),
        named(
            "counts_images",
            mistakes.CountsImages,
            "n in n/(n-1) is the number of values per channel, N*H*W; you took the number of images N.",
        ),
        named(
            "mean_of_variances",
            mistakes.MeanOfVariances,
            "you averaged the variances of the images. The images also differ in their means: "
            "take one variance over dim=(0, 2, 3).",
        ),
        named(
            "weight_along_width",
            mistakes.WeightAlongLastAxis,
            "weight meets the last axis (the width). It belongs to the channels: reshape it to (1, C, 1, 1).",
        ),
    ),
    shortcuts=NORMS,
)
