"""Networks of the exercises that look at a trained one: `predict_with_tta` and `fgsm_attack`.

They hold what shows the mode: a batch norm with a history, and a dropout that drops everything in training
mode, so that every answer that forgets the mode gives the same numbers.
"""

from __future__ import annotations

from torch import Tensor

from course.checks.framework import Draw
from course.checks.probes.networks import Network, Part
from course.checks.transfer.common import CLASSES, dropout, linear, relu, values

__all__ = ["CLASSES", "pictures", "plain", "rows", "trained", "values"]


def pictures() -> Network:
    """A small CNN for (N, 1, 4, 4)."""
    features = {
        "0": Part("Conv2d", (1, 3, 3), {"padding": 1}),
        "1": Part("BatchNorm2d", (3,)),
        "2": relu(inplace=True),
        "3": Part("MaxPool2d", (2,)),
    }
    return Network(
        {"features": Network(features), "dropout": dropout(), "fc": linear(12, CLASSES)}, "Flattening"
    )


def rows() -> Network:
    """A network for rows (N, 6) without batch norm."""
    return Network({"hidden": linear(6, 8), "tanh": Part("Tanh"), "head": linear(8, CLASSES)})


def plain() -> Network:
    """A CNN for (N, 1, 4, 4) that is the same in both modes."""
    return Network(
        {"conv": Part("Conv2d", (1, 3, 3)), "tanh": Part("Tanh"), "fc": linear(12, CLASSES)}, "Flattening"
    )


def trained(draw: Draw, network: Network, head: str, sure: float = 4.0) -> dict[str, Tensor]:
    """A state_dict as if the network had been trained, which is sure of some of its answers."""
    state = values(draw, network)
    state[f"{head}.weight"] = state[f"{head}.weight"] * sure
    return state
