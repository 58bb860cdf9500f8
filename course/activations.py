"""Activation functions and their derivatives, by hand.

    sigmoid, tanh                        squash: flat on both sides, where they saturate
    relu, leaky_relu, prelu              a kink at 0 and straight lines
    elu, selu                            straight for x > 0, an exponential that flattens for x < 0

The forward functions are made of tensor operations, so autograd can go back through them. Each f has an
`f_backward(grad_output, x)` that returns grad_output · f'(x) from the formula. At a kink it takes the
derivative from the left, as torch does: f'(0) of relu is 0. Nothing here overflows, however large |x| is.
"""

import torch
from torch import Tensor

__all__ = [
    "SELU_ALPHA",
    "SELU_SCALE",
    "elu",
    "elu_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "prelu",
    "prelu_backward",
    "relu",
    "relu_backward",
    "selu",
    "selu_backward",
    "sigmoid",
    "sigmoid_backward",
    "tanh",
    "tanh_backward",
]

SELU_ALPHA = 1.6732632423543772
"""α of Klambauer et al. (2017), equation 14: with it, mean 0 and variance 1 are a stable fixed point."""

SELU_SCALE = 1.0507009873554805
"""λ of the same equation."""


# --- Saturating ---------------------------------------------------------------------------------------------


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + exp(−x)), between 0 and 1. x: any shape.

    For x < 0 it is exp(x) / (1 + exp(x)), the same number. Each formula gets only those x for which exp is
    at most 1: exp(1000) would be inf, and although 1 / inf is right, autograd would meet 0 · inf on its way
    back.
    """
    right, left = torch.exp(-x.clamp(min=0)), torch.exp(x.clamp(max=0))
    return torch.where(x >= 0, 1 / (1 + right), left / (1 + left))


def sigmoid_backward(grad_output: Tensor, x: Tensor) -> Tensor:
    """Return grad_output · s (1 − s) with s = sigmoid(x). Shapes: all the same.

    The slope is largest at 0, where it is 1/4. 1 − s is computed as sigmoid(−x): where s rounds to 1, the
    difference would be 0.
    """
    return grad_output * sigmoid(x) * sigmoid(-x)


def tanh(x: Tensor) -> Tensor:
    """Return (exp(x) − exp(−x)) / (exp(x) + exp(−x)), between −1 and 1. x: any shape.

    Multiplied above and below by exp(x) this is u / (u + 2) with u = exp(2x) − 1, which `torch.expm1`
    computes without losing digits near 0. From |x| = 20 on the result rounds to ±1 in float64, so x is
    clamped there: u cannot overflow.
    """
    u = torch.expm1(2 * x.clamp(-20, 20))
    return u / (u + 2)


def tanh_backward(grad_output: Tensor, x: Tensor) -> Tensor:
    """Return grad_output · (1 − tanh(x)²). Shapes: all the same. The slope is largest at 0, where it is 1."""
    return grad_output * (1 - tanh(x).square())


# --- Rectifiers ---------------------------------------------------------------------------------------------


def relu(x: Tensor) -> Tensor:
    """Return max(0, x). x: any shape. Nair & Hinton (2010); Glorot, Bordes & Bengio (2011)."""
    return torch.where(x > 0, x, 0)


def relu_backward(grad_output: Tensor, x: Tensor) -> Tensor:
    """Return grad_output where x > 0, and 0 elsewhere. Shapes: all the same."""
    return grad_output * (x > 0)


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Return x where x > 0, and negative_slope · x elsewhere. x: any shape. Maas et al. (2013)."""
    return torch.where(x > 0, x, negative_slope * x)


def leaky_relu_backward(grad_output: Tensor, x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Return grad_output where x > 0, and negative_slope · grad_output elsewhere. Shapes: all the same."""
    return torch.where(x > 0, grad_output, negative_slope * grad_output)


def prelu(x: Tensor, weight: Tensor) -> Tensor:
    """Return x where x > 0, and weight · x elsewhere; the weight is learned. He et al. (2015), equation 1.

    x: (N, C, ...), weight: (C,), one slope per channel; or x of any shape with a weight of shape (1,).

    Raises ValueError when weight is neither (1,) nor (C,).
    """
    return torch.where(x > 0, x, _per_channel(weight, x) * x)


def prelu_backward(grad_output: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of a loss with respect to `prelu`'s x and weight.

    grad_output, x: (N, C, ...), weight: (C,) or (1,). Returns (grad_x, grad_weight) of the shapes of x and
    weight. One slope serves many numbers, so its gradient is a sum over all of them, He et al. (2015),
    equations 2 and 3:

        ∂L/∂a = Σ over the numbers of the channel, with x ≤ 0, of ∂L/∂y · x

    Raises ValueError when weight is neither (1,) nor (C,).
    """
    grad_x = torch.where(x > 0, grad_output, _per_channel(weight, x) * grad_output)
    terms = torch.where(x > 0, 0, grad_output * x)
    if weight.numel() == 1:
        return grad_x, terms.sum().reshape(weight.shape)
    others = [axis for axis in range(x.dim()) if axis != 1]
    return grad_x, terms.sum(dim=others)


def _per_channel(weight: Tensor, x: Tensor) -> Tensor:
    """Reshape the slopes so that they line up with axis 1 of x."""
    if weight.numel() == 1:
        return weight
    if x.dim() < 2 or weight.shape != (x.shape[1],):
        raise ValueError(
            f"expected a weight of 1 or C numbers for an input (N, C, ...), "
            f"got weight {tuple(weight.shape)} and input {tuple(x.shape)}"
        )
    return weight.view(-1, *(1 for _ in x.shape[2:]))


# --- Exponential --------------------------------------------------------------------------------------------


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Return x where x > 0, and alpha · (exp(x) − 1) elsewhere. Clevert et al. (2016), section 3.

    exp is given min(x, 0) only. `torch.where(x > 0, x, alpha * torch.expm1(x))` has the right values too, but
    autograd multiplies the branch not taken by 0, and 0 · exp(1000) = 0 · inf is nan.
    """
    return torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0)))


def elu_backward(grad_output: Tensor, x: Tensor, alpha: float = 1.0) -> Tensor:
    """Return grad_output where x > 0, and grad_output · alpha · exp(x) elsewhere. Shapes: all the same.

    At x = 0: alpha · grad_output, the derivative from the left.
    """
    return grad_output * torch.where(x > 0, 1, alpha * torch.exp(x.clamp(max=0)))


def selu(x: Tensor) -> Tensor:
    """Return SELU_SCALE · elu(x, SELU_ALPHA). x: any shape. Klambauer et al. (2017), equation 2."""
    return SELU_SCALE * elu(x, SELU_ALPHA)


def selu_backward(grad_output: Tensor, x: Tensor) -> Tensor:
    """Return grad_output · λ where x > 0, and grad_output · λ · α · exp(x) elsewhere. Shapes: all the
    same.
    """
    return SELU_SCALE * elu_backward(grad_output, x, SELU_ALPHA)
