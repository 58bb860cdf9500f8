"""Fill weights so that signals neither die out nor blow up, forward and backward.

    var(W x) = n · var(w) · E[x²]      so var(w) = 1/n keeps the variance of n inputs of mean 0

- Glorot & Bengio, 2010, "Understanding the difficulty of training deep feedforward neural networks":
  `xavier_uniform_`, `xavier_normal_`.
- He et al., 2015, "Delving Deep into Rectifiers", https://arxiv.org/abs/1502.01852: `kaiming_uniform_`,
  `kaiming_normal_`.
- LeCun et al., 1998, "Efficient BackProp", section 4.6: `lecun_normal_`.
- Saxe et al., 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
  https://arxiv.org/abs/1312.6120: `orthogonal_`.
- Mishkin & Matas, 2016, "All you need is a good init", https://arxiv.org/abs/1511.06422: `lsuv_init`.

A name that ends in _ fills the given tensor in place and returns it, as in `torch.nn.init`. The numbers come
from torch's generator.
"""

import math

import torch
from torch import Tensor, nn

__all__ = [
    "calculate_fan_in_and_fan_out",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "lsuv_init",
    "orthogonal_",
    "variance_scaling_",
    "xavier_normal_",
    "xavier_uniform_",
]


def calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs an output has, and how many outputs an input reaches.

    tensor: the weight of a linear layer, (out, in), or of a convolution, (out, in, kH, kW) with any number of
    kernel axes. A kernel of kH × kW positions multiplies both: fan_in = in · kH · kW, fan_out = out · kH ·
    kW.

    Raises ValueError when tensor has fewer than 2 dimensions: a bias has no fans.
    """
    if tensor.dim() < 2:
        raise ValueError(f"a tensor of {tensor.dim()} dimensions has no fan in and fan out")
    outputs, inputs, *kernel = tensor.shape
    positions = math.prod(kernel)
    return inputs * positions, outputs * positions


@torch.no_grad()
def variance_scaling_(
    tensor: Tensor, scale: float = 1.0, mode: str = "fan_in", distribution: str = "normal"
) -> Tensor:
    """Fill tensor with numbers of mean 0 and variance scale / n, and return it.

    tensor: a weight, see `calculate_fan_in_and_fan_out`. mode: which n, "fan_in", "fan_out" or "fan_avg",
    their mean. distribution: "normal", N(0, scale/n), or "uniform" on [−b, b] with b = √(3 · scale / n),
    because the variance of U(−b, b) is b²/3.

    Raises ValueError for another mode or distribution, or a tensor with fewer than 2 dimensions.
    """
    fan_in, fan_out = calculate_fan_in_and_fan_out(tensor)
    fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    if mode not in fans:
        raise ValueError(f"mode must be one of {', '.join(fans)}, got {mode!r}")
    std = math.sqrt(scale / fans[mode])
    if distribution == "normal":
        return tensor.normal_(0, std)
    if distribution == "uniform":
        bound = math.sqrt(3) * std
        return tensor.uniform_(-bound, bound)
    raise ValueError(f"distribution must be normal or uniform, got {distribution!r}")


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill tensor from U(−b, b) with b = gain · √(6 / (fan_in + fan_out)). Glorot & Bengio (2010), eq. 16.

    Their variance 2 / (fan_in + fan_out) is the compromise between 1 / fan_in, which the forward pass asks
    for, and 1 / fan_out, which the backward pass asks for. Raises ValueError below 2 dimensions.
    """
    return variance_scaling_(tensor, gain**2, "fan_avg", "uniform")


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill tensor from N(0, std²) with std = gain · √(2 / (fan_in + fan_out)). Glorot & Bengio, eq. 12.

    Raises ValueError below 2 dimensions.
    """
    return variance_scaling_(tensor, gain**2, "fan_avg", "normal")


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill tensor from U(−b, b) with b = gain · √(3 / n), n = fan_in or fan_out. He et al. (2015).

    gain² makes up for what the nonlinearity takes: 2 for relu, which sets half of the numbers to 0, and
    2 / (1 + a²) for leaky_relu with negative slope a (equation 15). For others see `nn.init.calculate_gain`.

    Raises ValueError for another mode, an unknown nonlinearity, or a tensor with fewer than 2 dimensions.
    """
    return _kaiming_(tensor, a, mode, nonlinearity, "uniform")


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill tensor from N(0, std²) with std = gain / √n, n = fan_in or fan_out. He et al. (2015), equation 15.

    Arguments and errors as for `kaiming_uniform_`.
    """
    return _kaiming_(tensor, a, mode, nonlinearity, "normal")


def _kaiming_(tensor: Tensor, a: float, mode: str, nonlinearity: str, distribution: str) -> Tensor:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be fan_in or fan_out, got {mode!r}")
    gain = nn.init.calculate_gain(nonlinearity, a)
    return variance_scaling_(tensor, gain**2, mode, distribution)


def lecun_normal_(tensor: Tensor) -> Tensor:
    """Fill tensor from N(0, 1 / fan_in), as selu asks for. LeCun et al. (1998), equation 16.

    Raises ValueError below 2 dimensions.
    """
    return variance_scaling_(tensor, 1.0, "fan_in", "normal")


@torch.no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1) -> Tensor:
    """Fill tensor with gain times an orthogonal matrix, drawn uniformly from all of them, and return it.

    tensor: (rows, cols), or more axes: all after the first count as columns. With Q the filled (rows, cols)
    matrix, QᵀQ = gain² I when rows ≥ cols, and QQᵀ = gain² I when rows ≤ cols. Saxe et al. (2014).

    Q of a QR decomposition of normal numbers is orthogonal, but not yet uniform: which sign each column
    gets is the algorithm's habit. Times the sign of R's diagonal, it is uniform (Mezzadri, 2007, "How to
    generate random matrices from the classical compact groups", section 5).

    Raises ValueError when tensor has fewer than 2 dimensions.
    """
    if tensor.dim() < 2:
        raise ValueError(f"an orthogonal matrix needs 2 dimensions or more, got {tensor.dim()}")
    rows, cols = tensor.shape[0], tensor[0].numel()
    normal = torch.randn(max(rows, cols), min(rows, cols), dtype=tensor.dtype, device=tensor.device)
    q, r = torch.linalg.qr(normal)  # (long, short): orthonormal columns
    q = q * torch.sign(torch.diagonal(r))
    if rows < cols:
        q = q.T
    return tensor.copy_(gain * q.reshape(tensor.shape))


@torch.no_grad()
def lsuv_init(model: nn.Module, x: Tensor) -> nn.Module:
    """Give the output of every linear and convolutional layer variance 1 on the batch x. Return the model.

    model: layers in the order of `model.modules()`, as in nn.Sequential; without norm layers. x: a batch,
    as the model takes it. Mishkin & Matas (2016), algorithm 1: all weights orthogonal, all biases 0; then,
    layer by layer from the input on, run the model, take the variance over all numbers of the layer's
    output, and divide the weight by its root. The paper repeats this until the variance is within 0.1 of
    1, each time on another batch; on one batch the output is proportional to the weight, and one division
    is exact.

    The model runs in evaluation mode, so that dropout adds no variance of its own; its mode is put back. A
    layer whose output does not vary keeps its orthogonal weight.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    for layer in layers:
        orthogonal_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    was_training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        for layer in layers:
            variance = _variance_after(layer, model, x)
            if variance > 0:
                layer.weight /= variance.sqrt()
    finally:
        for module in was_training:
            module.training = True
    return model


def _variance_after(layer: nn.Module, model: nn.Module, x: Tensor) -> Tensor:
    """The variance of what the layer returns when the model runs on x.

    It is taken in the hook: afterwards `nn.ReLU(inplace=True)` has overwritten the output.
    """
    variances: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, args, output: variances.append(output.var()))
    try:
        model(x)
    finally:
        handle.remove()
    return variances[-1]
