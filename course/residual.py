"""Residual networks: blocks that learn what to add to their input, instead of a new output.

He, Zhang, Ren & Sun, 2016, "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385:

    y = relu(F(x) + x)          equation 1: the skip is the identity
    y = relu(F(x) + W x)        equation 2: where the shape changes, the skip is a 1×1 convolution

When F gives 0, the block passes a non-negative x on as it is. So a deeper network can do at least what a
shallower one does, and the gradient has a way back that no weight scales.

Names, shapes and defaults are torchvision's: `resnet18().load_state_dict(...)` takes its published weights.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "make_layer", "resnet18", "zero_init_residual"]

Block = type["BasicBlock"] | type["Bottleneck"]


def _projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """Skip to (N, out, ceil(H/stride), ceil(W/stride)); None where x (N, in, H, W) has that shape itself."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a skip: He et al. (2016), figure 5, left; the block of ResNet-18 and -34.

    Input (N, in_channels, H, W), output (N, out_channels, ceil(H/stride), ceil(W/stride)). The skip is x
    itself when that has the output's shape, otherwise `downsample`: a 1×1 convolution with a norm (the
    paper's option B). The convolutions have no bias: the norm behind each would subtract it.

    Raises RuntimeError for an input with another number of channels.
    """

    expansion = 1

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = _projection(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to the skip; the last ReLU comes after the sum."""
        branch = torch.relu(self.bn1(self.conv1(x)))
        branch = self.bn2(self.conv2(branch))
        skip = x if self.downsample is None else self.downsample(x)
        return torch.relu(branch + skip)


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 and a skip: He et al. (2016), figure 5, right; the block of ResNet-50, -101 and -152.

    Input (N, in_channels, H, W), output (N, 4 · channels, ceil(H/stride), ceil(W/stride)): the costly 3×3
    convolution works on a quarter of the channels. The stride is on the 3×3 convolution, as in torchvision
    ("v1.5"); on the first 1×1, where the paper has it, three of four pixels would not be read at all.

    Raises RuntimeError for an input with another number of channels.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _projection(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to the skip; the last ReLU comes after the sum."""
        branch = torch.relu(self.bn1(self.conv1(x)))
        branch = torch.relu(self.bn2(self.conv2(branch)))
        branch = self.bn3(self.conv3(branch))
        skip = x if self.downsample is None else self.downsample(x)
        return torch.relu(branch + skip)


def make_layer(block: Block, in_channels: int, channels: int, blocks: int, stride: int = 1) -> nn.Sequential:
    """Make one stage of a network: several blocks, of which the first may change the shape.

    block: a class, called as block(in_channels, channels, stride); its output has channels · block.expansion
    channels. blocks: how many. stride: of the first block; the others have stride 1.

    (N, in_channels, H, W) becomes (N, channels · block.expansion, ceil(H/stride), ceil(W/stride)).

    Raises ValueError when blocks is below 1.
    """
    if blocks < 1:
        raise ValueError(f"a stage has at least one block, got {blocks}")
    out_channels = channels * block.expansion
    first = block(in_channels, channels, stride)
    others = [block(out_channels, channels) for _ in range(blocks - 1)]
    return nn.Sequential(first, *others)


class ResNet(nn.Module):
    """A residual network for images of any size: He et al. (2016), table 1.

    Input (N, in_channels, H, W), output (N, num_classes): logits. block: `BasicBlock` or `Bottleneck`.
    layers: how many blocks each of the four stages has. For (1, 1, 96, 96) the shapes are

        stem     conv 7×7 and max pool 3×3, stride 2 each    (1,  64, 24, 24)
        layer1   stride 1                                    (1,  64 · expansion, 24, 24)
        layer2   stride 2                                    (1, 128 · expansion, 12, 12)
        layer3   stride 2                                    (1, 256 · expansion,  6,  6)
        layer4   stride 2                                    (1, 512 · expansion,  3,  3)
        fc       after the mean over all pixels              (1, num_classes)

    The convolutions start with He's normal weights of variance 2 / fan_out, which keeps the variance of the
    gradient on its way back (He et al., 2015, arXiv:1502.01852, equation 14).

    Raises ValueError when layers has not four numbers, or one of them is below 1.
    """

    def __init__(
        self, block: Block, layers: Sequence[int], num_classes: int = 1000, in_channels: int = 3
    ) -> None:
        super().__init__()
        if len(layers) != 4:
            raise ValueError(f"a ResNet has four stages, got {len(layers)} numbers of blocks")
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        wide = block.expansion
        self.layer1 = make_layer(block, 64, 64, layers[0])
        self.layer2 = make_layer(block, 64 * wide, 128, layers[1], stride=2)
        self.layer3 = make_layer(block, 128 * wide, 256, layers[2], stride=2)
        self.layer4 = make_layer(block, 256 * wide, 512, layers[3], stride=2)
        self.fc = nn.Linear(512 * wide, num_classes)
        self.reset_convolutions()

    def reset_convolutions(self) -> None:
        """Draw the weights of every convolution anew."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Stem, four stages, the mean over all pixels, and a linear layer."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.fc(x.mean(dim=(2, 3)))


def resnet18(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """Make ResNet-18: two basic blocks in each stage; 11,689,512 parameters for ImageNet.

    With the defaults, the keys and shapes of its state_dict are those of torchvision's published weights.
    """
    return ResNet(BasicBlock, [2, 2, 2, 2], num_classes, in_channels)


@torch.no_grad()
def zero_init_residual(model: nn.Module) -> None:
    """Set the weight of the last norm of every block in the model to 0, in place.

    Every branch then gives 0 (its bias starts at 0), and a block with the identity as its skip gives relu(x):
    the network starts as a shallow one (Goyal et al., 2017, arXiv:1706.02677, section 5.1). The weight itself
    gets a gradient, so the branch wakes up with the first step. A block is what has a ``bn2`` and maybe a
    ``bn3``: so it works on classes of other people too.
    """
    for module in model.modules():
        last_norm = getattr(module, "bn3", None) or getattr(module, "bn2", None)
        if isinstance(last_norm, nn.Module):
            last_norm.weight.zero_()
