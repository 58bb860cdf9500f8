"""Right answers to BatchNorm1d and BatchNorm2d."""

import torch
from torch import nn

# --- A base class and two thin layers -----------------------------------------------------------------------


class BatchNormBase(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        if affine:
            self.weight = nn.Parameter(torch.empty(num_features))
            self.bias = nn.Parameter(torch.empty(num_features))
        else:
            self.register_parameter("weight", None)
            self.register_parameter("bias", None)
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))
        self.reset_parameters()

    def reset_parameters(self):
        if self.affine:
            nn.init.ones_(self.weight)
            nn.init.zeros_(self.bias)

    def forward(self, x):
        axes = [axis for axis in range(x.dim()) if axis != 1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        if self.training:
            var, mean = torch.var_mean(x, dim=axes, correction=0)
            with torch.no_grad():
                n = x.numel() / x.size(1)
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var * n / (n - 1), self.momentum)
                self.num_batches_tracked += 1
        else:
            mean, var = self.running_mean, self.running_var
        y = (x - mean.view(shape)) * torch.rsqrt(var.view(shape) + self.eps)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y


class SubclassedBatchNorm1d(BatchNormBase):
    def forward(self, x):
        assert x.dim() in (2, 3)
        return super().forward(x)


class SubclassedBatchNorm2d(BatchNormBase):
    def forward(self, x):
        assert x.dim() == 4
        return super().forward(x)


# --- Modules around functions -------------------------------------------------------------------------------


def batch_norm_train(x, weight, bias, eps):
    mean = x.mean(0)
    var = ((x - mean) ** 2).mean(0)
    return (x - mean) / torch.sqrt(var + eps) * weight + bias, mean, var


def batch_norm_eval(x, mean, var, weight, bias, eps):
    return (x - mean) / torch.sqrt(var + eps) * weight + bias


class FunctionalBatchNorm1d(nn.Module):
    """Rows of numbers: everything is turned into (N, C) and back."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
        self.running_mean = nn.Buffer(torch.zeros(num_features))
        self.running_var = nn.Buffer(torch.ones(num_features))
        self.num_batches_tracked = nn.Buffer(torch.tensor(0))

    def forward(self, x):
        rows = x.transpose(1, -1).reshape(-1, x.shape[1])
        weight = 1 if self.weight is None else self.weight
        bias = 0 if self.bias is None else self.bias
        if self.training:
            y, mean, var = batch_norm_train(rows, weight, bias, self.eps)
            self.remember(mean.detach(), var.detach(), len(rows))
        else:
            y = batch_norm_eval(rows, self.running_mean, self.running_var, weight, bias, self.eps)
        return y.reshape(x.transpose(1, -1).shape).transpose(1, -1)

    def remember(self, mean, var, n):
        m = self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * mean
        self.running_var = (1 - m) * self.running_var + m * var * n / (n - 1)
        self.num_batches_tracked = self.num_batches_tracked + 1


class ReshapingBatchNorm2d(FunctionalBatchNorm1d):
    """Every pixel is an example: (N, C, H, W) → (N·H·W, C) and the 1d layer."""

    def forward(self, x):
        n, c, h, w = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(n * h * w, c)
        return super().forward(pixels).view(n, h, w, c).permute(0, 3, 1, 2)


# --- Explicit statistics ------------------------------------------------------------------------------------


class PlainBatchNorm1d(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super(PlainBatchNorm1d, self).__init__()  # noqa: UP008  (as it is often written)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        if affine:
            self.register_parameter("weight", nn.Parameter(torch.ones(num_features)))
            self.register_parameter("bias", nn.Parameter(torch.zeros(num_features)))
        self.affine = affine
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.int64))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))

    def forward(self, x):
        if x.dim() == 2:
            return self.normalize(x.unsqueeze(2)).squeeze(2)
        return self.normalize(x)

    def normalize(self, x):
        n = x.shape[0] * x.shape[2]
        if not self.training:
            mean = self.running_mean[:, None]
            var = self.running_var[:, None]
        else:
            mean = x.sum(dim=(0, 2), keepdim=True) / n
            var = (x - mean).pow(2).sum(dim=(0, 2), keepdim=True) / n
            unbiased = (x - mean).pow(2).sum(dim=(0, 2)) / (n - 1)
            self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean.detach().flatten())
            self.running_var.mul_(1 - self.momentum).add_(self.momentum * unbiased.detach())
            self.num_batches_tracked.add_(1)
        x = (x - mean) / (var + self.eps).sqrt()
        if not self.affine:
            return x
        return self.weight[:, None] * x + self.bias[:, None]


class PlainBatchNorm2d(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        if self.affine:
            self.weight = nn.Parameter(torch.ones(num_features))
            self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x):
        if self.training:
            mean = x.mean(dim=(0, 2, 3), keepdim=True)
            var = x.var(dim=(0, 2, 3), unbiased=False, keepdim=True)
            unbiased = x.var(dim=(0, 2, 3), unbiased=True)
            old_mean, old_var = self.running_mean.data, self.running_var.data
            self.running_mean.copy_(old_mean + self.momentum * (mean.data.squeeze() - old_mean))
            self.running_var.copy_(old_var + self.momentum * (unbiased.data - old_var))
            self.num_batches_tracked += 1
            x_hat = (x - mean) / torch.sqrt(var + self.eps)
        else:
            x_hat = (x - self.running_mean.reshape(1, -1, 1, 1)) / torch.sqrt(
                self.running_var.reshape(1, -1, 1, 1) + self.eps
            )
        if self.affine:
            x_hat = x_hat * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return x_hat


# --- Unusual, and right -------------------------------------------------------------------------------------


class LoopingBatchNorm2d(nn.Module):
    """One channel after the other, each as one long vector."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__()
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        for name, start in (("weight", torch.ones), ("bias", torch.zeros)):
            self.register_parameter(name, nn.Parameter(start(num_features)) if affine else None)
        for name, start in (("running_mean", torch.zeros), ("running_var", torch.ones)):
            self.register_buffer(name, start(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x):
        if self.training:
            self.num_batches_tracked += 1
        return torch.stack([self.channel(x[:, c], c) for c in range(self.num_features)], dim=1)

    def channel(self, values, c):
        if self.training:
            mean, var = values.mean(), values.var(unbiased=False)
            with torch.no_grad():
                self.running_mean[c] += self.momentum * (mean - self.running_mean[c])
                self.running_var[c] += self.momentum * (values.var() - self.running_var[c])
        else:
            mean, var = self.running_mean[c], self.running_var[c]
        y = (values - mean) / (var + self.eps) ** 0.5
        return y * self.weight[c] + self.bias[c] if self.affine else y


class OneDimensionalLoopingBatchNorm(LoopingBatchNorm2d):
    """x[:, c] is (N,) or (N, L): the same loop serves both."""


class AffineMapBatchNorm2d(BatchNormBase):
    """Statistics by einsum in float64; one scale and one shift per channel."""

    def forward(self, x):
        scale, shift = self.scale_and_shift(x.double())
        return torch.einsum("nchw,c->nchw", x.double(), scale).add(shift[:, None, None]).to(x.dtype)

    def scale_and_shift(self, x):
        mean, var = self.running_mean.double(), self.running_var.double()
        if self.training:
            n = x[:, 0].numel()
            mean = torch.einsum("nchw->c", x) / n
            centered = x - mean[:, None, None]
            var = torch.einsum("nchw,nchw->c", centered, centered) / n
            self.update("running_mean", mean)
            self.update("running_var", var * (n / (n - 1)))
            self.num_batches_tracked.copy_(self.num_batches_tracked + 1)
        scale = (var + self.eps) ** -0.5
        if self.weight is None:
            return scale, -mean * scale
        return self.weight * scale, self.bias - mean * scale * self.weight

    @torch.no_grad()
    def update(self, name, new):
        buffer = getattr(self, name)
        setattr(self, name, torch.lerp(buffer, new.to(buffer.dtype), self.momentum))


class AffineMapBatchNorm1d(AffineMapBatchNorm2d):
    def forward(self, x):
        as_image = x.reshape(x.shape[0], x.shape[1], -1, 1)
        return super().forward(as_image).reshape(x.shape)


class BatchNormWithProperties(BatchNormBase):
    """Any arguments, a mode of its own, and new values put into `.data`."""

    def __init__(self, *args, device=None, dtype=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.uses_batch = True
        self.to(device=device, dtype=dtype)

    def train(self, mode=True):
        self.uses_batch = mode
        return super().train(mode)

    @property
    def gamma(self):
        return self.weight if self.affine else torch.ones_like(self.running_mean)

    @property
    def beta(self):
        return self.bias if self.affine else torch.zeros_like(self.running_mean)

    def forward(self, x):
        channels = x.transpose(0, 1).flatten(1)
        std, mean = (self.running_var + self.eps).sqrt(), self.running_mean
        if self.uses_batch:
            mean, std = channels.mean(1), (channels.var(1, correction=0) + self.eps).sqrt()
            self.remember(mean.data, channels.data.var(1))
        y = (channels - mean[:, None]) / std[:, None] * self.gamma[:, None] + self.beta[:, None]
        return y.reshape(x.transpose(0, 1).shape).transpose(0, 1)

    def remember(self, mean, unbiased):
        self.running_mean.data = (1 - self.momentum) * self.running_mean.data + self.momentum * mean
        self._buffers["running_var"] = self.running_var + self.momentum * (unbiased - self.running_var)
        self.num_batches_tracked[...] = self.num_batches_tracked.item() + 1


RIGHT = {
    "BatchNorm1d": {
        "subclass of a base, lerp_": SubclassedBatchNorm1d,
        "functions and nn.Buffer, reassigned": FunctionalBatchNorm1d,
        "explicit sums, mul_ and add_": PlainBatchNorm1d,
        "loop over features": OneDimensionalLoopingBatchNorm,
        "as an image, float64 inside": AffineMapBatchNorm1d,
        "properties, .data and _buffers": BatchNormWithProperties,
    },
    "BatchNorm2d": {
        "subclass of a base, lerp_": SubclassedBatchNorm2d,
        "reshaped for the 1d layer": ReshapingBatchNorm2d,
        "plain, copy_ and .data": PlainBatchNorm2d,
        "loop over channels": LoopingBatchNorm2d,
        "einsum in float64, affine map": AffineMapBatchNorm2d,
        "properties, .data and _buffers": BatchNormWithProperties,
    },
}
