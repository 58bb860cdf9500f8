"""Exercises `BatchNorm1d` and `BatchNorm2d`."""

from __future__ import annotations

from torch import nn

from course.checks.batch_norm import layer_mistakes as mistakes
from course.checks.batch_norm.common import NORMS, PARAMETERS, affine, batch
from course.checks.batch_norm.layer_probes import (
    ASPECTS,
    BUFFERS,
    C,
    flat,
    image,
    probes,
    sequence,
    statistics,
)
from course.checks.batch_norm.mode_mistakes import MODES
from course.checks.batch_norm.parameter_mistakes import PARAMETERS as PARAMETER_MISTAKES
from course.checks.batch_norm.running_mistakes import RUNNING
from course.checks.framework import Aspect, Draw, Exercise, Misconception, ModuleProbe, Probe


def _sequence_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed + 1)
    training = ModuleProbe(
        (C,),
        (batch(draw, "sequences", *sequence(3)),),
        state=affine(draw, C),
        watch=BUFFERS[:2],
        gradients=PARAMETERS,
        note="15 values per channel",
    )
    evaluation = ModuleProbe(
        (C,),
        (batch(draw, "evaluation of sequences", *sequence(2), training=False),),
        state={**affine(draw, C), **statistics(draw)},
    )
    return {**probes(flat, seed), "sequences": training, "sequences, evaluation": evaluation}


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
        Aspect(
            "input (N, C, L) in evaluation mode",
            "evaluation",
            "sequences, evaluation",
            ("output",),
            hidden=True,
        ),
        Aspect("running statistics of (N, C, L)", "running-stats", "sequences", ("running",), hidden=True),
    ),
    misconceptions=(
        *MODES,
        *RUNNING,
        *mistakes.FORMULA,
        *PARAMETER_MISTAKES,
        Misconception(
            "normalizes_features",
            mistakes.PerSample,
            "you normalized each sample over its features. "
            "Batch norm takes each feature over the batch (dim 0).",
            "3.3",
        ),
        Misconception(
            "sequence_channels_mixed",
            mistakes.ChannelsMixed,
            "reshape(-1, C) mixes channels and positions of (N, C, L) input. "
            "Move the channels to the end first.",
        ),
        Misconception(
            "sequence_not_permuted_back",
            mistakes.NotPermutedBack,
            "the channels were moved to the end, but not back: reshape to (N, L, C) first, then "
            "movedim(-1, 1).",
        ),
        Misconception(
            "sequence_positions_apart",
            mistakes.PerPosition,
            "for (N, C, L) input each position has a statistic of its own. Average over N and L together.",
        ),
        Misconception(
            "sequence_counts_samples",
            mistakes.CountsImages,
            "n in n/(n-1) is the number of values per channel: N times L for (N, C, L) input.",
            "3.5",
        ),
        Misconception(
            "sequence_evaluation_not_reshaped",
            mistakes.StatisticsAlongLastAxisInEvaluation,
            "in evaluation mode running_mean meets the last axis of x. "
            "For (N, C, L) input it needs the shape (1, C, 1), as in training.",
            "3.5",
        ),
        Misconception(
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
    probes=lambda seed: probes(image, seed),
    aspects=ASPECTS,
    misconceptions=(
        *MODES,
        *RUNNING,
        *mistakes.FORMULA,
        *PARAMETER_MISTAKES,
        Misconception(
            "normalizes_images",
            mistakes.PerSample,
            "each image is normalized by itself: that is instance norm. "
            "Average over the batch too: dim=(0, 2, 3).",
        ),
        Misconception(
            "channels_mixed",
            mistakes.ChannelsMixed,
            "reshape(-1, C) mixes channels and pixels. Move the channels to the end first: permute(0, 2, "
            "3, 1).",
        ),
        Misconception(
            "not_permuted_back",
            mistakes.NotPermutedBack,
            "the channels were moved to the end, but not back: reshape to (N, H, W, C) first, then "
            "permute(0, 3, 1, 2).",
        ),
        Misconception(
            "pixels_apart",
            mistakes.PerPosition,
            "each pixel has a mean of its own. Average over the batch, the height and the width: dim=(0, "
            "2, 3).",
        ),
        Misconception(
            "counts_images",
            mistakes.CountsImages,
            "n in n/(n-1) is the number of values per channel, N*H*W; you took the number of images N.",
        ),
        Misconception(
            "mean_of_variances",
            mistakes.MeanOfVariances,
            "you averaged the variances of the images. The images also differ in their means: take one "
            "variance over dim=(0, 2, 3).",
        ),
        Misconception(
            "weight_along_width",
            mistakes.WeightAlongLastAxis,
            "weight meets the last axis (the width). It belongs to the channels: reshape it to (1, C, 1, 1).",
        ),
    ),
    shortcuts=NORMS,
)
