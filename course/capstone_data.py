"""Data sets for lesson 8: digits that nobody has seen before, drawn from a seed.

scikit-learn's 1,797 digits and their labels are on every computer that runs this course, so a test split of
them keeps no secret. `draw_task` makes new pictures of them: each is turned, sheared, scaled, shifted and
made a little noisy by chance, as Simard et al. (2003) do it to get more training data. The seed also decides
which originals are for training and which are held out: no original is in both parts.

With ``disguised=True`` the whole data set is moreover turned or mirrored, and the classes get other numbers.
It is exactly as hard to learn, but what somebody learned before from other digits (weights, a table of
pictures) does not fit it: a network has to learn from the training pictures that it is given.

Paper: P. Simard, D. Steinkraus, J. Platt. Best practices for convolutional neural networks applied to visual
document analysis. ICDAR 2003.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["CLASSES", "COPIES", "HELD_OUT", "TRAINING", "Task", "distort", "draw_task"]

CLASSES = 10
HELD_OUT = 600
"""Originals that nothing is trained with."""
COPIES = 3
"""Distorted pictures of each of them: with more pictures, chance decides less."""
TRAINING = 1797 - HELD_OUT

MAX_DEGREES = 12.0
MAX_SHEAR = 0.15
MAX_SCALE = 0.1
MAX_SHIFT = 0.6
NOISE = 0.04


@dataclass(frozen=True)
class Task:
    """Pictures, float32 in [0, 1], (N, 1, 8, 8), and labels, int64, (N,).

    The training pictures are 1,197, of as many originals. They come sorted by class, as folders of pictures
    do. ``digit_of`` (10,) says which digit each class is.
    """

    x_train: Tensor
    y_train: Tensor
    x_held_out: Tensor
    y_held_out: Tensor
    digit_of: Tensor


def draw_task(seed: int, disguised: bool = False) -> Task:
    """Return the data set of a seed: 1,197 pictures to train with, 1,800 held out (of 600 originals).

    Args:
        seed: decides everything; equal seeds give equal data sets.
        disguised: turn or mirror all pictures in the same way, and give the classes other numbers.
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    originals, digits = _originals()
    order = torch.randperm(len(originals), generator=generator)
    # The held-out originals come first, and each of them several times.
    order = torch.cat([order[:HELD_OUT].repeat(COPIES), order[HELD_OUT:]])
    x, y = distort(originals[order], generator), digits[order]
    # Drawn in any case, so that a seed's pictures are the same with and without a disguise.
    symmetry = 1 + int(torch.randint(7, (), generator=generator))
    number_of = torch.randperm(CLASSES, generator=generator)
    if disguised:
        x, y = _turn(x, symmetry), number_of[y]
    else:
        number_of = torch.arange(CLASSES)
    count = HELD_OUT * COPIES
    x_held_out, y_held_out = x[:count], y[:count]
    x, y = x[count:], y[count:]
    by_class = y.argsort(stable=True)
    return Task(x[by_class], y[by_class], x_held_out, y_held_out, number_of.argsort())


def distort(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Return pictures (N, 1, 8, 8), each turned, sheared, scaled and shifted by chance, with a little noise.

    Angles up to 12 degrees, scales from 0.9 to 1.1, shifts up to 0.6 pixels; noise of standard deviation
    0.04 where values go from 0 to 1.
    """

    def uniform(most: float) -> Tensor:
        return most * (2 * torch.rand(len(pictures), generator=generator) - 1)

    angle = uniform(MAX_DEGREES * math.pi / 180)
    shear, wide, high = uniform(MAX_SHEAR), 1 + uniform(MAX_SCALE), 1 + uniform(MAX_SCALE)
    half = pictures.shape[-1] / 2  # grid_sample counts from -1 to 1
    right, down = uniform(MAX_SHIFT / half), uniform(MAX_SHIFT / half)
    cos, sin = angle.cos(), angle.sin()
    first = torch.stack([wide * cos, shear * cos - high * sin, right], dim=1)
    second = torch.stack([wide * sin, shear * sin + high * cos, down], dim=1)
    grid = F.affine_grid(torch.stack([first, second], dim=1), list(pictures.shape), align_corners=False)
    moved = F.grid_sample(pictures, grid, align_corners=False)
    noise = NOISE * torch.randn(moved.shape, generator=generator)
    return (moved + noise).clamp(0, 1)


def _turn(pictures: Tensor, symmetry: int) -> Tensor:
    """One of the 7 turns and mirrorings of a square."""
    turned = torch.rot90(pictures, symmetry % 4, dims=(2, 3))
    return (turned.flip(3) if symmetry >= 4 else turned).contiguous()


@cache
def _originals() -> tuple[Tensor, Tensor]:
    from course import data

    digits = data.digits()
    return torch.cat([digits.x_train, digits.x_test]), torch.cat([digits.y_train, digits.y_test])
