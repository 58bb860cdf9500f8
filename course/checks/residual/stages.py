"""Exercise `make_layer`: what is drawn, what is looked at.

The blocks are stand-ins (`building.block_class`), so that a block of the student's own that does not work
yet costs no points here. Their expansion is 1, 2 or 3: a number written in place of `block.expansion` shows.
"""

from __future__ import annotations

import torch

from course.checks.framework import SINGLE, Aspect, DeepCopy, Draw, Exercise, Forward, ModuleProbe, Probe
from course.checks.probes.building import Fill, Outline, StandIn
from course.checks.residual.stage_mistakes import MAKE_LAYER as MISTAKES
from course.residual import make_layer


def _probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def stage(
        expansion: int, sizes: tuple[int, int, int], stride: int | None, draw: Draw = draw, batch: int = 2
    ) -> ModuleProbe:
        """Outline a stage, fill it and call it on pictures of 9×7 pixels."""
        in_channels, channels, blocks = sizes
        height, width = -(-9 // (stride or 1)), -(-7 // (stride or 1))
        x = draw.features(batch, in_channels, 9, 7)
        grad = draw.normal(batch, channels * expansion, height, width)
        return ModuleProbe(
            (StandIn(expansion), *sizes),
            (Outline("new"), Fill(seed), Forward("batch", x, grad)),
            {} if stride is None else {"stride": stride},
            dtype=x.dtype,
            note=f"{blocks} blocks",
        )

    one_step = Forward("a training step", draw.features(2, 4, 5, 4), draw.normal(2, 6, 5, 4))
    return {
        "three": stage(1, (4, 6, 3), None),
        "stride 2": stage(1, (4, 6, 3), 2),
        "expansion 2": stage(2, (4, 3, 3), 2),
        "same": stage(1, (4, 4, 2), 1),
        "one": stage(3, (5, 2, 1), 2),
        "four": stage(2, (6, 3, 4), 1),
        "stride 3": stage(1, (4, 6, 2), 3),
        "positional": ModuleProbe(
            (StandIn(1), 4, 6, 2, 2), (Fill(seed), Forward("batch", draw.features(2, 4, 5, 4)))
        ),
        "evaluation": ModuleProbe(
            (StandIn(2), 4, 3, 3, 2),
            (Fill(seed), Forward("evaluation", draw.features(1, 4, 9, 7), training=False)),
        ),
        "copied": ModuleProbe(
            (StandIn(1), 4, 6, 2), (Fill(seed), one_step, DeepCopy(), Forward("copy", one_step.x))
        ),
        "float32": stage(2, (4, 3, 2), 2, single),
        "same, stride 2": stage(1, (4, 4, 2), 2),
    }


_BUILT = ("new: names", "new: parameters")
_GROUP = "interface"

MAKE_LAYER = Exercise(
    name="make_layer",
    kind="function",
    signature="block, in_channels, channels, blocks, stride=1",
    section="4.4",
    oracle=make_layer,
    probes=_probes,
    aspects=(
        Aspect("an nn.Sequential of three blocks", _GROUP, "three", ("new: is an", "new: length", "new: in")),
        Aspect("names and shapes of three blocks", _GROUP, "three", _BUILT),
        Aspect("every block starts with weights of its own", _GROUP, "three", ("new: weights",)),
        Aspect("names and shapes with expansion 2", _GROUP, "expansion 2", _BUILT),
        Aspect("a single block", _GROUP, "one", _BUILT, hidden=True),
        Aspect("four blocks", _GROUP, "four", (*_BUILT, "new: length"), hidden=True),
        Aspect("a deep copy after a training step", _GROUP, "copied", ("output, copy",), hidden=True),
        Aspect("output with stride 1", "forward", "three", ("output",)),
        Aspect("output with stride 2", "forward", "stride 2", ("output",)),
        Aspect("output with stride 2 and expansion 2", "forward", "expansion 2", ("output",)),
        Aspect("gradients", "forward", "expansion 2", ("gradient",)),
        Aspect("as many channels as before", "forward", "same", ("output", "gradient"), hidden=True),
        Aspect("as many channels as before, stride 2", "forward", "same, stride 2", ("output",), hidden=True),
        Aspect("a single block with stride 2", "forward", "one", ("output",), hidden=True),
        Aspect("four blocks with stride 1", "forward", "four", ("output",), hidden=True),
        Aspect("stride 3", "forward", "stride 3", ("output",), hidden=True),
        Aspect("stride as the fifth argument", "forward", "positional", ("output",), hidden=True),
        Aspect("evaluation mode", "forward", "evaluation", ("output",), hidden=True),
        Aspect("float32 input", "forward", "float32", ("output",), hidden=True, tolerance=SINGLE),
    ),
    misconceptions=tuple(MISTAKES),
    shortcuts=("torchvision",),
)
