"""Exercises `BasicBlock` and `Bottleneck`: what is drawn, what is looked at.

The inputs have negative numbers: after a ReLU, relu(x) is x, and half of the mistakes would not show. Height
and width differ and are odd where there is a stride. Every tensor of a block has numbers of its own (`Fill`),
so that a norm that is used twice and a weight that starts at 1 show.
"""

from __future__ import annotations

import dataclasses

import torch

from course.checks.framework import (
    SINGLE,
    Aspect,
    DeepCopy,
    Draw,
    Exercise,
    Forward,
    ModuleProbe,
    Probe,
    Reload,
)
from course.checks.probes.building import Fill, Outline, Spread
from course.checks.residual.basic_mistakes import BASIC
from course.checks.residual.bottleneck_mistakes import BOTTLENECK
from course.residual import BasicBlock, Bottleneck

PROJECTION = ("downsample.0.weight", "downsample.1.weight", "downsample.1.bias")
STATISTICS = ("running_mean", "running_var")


def _probes(seed: int, convs: int, expansion: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)
    norms = tuple(f"bn{i}" for i in range(1, convs + 1))
    branch = tuple(
        name for i in range(1, convs + 1) for name in (f"conv{i}.weight", f"bn{i}.weight", f"bn{i}.bias")
    )
    last = norms[-1]
    wide = 4 * max(1, expansion // 2)
    same = (wide, wide // expansion)  # then input and output have the same channels, and the skip is x
    other = (3, 3) if expansion > 1 else (5, 3)  # (3, 3) is how the first stage of a ResNet-50 begins

    def block(
        arguments: tuple[int, ...],
        *shape: int,
        draw: Draw = draw,
        projected: bool = True,
        fill: Fill | None = None,
        training: bool = True,
        note: str = "",
    ) -> ModuleProbe:
        """Fill a block and call it on one batch."""
        out = (shape[0], arguments[1] * expansion, *(-(-n // (arguments[2:] or (1,))[0]) for n in shape[2:]))
        names = (*branch, *(PROJECTION if projected else ()))
        watched = (*norms, *(("downsample.1",) if projected else ()))
        batch = Forward("batch", draw.features(*shape), draw.normal(*out), training)
        return ModuleProbe(
            arguments,
            (fill or Fill(seed, names), batch),
            dtype=batch.x.dtype,
            watch=tuple(f"{norm}.{each}" for norm in watched for each in STATISTICS),
            gradients=names,
            note=note,
        )

    def outline(*arguments: int) -> ModuleProbe:
        return ModuleProbe(arguments, (Outline("new", ("expansion",)),))

    x = draw.features(3, wide, 5, 6)
    step = Forward("a training step", draw.features(3, wide, 5, 6), draw.normal(3, wide, 5, 6))
    evaluation = Forward(
        "evaluation", draw.features(2, wide, 5, 6), draw.normal(2, wide, 5, 6), training=False
    )
    filled = Fill(seed, branch)
    zeroed = Fill(seed, branch, {f"{last}.weight": 0.0, f"{last}.bias": 0.0})
    statistics = tuple(f"{norm}.{each}" for norm in norms for each in STATISTICS)
    return {
        "new": ModuleProbe(same, (Outline("new", ("expansion",)), Spread("initial"))),
        "new, stride 2": outline(4, 2, 2),
        "new, other channels": outline(*other),
        "identity": block(same, 3, wide, 5, 6, projected=False),
        "zeroed": block(
            same, 3, wide, 5, 6, projected=False, fill=zeroed, note="the branch is 0: the block gives relu(x)"
        ),
        "stride 2": block((4, 3, 2), 3, 4, 7, 5, note="stride 2, 7×5 pixels"),
        "other channels": block(
            other, 3, other[0], 4, 6, note="stride 1, more or fewer channels than before"
        ),
        "same channels, stride 2": block(
            (*same, 2), 3, wide, 6, 7, note="as many channels as before, stride 2"
        ),
        "stride 3": block((4, 2, 3), 2, 4, 7, 8),
        "two images": block(same, 2, wide, 3, 3, projected=False),
        "thin": block((4, 3, 2), 2, 4, 1, 9),
        "small weights": dataclasses.replace(
            block(same, 3, wide, 5, 6, projected=False, fill=Fill(seed, branch, {"conv1.weight": 1e-4})),
            note="conv1 gives numbers so small that eps counts",
        ),
        "float32": block((4, 3, 2), 3, 4, 7, 5, draw=single),
        "not contiguous": ModuleProbe(
            same, (filled, Forward("batch", draw.features(3, 5, 6, wide).permute(0, 3, 1, 2)))
        ),
        "no gradient": ModuleProbe(same, (filled, Forward("batch", x, grad_enabled=False))),
        "modes": ModuleProbe(
            same,
            (filled, evaluation, step, dataclasses.replace(evaluation, name="second evaluation")),
            watch=statistics,
            gradients=branch,
        ),
        "modes, stride 2": ModuleProbe(
            (4, 3, 2),
            (
                Fill(seed, (*branch, *PROJECTION)),
                Forward("evaluation", draw.features(1, 4, 7, 5), training=False),
                Forward("a training step", draw.features(3, 4, 7, 5)),
                Forward("another", draw.features(2, 4, 7, 5)),
            ),
            watch=tuple(f"{norm}.{each}" for norm in (*norms, "downsample.1") for each in STATISTICS),
        ),
        "large": ModuleProbe(
            same, (filled, Forward("evaluation", 100 * draw.features(2, wide, 4, 5), training=False))
        ),
        "copied": ModuleProbe(same, (filled, step, DeepCopy(), evaluation)),
        "saved": ModuleProbe((4, 3, 2), (Fill(seed), Reload(), block((4, 3, 2), 2, 4, 5, 5).steps[1])),
        "one pixel": block((*same, 2), 2, wide, 1, 1, training=False),
    }


def _interface(*classes: str) -> tuple[Aspect, ...]:
    everything = ("new: names", "new: parameters")
    return (
        Aspect("names and shapes where x has the output's shape", "interface", "new", everything),
        Aspect("names and shapes with stride 2", "interface", "new, stride 2", everything),
        Aspect(
            "names and shapes with stride 1 and other channels",
            "interface",
            "new, other channels",
            everything,
        ),
        Aspect("the class attribute `expansion`", "interface", "new", ("new: class",)),
        Aspect(
            "a deep copy after a training step", "interface", "copied", ("output, evaluation",), hidden=True
        ),
        Aspect("a saved state_dict loads into a new block", "interface", "saved", ("output",), hidden=True),
        Aspect("norms start at weight 1, bias 0", "interface", "new", ("initial: bn",), hidden=True),
    )


def _identity(group: str) -> tuple[Aspect, ...]:
    return (
        Aspect("output, the skip is x", group, "identity", ("output",)),
        Aspect("gradient of x, the skip is x", group, "identity", ("gradient of x",)),
        Aspect("gradients of the parameters, the skip is x", group, "identity", ("gradient",)),
        Aspect("a branch of zeros gives relu(x)", group, "zeroed", ("output", "gradient of x")),
        Aspect("x left as it was", group, "identity", ("input",)),
        Aspect("two images", group, "two images", ("output", "gradient"), hidden=True),
        Aspect("small numbers, where eps counts", group, "small weights", ("output",), hidden=True),
        Aspect("large numbers, evaluation mode", group, "large", ("output",), hidden=True),
        Aspect("input that is not contiguous", group, "not contiguous", ("output",), hidden=True),
        Aspect(
            "gradients switched off, x left as it was",
            group,
            "no gradient",
            ("output", "input"),
            hidden=True,
        ),
    )


def _projected(group: str) -> tuple[Aspect, ...]:
    return (
        Aspect("output with stride 2", group, "stride 2", ("output",)),
        Aspect("gradients with stride 2", group, "stride 2", ("gradient",)),
        Aspect("stride 1 and other channels", group, "other channels", ("output", "gradient")),
        Aspect("stride 2 and the same channels", group, "same channels, stride 2", ("output", "gradient")),
        Aspect("x left as it was, with a projection", group, "stride 2", ("input",)),
        Aspect("stride 3", group, "stride 3", ("output", "gradient"), hidden=True),
        Aspect("pictures of one row", group, "thin", ("output",), hidden=True),
        Aspect("float32 input", group, "float32", ("output",), hidden=True, tolerance=SINGLE),
        Aspect("one pixel with stride 2", group, "one pixel", ("output",), hidden=True),
    )


def _modes() -> tuple[Aspect, ...]:
    moving = ("bn", "downsample")
    return (
        Aspect("running statistics after a batch", "modes", "identity", ("bn",)),
        Aspect("running statistics of the projection", "modes", "stride 2", ("downsample",)),
        Aspect("output, evaluation mode", "modes", "modes", ("output, evaluation",)),
        Aspect(
            "evaluation leaves the running statistics alone",
            "modes",
            "modes",
            tuple(f"bn{i}.{each} after evaluation" for i in (1, 2, 3) for each in STATISTICS),
        ),
        Aspect("gradients in evaluation mode", "modes", "modes", ("gradient",), hidden=True),
        Aspect("evaluation of one image with stride 2", "modes", "modes, stride 2", ("output",), hidden=True),
        Aspect("two batches with stride 2", "modes", "modes, stride 2", moving, hidden=True),
    )


BASIC_BLOCK = Exercise(
    name="BasicBlock",
    kind="class",
    signature="in_channels, out_channels, stride=1",
    section="4.2",
    oracle=BasicBlock,
    probes=lambda seed: _probes(seed, convs=2, expansion=1),
    aspects=(*_interface(), *_identity("identity"), *_projected("projection"), *_modes()),
    misconceptions=tuple(BASIC),
    shortcuts=("torchvision",),
)

BOTTLENECK_BLOCK = Exercise(
    name="Bottleneck",
    kind="class",
    signature="in_channels, channels, stride=1",
    section="4.3",
    oracle=Bottleneck,
    probes=lambda seed: _probes(seed, convs=3, expansion=4),
    aspects=(*_interface(), *_identity("forward"), *_projected("forward"), *_modes()),
    misconceptions=tuple(BOTTLENECK),
    shortcuts=("torchvision",),
)
