"""Clip the gradient: by its norm, which keeps its direction, or by value, which turns it.

Pascanu, Mikolov & Bengio, 2013, "On the difficulty of training recurrent neural networks",
https://arxiv.org/abs/1211.5063, algorithm 1.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """The gradients that are there. A list, since `model.parameters()` can be walked through only once."""
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


@torch.no_grad()
def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0) -> Tensor:
    """Scale all gradients by one factor, in place, so that their total norm is at most max_norm.

    parameters: one tensor, or any iterable of them; those whose grad is None are skipped. norm_type: p of the
    p-norm, also float("inf") for the largest |entry|. Returns the total norm before clipping, a tensor
    without dimensions: the norm of all gradients as one long vector g.

        g ← g · min(1, max_norm / (‖g‖ + 1e-6))

    The 1e-6 is torch's: it keeps 0/0 away. Without any gradient the norm is 0.
    """
    gradients = _gradients(parameters)
    if not gradients:
        return torch.tensor(0.0)
    # The norm of the norms is the norm of everything: √(Σ ‖gᵢ‖²) for p = 2, and so for every p.
    norms = torch.stack([torch.linalg.vector_norm(each, norm_type) for each in gradients])
    total_norm = torch.linalg.vector_norm(norms, norm_type)
    factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
    for each in gradients:
        each.mul_(factor)
    return total_norm


@torch.no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clamp every entry of every gradient to [−clip_value, clip_value], in place.

    parameters: as for `clip_grad_norm_`. Large entries shrink and small ones stay, so the gradient turns.
    """
    for each in _gradients(parameters):
        each.clamp_(-clip_value, clip_value)
