"""Exercise `to_device`: the batches, and what is looked at."""

from __future__ import annotations

from typing import Any

import torch

from course import batches as reference
from course.checks.framework import Aspect, Draw, Exercise, Probe
from course.checks.gpu.moving_mistakes import TO_DEVICE as MISTAKES
from course.checks.probes.batches import BatchProbe, Named, Thing


def _probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)

    def pictures(n: int = 3) -> torch.Tensor:
        return draw.normal(n, 1, 2, 2)

    def labels(n: int = 3) -> torch.Tensor:
        return torch.arange(n)

    def mixed() -> Any:
        return {"pair": (pictures(), [labels(), 3]), "name": "train", "none": None, "rate": 0.5}

    sample = Named("Sample", ("image", "label"), (pictures(), labels()))
    inside = Named("Crop", ("image", "box"), (pictures(2), Named("Box", ("x", "y"), (labels(2), 7))))
    return {
        "tensor": BatchProbe(pictures(), note="a tensor alone, to the device meta"),
        "pair": BatchProbe((pictures(), labels()), note="a tuple of pictures and labels, to meta"),
        "list": BatchProbe(
            [pictures(), labels()], as_text=True, note='a list; the device is the text "meta"'
        ),
        "dict": BatchProbe({"image": pictures(), "label": labels()}, note="a dictionary, to meta"),
        "nested": BatchProbe(
            {"views": [pictures(2), (pictures(1), labels(1))], "label": labels(2)},
            note="tensors in a tuple in a list in a dictionary",
        ),
        "named": BatchProbe(sample, note="a named tuple"),
        "others": BatchProbe(
            (pictures(), "train", 3, None, 0.5, True, Thing()), note="text, numbers, None, ..."
        ),
        "stays": BatchProbe({"views": [pictures(), labels()], "label": labels()}),
        "there": BatchProbe((pictures(), {"label": labels()}), device="cpu", note="to the CPU, where it is"),
        "waits": BatchProbe((pictures(), labels()), note="non_blocking is left out"),
        "hurries": BatchProbe(
            [pictures(), {"label": labels()}], options={"non_blocking": True}, note="non_blocking=True"
        ),
        "hurries alone": BatchProbe(pictures(), options={"non_blocking": True}, note="a tensor alone"),
        "graph": BatchProbe((pictures(), labels()), with_graph=True, note="the pictures have a graph"),
        "mixed": BatchProbe(mixed()),
        "named inside": BatchProbe([inside, ()]),
        "empty": BatchProbe({"a": [], "b": (), "c": {}, "d": labels()}),
        "half": BatchProbe((pictures() > 0, [[labels()], [pictures()]])),
        "there, all kinds": BatchProbe([mixed(), sample], device="cpu", as_text=True),
        "graph at home": BatchProbe([pictures()], device="cpu", with_graph=True),
        "hurries, named": BatchProbe(sample, options={"non_blocking": True}),
    }


_C, _T, _K = "containers", "tensors", "care"
ALL = ("containers", "tensors", "other values")
WHERE = ("tensors",)

TO_DEVICE = Exercise(
    name="to_device",
    kind="function",
    signature="batch, device, non_blocking=False",
    section="7.1",
    oracle=reference.to_device,
    probes=_probes,
    aspects=(
        Aspect("a tensor", _T, "tensor", WHERE),
        Aspect("a tuple of tensors", _T, "pair", WHERE),
        Aspect("a list of tensors", _T, "list", WHERE),
        Aspect("a dictionary of tensors", _T, "dict", WHERE),
        Aspect("containers in containers", _T, "nested", WHERE),
        Aspect("a named tuple of tensors", _T, "named", WHERE),
        Aspect("bool tensors, and lists of lists", _T, "half", ALL, hidden=True),
        Aspect("a tuple stays a tuple", _C, "pair", ("containers",)),
        Aspect("a list stays a list", _C, "list", ("containers",)),
        Aspect("a dictionary keeps its keys", _C, "dict", ("containers",)),
        Aspect("types inside of containers", _C, "nested", ("containers",)),
        Aspect("a named tuple stays one", _C, "named", ("containers",)),
        Aspect("values that are no tensors", _C, "others", ALL),
        Aspect("all kinds together", _C, "mixed", ALL, hidden=True),
        Aspect("named tuples inside, and an empty tuple", _C, "named inside", ALL, hidden=True),
        Aspect("empty containers", _C, "empty", ALL, hidden=True),
        Aspect("the given batch is as it was", _K, "stays", ("the batch",)),
        Aspect("what is on the device already is not copied", _K, "there", ("copies",)),
        Aspect("non_blocking=True is passed on", _K, "hurries", ("ways",)),
        Aspect("non_blocking=True, for a tensor alone", _K, "hurries alone", ("ways",)),
        Aspect("non_blocking is False when left out", _K, "waits", ("ways",)),
        Aspect("the graph goes along", _K, "graph", ("graphs",)),
        Aspect(
            "nothing is copied, all kinds", _K, "there, all kinds", (*ALL, "copies", "the batch"), hidden=True
        ),
        Aspect("the graph, without a move", _K, "graph at home", ("graphs", "copies"), hidden=True),
        Aspect("non_blocking in a named tuple", _K, "hurries, named", ("ways",), hidden=True),
    ),
    misconceptions=tuple(MISTAKES),
)
