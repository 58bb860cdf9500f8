"""Statistics of random weights, and how far those of two right initializers may be apart.

Nothing is right about a single random number. So a probe draws about 20,000 numbers with the student's
function, and as many with torch's, and a few statistics of the two are compared. By chance alone they
differ a little. Each tolerance below is 6 standard deviations of that difference (its formula stands
beside it), which chance exceeds once in 5e8 comparisons (2e-9, two sides of a normal distribution).
`largest` is not normal: of n uniform numbers none comes within 0.1 % of the bound with probability
0.999**n, 2e-9 too.

An initializer makes fewer than 60 such comparisons, `orthogonal_` some 200, entry by entry: the
false-alarm rate of a check is below 1e-6. tests/test_initialization_checks.py counts them, draws the
statistics many times, and measures their standard deviations.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course.checks.framework import Tolerance

DRAWN = 20_000
"""Numbers that a probe draws, at least."""

_TWO = 6 * math.sqrt(2 / DRAWN)
"""6 standard deviations of the difference of two means of numbers with standard deviation 1."""


def mean(drawn: Tensor) -> Tensor:
    """The mean, in standard deviations."""
    return drawn.mean() / drawn.std()


MEAN = Tolerance(0.0, _TWO, f"6 standard deviations of the difference of two means over {DRAWN:,} numbers")


def std(drawn: Tensor) -> Tensor:
    """The standard deviation."""
    return drawn.std()


STD = Tolerance(
    _TWO / math.sqrt(2),
    0.0,
    "of n normal numbers the standard deviation is known to 1/sqrt(2n); uniform: better",
)


def largest(drawn: Tensor) -> Tensor:
    """The largest absolute value: of uniform numbers, the bound."""
    return drawn.abs().max()


LARGEST = Tolerance(1e-3, 0.0, f"of {DRAWN:,} uniform numbers the largest is within 0.1 % of the bound")


def shares(drawn: Tensor) -> Tensor:
    """Which share of the numbers is within 1/2, 1 and 3/2 standard deviations: .38, .68, .87 of normal
    ones.
    """
    sizes = (drawn / drawn.std()).abs()
    return torch.stack([(sizes < limit).double().mean() for limit in (0.5, 1.0, 1.5)])


SHARES = Tolerance(0.0, _TWO / 2, "a share has at most standard deviation 1/2 / sqrt(n)")


def tail(drawn: Tensor) -> Tensor:
    """Which share of the numbers is beyond 2.5 standard deviations: .0124 of normal ones."""
    return ((drawn / drawn.std()).abs() > 2.5).double().mean()


TAIL = Tolerance(0.0, _TWO * math.sqrt(0.0124), "a share p has standard deviation sqrt(p (1 - p) / n)")


def distinct(drawn: Tensor) -> Tensor:
    """Which share of the numbers is there once only, whatever their signs."""
    return torch.tensor(len(drawn.abs().unique()) / drawn.numel(), dtype=torch.float64)


DISTINCT = Tolerance(0.0, 0.02, "of 20,000 float32 numbers some 30 are there twice")


# --- Orthogonal matrices ------------------------------------------------------------------------------------

MATRICES = 400
"""Orthogonal matrices that a probe draws to see whether they are uniform."""


def gram(drawn: Tensor) -> Tensor:
    """The products of rows (of a wide matrix) or columns (of a tall one), averaged over the matrices.

    drawn: (matrices, rows, ...); axes after the rows count as columns. Each of the products is also
    bounded: the largest deviation from the average stands in a last row.
    """
    matrices = drawn.flatten(2)
    if matrices.shape[1] > matrices.shape[2]:
        matrices = matrices.mT
    products = matrices @ matrices.mT
    average = products.mean(0)
    return torch.cat([average, (products - average).abs().amax(0)])


ORTHOGONAL = Tolerance(1e-4, 1e-4, "orthogonality is exact; drawn in float32 it holds to 1e-6")


def entries(drawn: Tensor) -> Tensor:
    """The mean of every entry over the matrices: 0 when no sign is preferred."""
    return drawn.mean(0)


ENTRIES = Tolerance(
    0.0,
    6 * math.sqrt(2 / 2 / MATRICES),
    "an entry of a uniform orthogonal matrix of n rows has variance 1/n, and n is 2 or more",
)


def determinants(drawn: Tensor) -> Tensor:
    """The mean determinant of square matrices: 0 when rotations and reflections come equally often."""
    return torch.linalg.det(drawn).mean()


DETERMINANTS = Tolerance(0.0, 6 * math.sqrt(2 / MATRICES), "+1 or -1 has variance 1")


def products(drawn: Tensor) -> Tensor:
    """The mean product of every two entries over the matrices: 1/n with itself, 0 with any other."""
    flat = drawn.flatten(1)
    return flat.mT @ flat / len(flat)


PRODUCTS = Tolerance(
    0.0,
    6 * math.sqrt(2 * 3 / 8 / MATRICES),
    "the square of a product of two entries has mean at most E[q**4] = 3 / (n (n + 2)), 3/8 for n = 2",
)


def fourth_powers(drawn: Tensor) -> Tensor:
    """The mean fourth power of all entries: 3 / (n (n + 2)) for columns of length n, more when many are 0."""
    return drawn.pow(4).mean()


FOURTH_POWERS = Tolerance(
    0.0,
    6 * math.sqrt(2 * 0.04 / MATRICES),
    "q**4 has variance 0.04 for n = 4; entries of a matrix go together",
)


# --- Tuned models -------------------------------------------------------------------------------------------


def directions(weight: Tensor) -> Tensor:
    """Products of rows or columns, for a matrix that is orthogonal up to a factor: the identity."""
    product = _products(weight)
    return product / product.diagonal().mean()


def unscaled(weight: Tensor) -> Tensor:
    """The same, times the square of the factor: the identity when it is 1. Squares above 100 count as 100."""
    return directions(weight) * _products(weight).diagonal().mean().clamp(max=100)


def _products(weight: Tensor) -> Tensor:
    matrix = weight.flatten(1)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    return matrix @ matrix.T
