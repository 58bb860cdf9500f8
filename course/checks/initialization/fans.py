"""Exercise `calculate_fan_in_and_fan_out`: what is drawn, what is looked at."""

from __future__ import annotations

from torch.nn import init

from course.checks.framework import Aspect, CallProbe, Draw, Exercise, Probe
from course.checks.initialization.fans_mistakes import CALCULATE_FAN_IN_AND_FAN_OUT as MISTAKES
from course.checks.probes.drawing import RefusalProbe

FANS = ("fan_in", "fan_out")


def _probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)

    def probe(*shape: int) -> Probe:
        return CallProbe({"tensor": draw.normal(*shape)}, FANS, note=f"shape {shape}")

    return {
        "dense": probe(3, 5),
        "square": probe(4, 4),
        "one output": probe(1, 6),
        "conv": probe(4, 3, 2, 5),
        "conv1d": probe(2, 3, 7),
        "conv3d": probe(5, 2, 2, 3, 4),
        "bias": RefusalProbe((6,)),
        "number": RefusalProbe(()),
        "one input": probe(4, 1, 2, 3),
        "strided": CallProbe({"tensor": draw.normal(5, 3).T}, FANS),
    }


CALCULATE_FAN_IN_AND_FAN_OUT = Exercise(
    name="calculate_fan_in_and_fan_out",
    kind="function",
    signature="tensor",
    section="2.4",
    oracle=init._calculate_fan_in_and_fan_out,
    probes=_probes,
    aspects=(
        Aspect("fan_in of a linear layer", "dense", "dense", ("fan_in",)),
        Aspect("fan_out of a linear layer", "dense", "dense", ("fan_out",)),
        Aspect("tensor left as it was", "dense", "dense", ("input",)),
        Aspect("ValueError for a bias (1 dimension)", "dense", "bias", ("raises",)),
        Aspect("a single output", "dense", "one output", FANS, hidden=True),
        Aspect("as many inputs as outputs", "dense", "square", FANS, hidden=True),
        Aspect("a tensor that is not contiguous", "dense", "strided", FANS, hidden=True),
        Aspect("ValueError for a number (0 dimensions)", "dense", "number", ("raises",), hidden=True),
        Aspect("fan_in of a convolution", "conv", "conv", ("fan_in",)),
        Aspect("fan_out of a convolution", "conv", "conv", ("fan_out",)),
        Aspect("one kernel axis (Conv1d)", "conv", "conv1d", FANS, hidden=True),
        Aspect("three kernel axes (Conv3d)", "conv", "conv3d", FANS, hidden=True),
        Aspect("a convolution with a single input", "conv", "one input", FANS, hidden=True),
    ),
    misconceptions=tuple(MISTAKES),
    shortcuts=("calculate_fan_in_and_fan_out", "calculate_correct_fan"),
)
