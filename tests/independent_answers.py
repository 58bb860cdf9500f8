"""Right answers that students find on their own: every step is drawn from the usual ways to write it.

Nobody in this class has seen another's work, but they learned from the same lesson, so whole lines agree, as
they do in a real class. `answers(seed)` is what one student hands in.

In the texts an empty line stands between two steps, ``--`` between two ways to write a step.
"""

from __future__ import annotations

import random

NAMES = {
    "mean": ("mean", "mu", "m", "mean_x", "batch_mean", "avg"),
    "var": ("var", "sigma2", "v", "var_x", "batch_var", "variance"),
    "x_hat": ("x_hat", "xhat", "norm", "x_norm", "normalized", "z"),
    "std": ("std", "sigma", "s", "denominator"),
    "y": ("y", "out", "result", "res"),
    "n": ("n", "N", "samples", "count"),
    "scale": ("scale", "factor", "a", "gain"),
    "b": ("b", "bias", "new_bias", "beta", "offset"),
    "new": ("new", "fused", "folded", "layer", "out"),
    "shape": ("shape", "view_shape", "size", "dims"),
}
"""What a student may call a thing."""

HABITS = {"dim": ("", "dim=", "axis="), "biased": ("unbiased=False", "correction=0")}
"""What a student writes alike everywhere."""


def answers(seed: int) -> dict[str, str]:
    """Exercise → text of the cell, of one student."""
    chance = random.Random(seed)
    words = {name: chance.choice(ways) for name, ways in (NAMES | HABITS).items()}

    def write(text: str, **parts: str) -> str:
        steps = [chance.choice(step.split("\n--\n")) for step in text.strip("\n").split("\n\n")]
        written = "\n".join(steps)
        for name, word in ({name: write(part) for name, part in parts.items()} | words).items():
            written = written.replace(f"<{name}>", word)
        return written

    layer_1d = {"name": "BatchNorm1d", "axes": "<shape>", "view": ".view(places)", "places": PLACES}
    layer_2d = {
        "name": "BatchNorm2d",
        "axes": "(0, 2, 3)",
        "view": ".view(1, -1, 1, 1)",
        "places": "        pass",
    }
    return {
        "channel_statistics": write(CHANNEL_STATISTICS),
        "batch_norm_train": write(BATCH_NORM_TRAIN, columns=COLUMNS),
        "batch_norm_backward": write(BATCH_NORM_BACKWARD, columns=COLUMNS),
        "batch_norm_eval": write(BATCH_NORM_EVAL),
        "BatchNorm1d": write(BATCH_NORM_LAYER, **layer_1d),
        "BatchNorm2d": write(BATCH_NORM_LAYER, **layer_2d).replace(f"{NOTHING}\n", ""),
        "LayerNorm": write(LAYER_NORM),
        "fuse_linear_bn": write(FUSE_LINEAR_BN),
    }


COLUMNS = """
    <mean> = x.mean(<dim>0)
--
    <mean> = torch.mean(x, <dim>0)
--
    <n> = x.shape[0]
    <mean> = x.sum(<dim>0) / <n>
--
    <n> = len(x)
    <mean> = torch.sum(x, <dim>0) / <n>

    <var> = x.var(<dim>0, <biased>)
--
    <var> = torch.var(x, <dim>0, <biased>)
--
    <var> = ((x - <mean>) ** 2).mean(<dim>0)
--
    <var> = (x - <mean>).pow(2).mean(<dim>0)
--
    <var> = torch.mean((x - <mean>) ** 2, <dim>0)
--
    <var> = ((x - <mean>) * (x - <mean>)).mean(<dim>0)
"""

NOTHING = "        pass"

PLACES = """
        <shape> = [0] if x.dim() == 2 else [0, 2]
        places = [1, -1] + [1] * (x.dim() - 2)
--
        if x.dim() == 2:
            <shape>, places = (0,), (1, -1)
        else:
            <shape>, places = (0, 2), (1, -1, 1)
--
        <shape> = tuple(i for i in range(x.dim()) if i != 1)
        places = tuple(-1 if i == 1 else 1 for i in range(x.dim()))
"""

CHANNEL_STATISTICS = """
def channel_statistics(images):

    mean_image = images.mean(<dim>0)
--
    mean_image = torch.mean(images, <dim>0)
--
    <n> = images.shape[0]
    mean_image = images.sum(<dim>0) / <n>

    channel_mean = images.mean(<dim>(0, 2, 3))
--
    channel_mean = torch.mean(images, <dim>(0, 2, 3))
--
    channel_mean = mean_image.mean(<dim>(1, 2))
--
    channel_mean = images.mean(<dim>[0, 2, 3])

    channel_std = images.std(<dim>(0, 2, 3), <biased>)
--
    channel_std = torch.std(images, <dim>(0, 2, 3), <biased>)
--
    channel_std = images.var(<dim>(0, 2, 3), <biased>).sqrt()
--
    <var> = ((images - channel_mean.view(1, -1, 1, 1)) ** 2).mean(<dim>(0, 2, 3))
    channel_std = torch.sqrt(<var>)

    return mean_image, channel_mean, channel_std
--
    return (mean_image, channel_mean, channel_std)
"""

BATCH_NORM_TRAIN = """
def batch_norm_train(x, weight, bias, eps=1e-5):

<columns>

    <x_hat> = (x - <mean>) / torch.sqrt(<var> + eps)
--
    <x_hat> = (x - <mean>) / (<var> + eps).sqrt()
--
    <x_hat> = (x - <mean>) / (<var> + eps) ** 0.5
--
    <x_hat> = (x - <mean>) * torch.rsqrt(<var> + eps)
--
    <std> = torch.sqrt(<var> + eps)
    <x_hat> = (x - <mean>) / <std>

    <y> = weight * <x_hat> + bias
    return <y>, <mean>, <var>
--
    <y> = <x_hat> * weight + bias
    return <y>, <mean>, <var>
--
    return weight * <x_hat> + bias, <mean>, <var>
--
    return <x_hat> * weight + bias, <mean>, <var>
"""

BATCH_NORM_BACKWARD = """
def batch_norm_backward(grad_output, x, weight, eps=1e-5):

<columns>

    <std> = torch.sqrt(<var> + eps)
--
    <std> = (<var> + eps).sqrt()
--
    <std> = (<var> + eps) ** 0.5

    <x_hat> = (x - <mean>) / <std>

    grad_bias = grad_output.sum(<dim>0)
--
    grad_bias = torch.sum(grad_output, <dim>0)

    grad_weight = (grad_output * <x_hat>).sum(<dim>0)
--
    grad_weight = torch.sum(grad_output * <x_hat>, <dim>0)
--
    grad_weight = (<x_hat> * grad_output).sum(<dim>0)

    dx = grad_output * weight
    grad_x = (dx - dx.mean(<dim>0) - <x_hat> * (dx * <x_hat>).mean(<dim>0)) / <std>
--
    n = x.shape[0]
    grad_x = weight / (n * <std>) * (n * grad_output - grad_bias - <x_hat> * grad_weight)
--
    n = len(x)
    d = weight * grad_output
    dvar = (d * (x - <mean>) * -0.5 * <std> ** -3).sum(0)
    dmean = -(d / <std>).sum(0)
    grad_x = d / <std> + dvar * 2 * (x - <mean>) / n + dmean / n
--
    g = grad_output - grad_output.mean(<dim>0)
    g = g - <x_hat> * (grad_output * <x_hat>).mean(<dim>0)
    grad_x = weight * g / <std>

    return grad_x, grad_weight, grad_bias
"""

BATCH_NORM_EVAL = """
def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):

    <x_hat> = (x - running_mean) / torch.sqrt(running_var + eps)
    return <x_hat> * weight + bias
--
    return weight * (x - running_mean) / torch.sqrt(running_var + eps) + bias
--
    <std> = (running_var + eps).sqrt()
    return (x - running_mean) / <std> * weight + bias
--
    <scale> = weight / torch.sqrt(running_var + eps)
    return x * <scale> + bias - running_mean * <scale>
--
    <scale> = weight * (running_var + eps).rsqrt()
    return <scale> * (x - running_mean) + bias
--
    <y> = (x - running_mean) / (running_var + eps) ** 0.5
    <y> = <y> * weight + bias
    return <y>
"""

BATCH_NORM_LAYER = """
class <name>(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__()

        self.eps = eps
        self.momentum = momentum
--
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
--
        self.eps, self.momentum, self.affine = eps, momentum, affine

        if affine:
            self.weight = nn.Parameter(torch.ones(num_features))
            self.bias = nn.Parameter(torch.zeros(num_features))
        else:
            self.weight = None
            self.bias = None
--
        if affine:
            self.weight = nn.Parameter(torch.ones(num_features))
            self.bias = nn.Parameter(torch.zeros(num_features))
        else:
            self.register_parameter("weight", None)
            self.register_parameter("bias", None)
--
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
--
        self.weight = None
        self.bias = None
        if affine:
            self.weight = nn.Parameter(torch.ones(num_features))
            self.bias = nn.Parameter(torch.zeros(num_features))

        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

        self.register_buffer("num_batches_tracked", torch.tensor(0))
--
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))
--
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.long))

    def forward(self, x):

<places>

        if self.training:

            <mean> = x.mean(<dim><axes>)
            <var> = x.var(<dim><axes>, <biased>)
--
            <var>, <mean> = torch.var_mean(x, <dim><axes>, correction=0)
--
            <mean> = torch.mean(x, <dim><axes>)
            <var> = torch.var(x, <dim><axes>, <biased>)
--
            <mean> = x.mean(<dim><axes>)
            <var> = ((x - <mean><view>) ** 2).mean(<dim><axes>)

            with torch.no_grad():
                <n> = x.numel() / x.shape[1]
                unbiased = <var> * <n> / (<n> - 1)
                self.running_mean.mul_(1 - self.momentum).add_(self.momentum * <mean>)
                self.running_var.mul_(1 - self.momentum).add_(self.momentum * unbiased)
                self.num_batches_tracked += 1
--
            unbiased = x.var(<dim><axes>).detach()
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * <mean>.detach()
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * unbiased
            self.num_batches_tracked += 1
--
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean += self.momentum * (<mean> - self.running_mean)
                self.running_var += self.momentum * (x.var(<dim><axes>) - self.running_var)
--
            <n> = x.numel() // x.size(1)
            self.running_mean.lerp_(<mean>.detach(), self.momentum)
            self.running_var.lerp_(<var>.detach() * <n> / (<n> - 1), self.momentum)
            self.num_batches_tracked.add_(1)

        else:
            <mean>, <var> = self.running_mean, self.running_var
--
        else:
            <mean> = self.running_mean
            <var> = self.running_var

        <x_hat> = (x - <mean><view>) / torch.sqrt(<var><view> + self.eps)
--
        <x_hat> = (x - <mean><view>) / (<var><view> + self.eps).sqrt()
--
        <mean>, <var> = <mean><view>, <var><view>
        <x_hat> = (x - <mean>) / torch.sqrt(<var> + self.eps)
--
        <std> = torch.sqrt(<var> + self.eps)
        <x_hat> = (x - <mean><view>) / <std><view>

        if self.weight is not None:
            <x_hat> = <x_hat> * self.weight<view> + self.bias<view>
        return <x_hat>
--
        if self.weight is None:
            return <x_hat>
        return self.weight<view> * <x_hat> + self.bias<view>
--
        if self.weight is not None:
            <y> = self.weight<view> * <x_hat> + self.bias<view>
        else:
            <y> = <x_hat>
        return <y>
"""

LAYER_NORM = """
class LayerNorm(nn.Module):
    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True):
        super().__init__()

        if isinstance(normalized_shape, int):
            normalized_shape = (normalized_shape,)
        self.normalized_shape = tuple(normalized_shape)
--
        if isinstance(normalized_shape, int):
            normalized_shape = [normalized_shape]
        self.normalized_shape = list(normalized_shape)
--
        one = isinstance(normalized_shape, int)
        self.normalized_shape = (normalized_shape,) if one else tuple(normalized_shape)

        self.eps = eps

        self.weight = nn.Parameter(torch.ones(self.normalized_shape)) if elementwise_affine else None
        self.bias = nn.Parameter(torch.zeros(self.normalized_shape)) if elementwise_affine and bias else None
--
        self.weight = self.bias = None
        if elementwise_affine:
            self.weight = nn.Parameter(torch.ones(self.normalized_shape))
            if bias:
                self.bias = nn.Parameter(torch.zeros(self.normalized_shape))

    def forward(self, x):

        <shape> = tuple(range(-len(self.normalized_shape), 0))
--
        <shape> = [-i - 1 for i in range(len(self.normalized_shape))]
--
        <shape> = tuple(range(x.dim() - len(self.normalized_shape), x.dim()))

        <mean> = x.mean(<dim><shape>, keepdim=True)
        <var> = x.var(<dim><shape>, <biased>, keepdim=True)
--
        <var>, <mean> = torch.var_mean(x, <dim><shape>, correction=0, keepdim=True)
--
        <mean> = x.mean(<dim><shape>, keepdim=True)
        <var> = ((x - <mean>) ** 2).mean(<dim><shape>, keepdim=True)

        <x_hat> = (x - <mean>) / torch.sqrt(<var> + self.eps)
--
        <x_hat> = (x - <mean>) / (<var> + self.eps).sqrt()
--
        <x_hat> = (x - <mean>) * torch.rsqrt(<var> + self.eps)

        if self.weight is not None:
            <x_hat> = <x_hat> * self.weight
        if self.bias is not None:
            <x_hat> = <x_hat> + self.bias
        return <x_hat>
--
        if self.weight is not None:
            <x_hat> = self.weight * <x_hat>
            if self.bias is not None:
                <x_hat> = <x_hat> + self.bias
        return <x_hat>
--
        <y> = <x_hat> if self.weight is None else self.weight * <x_hat>
        return <y> if self.bias is None else <y> + self.bias
"""

FUSE_LINEAR_BN = """
def fuse_linear_bn(linear, bn):

    <std> = torch.sqrt(bn.running_var + bn.eps)
    <scale> = 1 / <std>
--
    <scale> = torch.rsqrt(bn.running_var + bn.eps)
--
    <scale> = 1 / (bn.running_var + bn.eps).sqrt()

    if bn.affine:
        <scale> = bn.weight * <scale>
--
    if bn.weight is not None:
        <scale> = <scale> * bn.weight

    <b> = linear.bias if linear.bias is not None else 0
--
    if linear.bias is None:
        <b> = torch.zeros(linear.out_features)
    else:
        <b> = linear.bias
--
    <b> = 0
    if linear.bias is not None:
        <b> = linear.bias

    <b> = (<b> - bn.running_mean) * <scale>
    if bn.bias is not None:
        <b> = <b> + bn.bias
--
    shift = bn.bias if bn.affine else 0
    <b> = <scale> * (<b> - bn.running_mean) + shift

    <new> = nn.Linear(linear.in_features, linear.out_features)
    with torch.no_grad():
        <new>.weight.copy_(<scale>[:, None] * linear.weight)
        <new>.bias.copy_(<b>)
    return <new>
--
    <new> = nn.Linear(linear.in_features, linear.out_features)
    <new>.weight.data = linear.weight * <scale>.unsqueeze(1)
    <new>.bias.data = <b>
    return <new>
--
    <new> = nn.Linear(linear.in_features, linear.out_features)
    <new>.weight = nn.Parameter(linear.weight * <scale>.view(-1, 1))
    <new>.bias = nn.Parameter(<b>)
    return <new>
"""
