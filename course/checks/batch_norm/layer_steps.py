"""A right batch norm layer in small steps, for a mistake to change one of them.

Every mistake is a subclass that overrides one step, so that BatchNorm1d and BatchNorm2d share it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BatchNorm(nn.Module):
    """The steps, for (N, C, ...) input."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.make_affine()
        self.make_buffers()

    def make_affine(self) -> None:
        self.weight = nn.Parameter(torch.ones(self.num_features)) if self.affine else None
        self.bias = nn.Parameter(torch.zeros(self.num_features)) if self.affine else None

    def make_buffers(self) -> None:
        self.register_buffer("running_mean", torch.zeros(self.num_features))
        self.register_buffer("running_var", torch.ones(self.num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def axes(self, x: Tensor) -> tuple[int, ...]:
        return (0, *range(2, x.dim()))

    def count(self, x: Tensor) -> int:
        return x.numel() // self.num_features

    def batch_mean(self, x: Tensor) -> Tensor:
        return x.mean(self.axes(x))

    def batch_var(self, x: Tensor, mean: Tensor) -> Tensor:
        return x.var(self.axes(x), correction=0)

    def kept_var(self, var: Tensor, n: int) -> Tensor:
        return var * n / (n - 1)

    def blend(self, old: Tensor, new: Tensor) -> Tensor:
        return (1 - self.momentum) * old + self.momentum * new

    def update(self, x: Tensor, mean: Tensor, var: Tensor) -> None:
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.copy_(self.blend(self.running_mean, mean))
            self.running_var.copy_(self.blend(self.running_var, self.kept_var(var, self.count(x))))

    def is_training(self) -> bool:
        return self.training

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if not self.is_training():
            return self.running_mean, self.running_var
        mean = self.batch_mean(x)
        var = self.batch_var(x, mean)
        self.update(x, mean, var)
        return mean, var

    def per_channel(self, value: Tensor, x: Tensor) -> Tensor:
        return value.reshape(-1, *(1 for _ in x.shape[2:]))

    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred / torch.sqrt(var + self.eps)

    def scale_and_shift(self, x_hat: Tensor) -> Tensor:
        if self.weight is None or self.bias is None:
            return x_hat
        return self.per_channel(self.weight, x_hat) * x_hat + self.per_channel(self.bias, x_hat)

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.statistics(x)
        x_hat = self.divide(x - self.per_channel(mean, x), self.per_channel(var, x))
        return self.scale_and_shift(x_hat)
