"""Exercise `orthogonal_`: what is drawn, what is looked at."""

from __future__ import annotations

import torch
from torch import nn

from course.checks.framework import Aspect, Exercise, Probe
from course.checks.initialization import statistics
from course.checks.initialization.filling import FILLED, PLACE, place_probes
from course.checks.initialization.orthogonal_mistakes import ORTHOGONAL as MISTAKES
from course.checks.probes.drawing import FillProbe, RefusalProbe


def _probes(seed: int) -> dict[str, Probe]:
    def probe(*shape: int, draws: int = 3, **options: float) -> FillProbe:
        note = f"shape {shape}" + "".join(f", {name} = {value}" for name, value in options.items())
        return FillProbe(shape, options, 1000 * seed + sum(shape), draws, note=note)

    return {
        "square": probe(5, 5),
        "tall": probe(7, 3),
        "wide": probe(4, 9),
        "conv": probe(6, 2, 3, 2),
        "tall conv": probe(9, 2, 1, 2, gain=0.5),
        "gain": probe(4, 6, gain=2.5),
        "float32": FillProbe((5, 8), seed=seed, draws=3, dtype=torch.float32),
        "strided": FillProbe((5, 8), seed=seed, draws=3, strided=True),
        "many": probe(2, 2, draws=statistics.MATRICES),
        "many tall": probe(4, 2, draws=statistics.MATRICES),
        "many wide": probe(2, 4, draws=statistics.MATRICES),
        "bias": RefusalProbe((4,)),
        **place_probes(seed),
    }


_O, _U = "orthogonal", "uniform"


def _gram(label: str, probe: str, hidden: bool = False) -> Aspect:
    return Aspect(label, _O, probe, FILLED, hidden, statistics.ORTHOGONAL, measure=statistics.gram)


def _entries(label: str, probe: str, hidden: bool = False) -> Aspect:
    return Aspect(label, _U, probe, FILLED, hidden, statistics.ENTRIES, measure=statistics.entries)


def _products(label: str, probe: str) -> Aspect:
    return Aspect(label, _U, probe, FILLED, True, statistics.PRODUCTS, measure=statistics.products)


ORTHOGONAL = Exercise(
    name="orthogonal_",
    kind="function",
    signature="tensor, gain=1",
    section="2.7",
    oracle=nn.init.orthogonal_,
    probes=_probes,
    aspects=(
        _gram("orthonormal rows and columns: square", "square"),
        _gram("orthonormal columns: more rows than columns", "tall"),
        _gram("orthonormal rows: more columns than rows", "wide"),
        _gram("a convolution: orthonormal rows of (out, in * kH * kW)", "conv"),
        _gram("gain as an argument", "gain"),
        _gram("a convolution with more rows than columns, and gain", "tall conv", hidden=True),
        _gram("a float32 tensor", "float32", hidden=True),
        _gram("a tensor that is not contiguous", "strided", hidden=True),
        Aspect("ValueError for a bias (1 dimension)", _O, "bias", ("raises",), hidden=True),
        _entries("no sign is preferred: each entry has mean 0", "many"),
        Aspect(
            "rotations and reflections, equally often",
            *(_U, "many", FILLED, False, statistics.DETERMINANTS),
            measure=statistics.determinants,
        ),
        _entries("the same, more rows than columns", "many tall", hidden=True),
        _entries("the same, more columns than rows", "many wide", hidden=True),
        Aspect(
            "every direction is equally likely",
            *(_U, "many tall", FILLED, True, statistics.FOURTH_POWERS),
            measure=statistics.fourth_powers,
        ),
        _products("all entries have the same variance, no two go together", "many"),
        _products("the same, more rows than columns ", "many tall"),
        _products("the same, more columns than rows ", "many wide"),
        *PLACE,
    ),
    misconceptions=tuple(MISTAKES),
    shortcuts=("orthogonal",),
)
