"""Exercises `LayerNorm`, `InstanceNorm2d` and `GroupNorm`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.checks.batch_norm.common import (
    HARD_INPUTS,
    NAMES_AND_VALUES,
    NORMS,
    PARAMETERS,
    SMALL_VARIANCE,
    TINY,
    affine,
    batch,
    far_batch,
    strided,
    tiny_batch,
)
from course.checks.batch_norm.group_norm_mistakes import GROUP_NORM as GROUP_NORM_MISTAKES
from course.checks.batch_norm.instance_norm_mistakes import INSTANCE_NORM as INSTANCE_NORM_MISTAKES
from course.checks.batch_norm.layer_norm_mistakes import LAYER_NORM as LAYER_NORM_MISTAKES
from course.checks.framework import (
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


def _common_probes(
    draw: Draw,
    single: Draw,
    arguments: tuple[Any, ...],
    shape: tuple[int, ...],
    affine_shape: tuple[int, ...],
    **options: Any,
) -> dict[str, Probe]:
    """Probes that all three norms share.

    Args:
        draw: float64 numbers.
        single: float32 numbers.
        arguments: of the constructor.
        shape: of the input.
        affine_shape: of weight and bias.
        options: of the constructor; they switch weight and bias on.
    """
    tiny = tiny_batch(draw, *shape)
    far = far_batch(single, *shape)
    return {
        "new": ModuleProbe(arguments, (Describe("new"),), options),
        "images": ModuleProbe(
            arguments,
            (batch(draw, "batch", *shape),),
            options,
            state=affine(draw, *affine_shape),
            gradients=PARAMETERS,
        ),
        "evaluation": ModuleProbe(
            arguments,
            (
                batch(draw, "training", *shape),
                batch(draw, "evaluation", *shape, training=False),
                batch(draw, "one example", 1, *shape[1:], training=False),
            ),
            options,
            state=affine(draw, *affine_shape),
            gradients=PARAMETERS,
        ),
        "tiny variance": ModuleProbe(
            arguments,
            (tiny,),
            options,
            state=affine(draw, *affine_shape),
            note=TINY,
        ),
        "eps": ModuleProbe(arguments, (tiny,), {**options, "eps": 1e-2}, state=affine(draw, *affine_shape)),
        "float32": ModuleProbe(
            arguments,
            (batch(single, "batch", *shape),),
            options,
            torch.float32,
            affine(single, *affine_shape),
        ),
        "large mean": ModuleProbe(arguments, (far,), options, torch.float32),
        "strided": ModuleProbe(
            arguments,
            (Forward("batch", strided(draw.features(*shape))),),
            options,
            state=affine(draw, *affine_shape),
        ),
        "channels_last": ModuleProbe(
            arguments,
            (Forward("batch", draw.features(*shape).to(memory_format=torch.channels_last)),),
            options,
            state=affine(draw, *affine_shape),
        ),
        "saved": ModuleProbe(
            arguments,
            # Copied after a training step, when a graph that the layer keeps would be in the way.
            (tiny, DeepCopy(), Reload(), batch(draw, "after loading", *shape, training=False)),
            options,
            state=affine(draw, *affine_shape),
        ),
    }


INTERFACE = (
    *NAMES_AND_VALUES,
    Aspect(
        "copied, saved and loaded into a new layer",
        "interface",
        "saved",
        ("output, after loading",),
        hidden=True,
    ),
)

POSITIONAL = Aspect(
    "arguments in torch's order", "interface", "positional", ("new: parameters", "output"), hidden=True
)

SQUARE = Aspect("as many images as channels, rows and columns", "forward", "square", ("output",), hidden=True)

PLAIN_EVALUATION = Aspect(
    "evaluation mode without weight and bias", "forward", "no affine, evaluation", ("output",), hidden=True
)

FORWARD = (
    Aspect("output, images", "forward", "images", ("output",)),
    Aspect("gradients of x, weight, bias", "forward", "images", ("gradient",)),
    SMALL_VARIANCE,
    Aspect("the same in evaluation mode", "forward", "evaluation", ("output",)),
    Aspect("input left as it was", "forward", "images", ("input",)),
    Aspect("gradients in evaluation mode", "forward", "evaluation", ("gradient",), hidden=True),
    *HARD_INPUTS,
    Aspect("channels_last input", "forward", "channels_last", ("output",), hidden=True),
)


# --- LayerNorm ----------------------------------------------------------------------------------------------


def _layer_norm_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)
    shape = (4, 3, 5)
    return {
        **_common_probes(draw, single, (shape,), (2, *shape), shape),
        "number": ModuleProbe((5,), (Describe("new"), batch(draw, "rows", 3, 5)), state=affine(draw, 5)),
        "square": ModuleProbe((4,), (batch(draw, "rows", 4, 4),), state=affine(draw, 4)),
        "words": ModuleProbe(
            (5,), (batch(draw, "words", 2, 3, 5),), state=affine(draw, 5), gradients=PARAMETERS
        ),
        "last two": ModuleProbe(((3, 5),), (batch(draw, "images", 2, 4, 3, 5),), state=affine(draw, 3, 5)),
        "one row": ModuleProbe((5,), (Forward("row", draw.normal(5)),), state=affine(draw, 5)),
        "no affine": ModuleProbe(
            (5,), (Describe("new"), batch(draw, "rows", 3, 5)), {"elementwise_affine": False}
        ),
        "positional": ModuleProbe((5, 0.1, True, False), (Describe("new"), batch(draw, "rows", 3, 5))),
        "no bias": ModuleProbe(
            (5,),
            (Describe("new"), batch(draw, "rows", 3, 5)),
            {"bias": False},
            state={"weight": draw.uniform(5, low=0.5, high=2.0)},
        ),
        "no affine, evaluation": ModuleProbe(
            (5,), (batch(draw, "rows", 3, 5, training=False),), {"elementwise_affine": False}
        ),
    }


LAYER_NORM = Exercise(
    name="LayerNorm",
    kind="class",
    signature="normalized_shape, eps=1e-5, elementwise_affine=True, bias=True",
    section="3.8",
    oracle=nn.LayerNorm,
    probes=_layer_norm_probes,
    aspects=(
        *INTERFACE,
        Aspect("a number for normalized_shape", "interface", "number", ("new: ",)),
        Aspect(
            "elementwise_affine=False: no weight, no bias",
            "interface",
            "no affine",
            ("new: parameters", "new: buffers", "output"),
        ),
        Aspect("bias=False: a weight, no bias", "interface", "no bias", ("new: parameters", "output")),
        POSITIONAL,
        *FORWARD,
        Aspect("output, rows (N, D)", "forward", "number", ("output",)),
        Aspect("output, words (N, L, D)", "forward", "words", ("output", "gradient")),
        Aspect("the last two axes of images", "forward", "last two", ("output",)),
        PLAIN_EVALUATION,
        Aspect("as many rows as columns", "forward", "square", ("output",), hidden=True),
        Aspect("one row without a batch axis", "forward", "one row", ("output",), hidden=True),
    ),
    misconceptions=LAYER_NORM_MISTAKES,
    shortcuts=NORMS,
)


# --- InstanceNorm2d -----------------------------------------------------------------------------------------


def _instance_norm_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)
    return {
        **_common_probes(draw, single, (4,), (2, 4, 3, 5), (4,), affine=True),
        "plain": ModuleProbe((4,), (Describe("new"), batch(draw, "images", 3, 4, 2, 3))),
        "no affine": ModuleProbe((4,), (Describe("new"),), {"affine": False}),
        "positional": ModuleProbe((4, 0.1, 0.0, True), (Describe("new"), batch(draw, "images", 2, 4, 2, 3))),
        "square": ModuleProbe(
            (3,), (batch(draw, "images", 3, 3, 3, 3),), {"affine": True}, state=affine(draw, 3)
        ),
        "no affine, evaluation": ModuleProbe((4,), (batch(draw, "images", 2, 4, 2, 3, training=False),)),
    }


INSTANCE_NORM_2D = Exercise(
    name="InstanceNorm2d",
    kind="class",
    signature="num_features, eps=1e-5, momentum=0.1, affine=False",
    section="3.8",
    oracle=nn.InstanceNorm2d,
    probes=_instance_norm_probes,
    aspects=(
        *INTERFACE,
        Aspect("by default: no weight, no bias, no buffers", "interface", "plain", ("new: ",)),
        Aspect(
            "affine=False: no weight, no bias", "interface", "no affine", ("new: parameters", "new: buffers")
        ),
        POSITIONAL,
        *FORWARD,
        Aspect("output without weight and bias", "forward", "plain", ("output", "gradient")),
        PLAIN_EVALUATION,
        SQUARE,
    ),
    misconceptions=INSTANCE_NORM_MISTAKES,
    shortcuts=NORMS,
)


# --- GroupNorm ----------------------------------------------------------------------------------------------


def _group_norm_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)
    start = affine(draw, 6)
    return {
        **_common_probes(draw, single, (2, 6), (2, 6, 3, 5), (6,)),
        "three groups": ModuleProbe(
            (3, 6), (batch(draw, "images", 2, 6, 3, 2),), state=start, gradients=PARAMETERS
        ),
        "rows": ModuleProbe((2, 6), (batch(draw, "rows", 3, 6),), state=start),
        "sequences": ModuleProbe((3, 6), (batch(draw, "sequences", 2, 6, 4),), state=start),
        "volumes": ModuleProbe((2, 6), (batch(draw, "volumes", 2, 6, 2, 1, 3),), state=start),
        "positional": ModuleProbe((2, 6, 1e-1, False), (Describe("new"), batch(draw, "images", 2, 6, 2, 3))),
        "square": ModuleProbe((2, 4), (batch(draw, "images", 4, 4, 4, 4),), state=affine(draw, 4)),
        "no affine": ModuleProbe(
            (2, 6), (Describe("new"), batch(draw, "images", 2, 6, 2, 3)), {"affine": False}
        ),
        "no affine, evaluation": ModuleProbe(
            (2, 6), (batch(draw, "images", 2, 6, 2, 3, training=False),), {"affine": False}
        ),
        "one group": ModuleProbe((1, 4), (batch(draw, "images", 2, 4, 3, 2),), state=affine(draw, 4)),
        "single channels": ModuleProbe((4, 4), (batch(draw, "images", 2, 4, 3, 2),), state=affine(draw, 4)),
    }


GROUP_NORM = Exercise(
    name="GroupNorm",
    kind="class",
    signature="num_groups, num_channels, eps=1e-5, affine=True",
    section="3.8",
    oracle=nn.GroupNorm,
    probes=_group_norm_probes,
    aspects=(
        *INTERFACE,
        Aspect(
            "affine=False: no weight, no bias",
            "interface",
            "no affine",
            ("new: parameters", "new: buffers", "output"),
        ),
        POSITIONAL,
        *FORWARD,
        Aspect("three groups of two channels", "forward", "three groups", ("output", "gradient")),
        Aspect("output, rows (N, C)", "forward", "rows", ("output",)),
        Aspect("output, sequences (N, C, L)", "forward", "sequences", ("output",)),
        Aspect("one group of all channels", "forward", "one group", ("output",), hidden=True),
        Aspect("as many groups as channels", "forward", "single channels", ("output",), hidden=True),
        PLAIN_EVALUATION,
        Aspect("output, volumes (N, C, D, H, W)", "forward", "volumes", ("output",), hidden=True),
        SQUARE,
    ),
    misconceptions=GROUP_NORM_MISTAKES,
    shortcuts=NORMS,
)
