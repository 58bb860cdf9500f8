"""Right answers to BasicBlock and Bottleneck."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

from course.normalization import BatchNorm2d as OwnBatchNorm2d

# --- As in torchvision --------------------------------------------------------------------------------------


def conv3x3(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)


def conv1x1(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, bias=False)


class UsualBasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                conv1x1(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class UsualBottleneck(nn.Module):
    expansion = 4

    def __init__(self, in_channels, channels, stride=1):
        super().__init__()
        self.conv1 = conv1x1(in_channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = conv1x1(channels, channels * self.expansion)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or in_channels != channels * self.expansion:
            self.downsample = nn.Sequential(
                conv1x1(in_channels, channels * self.expansion, stride),
                nn.BatchNorm2d(channels * self.expansion),
            )

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += identity
        return self.relu(out)


# --- Functions on the weights: no submodule is ever called --------------------------------------------------


def norm(x, bn):
    return F.batch_norm(
        x, bn.running_mean, bn.running_var, bn.weight, bn.bias, bn.training, bn.momentum, bn.eps
    )


class FunctionalBasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = nn.Sequential()
        if (stride, in_channels) != (1, out_channels):
            self.downsample.append(nn.Conv2d(in_channels, out_channels, 1, bias=False))
            self.downsample.append(nn.BatchNorm2d(out_channels))

    def forward(self, x):
        y = F.relu(norm(F.conv2d(x, self.conv1.weight, stride=self.stride, padding=1), self.bn1))
        y = norm(F.conv2d(y, self.conv2.weight, padding=1), self.bn2)
        if len(self.downsample):
            conv, bn = self.downsample
            x = norm(F.conv2d(x, conv.weight, stride=self.stride), bn)
        return F.relu(y + x)


class FunctionalBottleneck(nn.Module):
    expansion = 4

    def __init__(self, in_channels, channels, stride=1):
        super().__init__()
        out_channels = self.expansion * channels
        self.stride = stride
        sizes = [(in_channels, channels, 1), (channels, channels, 3), (channels, out_channels, 1)]
        for i, (before, after, size) in enumerate(sizes, start=1):
            self.add_module(f"conv{i}", nn.Conv2d(before, after, size, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(after))
        self.downsample = nn.Sequential()
        if stride > 1 or in_channels != out_channels:
            self.downsample = nn.ModuleList(
                [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)]
            )

    def forward(self, x):
        y = F.relu(norm(F.conv2d(x, self.conv1.weight), self.bn1))
        y = F.relu(norm(F.conv2d(y, self.conv2.weight, None, self.stride, 1), self.bn2))
        y = norm(F.conv2d(y, self.conv3.weight), self.bn3)
        if len(self.downsample) > 0:
            # A 1×1 convolution is a matrix product for each pixel that the stride leaves over.
            weight = self.downsample[0].weight[:, :, 0, 0]
            thinned = x[:, :, :: self.stride, :: self.stride]
            x = norm(torch.einsum("oc,nchw->nohw", weight, thinned), self.downsample[1])
        return (x + y).clamp(min=0)


# --- A Sequential that is the branch ------------------------------------------------------------------------


class SequentialBasicBlock(nn.Sequential):
    expansion = 1

    def __init__(self, in_channels, out_channels, stride=1):
        branch = OrderedDict(
            conv1=nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False),
            bn1=nn.BatchNorm2d(out_channels),
            relu=nn.ReLU(),
            conv2=nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False),
            bn2=nn.BatchNorm2d(out_channels),
        )
        super().__init__(branch)
        self.steps = tuple(branch)
        self.downsample = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        y = x
        for name in self.steps:
            y = getattr(self, name)(y)
        return (y + self.downsample(x)).relu()


class SequentialBottleneck(nn.Sequential):
    expansion = 4

    def __init__(self, in_channels, channels, stride=1):
        super().__init__()
        out_channels = 4 * channels
        kernels = {1: (in_channels, channels, 1), 2: (channels, channels, 3), 3: (channels, out_channels, 1)}
        for i, (before, after, k) in kernels.items():
            step = stride if k == 3 else 1
            self.add_module(f"conv{i}", nn.Conv2d(before, after, k, step, k // 2, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(after))
        same = stride == 1 and in_channels == out_channels
        projection = [nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)]
        projection.append(nn.BatchNorm2d(out_channels))
        self.downsample = nn.Identity() if same else nn.Sequential(*projection)

    def branch(self, x):
        for i in (1, 2):
            x = self[f"bn{i}"](self[f"conv{i}"](x)).relu()
        return self["bn3"](self["conv3"](x))

    def __getitem__(self, name):
        return self._modules[name]

    def forward(self, x):
        return torch.maximum(self.branch(x) + self.downsample(x), x.new_zeros(()))


# --- One base class for both, with the norm of lesson 3 -----------------------------------------------------


class Residual(nn.Module):
    """y = relu(branch(x) + skip(x)); a subclass says which convolutions the branch has."""

    def __init__(self, in_channels, layers, stride):
        super().__init__()
        channels = in_channels
        for number, (out_channels, size, step) in enumerate(layers, 1):
            conv = nn.Conv2d(channels, out_channels, size, step, padding="same" if step == 1 else size // 2)
            conv.register_parameter("bias", None)
            setattr(self, f"conv{number}", conv)
            setattr(self, f"bn{number}", OwnBatchNorm2d(out_channels))
            channels = out_channels
        self.depth = len(layers)
        self.downsample = None
        if stride != 1 or in_channels != channels:
            skip = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(OrderedDict([("0", skip), ("1", OwnBatchNorm2d(channels))]))

    def forward(self, x):
        skip = self.downsample(x) if self.downsample else x
        for number in range(1, self.depth + 1):
            if number > 1:
                x = nn.functional.relu(x)
            x = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(x))
        return nn.functional.relu(skip + x)


class DerivedBasicBlock(Residual):
    expansion = 1

    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__(in_channels, [(out_channels, 3, stride), (out_channels, 3, 1)], stride)


class DerivedBottleneck(Residual):
    expansion = 4

    def __init__(self, in_channels, channels, stride=1):
        layers = [(channels, 1, 1), (channels, 3, stride), (channels * self.expansion, 1, 1)]
        super().__init__(in_channels, layers, stride)


# --- Convolutions as matrix products over patches -----------------------------------------------------------


def convolve(x, weight, stride=1):
    """Unfold the patches and multiply: what a convolution is."""
    size = weight.shape[-1]
    patches = F.unfold(x, size, padding=size // 2, stride=stride)
    height, width = ((n - 1) // stride + 1 for n in x.shape[2:])
    return (weight.flatten(1) @ patches).unflatten(-1, (height, width))


class PatchBasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.stride = stride
        self.conv1, self.conv2 = (
            nn.Conv2d(channels, out_channels, 3, bias=False) for channels in (in_channels, out_channels)
        )
        self.bn1, self.bn2 = nn.BatchNorm2d(out_channels), nn.BatchNorm2d(out_channels)
        if stride > 1 or in_channels != out_channels:
            pair = (nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
            self.downsample = nn.Sequential(*pair)

    def forward(self, x):
        y = self.bn1(convolve(x, self.conv1.weight, self.stride)).relu()
        y = self.bn2(convolve(y, self.conv2.weight))
        if hasattr(self, "downsample"):
            x = self.downsample[1](convolve(x, self.downsample[0].weight, self.stride))
        return torch.where(x + y > 0, x + y, 0.0)


RIGHT = {
    "BasicBlock": {
        "as in torchvision": UsualBasicBlock,
        "functions": FunctionalBasicBlock,
        "a Sequential": SequentialBasicBlock,
        "base class": DerivedBasicBlock,
        "patches": PatchBasicBlock,
    },
    "Bottleneck": {
        "as in torchvision": UsualBottleneck,
        "functions": FunctionalBottleneck,
        "a Sequential": SequentialBottleneck,
        "base class": DerivedBottleneck,
    },
}
