"""How students get the BatchNorm layers wrong: parameters, buffers and the constructor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course.checks.batch_norm.layer_steps import BatchNorm
from course.checks.framework import Misconception


class PlainAttributes(BatchNorm):
    def make_buffers(self) -> None:
        self.running_mean = torch.zeros(self.num_features)
        self.running_var = torch.ones(self.num_features)
        self.num_batches_tracked = torch.tensor(0)

    def _apply(self, fn, recurse=True):
        # Keeps the dtype of the attributes right, so that only what this mistake is about goes wrong.
        for name in ("running_mean", "running_var"):
            self.__dict__[name] = fn(self.__dict__[name])
        return super()._apply(fn, recurse)


class BuffersAsParameters(BatchNorm):
    def make_buffers(self) -> None:
        self.running_mean = nn.Parameter(torch.zeros(self.num_features))
        self.running_var = nn.Parameter(torch.ones(self.num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))


class NoCounter(BatchNorm):
    def make_buffers(self) -> None:
        self.register_buffer("running_mean", torch.zeros(self.num_features))
        self.register_buffer("running_var", torch.ones(self.num_features))
        self.num_batches_tracked = 0


class RunningVarStartsAtZero(BatchNorm):
    def make_buffers(self) -> None:
        super().make_buffers()
        self.running_var.zero_()


class WeightStartsAtZero(BatchNorm):
    def make_affine(self) -> None:
        super().make_affine()
        if self.weight is not None:
            nn.init.zeros_(self.weight)


class AffineIgnored(BatchNorm):
    def make_affine(self) -> None:
        self.weight = nn.Parameter(torch.ones(self.num_features))
        self.bias = nn.Parameter(torch.zeros(self.num_features))


class SuperForgotten(BatchNorm):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True
    ) -> None:
        self.weight = nn.Parameter(torch.ones(num_features))


class CounterIsAFloat(BatchNorm):
    def make_buffers(self) -> None:
        super().make_buffers()
        self.num_batches_tracked = torch.tensor(0.0)


class NotTrainable(BatchNorm):
    def make_affine(self) -> None:
        super().make_affine()
        for parameter in self.parameters():
            parameter.requires_grad_(False)


class KeepsAResult(BatchNorm):
    def divide(self, centred: Tensor, var: Tensor) -> Tensor:
        self.x_hat = super().divide(centred, var)
        return self.x_hat


class ArgumentsInAnotherOrder(BatchNorm):
    def __init__(
        self, num_features: int, momentum: float = 0.1, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__(num_features, eps, momentum, affine)


PARAMETERS = (
    Misconception(
        "plain_attributes",
        PlainAttributes,
        "running_mean and running_var are plain attributes: they are neither saved nor moved with the "
        "model. Use register_buffer.",
    ),
    Misconception(
        "buffers_as_parameters",
        BuffersAsParameters,
        "running_mean and running_var are nn.Parameters, so an optimizer would change them. "
        "Use register_buffer.",
    ),
    Misconception(
        "counter_missing",
        NoCounter,
        "num_batches_tracked is not a buffer. torch keeps it in the state_dict as an int64 tensor that "
        "starts at 0.",
    ),
    Misconception(
        "running_var_starts_at_zero",
        RunningVarStartsAtZero,
        "running_var starts at 0. It starts at 1, like weight.",
    ),
    Misconception(
        "weight_starts_at_zero",
        WeightStartsAtZero,
        "weight starts at 0, so the layer's output is 0. It starts at 1.",
    ),
    Misconception(
        "affine_ignored",
        AffineIgnored,
        "with affine=False the layer still has weight and bias. "
        "They are None then (register_parameter(name, None)).",
    ),
    Misconception(
        "super_forgotten",
        SuperForgotten,
        "super().__init__() is missing. It must be the first line of __init__.",
    ),
    Misconception(
        "counter_is_a_float",
        CounterIsAFloat,
        "num_batches_tracked is a float. torch keeps it as an integer: torch.tensor(0).",
    ),
    Misconception(
        "not_trainable",
        NotTrainable,
        "weight and bias do not ask for a gradient (requires_grad=False), so they never learn.",
    ),
    Misconception(
        "keeps_a_result",
        KeepsAResult,
        "the layer keeps a tensor with its graph (such as self.x_hat = ...), so it cannot be copied and "
        "memory stays in use. A local variable is enough.",
    ),
    Misconception(
        "arguments_in_another_order",
        ArgumentsInAnotherOrder,
        "the arguments have another order than torch's: num_features, eps, momentum, affine.",
    ),
)
"""Mistakes with parameters and buffers, for BatchNorm1d and BatchNorm2d."""
