"""How students get `fuse_linear_bn` wrong."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from course.checks.collect import Mistakes

FUSE_LINEAR_BN = Mistakes()


def _parts(linear: nn.Linear, bn: nn.BatchNorm1d) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """gamma, beta, bias, and std = sqrt(running_var + eps): the part of the work that is right."""
    zero = torch.zeros_like(bn.running_mean)
    gamma = torch.ones_like(zero) if bn.weight is None else bn.weight.detach()
    beta = zero if bn.bias is None else bn.bias.detach()
    bias = zero if linear.bias is None else linear.bias.detach()
    return gamma, beta, bias, torch.sqrt(bn.running_var + bn.eps)


def _right(linear: nn.Linear, bn: nn.BatchNorm1d) -> tuple[Tensor, Tensor, Tensor]:
    """The right scale = gamma / std, beta and bias."""
    gamma, beta, bias, std = _parts(linear, bn)
    return gamma / std, beta, bias


def _layer(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A new linear layer with this weight and bias."""
    fused = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    with torch.no_grad():
        fused.weight.copy_(weight)
        fused.bias.copy_(bias)
    return fused


@FUSE_LINEAR_BN.add("running_mean is forgotten in the bias: b' = scale * (b - running_mean) + beta.")
def mean_forgotten(linear, bn):
    scale, beta, bias = _right(linear, bn)
    return _layer(scale[:, None] * linear.weight, scale * bias + beta)


@FUSE_LINEAR_BN.add("running_mean is added. Batch norm subtracts it: b' = scale * (b - running_mean) + beta.")
def mean_added(linear, bn):
    scale, beta, bias = _right(linear, bn)
    return _layer(scale[:, None] * linear.weight, scale * (bias + bn.running_mean) + beta)


@FUSE_LINEAR_BN.add(
    "the bias of the linear layer is not scaled. It goes through batch norm too: scale * (b - running_mean)."
)
def linear_bias_not_scaled(linear, bn):
    scale, beta, bias = _right(linear, bn)
    return _layer(scale[:, None] * linear.weight, bias - scale * bn.running_mean + beta)


@FUSE_LINEAR_BN.add(
    "running_mean is not scaled: b' = scale * (b - running_mean) + beta. Look at the brackets."
)
def mean_not_scaled(linear, bn):
    scale, beta, bias = _right(linear, bn)
    return _layer(scale[:, None] * linear.weight, scale * bias - bn.running_mean + beta)


@FUSE_LINEAR_BN.add("the new bias is not scaled at all: b' = scale * (b - running_mean) + beta.")
def new_bias_not_scaled(linear, bn):
    gamma, beta, bias, std = _parts(linear, bn)
    return _layer((gamma / std)[:, None] * linear.weight, bias - bn.running_mean + beta)


@FUSE_LINEAR_BN.add("the linear layer's own bias is forgotten: b' = scale * (b - running_mean) + beta.")
def linear_bias_forgotten(linear, bn):
    gamma, beta, _, std = _parts(linear, bn)
    scale = gamma / std
    return _layer(scale[:, None] * linear.weight, beta - scale * bn.running_mean)


@FUSE_LINEAR_BN.add(
    "the bias stays that of the linear layer. Batch norm changes it: b' = scale * (b - running_mean) + beta."
)
def bias_not_touched(linear, bn):
    gamma, _, bias, std = _parts(linear, bn)
    return _layer((gamma / std)[:, None] * linear.weight, bias)


@FUSE_LINEAR_BN.add(
    "the weight stays that of the linear layer. Its rows are multiplied by gamma / sqrt(running_var + eps)."
)
def weight_not_scaled(linear, bn):
    gamma, beta, bias, std = _parts(linear, bn)
    return _layer(linear.weight, gamma / std * (bias - bn.running_mean) + beta)


@FUSE_LINEAR_BN.add("beta (bn.bias) is forgotten: it is added at the end.")
def beta_forgotten(linear, bn):
    gamma, _, bias, std = _parts(linear, bn)
    scale = gamma / std
    return _layer(scale[:, None] * linear.weight, scale * (bias - bn.running_mean))


@FUSE_LINEAR_BN.add(
    "beta (bn.bias) is scaled. It is added after the scaling: scale * (b - running_mean) + beta."
)
def beta_scaled(linear, bn):
    scale, beta, bias = _right(linear, bn)
    return _layer(scale[:, None] * linear.weight, scale * (bias - bn.running_mean + beta))


@FUSE_LINEAR_BN.add("gamma (bn.weight) is forgotten: scale = gamma / sqrt(running_var + eps).")
def gamma_forgotten(linear, bn):
    _, beta, bias, std = _parts(linear, bn)
    return _layer(linear.weight / std[:, None], (bias - bn.running_mean) / std + beta)


@FUSE_LINEAR_BN.add("gamma (bn.weight) is forgotten in the bias; the weight has it. Both use the same scale.")
def gamma_in_weight_only(linear, bn):
    gamma, beta, bias, std = _parts(linear, bn)
    return _layer((gamma / std)[:, None] * linear.weight, (bias - bn.running_mean) / std + beta)


@FUSE_LINEAR_BN.add(
    "scale meets the inputs (the columns of the weight). "
    "It belongs to the outputs: scale[:, None] * linear.weight."
)
def columns_scaled(linear, bn):
    scale, beta, bias = _right(linear, bn)
    return _layer(scale * linear.weight, scale * (bias - bn.running_mean) + beta)


@FUSE_LINEAR_BN.add(
    "you divide by running_var. Divide by the standard deviation sqrt(running_var + eps).", "3.5"
)
def no_root(linear, bn):
    gamma, beta, bias, _ = _parts(linear, bn)
    scale = gamma / (bn.running_var + bn.eps)
    return _layer(scale[:, None] * linear.weight, scale * (bias - bn.running_mean) + beta)


@FUSE_LINEAR_BN.add("eps is missing. bn divides by sqrt(running_var + bn.eps).", "3.5")
def no_eps(linear, bn):
    gamma, beta, bias, _ = _parts(linear, bn)
    scale = gamma / torch.sqrt(bn.running_var)
    return _layer(scale[:, None] * linear.weight, scale * (bias - bn.running_mean) + beta)


@FUSE_LINEAR_BN.add(
    "eps is added after the root. It belongs to the variance: sqrt(running_var + bn.eps).", "3.5"
)
def eps_outside_root(linear, bn):
    gamma, beta, bias, _ = _parts(linear, bn)
    scale = gamma / (torch.sqrt(bn.running_var) + bn.eps)
    return _layer(scale[:, None] * linear.weight, scale * (bias - bn.running_mean) + beta)


@FUSE_LINEAR_BN.add("eps is 1e-5 whatever bn says. Use bn.eps.", "3.5")
def eps_fixed(linear, bn):
    gamma, beta, bias, _ = _parts(linear, bn)
    scale = gamma / torch.sqrt(bn.running_var + 1e-5)
    return _layer(scale[:, None] * linear.weight, scale * (bias - bn.running_mean) + beta)


@FUSE_LINEAR_BN.add(
    "the new layer has no bias when the old one had none. "
    "Batch norm shifts, so the new layer always needs a bias."
)
def no_bias_without_bias(linear, bn):
    scale, beta, bias = _right(linear, bn)
    fused = _layer(scale[:, None] * linear.weight, scale * (bias - bn.running_mean) + beta)
    if linear.bias is None:
        fused.bias = None
    return fused


@FUSE_LINEAR_BN.add("a linear layer without bias is not handled: linear.bias is None then. Count it as 0.")
def bias_taken_for_granted(linear, bn):
    gamma, beta, _, std = _parts(linear, bn)
    scale = gamma / std
    return _layer(scale[:, None] * linear.weight, scale * (linear.bias - bn.running_mean) + beta)


@FUSE_LINEAR_BN.add(
    "a batch norm with affine=False is not handled: bn.weight and bn.bias are None then. "
    "Count them as 1 and 0."
)
def affine_taken_for_granted(linear, bn):
    _, _, bias, std = _parts(linear, bn)
    scale = bn.weight / std
    return _layer(scale[:, None] * linear.weight, scale * (bias - bn.running_mean) + bn.bias)


@FUSE_LINEAR_BN.add(
    "you change the given linear layer and return it. Make a new nn.Linear; the old one must stay as it was."
)
def given_layer_changed(linear, bn):
    scale, beta, bias = _right(linear, bn)
    with torch.no_grad():
        linear.weight.mul_(scale[:, None])
        linear.bias = nn.Parameter(scale * (bias - bn.running_mean) + beta)
    return linear


@FUSE_LINEAR_BN.add(
    "your new layer shares its weight with the old one (`fused.weight = linear.weight`), so scaling it "
    "changes both. Copy the values."
)
def memory_shared(linear, bn):
    scale, beta, bias = _right(linear, bn)
    fused = copy.copy(linear)
    fused._parameters = dict(linear._parameters)
    fused.weight.data.mul_(scale[:, None])
    fused.bias = nn.Parameter(scale * (bias - bn.running_mean) + beta)
    return fused


@FUSE_LINEAR_BN.add("you return nn.Sequential(linear, bn): still two layers. Return one nn.Linear.")
def sequential_returned(linear, bn):
    return nn.Sequential(copy.deepcopy(linear), copy.deepcopy(bn)).eval()


@FUSE_LINEAR_BN.add("you return weight and bias. Put them into a new nn.Linear and return the layer.")
def tensors_returned(linear, bn):
    scale, beta, bias = _right(linear, bn)
    return scale[:, None] * linear.weight, scale * (bias - bn.running_mean) + beta


@FUSE_LINEAR_BN.add(
    "in_features and out_features are swapped: the weight of nn.Linear(in, out) has the shape (out, in)."
)
def sizes_swapped(linear, bn):
    scale, beta, bias = _right(linear, bn)
    fused = nn.Linear(linear.out_features, linear.in_features, dtype=linear.weight.dtype)
    fused.weight.data.copy_(scale[:, None] * linear.weight)
    fused.bias.data.copy_(scale * (bias - bn.running_mean) + beta)
    return fused


@FUSE_LINEAR_BN.add(
    "the new layer's weight is a tensor, not an nn.Parameter. Copy into it under torch.no_grad(), or wrap it."
)
def tensor_assigned(linear, bn):
    scale, beta, bias = _right(linear, bn)
    fused = nn.Linear(linear.in_features, linear.out_features)
    fused.weight = scale[:, None] * linear.weight
    fused.bias = scale * (bias - bn.running_mean) + beta
    return fused


@FUSE_LINEAR_BN.add("the new layer is float32 whatever the old one was. Make it with linear.weight's dtype.")
def always_float32(linear, bn):
    scale, beta, bias = _right(linear, bn)
    fused = nn.Linear(linear.in_features, linear.out_features)
    with torch.no_grad():
        fused.weight.copy_(scale[:, None] * linear.weight)
        fused.bias.copy_(scale * (bias - bn.running_mean) + beta)
    return fused


@FUSE_LINEAR_BN.add(
    "your new layer still calls the two old ones. Its own weight and bias must do the work: that is what "
    "folding saves."
)
def old_layers_called(linear, bn):
    fused = nn.Linear(linear.in_features, linear.out_features, dtype=linear.weight.dtype)
    fused.forward = lambda x: bn(linear(x))
    return fused


@FUSE_LINEAR_BN.add("bn has lost its running statistics. linear and bn must stay as they were.")
def statistics_changed(linear, bn):
    gamma, beta, bias, std = _parts(linear, bn)
    fused = _layer((gamma / std)[:, None] * linear.weight, gamma / std * (bias - bn.running_mean) + beta)
    bn.reset_running_stats()
    return fused


@FUSE_LINEAR_BN.add("bn is in evaluation mode afterwards: you called bn.eval(). bn must stay as it was.")
def mode_changed(linear, bn):
    gamma, beta, bias, std = _parts(linear, bn.eval())
    scale = gamma / std
    return _layer(scale[:, None] * linear.weight, scale * (bias - bn.running_mean) + beta)


@FUSE_LINEAR_BN.add(
    "you call bn while it is in training mode: it takes the statistics of your batch and changes its own. "
    "Use running_mean and running_var."
)
def called_in_training_mode(linear, bn):
    with torch.no_grad():
        origin = torch.zeros(2, linear.in_features, dtype=linear.weight.dtype)
        unit_vectors = torch.eye(linear.in_features, dtype=linear.weight.dtype)
        bias = bn(linear(origin))[0]
        return _layer((bn(linear(unit_vectors)) - bias).T, bias)


@FUSE_LINEAR_BN.add(
    "scale is upside down: it is gamma / sqrt(running_var + eps), not sqrt(running_var + eps) / gamma."
)
def scale_upside_down(linear, bn):
    gamma, beta, bias, std = _parts(linear, bn)
    scale = std / gamma
    return _layer(scale[:, None] * linear.weight, scale * (bias - bn.running_mean) + beta)
