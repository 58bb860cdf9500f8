"""Batch normalization as functions: forward, backward, evaluation, and folded into a linear layer.

Ioffe & Szegedy, 2015, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
Shift", https://arxiv.org/abs/1502.03167. The layers that remember running statistics are in
`course.normalization`.
"""

import torch
from torch import Tensor, nn

__all__ = [
    "batch_norm_backward",
    "batch_norm_eval",
    "batch_norm_train",
    "fuse_linear_bn",
    "require_several_values",
    "standardize",
]


def standardize(x: Tensor, dim: list[int], eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Normalize x over the axes dim: return (x − mean) / sqrt(var + eps), mean and var.

    x: any shape. mean and var (biased: divided by n) keep the axes dim, with size 1, to broadcast with x.
    """
    mean = x.mean(dim, keepdim=True)
    centered = x - mean
    # Centre first, then square: E[x²] − E[x]² would subtract two nearly equal numbers at a large mean.
    var = centered.square().mean(dim, keepdim=True)
    return centered / torch.sqrt(var + eps), mean, var


def require_several_values(x: Tensor) -> None:
    """Raise ValueError when x (N, C, ...) has one value per channel: its own mean, it would become 0."""
    if x.numel() == x.shape[1]:
        raise ValueError(
            f"expected more than 1 value per channel when training, got input size {tuple(x.shape)}"
        )


def batch_norm_train(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalize each feature of a batch with the batch's own statistics.

    x: (N, C), weight (the paper's γ) and bias (β): (C,). Returns (y, mean, var) of shapes (N, C), (C,), (C,);
    var is the biased variance, divided by N, with which y was computed. Ioffe & Szegedy (2015), algorithm 1:

        μ = 1/N Σ xᵢ,   σ² = 1/N Σ (xᵢ − μ)²,   x̂ᵢ = (xᵢ − μ) / sqrt(σ² + eps),   yᵢ = γ x̂ᵢ + β

    Raises ValueError for a batch of one example.
    """
    require_several_values(x)
    x_hat, mean, var = standardize(x, [0], eps)
    return x_hat * weight + bias, mean.squeeze(0), var.squeeze(0)


def batch_norm_backward(
    grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of a loss with respect to `batch_norm_train`'s x, weight and bias, by hand.

    grad_output = ∂L/∂y: (N, C), x: (N, C), weight: (C,). Returns (grad_x, grad_weight, grad_bias) of shapes
    (N, C), (C,), (C,). The chain rule of Ioffe & Szegedy (2015), section 3, with g = ∂L/∂y, simplifies to

        ∂L/∂β = Σ gᵢ,   ∂L/∂γ = Σ gᵢ x̂ᵢ,   ∂L/∂xᵢ = γ / sqrt(σ² + eps) · (gᵢ − mean(g) − x̂ᵢ mean(g x̂))

    mean(g) is there because μ depends on every xᵢ, and x̂ᵢ mean(g x̂) because σ² does.

    Raises ValueError for a batch of one example.
    """
    require_several_values(x)
    x_hat, _, var = standardize(x, [0], eps)
    grad_bias = grad_output.sum(dim=0)
    grad_weight = (grad_output * x_hat).sum(dim=0)
    through_mean = grad_output.mean(dim=0)
    through_var = x_hat * (grad_output * x_hat).mean(dim=0)
    grad_x = weight / torch.sqrt(var + eps) * (grad_output - through_mean - through_var)
    return grad_x, grad_weight, grad_bias


def batch_norm_eval(
    x: Tensor, running_mean: Tensor, running_var: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5
) -> Tensor:
    """Normalize with remembered statistics, so that an example's output does not depend on its batch.

    x: (N, C), with N = 1 allowed; the others: (C,). Returns y: (N, C). Ioffe & Szegedy (2015), algorithm
    2, line 11:

        y = γ (x − E[x]) / sqrt(Var[x] + eps) + β
    """
    return (x - running_mean) / torch.sqrt(running_var + eps) * weight + bias


@torch.no_grad()
def fuse_linear_bn(linear: nn.Linear, bn: nn.BatchNorm1d) -> nn.Linear:
    """Return one new linear layer that computes bn(linear(x)) as bn computes it in evaluation mode.

    linear: in_features → C, with or without bias. bn: torch's or this module's BatchNorm1d of C features,
    with or without weight and bias; whether it is in training mode does not matter. Neither layer is changed.
    In evaluation batch norm is an affine map of each feature, and an affine map after an affine map is one
    affine map (Ioffe & Szegedy, 2015, section 3.1):

        W' = diag(s) W,   b' = s (b − μ) + β   with   s = γ / sqrt(σ² + eps)

    The result always has a bias, and linear's device and dtype.

    Raises ValueError when the numbers of features differ or bn keeps no running statistics.
    """
    if linear.out_features != bn.num_features:
        raise ValueError(
            f"linear has {linear.out_features} outputs, but bn expects {bn.num_features} features"
        )
    if bn.running_mean is None:
        raise ValueError(
            "bn keeps no running statistics (track_running_stats=False), so its output is no fixed map"
        )
    gamma = bn.weight if bn.weight is not None else torch.ones_like(bn.running_var)
    beta = bn.bias if bn.bias is not None else torch.zeros_like(bn.running_mean)
    bias = linear.bias if linear.bias is not None else torch.zeros_like(bn.running_mean)
    scale = gamma / torch.sqrt(bn.running_var + bn.eps)

    fused = nn.Linear(
        linear.in_features, linear.out_features, device=linear.weight.device, dtype=linear.weight.dtype
    )
    fused.weight.copy_(scale.unsqueeze(1) * linear.weight)
    fused.bias.copy_(scale * (bias - bn.running_mean) + beta)
    return fused
