"""Networks that the probes of this lesson are made of, and the values in them.

They are as small as they can be and still hold what goes wrong: batch norm with a history, dropout, an
in-place ReLU, blocks in blocks, a flatten that only ``forward`` knows of. Dropout drops everything (p = 1):
in training mode its output is 0 whatever is drawn, so that every right answer gives the same numbers.
"""

from __future__ import annotations

from torch import Tensor

from course.checks.framework import Draw
from course.checks.probes.networks import Network, Part, make

CLASSES = 3


def linear(inputs: int, outputs: int, bias: bool = True) -> Part:
    """A linear layer."""
    return Part("Linear", (inputs, outputs), {"bias": bias})


def batch_norm(features: int) -> Part:
    """A batch norm of rows (N, C)."""
    return Part("BatchNorm1d", (features,))


def relu(inplace: bool = False) -> Part:
    """A ReLU."""
    return Part("ReLU", (), {"inplace": inplace})


def dropout() -> Part:
    """A dropout that drops everything in training mode."""
    return Part("Dropout", (1.0,))


def block(inputs: int, outputs: int) -> Network:
    """Linear layer, batch norm, ReLU."""
    return Network({"linear": linear(inputs, outputs), "norm": batch_norm(outputs), "relu": relu()})


def rows(inputs: int = 4) -> Network:
    """A network for rows (N, inputs): two blocks, a ReLU of its own, a head."""
    return Network(
        {"block1": block(inputs, 5), "relu": relu(), "block2": block(5, 4), "head": linear(4, CLASSES)}
    )


def inside() -> Network:
    """A network for rows (N, 4) whose head, classifier.1, is neither its last child nor its last layer."""
    classifier = Network({"0": relu(), "1": linear(5, CLASSES)})
    return Network({"body": block(4, 5), "classifier": classifier, "scale": linear(CLASSES, CLASSES)})


def pictures() -> Network:
    """A small CNN for (N, 1, 4, 4): nested features, a flatten in its forward, a head that is called fc."""
    features = {
        "0": Part("Conv2d", (1, 2, 3), {"padding": 1}),
        "1": Part("BatchNorm2d", (2,)),
        "2": relu(inplace=True),
        "3": Part("MaxPool2d", (2,)),
    }
    return Network({"features": Network(features), "fc": linear(8, CLASSES)}, "Flattening")


def values(draw: Draw, network: Network | Part) -> dict[str, Tensor]:
    """A state_dict for the network, as if it had been trained: no statistic is 0 or 1."""
    state = {}
    for name, value in make(network).state_dict().items():
        if not value.is_floating_point():
            state[name] = value + 7  # num_batches_tracked
        elif name.endswith("running_var"):
            state[name] = draw.uniform(*value.shape, low=0.5, high=3.0)
        elif value.dim() > 1:
            state[name] = draw.normal(*value.shape, std=value[0].numel() ** -0.5)
        else:
            # A batch norm whose weight is near 1 passes the gradient on; other vectors lie around 0.
            mean = 1.0 if "norm.weight" in name or name == "features.1.weight" else 0.0
            state[name] = draw.normal(*value.shape, mean=mean, std=0.3)
    return state
