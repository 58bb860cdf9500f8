"""Exercises `channel_statistics` and `pca_whiten`: what is drawn, what is looked at."""

from __future__ import annotations

import torch
from torch import Tensor

from course import preprocessing as reference
from course.checks.batch_norm.statistics_mistakes import CHANNEL_STATISTICS as STATISTICS_MISTAKES
from course.checks.batch_norm.whitening_mistakes import PCA_WHITEN as WHITENING_MISTAKES
from course.checks.framework import (
    SINGLE,
    SINGLE_LARGE_MEAN,
    Aspect,
    CallProbe,
    Draw,
    Exercise,
    Probe,
    Tolerance,
)

STATISTICS = ("mean_image", "channel_mean", "channel_std")


def _statistics_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)
    images = draw.features(3, 2, 4, 5) + draw.normal(3, 1, 1, 1)  # bright and dark images

    def probe(images: Tensor, note: str = "") -> Probe:
        return CallProbe({"images": images}, STATISTICS, note=note)

    return {
        "images": probe(images, "60 values per channel"),
        "one image": probe(draw.features(1, 3, 2, 3)),
        "float32": probe(single.features(5, 3, 4, 2)),
        "large mean": probe(single.normal(4, 3, 5, 4, mean=3000.0)),
        "strided": probe(draw.features(3, 2, 4, 5).mT),
    }


CHANNEL_STATISTICS = Exercise(
    name="channel_statistics",
    kind="function",
    signature="images",
    section="3.2",
    oracle=reference.channel_statistics,
    probes=_statistics_probes,
    aspects=(
        Aspect("mean_image", "statistics", "images", ("mean_image",)),
        Aspect("channel_mean", "statistics", "images", ("channel_mean",)),
        Aspect("channel_std", "statistics", "images", ("channel_std",)),
        Aspect("images left as they were", "statistics", "images", ("input",)),
        Aspect("a single image", "statistics", "one image", STATISTICS, hidden=True),
        Aspect("float32 images", "statistics", "float32", STATISTICS, hidden=True, tolerance=SINGLE),
        Aspect(
            "mean 3000 in float32",
            "statistics",
            "large mean",
            STATISTICS,
            hidden=True,
            tolerance=SINGLE_LARGE_MEAN,
        ),
        Aspect("images that are not contiguous", "statistics", "strided", STATISTICS, hidden=True),
    ),
    misconceptions=tuple(STATISTICS_MISTAKES),
)


WHITENED_SINGLE = Tolerance(
    2e-2,
    2e-2,
    "float32 finds eigenvectors to about 1e-5 and the scaling enlarges that; a mistake shows by 0.1 and more",
)


def _spread(draw: Draw, n: int, *stds: float) -> Tensor:
    """Correlated data (n, D) with the given standard deviations along random directions, and means around 3.

    The deviations are far apart, for the directions of equal variances would be anybody's choice.
    """
    directions, _ = torch.linalg.qr(draw.normal(len(stds), len(stds)).double())
    axes = draw.normal(n, len(stds)).double()
    axes = torch.linalg.qr(axes - axes.mean(0))[0] * (n - 1) ** 0.5  # exactly uncorrelated, variance 1
    data = axes * torch.tensor(stds, dtype=torch.float64) @ directions.T
    return data + draw.normal(1, len(stds), mean=3.0)


def _whitening_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(train: Tensor, x: Tensor, note: str = "", **options: float) -> Probe:
        return CallProbe({"train": train, "x": x}, ("whitened",), options, note=note)

    train = _spread(draw, 6, 5.0, 2.0, 1.0, 0.4)
    small = _spread(draw, 9, 2.0, 0.5, 2e-3)
    black = torch.cat([_spread(draw, 8, 3.0, 1.0), torch.zeros(8, 1, dtype=torch.float64)], 1)
    far = _spread(single, 40, 3.0, 1.0, 0.3)
    return {
        "data": probe(train, _spread(draw, 5, 3.0, 2.0, 1.5, 1.0) + 1, "6 training rows"),
        "train itself": probe(train, train),
        "one row": probe(train, train[:1] + 1),
        "small variance": probe(
            small, small[:4] + draw.normal(4, 3, std=1e-2), "smallest variance 4e-6, eps = 1e-5"
        ),
        "eps": probe(small, small[:4] + 0.5, eps=0.1),
        "black pixel": probe(black, black[:3] + draw.normal(3, 3, std=1e-2), "one feature is always 0"),
        "float32": probe(far.float(), far[:5].float()),
        "large mean": probe((far + 1000).float(), (far[:5] + 1000).float()),
        "strided": probe(train.T.contiguous().T, train[::2]),
    }


def _free_signs(whitened: Tensor, other: Tensor) -> Tensor:
    """Flip each column towards the same column of `other`: -v is as good an eigenvector as v.

    A sign of its own for each tensor (such as "the largest entry is positive") would turn on rounding where
    two entries are nearly equal and opposite.
    """
    return torch.where((whitened * other).sum(0) < 0, -whitened, whitened)


def _whitened(label: str, probe: str, hidden: bool = False, tolerance: Tolerance | None = None) -> Aspect:
    options = {"tolerance": tolerance} if tolerance else {}
    return Aspect(label, "whitening", probe, ("whitened",), hidden, align=_free_signs, **options)


PCA_WHITEN = Exercise(
    name="pca_whiten",
    kind="function",
    signature="train, x, eps=1e-5",
    section="3.2",
    oracle=reference.pca_whiten,
    probes=_whitening_probes,
    aspects=(
        _whitened("other data, whitened by train", "data"),
        _whitened("train itself, whitened", "train itself"),
        _whitened("small variance, where eps counts", "small variance"),
        Aspect("train and x left as they were", "whitening", "data", ("input",)),
        _whitened("a single row", "one row", hidden=True),
        _whitened("eps as an argument", "eps", hidden=True),
        _whitened("a feature that is always 0", "black pixel", hidden=True),
        _whitened("float32 data", "float32", hidden=True, tolerance=WHITENED_SINGLE),
        _whitened("mean 1000 in float32", "large mean", hidden=True, tolerance=WHITENED_SINGLE),
        _whitened("data that is not contiguous", "strided", hidden=True),
    ),
    misconceptions=tuple(WHITENING_MISTAKES),
)
