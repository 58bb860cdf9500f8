"""Exercise `build_model`: any CNN that fits the contract is right."""

from __future__ import annotations

import torch

from course import capstone as reference
from course.capstone_data import CLASSES
from course.checks.capstone.bands import PARAMETER_BUDGET
from course.checks.capstone.building_mistakes import BUILD
from course.checks.framework import Aspect, Draw, Exercise, Probe
from course.checks.probes.training_run import BuildProbe


def _probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed, torch.float32)

    def probe(pictures: int) -> BuildProbe:
        # Each class has its own pattern: easy to learn for any network that learns at all.
        y = torch.arange(pictures) % CLASSES
        patterns = draw.uniform(CLASSES, 1, 8, 8)
        x = (patterns[y] + draw.normal(pictures, 1, 8, 8, std=0.05)).clamp(0, 1)
        return BuildProbe(x, y, CLASSES, PARAMETER_BUDGET)

    return {"a network": probe(20), "another batch": probe(33)}


BUILD_MODEL = Exercise(
    name="build_model",
    kind="function",
    signature="",
    section="8.3",
    oracle=reference.build_model,
    probes=_probes,
    aspects=(
        Aspect("a network", "contract", "a network", ("network",)),
        Aspect("a new one in each call", "contract", "a network", ("new each time",)),
        Aspect(
            "10 logits for each picture",
            "contract",
            "a network",
            ("shape", "probabilities", "never negative"),
        ),
        Aspect("finite numbers", "contract", "a network", ("finite",)),
        Aspect("a convolution looks at the picture", "contract", "a network", ("convolution", "recordable")),
        Aspect("within the budget", "contract", "a network", ("budget",)),
        Aspect("all that it uses is in its state_dict", "contract", "a network", ("in the state_dict",)),
        Aspect("in training mode, nothing frozen", "training", "a network", ("in training", "asks for")),
        Aspect("its filters start different", "training", "a network", ("filters differ",)),
        Aspect("a gradient for each parameter", "training", "a network", ("without a gradient",)),
        Aspect("learns a few pictures", "training", "a network", ("learns",)),
        Aspect("evaluation mode: equal answers each time", "evaluation", "a network", ("repeats itself",)),
        Aspect("evaluation mode: pictures by themselves", "evaluation", "a network", ("each picture",)),
        Aspect("another batch: answers", "contract", "another batch", ("shape", "finite"), hidden=True),
        Aspect("another batch: training", "training", "another batch", ("learns", "without"), hidden=True),
        Aspect(
            "another batch: evaluation",
            "evaluation",
            "another batch",
            ("repeats", "each picture"),
            hidden=True,
        ),
    ),
    misconceptions=tuple(BUILD),
    unknown="Look at the contract in the text of the exercise, line by line.",
)
