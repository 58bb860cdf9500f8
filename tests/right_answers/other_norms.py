"""Right answers to LayerNorm, InstanceNorm2d and GroupNorm."""

import torch
from torch import nn

# --- LayerNorm ----------------------------------------------------------------------------------------------


class LayerNormOverNegativeAxes(nn.Module):
    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True):
        super().__init__()
        if isinstance(normalized_shape, int):
            normalized_shape = (normalized_shape,)
        self.normalized_shape = tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        if elementwise_affine:
            self.weight = nn.Parameter(torch.ones(self.normalized_shape))
        else:
            self.register_parameter("weight", None)
        if elementwise_affine and bias:
            self.bias = nn.Parameter(torch.zeros(self.normalized_shape))
        else:
            self.register_parameter("bias", None)

    def forward(self, x):
        axes = tuple(range(-len(self.normalized_shape), 0))
        mean = x.mean(axes, keepdim=True)
        var = x.var(axes, unbiased=False, keepdim=True)
        x = (x - mean) / torch.sqrt(var + self.eps)
        if self.weight is not None:
            x = x * self.weight
        if self.bias is not None:
            x = x + self.bias
        return x


class LayerNormFlattened(nn.Module):
    """Every example is one long row."""

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True):
        super().__init__()
        self.shape = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(*self.shape)) if elementwise_affine else None
        self.bias = nn.Parameter(torch.empty(*self.shape)) if elementwise_affine and bias else None
        self.reset_parameters()

    def reset_parameters(self):
        with torch.no_grad():
            for parameter, value in ((self.weight, 1.0), (self.bias, 0.0)):
                if parameter is not None:
                    parameter.fill_(value)

    def forward(self, x):
        rows = x.flatten(start_dim=x.dim() - len(self.shape))
        d = rows - rows.mean(-1, keepdim=True)
        std = ((d * d).mean(-1, keepdim=True) + self.eps) ** 0.5
        y = (d / std).reshape(x.shape)
        y = y if self.weight is None else self.weight * y
        return y if self.bias is None else y + self.bias


class LayerNormWithVarMean(LayerNormOverNegativeAxes):
    def forward(self, x):
        first = x.ndim - len(self.normalized_shape)
        var, mean = torch.var_mean(x, dim=list(range(first, x.ndim)), correction=0, keepdim=True)
        weight = 1 if self.weight is None else self.weight
        bias = 0 if self.bias is None else self.bias
        return (x - mean) * torch.rsqrt(var + self.eps) * weight + bias


# --- InstanceNorm2d -----------------------------------------------------------------------------------------


class InstanceNormOverTwoAxes(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=False):
        super().__init__()
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        if affine:
            self.weight = nn.Parameter(torch.ones(num_features))
            self.bias = nn.Parameter(torch.zeros(num_features))

    def forward(self, x):
        mean = x.mean(dim=(2, 3), keepdim=True)
        var = ((x - mean) ** 2).mean(dim=(2, 3), keepdim=True)
        y = (x - mean) / torch.sqrt(var + self.eps)
        if self.affine:
            y = y * self.weight[None, :, None, None] + self.bias[None, :, None, None]
        return y


class InstanceNormFlattened(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=False):
        super().__init__()
        self.eps = eps
        self.register_parameter("weight", nn.Parameter(torch.ones(num_features)) if affine else None)
        self.register_parameter("bias", nn.Parameter(torch.zeros(num_features)) if affine else None)

    def forward(self, x):
        n, c, h, w = x.shape
        pictures = x.reshape(n * c, h * w)
        var, mean = torch.var_mean(pictures, dim=1, correction=0, keepdim=True)
        y = ((pictures - mean) / (var + self.eps).sqrt()).view(n, c, h, w)
        if self.weight is None:
            return y
        return torch.einsum("nchw,c->nchw", y, self.weight) + self.bias.view(-1, 1, 1)


class InstanceNormLooping(InstanceNormOverTwoAxes):
    def forward(self, x):
        return torch.stack([torch.stack([self.picture(p, c) for c, p in enumerate(image)]) for image in x])

    def picture(self, picture, channel):
        centered = picture - picture.mean()
        y = centered / (centered.square().mean() + self.eps).sqrt()
        return y * self.weight[channel] + self.bias[channel] if self.affine else y


# --- GroupNorm ----------------------------------------------------------------------------------------------


class GroupNormReshaped(nn.Module):
    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True):
        super().__init__()
        if num_channels % num_groups:
            raise ValueError("num_channels must be divisible by num_groups")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        if affine:
            self.weight = nn.Parameter(torch.ones(num_channels))
            self.bias = nn.Parameter(torch.zeros(num_channels))
        else:
            self.register_parameter("weight", None)
            self.register_parameter("bias", None)

    def forward(self, x):
        groups = x.reshape(x.shape[0], self.num_groups, -1)
        mean = groups.mean(dim=2, keepdim=True)
        var = groups.var(dim=2, unbiased=False, keepdim=True)
        y = ((groups - mean) / torch.sqrt(var + self.eps)).reshape(x.shape)
        if self.affine:
            shape = (1, self.num_channels) + (1,) * (x.dim() - 2)
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y


class GroupNormByChunks(GroupNormReshaped):
    def forward(self, x):
        normalized = []
        for group in x.chunk(self.num_groups, dim=1):
            axes = tuple(range(1, group.dim()))
            centered = group - group.mean(axes, keepdim=True)
            normalized.append(centered / ((centered**2).mean(axes, keepdim=True) + self.eps) ** 0.5)
        y = torch.cat(normalized, dim=1)
        if not self.affine:
            return y
        # The channels go last, so that weight and bias broadcast by themselves.
        return (y.movedim(1, -1) * self.weight + self.bias).movedim(-1, 1)


class GroupNormUnflattened(nn.Module):
    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True):
        super().__init__()
        self.num_groups = num_groups
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_channels)) if affine else None

    def forward(self, x):
        groups = x.unflatten(1, (self.num_groups, -1))  # (N, G, C/G, *)
        axes = list(range(2, groups.dim()))
        var, mean = torch.var_mean(groups.double(), axes, correction=0, keepdim=True)
        y = ((groups - mean) * (var + self.eps).rsqrt()).flatten(1, 2).to(x.dtype)
        if self.weight is None:
            return y
        weight, bias = (p[(None, slice(None)) + (None,) * (x.dim() - 2)] for p in (self.weight, self.bias))
        return y * weight + bias


RIGHT = {
    "LayerNorm": {
        "negative axes": LayerNormOverNegativeAxes,
        "flattened rows, reset_parameters": LayerNormFlattened,
        "var_mean over positive axes": LayerNormWithVarMean,
    },
    "InstanceNorm2d": {
        "two axes": InstanceNormOverTwoAxes,
        "flattened pictures, einsum": InstanceNormFlattened,
        "loops": InstanceNormLooping,
    },
    "GroupNorm": {
        "reshaped to (N, G, -1)": GroupNormReshaped,
        "chunks, channels last": GroupNormByChunks,
        "unflatten, float64 inside": GroupNormUnflattened,
    },
}
