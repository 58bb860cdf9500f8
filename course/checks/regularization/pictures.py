"""Exercises `random_crop`, `horizontal_flip` and `add_noise`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course import augmentation as reference
from course.checks.framework import Aspect, Draw, Exercise, Probe
from course.checks.initialization import statistics as numbers
from course.checks.probes.drawing import OTHER_SEED, SAME_SEED
from course.checks.probes.sampling import DRAWN, GENERATOR_GOES_ON, SAME_GENERATOR, RejectProbe, SampleProbe
from course.checks.regularization import statistics as S
from course.checks.regularization.crop_mistakes import CROP
from course.checks.regularization.flip_mistakes import FLIP
from course.checks.regularization.noise_mistakes import NOISE

LARGE, LARGE_DRAWS = 400, 5
SMALL, SMALL_DRAWS = 4, 250
"""Pictures in a batch, and calls: the large batch shows what calls share, the small one what pictures do."""

PICTURES = LARGE * LARGE_DRAWS


def _pictures(draw: Draw, n: int, channels: int = 2, height: int = 3, width: int = 4) -> Tensor:
    """Pictures without a 0, in which no two pixels are equal and rows and columns differ in the mean."""
    rows = 10.0 * torch.arange(1, height + 1)[:, None] + 3.0 * torch.arange(1, width + 1)
    return draw.uniform(n, channels, height, width, low=1.0, high=2.0) + rows


def _probe(x: Tensor, seed: int, draws: int = 1, generator: bool = False, **options: Any) -> SampleProbe:
    note = ", ".join(f"{name} = {value}" for name, value in options.items())
    shape = f"pictures {tuple(x.shape)}"
    return SampleProbe(
        {"x": x}, ("output",), options, draws, seed, generator, note=f"{shape}, {note}" if note else shape
    )


OUTPUT, ALL = ("output",), (DRAWN,)
_P, _D, _R = "pictures", "draws", "randomness"

RANDOMNESS = (
    Aspect("torch.manual_seed decides", _R, "generator", (SAME_SEED,)),
    Aspect("another seed, other pictures", _R, "generator", (OTHER_SEED,)),
    Aspect("a generator that is passed decides", _R, "generator", (SAME_GENERATOR,)),
    Aspect("it goes on from call to call", _R, "generator", (GENERATOR_GOES_ON,)),
)
"""Where the random numbers come from, whatever they are for."""

# --- random_crop --------------------------------------------------------------------------------------------


def _crop_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)
    return {
        "small": _probe(_pictures(draw, SMALL), 10 * seed, SMALL_DRAWS, padding=1),
        "large": _probe(_pictures(draw, LARGE), 10 * seed + 1, LARGE_DRAWS, padding=1),
        "none": _probe(_pictures(draw, 3), 10 * seed + 2, padding=0),
        "two": _probe(_pictures(draw, LARGE, 1), 10 * seed + 3, LARGE_DRAWS, padding=2),
        "wide": _probe(_pictures(draw, 30, 1, 2, 3), 10 * seed + 4, 10, padding=4),
        "one": _probe(_pictures(single, 1, 3, 5, 2), 10 * seed + 5, 30, padding=1),
        "generator": _probe(_pictures(draw, 60), 10 * seed + 6, 2, True, padding=1),
        "negative": RejectProbe((_pictures(draw, 2), -1), note="padding = -1"),
    }


def _windows(label: str, probe: str, n: int, padding: int, hidden: bool = False) -> Aspect:
    return Aspect(label, _P, probe, ALL, hidden, S.EXACT, measure=S.are_windows(n, padding))


RANDOM_CROP = Exercise(
    name="random_crop",
    kind="function",
    signature="x, padding, generator=None",
    section="5.5",
    oracle=reference.random_crop,
    probes=_crop_probes,
    aspects=(
        Aspect("shape and dtype", _P, "small", OUTPUT, measure=S.nothing),
        _windows("each picture is a window of its padded one", "small", SMALL, 1),
        Aspect("zeros come in at the edges", _P, "small", ALL, tolerance=S.EDGE, measure=S.edge(SMALL)),
        Aspect("padding 0: as it was", _P, "none", OUTPUT),
        Aspect("x left as it was", _P, "small", ("input",)),
        _windows("padding 2, one channel", "two", LARGE, 2, hidden=True),
        _windows("padding larger than the picture", "wide", 30, 4, hidden=True),
        _windows("a single picture, float32", "one", 1, 1, hidden=True),
        _windows("pictures with a generator", "generator", 60, 1, hidden=True),
        Aspect("ValueError for a negative padding", _P, "negative", ("raises",), hidden=True),
        Aspect(
            "all 3 rows and 3 columns equally often",
            *(_D, "large", ALL, False, S.share_tolerance(PICTURES, 1 / 3)),
            measure=S.places(LARGE, 1),
        ),
        Aspect(
            "all 9 windows equally often",
            *(_D, "large", ALL, False, S.share_tolerance(PICTURES, 1 / 9)),
            measure=S.pairs_of_places(LARGE, 1),
        ),
        Aspect(
            "a draw of its own for each picture",
            *(_D, "small", ALL, False, S.TOGETHER),
            measure=S.windows_together(SMALL, 1, 1),
        ),
        Aspect(
            "new draws in each call",
            *(_D, "large", ALL, False, S.TOGETHER),
            measure=S.windows_together(LARGE, 1, 0),
        ),
        Aspect(
            "all 5 rows and 5 columns of padding 2",
            *(_D, "two", ALL, True, S.share_tolerance(PICTURES, 1 / 5)),
            measure=S.places(LARGE, 2),
        ),
        *RANDOMNESS,
    ),
    misconceptions=tuple(CROP),
    shortcuts=("torchvision",),
)

# --- horizontal_flip ----------------------------------------------------------------------------------------


def _flip_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)
    return {
        "small": _probe(_pictures(draw, SMALL), 10 * seed, SMALL_DRAWS),
        "large": _probe(_pictures(draw, LARGE), 10 * seed + 1, LARGE_DRAWS),
        "seldom": _probe(_pictures(draw, LARGE), 10 * seed + 2, LARGE_DRAWS, p=0.2),
        "never": _probe(_pictures(draw, 20), 10 * seed + 3, p=0.0),
        "always": _probe(_pictures(draw, 20), 10 * seed + 4, p=1.0),
        "float32": _probe(_pictures(single, 5, 1, 2, 5), 10 * seed + 5, 20),
        "one": _probe(_pictures(draw, 1, 3), 10 * seed + 6, 250, p=0.3),
        "generator": _probe(_pictures(draw, 60), 10 * seed + 7, 2, True),
        "above": RejectProbe((_pictures(draw, 2),), {"p": 1.5}, note="p = 1.5"),
    }


def _changes(label: str, probe: str, n: int, count: int, p: float, hidden: bool = False) -> Aspect:
    return Aspect(label, _D, probe, ALL, hidden, S.share_tolerance(count, p), measure=S.changes(n))


def _mirrored(label: str, probe: str, n: int, hidden: bool = False) -> Aspect:
    return Aspect(label, _P, probe, ALL, hidden, S.EXACT, measure=S.mirrored_or_not(n))


HORIZONTAL_FLIP = Exercise(
    name="horizontal_flip",
    kind="function",
    signature="x, p=0.5, generator=None",
    section="5.5",
    oracle=reference.horizontal_flip,
    probes=_flip_probes,
    aspects=(
        Aspect("shape and dtype", _P, "small", OUTPUT, measure=S.nothing),
        _mirrored("each picture is as it was, or mirrored left to right", "small", SMALL),
        Aspect("p = 0: all as they were", _P, "never", OUTPUT),
        Aspect("p = 1: all mirrored", _P, "always", OUTPUT),
        Aspect("x left as it was", _P, "small", ("input",)),
        _mirrored("float32, one channel", "float32", 5, hidden=True),
        _mirrored("pictures with a generator", "generator", 60, hidden=True),
        Aspect("ValueError for p = 1.5", _P, "above", ("raises",), hidden=True),
        _changes("half of them, by default", "large", LARGE, PICTURES, 0.5),
        _changes("p = 0.2", "seldom", LARGE, PICTURES, 0.2),
        Aspect(
            "a draw of its own for each picture",
            *(_D, "small", ALL, False, S.TOGETHER),
            measure=S.mirrored_together(SMALL, 1),
        ),
        Aspect(
            "new draws in each call",
            *(_D, "large", ALL, False, S.TOGETHER),
            measure=S.mirrored_together(LARGE, 0),
        ),
        _changes("batches of one picture, p = 0.3", "one", 1, 250, 0.3, hidden=True),
        *RANDOMNESS,
    ),
    misconceptions=tuple(FLIP),
    shortcuts=("torchvision",),
)

# --- add_noise ----------------------------------------------------------------------------------------------

NOISY, NOISY_DRAWS = 50, 4
"""Of shape (4, 5, 5): 20,000 numbers, as many as the tolerances of lesson 2 are for."""


def _noise_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)
    return {
        "pictures": _probe(draw.uniform(NOISY, 4, 5, 5), 10 * seed, NOISY_DRAWS, std=0.3),
        "strong": _probe(draw.uniform(NOISY, 4, 5, 5), 10 * seed + 1, NOISY_DRAWS, std=2.0),
        "none": _probe(draw.uniform(3, 2, 4, 5), 10 * seed + 2, std=0.0),
        "float32": _probe(single.uniform(NOISY, 4, 5, 5), 10 * seed + 3, NOISY_DRAWS, std=0.1),
        "small": _probe(draw.uniform(2, 1, 2, 3), 10 * seed + 4, std=0.5),
        "generator": _probe(draw.uniform(NOISY, 4, 5, 5), 10 * seed + 5, NOISY_DRAWS, True, std=0.3),
    }


def _noise(label: str, tolerance: Any, measure: Any, probe: str = "pictures", hidden: bool = False) -> Aspect:
    return Aspect(label, _D, probe, ALL, hidden, tolerance, measure=S.noise(NOISY, measure))


def _alone(label: str, axis: int, hidden: bool = False) -> Aspect:
    return _noise(label, S.TOGETHER, lambda added: S.together(added, axis), hidden=hidden)


def _over_a_picture(added: Tensor) -> Tensor:
    return S.together(added, (2, 3, 4))


ADD_NOISE = Exercise(
    name="add_noise",
    kind="function",
    signature="x, std, generator=None",
    section="5.5",
    oracle=reference.add_noise,
    probes=_noise_probes,
    aspects=(
        Aspect("shape and dtype", _P, "float32", OUTPUT, measure=S.nothing),
        Aspect("std 0: as it was", _P, "none", OUTPUT),
        Aspect("x left as it was", _P, "pictures", ("input",)),
        _noise("the noise has mean 0", numbers.MEAN, numbers.mean),
        _noise("its standard deviation is std", numbers.STD, numbers.std),
        _noise("std as an argument", numbers.STD, numbers.std, "strong"),
        _noise("it is normal: shares within 1/2, 1, 3/2 std", numbers.SHARES, numbers.shares),
        Aspect(
            "the same on dark and on light pixels",
            *(_D, "pictures", ALL, False, S.HALVES),
            measure=S.noise_at_dark_and_light(NOISY),
        ),
        _alone("each picture has noise of its own", 1),
        _alone("each channel has noise of its own", 2),
        _alone("new noise in each call", 0),
        _noise("its mean over a picture is random, too", S.TOGETHER, _over_a_picture, hidden=True),
        _alone("each row of pixels has noise of its own", 3, hidden=True),
        _alone("each column of pixels has noise of its own", 4, hidden=True),
        _noise("few beyond 2.5 std", numbers.TAIL, numbers.tail, hidden=True),
        _noise("float32 pictures", numbers.STD, numbers.std, "float32", hidden=True),
        _noise("noise from a generator", numbers.STD, numbers.std, "generator", hidden=True),
        *RANDOMNESS,
    ),
    misconceptions=tuple(NOISE),
    shortcuts=("torchvision",),
)
