"""Exercises `pca_project`, `linear_probe` and `retrieve`: what is drawn, what is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course import features as reference
from course.checks.framework import SINGLE, Aspect, CallProbe, Draw, Exercise, Probe, Tolerance
from course.checks.transfer.pca_mistakes import PCA
from course.checks.transfer.probe_mistakes import PROBE
from course.checks.transfer.retrieve_mistakes import RETRIEVE

# --- pca_project --------------------------------------------------------------------------------------------

PROJECTED_SINGLE = Tolerance(
    1e-2, 1e-2, "float32 finds directions to about 1e-4 where variances differ by 2; a mistake shows by 0.1"
)


RETURNED = ("projected", "explained_variance_ratio")


def _spread(draw: Draw, n: int, *stds: float) -> Tensor:
    """Correlated data (n, D) with these standard deviations along random directions, and means around 3.

    They are far apart, for the directions of equal variances would be anybody's choice.
    """
    directions, _ = torch.linalg.qr(draw.normal(len(stds), len(stds)).double())
    axes = draw.normal(n, len(stds)).double()
    axes = axes - axes.mean(0)
    if n > len(stds):
        axes = torch.linalg.qr(axes)[0] * (n - 1) ** 0.5  # exactly uncorrelated, variance 1
    data = axes * torch.tensor(stds, dtype=torch.float64) @ directions.T
    return data + draw.normal(1, len(stds), mean=3.0)


def _pca_probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)

    def probe(train: Tensor, x: Tensor, k: int, note: str = "") -> Probe:
        return CallProbe({"train": train, "x": x, "k": k}, RETURNED, note=note)

    train = _spread(draw, 9, 5.0, 2.0, 1.0, 0.4)
    other = _spread(draw, 5, 3.0, 2.0, 1.5, 1.0) + 1
    flat = torch.cat([_spread(draw, 8, 3.0, 1.0), torch.zeros(8, 2, dtype=torch.float64)], 1)
    single = _spread(draw, 30, 4.0, 2.0, 1.0)
    return {
        "data": probe(train, other, 2, "9 training rows of 4 features, k = 2"),
        "train itself": probe(train, train, 3),
        "one row": probe(train, train[:1] + 1, 2),
        "one component": probe(train, other, 1),
        "all components": probe(train, train.flip(1) + 1, 4),  # of the shape of train
        "few rows": probe(
            _spread(draw, 4, 9.0, 5.0, 3.0, 2.0, 1.0, 0.5), draw.normal(3, 6), 2, "4 rows of 6 features"
        ),
        "flat": probe(flat, flat[:3] + 1, 2, "two features are always 0"),
        "float32": probe(single.float(), single[:6].float(), 2),
        "strided": probe(train.T.contiguous().T, other.T.contiguous().T, 2),
    }


def _free_signs(projected: Tensor, other: Tensor) -> Tensor:
    """Flip each column towards the same column of `other`: -v is as good a direction as v."""
    return torch.where((projected * other).sum(0) < 0, -projected, projected)


def _projected(label: str, probe: str, hidden: bool = False, **options: Any) -> Aspect:
    return Aspect(label, "projection", probe, ("projected",), hidden, align=_free_signs, **options)


def _ratio(label: str, probe: str, hidden: bool = False, **options: Any) -> Aspect:
    return Aspect(label, "explained-variance", probe, ("explained",), hidden, **options)


PCA_PROJECT = Exercise(
    name="pca_project",
    kind="function",
    signature="train, x, k",
    section="6.4",
    oracle=reference.pca_project,
    probes=_pca_probes,
    aspects=(
        _projected("other data, on the directions of train", "data"),
        _projected("train itself", "train itself"),
        _projected("one component", "one component"),
        _projected("fewer rows than features", "few rows"),
        Aspect("train and x as before", "projection", "data", ("input",)),
        _projected("all components", "all components", hidden=True),
        _projected("a single row", "one row", hidden=True),
        _projected("features that are always 0", "flat", hidden=True),
        _projected("float32 data", "float32", hidden=True, tolerance=PROJECTED_SINGLE),
        _projected("data that is not contiguous", "strided", hidden=True),
        _ratio("share of the variance of train", "data"),
        _ratio("one component's share", "one component"),
        _ratio("shares with fewer rows than features", "few rows"),
        _ratio("all shares", "all components", hidden=True),
        _ratio("features that are always 0", "flat", hidden=True),
        _ratio("float32 data", "float32", hidden=True, tolerance=SINGLE),
    ),
    misconceptions=tuple(PCA),
    shortcuts=("pca_lowrank",),
)

# --- linear_probe -------------------------------------------------------------------------------------------

CONVERGED = Tolerance(
    5e-3, 5e-3, "an optimizer that stops at a gradient of 1e-5 is that near to the end; mistakes show by 2e-2"
)
CONVERGED_SINGLE = Tolerance(
    2e-2, 2e-2, "float32: the loss is flat to 1e-7 around its minimum, which leaves the weights free by 1e-3"
)


TIME_LIMIT = 30.0
"""Seconds for one probe: 8000 steps of SGD are a right answer, and the log of what ran makes 10 s of them."""


def _clouds(
    draw: Draw, per_class: tuple[int, ...], inputs: int, apart: float, off: float = 1.5
) -> tuple[Tensor, Tensor]:
    """Features around a centre per class, and their labels, mixed; all lie off 0, so that a bias counts.

    With many features, far off 0 or far apart, the bias settles slowly: plain SGD would need 10,000 steps.
    """
    centres = draw.normal(len(per_class), inputs, std=apart)
    labels = torch.cat([torch.full((n,), c) for c, n in enumerate(per_class)])
    features = centres[labels] + draw.normal(len(labels), inputs) + off
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(len(labels)))
    return features[order], labels[order]


def _probe_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(
        features: Tensor, labels: Tensor, note: str = "", source: Draw = draw, **options: float
    ) -> Probe:
        then = source.normal(4, features.shape[1]) + 1
        inputs = {"features": features, "labels": labels}
        return CallProbe(inputs, ("layer",), options, then=then, time_limit=TIME_LIMIT, note=note)

    strong = {"weight_decay": 0.1}
    return {
        "overlapping": probe(*_clouds(draw, (7, 4, 5), 3, 1.0), "three classes that overlap", **strong),
        "separable": probe(*_clouds(draw, (3, 3), 5, 1.0, 0.5), "6 examples, separable", **strong),
        "uneven": probe(*_clouds(draw, (12, 2), 2, 0.7), weight_decay=0.05),
        "default": probe(*_clouds(draw, (8, 6, 7, 9), 2, 0.5)),
        "more features": probe(*_clouds(draw, (2, 2, 2), 10, 1.0, 0.5), weight_decay=0.2),
        "float32": probe(*_clouds(single, (6, 5), 3, 0.7), source=single, **strong),
        # Last: the others keep their numbers. LBFGS needs some fifty steps here; its default is twenty.
        "to the end": probe(*_clouds(Draw(0), (8, 6, 7, 9), 3, 1.0)),
    }


def _free_shift(logits: Tensor, other: Tensor) -> Tensor:
    """Shift each row towards the same row of `other`: what is added to all logits changes no probability."""
    return logits + (other - logits).mean(dim=1, keepdim=True)


def _logits(label: str, probe: str, hidden: bool = False, tolerance: Tolerance = CONVERGED) -> Aspect:
    return Aspect(label, "logits", probe, ("output of the layer",), hidden, tolerance, align=_free_shift)


LINEAR_PROBE = Exercise(
    name="linear_probe",
    kind="function",
    signature="features, labels, weight_decay=1e-3",
    section="6.4",
    oracle=reference.linear_probe,
    probes=_probe_probes,
    aspects=(
        Aspect("one nn.Linear", "layer", "overlapping", ("is a Linear", "sizes of the layer")),
        Aspect("its parameters", "layer", "overlapping", ("parameters of the layer",)),
        Aspect("they ask for gradients", "layer", "overlapping", ("asks for gradients",)),
        Aspect("features as before", "layer", "overlapping", ("input",)),
        _logits("classes that overlap", "overlapping"),
        _logits("classes that a plane separates", "separable"),
        _logits("two classes of different size", "uneven"),
        _logits("the default weight_decay", "default"),
        _logits("trained to the end", "to the end"),
        _logits("more features than examples", "more features", hidden=True),
        _logits("float32", "float32", hidden=True, tolerance=CONVERGED_SINGLE),
    ),
    misconceptions=tuple(PROBE),
    shortcuts=("logisticregression",),  # a flag on the text: scikit-learn's work shows in no operator
    # After too few steps the numbers depend on the random start: no misconception has the same ones.
    unknown="These numbers fit none of the known mistakes. Perhaps the layer is not trained to the end: "
    "twice as many steps must give the same answer. Does the closure set the gradients to zero?",
)

# --- retrieve -----------------------------------------------------------------------------------------------


def _corners(draw: Draw, n: int) -> Tensor:
    """Rows of 4 numbers ±1: their lengths and products are exact, so that equal similarities are equal."""
    return (draw.uniform(n, 4) < 0.5).double() * 2 - 1


def _clear(query: Tensor, gallery: Tensor) -> bool:
    """Whether no two rows are nearly equally similar to a query: rounding would decide which comes first."""
    q, g = query.double(), gallery.double()
    cosine = F.normalize(q, dim=1) @ F.normalize(g, dim=1).T
    distance = (q[:, None] - g).norm(dim=2)
    return all(bool((each.sort(dim=1).values.diff(dim=1) > 1e-3).all()) for each in (cosine, distance))


def _far_from_0(gallery: Callable[[int, int], Tensor]) -> Tensor:
    """Rows (40, 3) around 1e5 in float32; from above 25 rows on, torch.cdist uses a matrix product.

    The 3 nearest of each of the first rows, moved by 0.25, are apart by more than float32 rounds there.
    """
    while True:
        rows = (gallery(40, 3) + 1e5).float()
        distances = (rows[:2, None] + 0.25 - rows).double().norm(dim=2).sort(dim=1).values
        if bool((distances[:, :4].diff(dim=1) > 1e-2).all()):
            return rows


def _retrieve_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def gallery(n: int, features: int, source: Draw = draw) -> Tensor:
        """Rows off 0 whose lengths differ by a factor of up to 16."""
        return (source.normal(n, features) + 0.7) * 2 ** source.uniform(n, 1, low=-2.0, high=2.0)

    def probe(
        queries: Callable[[], Tensor], rows: Callable[[], Tensor], k: int, note: str = "", **options: str
    ) -> Probe:
        query, found = queries(), rows()
        while not _clear(query, found):
            query, found = queries(), rows()
        return _exact(query, found, k, note, **options)

    def _exact(query: Tensor, rows: Tensor, k: int, note: str = "", **options: str) -> Probe:
        return CallProbe({"query": query, "gallery": rows, "k": k}, ("indices",), options, note=note)

    euclidean = {"metric": "euclidean"}
    ties = torch.cat([_corners(draw, 20), 2 * _corners(draw, 20)])
    nothing = torch.zeros(1, 3, dtype=torch.float64)
    known = gallery(9, 5)
    while not _clear(known[3:6], known):
        known = gallery(9, 5)
    far = _far_from_0(gallery)
    return {
        "cosine": probe(
            lambda: draw.normal(4, 5) + 0.5, lambda: gallery(12, 5), 3, "4 queries, 12 rows, k = 3"
        ),
        "euclidean": probe(lambda: draw.normal(4, 5) * 2, lambda: gallery(12, 5), 3, **euclidean),
        "known": _exact(known[3:6], known, 2, "the queries are in the gallery"),
        "one": probe(lambda: draw.normal(1, 2), lambda: gallery(6, 2), 1),
        "all": probe(lambda: draw.normal(3, 4), lambda: gallery(7, 4), 7),
        "more queries": probe(lambda: draw.normal(9, 3), lambda: gallery(4, 3), 4, **euclidean),
        "ties": _exact(_corners(draw, 5), ties, 12, "40 rows of ±1 and ±2: many are equally similar"),
        "ties, euclidean": _exact(_corners(draw, 5), ties, 30, **euclidean),
        "zero": probe(
            lambda: draw.uniform(3, 3) + 0.1,
            lambda: torch.cat([gallery(2, 3), nothing, -gallery(3, 3).abs()]),
            6,
            "row 2 of the gallery is 0",
        ),
        "zero query": _exact(nothing, gallery(5, 3), 3),
        "float32": probe(lambda: single.normal(3, 4), lambda: gallery(6, 4, single), 3),
        "far": _exact(far[:2] + 0.25, far, 3, **euclidean),
        "metric": CallProbe(
            {"query": known[:1], "gallery": known, "k": 1}, ("indices",), {"metric": "euclid"}, raises=True
        ),
    }


INDICES = ("indices",)

RETRIEVE_EXERCISE = Exercise(
    name="retrieve",
    kind="function",
    signature='query, gallery, k, metric="cosine"',
    section="6.5",
    oracle=reference.retrieve,
    probes=_retrieve_probes,
    aspects=(
        Aspect("cosine", "ranking", "cosine", INDICES),
        Aspect("euclidean", "ranking", "euclidean", INDICES),
        Aspect("queries from the gallery", "ranking", "known", INDICES),
        Aspect("the whole gallery", "ranking", "all", INDICES),
        Aspect("query and gallery as before", "ranking", "cosine", ("input",)),
        Aspect("ValueError for an unknown metric", "ranking", "metric", ("raises",)),
        Aspect("one query, k = 1", "ranking", "one", INDICES, hidden=True),
        Aspect("more queries than rows", "ranking", "more queries", INDICES, hidden=True),
        Aspect("float32", "ranking", "float32", INDICES, hidden=True),
        Aspect("near neighbours far from 0, float32", "ranking", "far", INDICES, hidden=True),
        Aspect("equally similar rows, cosine", "ties", "ties", INDICES),
        Aspect("equally similar rows, euclidean", "ties", "ties, euclidean", INDICES),
        Aspect("a zero vector in the gallery", "ties", "zero", INDICES),
        Aspect("a zero vector as query", "ties", "zero query", INDICES, hidden=True),
    ),
    misconceptions=tuple(RETRIEVE),
)
