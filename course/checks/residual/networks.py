"""Exercises `ResNet` and `resnet18`: what is drawn, what is looked at.

`ResNet` is built of thin stand-ins, so its widths are those of the real one and its numbers few. `resnet18`
is the only network of full size: its names and shapes, and one evaluation on two small pictures.
"""

from __future__ import annotations

import torch

from course.checks.framework import (
    Aspect,
    DeepCopy,
    Draw,
    Exercise,
    Forward,
    ModuleProbe,
    Probe,
    Reload,
    Tolerance,
)
from course.checks.probes.building import Fill, Outline, Spread, StandIn
from course.checks.residual.head_mistakes import HEAD
from course.checks.residual.network_mistakes import STAGES
from course.checks.residual.resnet18_mistakes import RESNET_18 as RESNET_18_MISTAKES
from course.residual import ResNet, resnet18

STEM_DRAWN = Tolerance(
    0.05,
    0.0,
    "the standard deviations of two right draws of n weights differ by 1/sqrt(n): 0.0045 for the 50,176 of "
    "this stem, so 0.05 is 11 of these; a false alarm in 1e27 checks",
)

BLOCKS_DRAWN = Tolerance(
    0.2,
    0.0,
    "as for the stem: at most 0.022 for the 2048 weights or more of a stand-in, so 0.2 is 9 of these; seven "
    "comparisons, a false alarm in 1e17 checks",
)

HEAD_DRAWN = Tolerance(
    0.2,
    0.0,
    "the standard deviations of two right draws of 2560 uniform weights differ by 0.012, so 0.2 is 16 of "
    "these; with fan_out it is 25 times the right one",
)

NORMAL = Tolerance(
    0.0,
    0.03,
    "0.072 of normal numbers are beyond 1.8 standard deviations, of 50,176 within 0.0012; two draws differ "
    "by 0.0016, so 0.03 is 18 of these; of uniform numbers (fc: 2560) none are beyond",
)

DEEP_SINGLE = Tolerance(
    1e-3, 1e-3, "float32 through 18 layers; measured: 2e-6 off for logits up to 5; mistakes 0.01 and more"
)


# --- ResNet -------------------------------------------------------------------------------------------------


def _resnet_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)
    block, wide = StandIn(1), StandIn(2)
    picture = draw.features(2, 3, 70, 41)  # five times halved: 3×2 pixels are left to average

    def evaluation(name: str, channels: int = 3, *size: int) -> Forward:
        return Forward(name, draw.features(1, channels, *size), training=False)

    return {
        "new": ModuleProbe((block, [2, 1, 1, 3]), (Outline("new"),), draws=False),
        "expansion 2": ModuleProbe(
            (wide, (1, 2, 1, 1), 7, 1), (Outline("new"), Fill(seed), evaluation("batch", 1, 65, 40))
        ),
        "initial": ModuleProbe((block, [1, 2, 1, 1], 5, 16), (Spread("drawn"),)),
        "batch": ModuleProbe(
            (block, [2, 1, 1, 1]),
            (Fill(seed), Forward("batch", picture, draw.normal(2, 6))),
            {"num_classes": 6},
            watch=("bn1.running_mean", "bn1.running_var"),
            gradients=("conv1.weight", "bn1.weight", "bn1.bias", "fc.weight", "fc.bias"),
            note="70×41 pixels",
        ),
        "evaluation": ModuleProbe(
            (block, [1, 1, 2, 1], 5),
            (
                Fill(seed),
                evaluation("evaluation", 3, 64, 96),
                evaluation("a small picture", 3, 20, 33),
            ),
            watch=("bn1.running_mean", "bn1.running_var"),
        ),
        "one channel": ModuleProbe(
            (block, [1, 1, 1, 1]),
            (Fill(seed), evaluation("batch", 1, 48, 32)),
            {"num_classes": 4, "in_channels": 1},
        ),
        "copied": ModuleProbe(
            (block, [1, 1, 1, 1], 4),
            (
                Fill(seed),
                Forward("a training step", picture[..., :33], draw.normal(2, 4)),
                DeepCopy(),
                Reload(),
                evaluation("copy", 3, 33, 40),
            ),
        ),
        "1×1": ModuleProbe((StandIn(1, size=1), [1, 1, 1, 1], 5, 16), (Spread("drawn"),)),
    }


_BUILT = ("new: names", "new: parameters")

RESNET = Exercise(
    name="ResNet",
    kind="class",
    signature="block, layers, num_classes=1000, in_channels=3",
    section="4.5",
    oracle=ResNet,
    probes=_resnet_probes,
    aspects=(
        Aspect("names and shapes", "interface", "new", _BUILT),
        Aspect("names and shapes: expansion 2, 7 classes, 1 channel", "interface", "expansion 2", _BUILT),
        Aspect("copied, saved and loaded", "interface", "copied", ("output, copy",), hidden=True),
        Aspect("output", "forward", "batch", ("output",)),
        Aspect("gradient of the picture", "forward", "batch", ("gradient of x",)),
        Aspect("gradients of stem and head", "forward", "batch", ("gradient",)),
        Aspect("output with expansion 2", "forward", "expansion 2", ("output",)),
        Aspect("picture left as it was", "forward", "batch", ("input",)),
        Aspect("running statistics of the stem", "forward", "batch", ("bn1",), hidden=True),
        Aspect("evaluation mode", "forward", "evaluation", ("output, evaluation", "bn1"), hidden=True),
        Aspect("a picture of 20×33 pixels", "forward", "evaluation", ("output, a small",), hidden=True),
        Aspect("pictures of one channel", "forward", "one channel", ("output",), hidden=True),
        Aspect(
            "spread of the stem's weights",
            "initialization",
            "initial",
            ("drawn: standard deviation of conv1",),
            tolerance=STEM_DRAWN,
        ),
        Aspect(
            "spread of the weights in the blocks",
            "initialization",
            "initial",
            ("drawn: standard deviation of layer",),
            tolerance=BLOCKS_DRAWN,
        ),
        Aspect(
            "fc keeps torch's first weights",
            "initialization",
            "initial",
            ("drawn: standard deviation of fc", "drawn: fc.bias"),
            tolerance=HEAD_DRAWN,
        ),
        Aspect(
            "norms start at weight 1, bias 0",
            "initialization",
            "initial",
            ("drawn: bn", "drawn: layer1.0.bn"),
        ),
        Aspect(
            "normal, not uniform",
            "initialization",
            "initial",
            ("drawn: share far out of conv1",),
            tolerance=NORMAL,
        ),
        Aspect(
            "fc uniform, as torch draws it",
            "initialization",
            "initial",
            ("drawn: share far out of fc",),
            hidden=True,
            tolerance=NORMAL,
        ),
        Aspect(
            "spread of 1×1 convolutions in the blocks",
            "initialization",
            "1×1",
            ("drawn: standard deviation of layer3", "drawn: standard deviation of layer4"),
            hidden=True,
            tolerance=BLOCKS_DRAWN,
        ),
    ),
    misconceptions=(*STAGES, *HEAD),
    shortcuts=("torchvision",),
)


# --- resnet18 -----------------------------------------------------------------------------------------------


def _resnet18_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed, torch.float32)
    return {
        "imagenet": ModuleProbe((), (Outline("new"),), dtype=torch.float32, draws=False),
        "digits": ModuleProbe(
            (10, 1),
            (Outline("new"), Fill(seed), Forward("evaluation", draw.features(2, 1, 33, 40), training=False)),
            dtype=torch.float32,
            draws=False,
            note="two pictures of 33×40 pixels",
        ),
        "by name": ModuleProbe(
            (),
            (Outline("new"), Spread("drawn")),
            {"in_channels": 2, "num_classes": 4},
            dtype=torch.float32,
            draws=False,
        ),
    }


RESNET_18 = Exercise(
    name="resnet18",
    kind="function",
    signature="num_classes=1000, in_channels=3",
    section="4.5",
    oracle=resnet18,
    probes=_resnet18_probes,
    aspects=(
        Aspect("names and shapes for ImageNet", "interface", "imagenet", ("new: names",)),
        Aspect("parameters that learn", "interface", "imagenet", ("new: parameters", "new: in")),
        Aspect("10 classes, 1 channel", "interface", "digits", ("new: names",)),
        Aspect("arguments by name", "interface", "by name", ("new: names",), hidden=True),
        Aspect(
            "norms start at weight 1, bias 0",
            "interface",
            "by name",
            ("drawn: bn", "drawn: layer"),
        ),
        Aspect("output, evaluation mode", "forward", "digits", ("output",), tolerance=DEEP_SINGLE),
    ),
    misconceptions=tuple(RESNET_18_MISTAKES),
    shortcuts=("torchvision",),
)
