"""Right layer, instance and group norms in small steps, for a mistake to change one of them.

The three differ only in `blocks`, which puts the values that share a mean into the last axis, and in the
shape of weight and bias.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Norm(nn.Module):
    """What the three norms share."""

    eps: float

    def make_affine(self, shape: tuple[int, ...], has_weight: bool, has_bias: bool) -> None:
        """Weight and bias of this shape, or None."""
        self.weight = nn.Parameter(torch.ones(shape)) if has_weight else None
        self.bias = nn.Parameter(torch.zeros(shape)) if has_bias else None

    def blocks(self, x: Tensor) -> Tensor:
        """X with the values that share a mean in the last axis."""
        raise NotImplementedError

    def mean(self, blocks: Tensor) -> Tensor:
        """Mean of each block."""
        return blocks.mean(-1, keepdim=True)

    def var(self, blocks: Tensor, mean: Tensor) -> Tensor:
        """Biased variance of each block."""
        return (blocks - mean).square().mean(-1, keepdim=True)

    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        """Centred values over their standard deviation."""
        return centred / torch.sqrt(var + self.eps)

    def normalize(self, x: Tensor) -> Tensor:
        """x_hat."""
        blocks = self.blocks(x)
        mean = self.mean(blocks)
        return self.divide(blocks - mean, self.var(blocks, mean)).reshape(x.shape)

    def over(self, x: Tensor, *axes: int) -> Tensor:
        """X normalized over these axes: what `normalize` does when a student picks other axes."""
        mean = x.mean(axes, keepdim=True)
        return self.divide(x - mean, x.var(axes, correction=0, keepdim=True))

    def fit(self, parameter: Tensor, x: Tensor) -> Tensor:
        """A parameter (C,) in the shape that meets the channels of x."""
        return parameter.view(-1, *(1 for _ in x.shape[2:]))

    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        """Weight times x_hat plus bias, as far as there are any."""
        if self.weight is not None:
            x_hat = x_hat * self.fit(self.weight, x_hat)
        if self.bias is not None:
            x_hat = x_hat + self.fit(self.bias, x_hat)
        return x_hat

    def forward(self, x: Tensor) -> Tensor:
        """Normalize, scale and shift."""
        return self.scale_and_shift(self.normalize(x))


class Layer(Norm):
    """A right LayerNorm."""

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.eps = eps
        self.shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.make_affine(self.shape, elementwise_affine, elementwise_affine and bias)

    def blocks(self, x: Tensor) -> Tensor:
        """Everything under normalized_shape is one block."""
        return x.flatten(x.dim() - len(self.shape))

    def fit(self, parameter: Tensor, x: Tensor) -> Tensor:
        """The parameter has the shape of the last axes already."""
        return parameter


class Instance(Norm):
    """A right InstanceNorm2d."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False
    ) -> None:
        super().__init__()
        self.eps = eps
        self.make_affine((num_features,), affine, affine)

    def blocks(self, x: Tensor) -> Tensor:
        """Each channel of each image is a block."""
        return x.flatten(2)


class Group(Norm):
    """A right GroupNorm."""

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        self.eps = eps
        self.num_groups = num_groups
        self.make_affine((num_channels,), affine, affine)

    def blocks(self, x: Tensor) -> Tensor:
        """The channels of each image in num_groups blocks."""
        return x.reshape(len(x), self.num_groups, -1)
