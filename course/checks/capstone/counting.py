"""Exercises `count_parameters`, `confusion_matrix` and `accuracy_with_error`."""

from __future__ import annotations

import torch
from torch import Tensor

from course import capstone as reference
from course.checks.capstone.counting_mistakes import CONFUSION, COUNT, ERROR
from course.checks.framework import Aspect, CallProbe, Draw, Exercise, Probe
from course.checks.probes.networks import Call, Look, Network, NetworkProbe, Part
from course.checks.transfer.common import batch_norm, block, linear, pictures, relu, rows, values

# --- count_parameters ---------------------------------------------------------------------------------------


def _count_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)

    def probe(network: Network, **options: object) -> NetworkProbe:
        steps = (Call("call", "number"), Look("after"))
        return NetworkProbe(network, values(draw, network), steps, **options)  # type: ignore[arg-type]

    tied = Network(
        {"first": linear(4, 4), "relu": relu(), "second": linear(4, 4), "head": linear(4, 3)},
        shared={"second": "first"},
    )
    frozen = ("block1.linear.weight", "block1.linear.bias", "block2.norm.weight")
    nested = Network({"body": Network({"inner": block(6, 5), "norm": batch_norm(5)}), "head": linear(5, 7)})
    bare = Network(
        {"conv": Part("Conv2d", (3, 5, (3, 2)), {"bias": False}), "norm": Part("BatchNorm2d", (5,))}
    )
    return {
        "layers": probe(rows(), note="two blocks with batch norm, and a head: 75 parameters"),
        "frozen": probe(rows(), frozen=frozen),
        "shared": probe(tied, note="the second layer uses the parameters of the first"),
        "nested": probe(nested),
        "CNN": probe(pictures()),
        "no bias": probe(bare),
    }


COUNTED = ("call: returns",)

COUNT_PARAMETERS = Exercise(
    name="count_parameters",
    kind="function",
    signature="model",
    section="8.2",
    oracle=reference.count_parameters,
    probes=_count_probes,
    aspects=(
        Aspect("linear layers and batch norm", "numbers", "layers", COUNTED),
        Aspect("a CNN", "numbers", "CNN", COUNTED),
        Aspect("layers in layers", "numbers", "nested", COUNTED, hidden=True),
        Aspect("a layer without a bias", "numbers", "no bias", COUNTED, hidden=True),
        Aspect("frozen parameters", "frozen-and-shared", "frozen", COUNTED),
        Aspect("shared parameters", "frozen-and-shared", "shared", COUNTED),
        Aspect("the model left as it was", "frozen-and-shared", "frozen", ("after: asks for gradients",)),
    ),
    misconceptions=tuple(COUNT),
)

# --- confusion_matrix ---------------------------------------------------------------------------------------


def _classes(draw: Draw, n: int, classes: int) -> Tensor:
    return draw.uniform(n, high=float(classes)).long()


def _confusion_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)

    def probe(predictions: Tensor, labels: Tensor, classes: int, note: str = "") -> CallProbe:
        inputs = {"predictions": predictions, "labels": labels, "num_classes": classes}
        return CallProbe(inputs, ("matrix",), note=note)

    n = 60
    labels = torch.cat([torch.arange(4), _classes(draw, n - 4, 4)])
    # Half of the answers are right, and each class is both right and wrong.
    answers = torch.where(draw.uniform(n) < 0.5, labels, _classes(draw, n, 4))
    answers[:4], labels[4:8], answers[4:8] = labels[:4], torch.arange(4), (torch.arange(4) + 1) % 4
    answers[-1], labels[-1] = 2, 0
    absent = _classes(draw, 40, 3)
    return {
        "four classes": probe(answers, labels, 4, "60 examples, 4 classes"),
        "absent classes": probe(absent.roll(1), absent, 6, "6 classes, and 3 of them do not occur"),
        "never a label": probe((absent + 1) % 4, absent.clamp(max=1), 5),
        "ten classes": probe(_classes(draw, 300, 10), _classes(draw, 300, 10), 10),
        "one example": probe(torch.tensor([1]), torch.tensor([0]), 3),
    }


MATRIX = ("matrix",)

CONFUSION_MATRIX = Exercise(
    name="confusion_matrix",
    kind="function",
    signature="predictions, labels, num_classes",
    section="8.6",
    oracle=reference.confusion_matrix,
    probes=_confusion_probes,
    aspects=(
        Aspect("counts", "counts", "four classes", MATRIX),
        Aspect("ten classes", "counts", "ten classes", MATRIX, hidden=True),
        Aspect("one example", "counts", "one example", MATRIX, hidden=True),
        Aspect("labels left as they were", "counts", "four classes", ("input",)),
        Aspect("classes that do not occur", "classes", "absent classes", MATRIX),
        Aspect("an answer that is never a label", "classes", "never a label", MATRIX, hidden=True),
    ),
    misconceptions=tuple(CONFUSION),
)

# --- accuracy_with_error ------------------------------------------------------------------------------------


def _error_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(n: int, classes: int, share: float, source: Draw = draw, note: str = "") -> CallProbe:
        labels = _classes(source, n, classes)
        logits = source.normal(n, classes)
        right = torch.arange(n) < round(share * n)
        answers = torch.where(right, labels, (labels + 1) % classes)
        logits[torch.arange(n), answers] += 6.0
        return CallProbe({"logits": logits, "labels": labels}, ("accuracy", "error"), note=note)

    return {
        "most right": probe(10, 4, 0.8, note="10 examples, 4 classes"),
        "half right": probe(37, 5, 0.55),
        "all right": probe(12, 3, 1.0),
        "float32": probe(50, 10, 0.9, single),
        "two classes": probe(9, 2, 0.4),
    }


ACCURACY_WITH_ERROR = Exercise(
    name="accuracy_with_error",
    kind="function",
    signature="logits, labels",
    section="8.7",
    oracle=reference.accuracy_with_error,
    probes=_error_probes,
    aspects=(
        Aspect("accuracy", "numbers", "most right", ("accuracy",)),
        Aspect("standard error", "numbers", "most right", ("error",)),
        Aspect("other examples", "numbers", "half right", ("accuracy", "error"), hidden=True),
        Aspect("two classes", "numbers", "two classes", ("accuracy", "error"), hidden=True),
        Aspect("float32", "numbers", "float32", ("accuracy", "error"), hidden=True),
        Aspect("all answers right: no error", "numbers", "all right", ("accuracy", "error")),
    ),
    misconceptions=tuple(ERROR),
)
