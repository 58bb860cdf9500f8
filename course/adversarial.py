"""Adversarial pictures: a change that nobody sees, and the network says something else.

The gradient of the loss says how to change the weights. Taken with respect to the picture, it says how to
change the picture so that the loss grows. Goodfellow, Shlens & Szegedy, 2015, "Explaining and Harnessing
Adversarial Examples".
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.training import evaluation_mode

__all__ = ["fgsm_attack"]


def fgsm_attack(model: nn.Module, x: Tensor, y: Tensor, epsilon: float) -> Tensor:
    """Move every pixel by epsilon in the direction in which the loss grows (fast gradient sign method).

        x_adv = clip(x + epsilon · sign(∂ loss / ∂ x), 0, 1),   loss = cross-entropy(model(x), y)

    x: (N, ...) with pixels in [0, 1], y: int64 (N,), the right classes. ``model`` returns logits (N, C).
    Where the gradient is 0, the pixel stays. Returns a new tensor of x's shape without a graph, with pixels
    in [0, 1]; x stays as it is.

    The network is attacked as it will be used, in evaluation mode; afterwards each module is back in the mode
    that it had. Nothing else is left behind: the parameters, their ``grad`` and their ``requires_grad`` are
    what they were.
    """
    x = x.detach().clone().requires_grad_()
    with evaluation_mode(model), torch.enable_grad():
        loss = F.cross_entropy(model(x), y)
        # Unlike loss.backward(), this leaves nothing in the parameters' grad.
        (gradient,) = torch.autograd.grad(loss, x)
    return (x + epsilon * gradient.sign()).clamp(0, 1).detach()
