"""How students get `orthogonal_` wrong."""

from __future__ import annotations

import math

import torch

from course.checks.collect import Mistakes
from course.checks.initialization.filling_steps import add_ways_of_filling

ORTHOGONAL = Mistakes()


def _normal(tensor):
    """Normal numbers (long side, short side), and whether the result must be transposed."""
    if tensor.dim() < 2:
        raise ValueError("fewer than 2 dimensions")
    rows, cols = tensor.shape[0], tensor[0].numel()
    return torch.randn(max(rows, cols), min(rows, cols), dtype=tensor.dtype), rows < cols


@torch.no_grad()
def _fill(tensor, q, transpose, gain=1):
    return tensor.copy_(gain * (q.T if transpose else q).reshape(tensor.shape))


def _right(tensor, gain=1):
    normal, transpose = _normal(tensor)
    q, r = torch.linalg.qr(normal)
    return _fill(tensor, q * r.diagonal().sign(), transpose, gain)


@ORTHOGONAL.add(
    "the signs are not random: QR prefers some. Multiply each column of Q by the sign of R's diagonal."
)
def signs_of_the_algorithm(tensor, gain=1):
    normal, transpose = _normal(tensor)
    return _fill(tensor, torch.linalg.qr(normal).Q, transpose, gain)


@ORTHOGONAL.add("only rotations are drawn (determinant 1). Half of all orthogonal matrices are reflections.")
def rotations_only(tensor, gain=1):
    _right(tensor, gain)
    if tensor.dim() == 2 and tensor.shape[0] == tensor.shape[1] and torch.linalg.det(tensor.detach()) < 0:
        with torch.no_grad():
            tensor[0] *= -1
    return tensor


@ORTHOGONAL.add(
    "these are normal numbers of variance 1/n: nearly orthogonal, but not exactly. Take Q of a QR."
)
def normal_numbers(tensor, gain=1):
    normal, transpose = _normal(tensor)
    return _fill(tensor, normal / math.sqrt(len(normal)), transpose, gain)


@ORTHOGONAL.add(
    "each row (or column) has length 1, but they are not orthogonal to each other. Take Q of a QR."
)
def length_one_only(tensor, gain=1):
    normal, transpose = _normal(tensor)
    return _fill(tensor, normal / normal.norm(dim=0), transpose, gain)


@ORTHOGONAL.add("gain is ignored. It multiplies the orthogonal matrix.")
def gain_ignored(tensor, gain=1):
    return _right(tensor)


@ORTHOGONAL.add("the root of gain is taken. It multiplies the orthogonal matrix as it is.")
def root_of_gain(tensor, gain=1):
    return _right(tensor, math.sqrt(gain))


@ORTHOGONAL.add("gain is squared. It multiplies the orthogonal matrix as it is.")
def gain_squared(tensor, gain=1):
    return _right(tensor, gain**2)


@ORTHOGONAL.add(
    "more columns than rows: Q was reshaped. Draw the tall matrix, take its Q, and transpose that (.T)."
)
def reshaped_for_transposed(tensor, gain=1):
    normal, _ = _normal(tensor)
    q, r = torch.linalg.qr(normal)
    return _fill(tensor, q * r.diagonal().sign(), False, gain)


@ORTHOGONAL.add(
    "more columns than rows: Q of a wide matrix is square and does not fit. Factor the transpose."
)
def wide_not_transposed(tensor, gain=1):
    normal, transpose = _normal(tensor)
    q, r = torch.linalg.qr(normal.T if transpose else normal)
    return _fill(tensor, q * r.diagonal().sign(), False, gain)


@ORTHOGONAL.add(
    "a convolution: each kernel is made orthogonal by itself. Flatten to (out, in * kH * kW) first."
)
def every_kernel_by_itself(tensor, gain=1):
    if tensor.dim() < 4:
        return _right(tensor, gain)
    with torch.no_grad():
        for kernel in tensor.view(-1, *tensor.shape[2:]):
            _right(kernel, gain)
    return tensor


@ORTHOGONAL.add(
    "a convolution is flattened to (out * in, kH * kW). Each row is one output: (out, in * kH * kW)."
)
def flattened_too_far(tensor, gain=1):
    if tensor.dim() < 3:
        return _right(tensor, gain)
    return _right(tensor.view(tensor.shape[0] * tensor.shape[1], -1), gain).view(tensor.shape)


@ORTHOGONAL.add("you fill with R, the triangle. Q is the orthogonal factor of the QR decomposition.")
def triangle_taken(tensor, gain=1):
    normal, transpose = _normal(tensor)
    r = torch.linalg.qr(normal, mode="complete").R
    return _fill(tensor, r, transpose, gain)


@ORTHOGONAL.add("always the same matrix: torch.eye is orthogonal, but not random. Start from normal numbers.")
def identity(tensor, gain=1):
    normal, transpose = _normal(tensor)
    return _fill(tensor, torch.eye(*normal.shape, dtype=normal.dtype), transpose, gain)


@ORTHOGONAL.add(
    "orthogonal (eigenvectors?), but the signs are the algorithm's habit. Use a QR and its signs."
)
def eigenvectors(tensor, gain=1):
    normal, transpose = _normal(tensor)
    square = torch.randn(len(normal), len(normal), dtype=normal.dtype)
    vectors = torch.linalg.eigh(square + square.T).eigenvectors
    return _fill(tensor, vectors[:, : normal.shape[1]], transpose, gain)


@ORTHOGONAL.add("a permutation with random signs is orthogonal, but most directions never come. Use a QR.")
def signed_permutation(tensor, gain=1):
    normal, transpose = _normal(tensor)
    size = len(normal)
    signs = 2 * torch.randint(0, 2, (size,)) - 1
    permuted = torch.eye(size, dtype=normal.dtype)[torch.randperm(size)] * signs
    return _fill(tensor, permuted[:, : normal.shape[1]], transpose, gain)


@ORTHOGONAL.add(
    "uniform numbers under the QR prefer some directions: start from normal ones, which have none."
)
def uniform_numbers(tensor, gain=1):
    normal, transpose = _normal(tensor)
    q, r = torch.linalg.qr(torch.rand_like(normal))
    return _fill(tensor, q * r.diagonal().sign(), transpose, gain)


@ORTHOGONAL.add("a bias (1 dimension) cannot be orthogonal. Raise a ValueError below 2 dimensions.")
def nothing_refused(tensor, gain=1):
    if tensor.dim() > 1:
        return _right(tensor, gain)
    return tensor.copy_(gain * tensor / tensor.norm())


add_ways_of_filling(ORTHOGONAL, _right)
