"""Normalization layers: give activations mean 0 and variance 1, then let the network choose scale and shift.

All of them compute the same formula,

    y = (x − E[x]) / sqrt(Var[x] + eps) · weight + bias,

and differ only in the axes over which the mean and the variance are taken. For images (N, C, H, W):

    batch norm      N, H, W                             Ioffe & Szegedy, 2015, arXiv:1502.03167
    layer norm      C, H, W                             Ba, Kiros & Hinton, 2016, arXiv:1607.06450
    instance norm   H, W                                Ulyanov, Vedaldi & Lempitsky, 2016, arXiv:1607.08022
    group norm      H, W and the channels of a group    Wu & He, 2018, arXiv:1803.08494

Only batch norm mixes the examples of a batch. It therefore needs a second way to compute, for evaluation, and
remembers running statistics for it; the others compute the same in training and in evaluation.

The classes are drop-in replacements for those of `torch.nn`: equal arguments, `state_dict` and results. Left
out: `track_running_stats` and `momentum=None`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course.batch_norm import (
    batch_norm_backward,
    batch_norm_eval,
    batch_norm_train,
    fuse_linear_bn,
    require_several_values,
    standardize,
)
from course.preprocessing import channel_statistics, pca_whiten

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "GroupNorm",
    "InstanceNorm2d",
    "LayerNorm",
    "batch_norm_backward",
    "batch_norm_eval",
    "batch_norm_train",
    "channel_statistics",
    "fuse_linear_bn",
    "pca_whiten",
]


def _register_affine(module: nn.Module, shape: tuple[int, ...], weight: bool, bias: bool) -> None:
    """Give module a weight and a bias of this shape, or None where one is not wanted, as torch does."""
    module.register_parameter("weight", nn.Parameter(torch.empty(shape)) if weight else None)
    module.register_parameter("bias", nn.Parameter(torch.empty(shape)) if bias else None)


def _reset_affine(module: nn.Module) -> None:
    """Start as plain standardization: weight 1, bias 0."""
    if module.weight is not None:
        nn.init.ones_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    """Reshape values (C,) to (1, C, 1, ...), so that they line up with the channels of x (N, C, ...)."""
    return values.view(1, -1, *[1] * (x.dim() - 2))


def _require_channels(x: Tensor, channels: int) -> None:
    if x.dim() < 2 or x.shape[1] != channels:
        raise RuntimeError(f"expected {channels} channels in axis 1, got input size {tuple(x.shape)}")


class _BatchNorm(nn.Module):
    """What BatchNorm1d and BatchNorm2d share: everything but the input shapes they accept."""

    input_dims: tuple[int, ...]

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        _register_affine(self, (num_features,), weight=affine, bias=affine)
        # Buffers are saved, moved and copied with the layer, but no optimizer sees them.
        self.register_buffer("running_mean", torch.empty(num_features))
        self.register_buffer("running_var", torch.empty(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches seen so far."""
        self.running_mean.zero_()
        self.running_var.fill_(1)
        self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Start as plain standardization (weight 1, bias 0), with no batch seen."""
        self.reset_running_stats()
        _reset_affine(self)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x; in training mode, also update the running statistics."""
        if x.dim() not in self.input_dims:
            wanted = " or ".join(f"{dims}D" for dims in self.input_dims)
            raise ValueError(f"expected {wanted} input (got {x.dim()}D input)")
        _require_channels(x, self.num_features)
        if self.training:
            require_several_values(x)
            every_axis_but_channels = [0, *range(2, x.dim())]
            x_hat, mean, var = standardize(x, every_axis_but_channels, self.eps)
            self._update_running_stats(mean.flatten(), var.flatten(), n=x.numel() // self.num_features)
        else:
            centered = x - _per_channel(self.running_mean, x)
            x_hat = centered / torch.sqrt(_per_channel(self.running_var, x) + self.eps)
        if self.affine:
            return x_hat * _per_channel(self.weight, x) + _per_channel(self.bias, x)
        return x_hat

    @torch.no_grad()  # otherwise the buffers would hold on to the graph of every batch they have seen
    def _update_running_stats(self, mean: Tensor, var: Tensor, n: int) -> None:
        """running ← (1 − momentum) · running + momentum · batch; the variance is unbiased: 1/(n − 1)."""
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var * n / (n - 1), self.momentum)
        self.num_batches_tracked.add_(1)

    def extra_repr(self) -> str:
        """Show the arguments in `print(model)`."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}"


class BatchNorm1d(_BatchNorm):
    """Batch normalization of features (N, C) or sequences (N, C, L), over every axis but C.

    num_features: C. momentum: the weight of the newest batch in running_mean and running_var, so that
    running ← (1 − momentum) · running + momentum · batch (Keras calls 1 − momentum its momentum).
    affine: whether to learn a weight and a bias of shape (C,).

    In training mode it computes `batch_norm_train`, with the biased variance, and remembers the unbiased one
    in running_var; in evaluation mode `batch_norm_eval` (Ioffe & Szegedy, 2015, algorithms 1 and 2).

    Raises ValueError for another number of dimensions, and in training mode for one value per channel;
    RuntimeError for another number of channels.
    """

    input_dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalization of images (N, C, H, W), over N, H and W.

    A convolution treats all positions of a channel alike, and so does this layer: every pixel of every image
    counts as one example of its channel (Ioffe & Szegedy, 2015, section 3.2). Arguments and errors as for
    `BatchNorm1d`.
    """

    input_dims = (4,)


class LayerNorm(nn.Module):
    """Normalize each example over its last axes: those of normalized_shape, an int or a sequence of ints.

    Input (*, *normalized_shape), output the same. weight and bias have the shape normalized_shape: one value
    for every feature, where batch norm has one for every channel. Ba, Kiros & Hinton (2016), section 3:

        h = γ ⊙ (x − μ) / sqrt(σ² + eps) + β,   μ = 1/H Σ xᵢ,   σ² = 1/H Σ (xᵢ − μ)²

    Raises RuntimeError when the input does not end in normalized_shape.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if isinstance(normalized_shape, int):
            normalized_shape = (normalized_shape,)
        self.normalized_shape = tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        _register_affine(self, self.normalized_shape, elementwise_affine, elementwise_affine and bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as plain standardization: weight 1, bias 0."""
        _reset_affine(self)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each example of x by itself."""
        axes = len(self.normalized_shape)
        if tuple(x.shape[-axes:]) != self.normalized_shape:
            raise RuntimeError(f"expected an input ending in {self.normalized_shape}, got {tuple(x.shape)}")
        y, _, _ = standardize(x, list(range(-axes, 0)), self.eps)
        if self.weight is not None:
            y = y * self.weight
        if self.bias is not None:
            y = y + self.bias
        return y

    def extra_repr(self) -> str:
        """Show the arguments in `print(model)`."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class InstanceNorm2d(nn.Module):
    """Normalize each channel of each image by itself: input (N, C, H, W) or (C, H, W), axes H and W.

    It removes brightness and contrast of the single picture. Ulyanov, Vedaldi & Lempitsky (2016), equation 3,
    for image n and channel c:

        y = (x − μ_nc) / sqrt(σ²_nc + eps),   μ_nc = 1/HW Σ x,   σ²_nc = 1/HW Σ (x − μ_nc)²

    With affine=True a weight and a bias of shape (C,) follow, as in torch not by default. momentum is kept
    for torch's signature; without running statistics nothing uses it.

    Raises ValueError for another number of dimensions or channels and for pictures of one pixel.
    """

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        _register_affine(self, (num_features,), weight=affine, bias=affine)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as plain standardization: weight 1, bias 0."""
        _reset_affine(self)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each channel of each image by itself."""
        if x.dim() not in (3, 4):
            raise ValueError(f"expected 3D or 4D input (got {x.dim()}D input)")
        *_, channels, height, width = x.shape
        if channels != self.num_features:
            raise ValueError(f"expected {self.num_features} channels, got input size {tuple(x.shape)}")
        if height * width == 1:
            raise ValueError(f"expected more than 1 spatial element, got input size {tuple(x.shape)}")
        y, _, _ = standardize(x, [-2, -1], self.eps)
        if self.affine:
            y = y * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)
        return y

    def extra_repr(self) -> str:
        """Show the arguments in `print(model)`."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}"


class GroupNorm(nn.Module):
    """Normalize each example over groups of channels and all positions: input (N, C, *).

    The channels are split, in order, into num_groups groups of equal size. One group gives layer norm over
    (C, *), num_channels groups give instance norm. weight and bias have shape (C,): they stay one per
    channel. Wu & He (2018), equation 7.

    Raises ValueError when num_groups does not divide num_channels; RuntimeError for an input with another
    number of channels or without a channel axis.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        _register_affine(self, (num_channels,), weight=affine, bias=affine)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as plain standardization: weight 1, bias 0."""
        _reset_affine(self)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each group of channels of each example by itself."""
        _require_channels(x, self.num_channels)
        groups = x.reshape(x.shape[0], self.num_groups, -1)
        normalized, _, _ = standardize(groups, [-1], self.eps)
        y = normalized.reshape(x.shape)
        if self.affine:
            y = y * _per_channel(self.weight, x) + _per_channel(self.bias, x)
        return y

    def extra_repr(self) -> str:
        """Show the arguments in `print(model)`."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
