"""How students get residual blocks wrong: the sum and the skip, for `BasicBlock` and `Bottleneck` alike.

Each is a mixin that overrides one step (`block_steps.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.checks.collect import Mistakes
from course.checks.residual.block_steps import Steps

SKIP = Mistakes()
_mistake = SKIP.add


# --- The sum ------------------------------------------------------------------------------------------------


@_mistake("the skip is not there: nothing is added to the branch. The block is y = relu(F(x) + x).", "4.2")
class no_skip(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(branch)


@_mistake(
    "you subtract the skip. F(x) = h(x) - x says what the branch learns; the block adds: y = relu(F(x) + x).",
    "4.2",
)
class skip_subtracted(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(branch - skip)


@_mistake("you subtract the branch from the skip. The two are added: y = relu(F(x) + x).", "4.2")
class branch_subtracted(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(skip - branch)


@_mistake("branch and skip are multiplied. They are added: y = relu(F(x) + x).", "4.2")
class multiplied(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(branch * skip)


@_mistake("branch or skip has a factor. They are added as they are: y = relu(F(x) + x).", "4.2")
class averaged(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu((branch + skip) / 2)


@_mistake("the skip has a factor. It is added as it is: y = relu(F(x) + x).", "4.2")
class half_a_skip(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(branch + skip / 2)


@_mistake(
    "branch and skip are concatenated, so there are twice as many channels (that is DenseNet). Add them.",
    "4.2",
)
class concatenated(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(torch.cat([branch, skip], dim=1))


@_mistake("the last ReLU is missing: a ReLU follows the sum, y = relu(F(x) + x).", "4.2")
class no_last_relu(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return branch + skip


@_mistake(
    "the last ReLU comes before the addition, so the branch can only add. Add first: relu(F(x) + x).", "4.2"
)
class relu_before_addition(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(branch) + skip


@_mistake(
    "a ReLU before the addition, and one after it. The branch ends with its norm, so that it can subtract.",
    "4.2",
)
class relu_before_and_after(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(torch.relu(branch) + skip)


@_mistake("branch and skip each go through a ReLU before the sum. One ReLU, after the sum.", "4.2")
class relu_on_both(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(branch) + torch.relu(skip)


@_mistake(
    "the norm comes after the sum, so the skip is rescaled as well. Norm the branch, then add x.", "4.2"
)
class norm_after_the_sum(Steps):
    def forward(self, x: Tensor) -> Tensor:
        convs = [name for name in self._modules if name.startswith("conv")]
        last = getattr(self, f"bn{len(convs)}")
        y = x
        for i in range(1, len(convs)):
            y = self.activate(getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y)))
        return torch.relu(last(getattr(self, convs[-1])(y) + self.skip(x)))


# --- The skip -----------------------------------------------------------------------------------------------


@_mistake(
    "the skip adds relu(x). It must be x itself: this input has negative numbers, which are lost.", "4.2"
)
class skip_of_relu(Steps):
    def skip(self, x: Tensor) -> Tensor:
        return super().skip(torch.relu(x))


@_mistake(
    "x is overwritten before it is added: the branch is added to itself. Keep the input under its own name.",
    "4.2",
)
class skip_saved_too_late(Steps):
    def forward(self, x: Tensor) -> Tensor:
        branch = self.branch(x)
        return self.join(branch, branch if self.downsample is None else self.downsample(x))


@_mistake("downsample gets the branch's output. It projects the block's input: downsample(x).", "4.2")
class downsample_of_the_branch(Steps):
    def forward(self, x: Tensor) -> Tensor:
        branch = self.branch(x)
        return self.join(branch, x if self.downsample is None else self.downsample(branch))


@_mistake(
    "no gradient flows through the skip (detach, .data or no_grad). It is there to carry the gradient back.",
    "4.2",
)
class skip_detached(Steps):
    def skip(self, x: Tensor) -> Tensor:
        return super().skip(x).detach()


@_mistake("`x += branch` changes the caller's x. Write into a new tensor: branch + x.", "4.2")
class added_in_place(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        skip += branch
        return torch.relu(skip)


@_mistake(
    "an in-place ReLU changes the block's input (inplace=True, relu_), and with it the skip. "
    "Use it on new tensors only.",
    "4.2",
)
class relu_destroys_the_input(Steps):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.relu_(x))


@_mistake("the projection has no norm. downsample is a 1×1 convolution and a BatchNorm2d.", "4.2")
class projection_without_norm(Steps):
    def projection(self, before: int, after: int, stride: int) -> nn.Module:
        return nn.Sequential(self.conv(before, after, 1, stride))


@_mistake(
    "`downsample.0` is missing. downsample is an nn.Sequential: downsample.0 is the 1×1 convolution, "
    "downsample.1 the norm.",
    "4.2",
)
class projection_is_a_convolution(Steps):
    def projection(self, before: int, after: int, stride: int) -> nn.Module:
        return self.conv(before, after, 1, stride)


@_mistake("a ReLU in downsample: the skip is linear. Only the sum goes through a ReLU.", "4.2")
class projection_with_relu(Steps):
    def projection(self, before: int, after: int, stride: int) -> nn.Module:
        return nn.Sequential(*super().projection(before, after, stride), nn.ReLU())


@_mistake("downsample.0 has a bias. The norm behind it subtracts it again: bias=False.", "4.2")
class projection_with_bias(Steps):
    def projection(self, before: int, after: int, stride: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(before, after, 1, stride), self.norm(after))


@_mistake("the projection is a 3×3 convolution. It changes the channels only: a 1×1 convolution.", "4.2")
class projection_is_3x3(Steps):
    def projection(self, before: int, after: int, stride: int) -> nn.Module:
        return nn.Sequential(self.conv(before, after, 3, stride), self.norm(after))


@_mistake(
    "there is a projection where none is needed. With stride 1 and equal channels the skip is x itself.",
    "4.2",
)
class always_projects(Steps):
    def is_needed(self, before: int, after: int, stride: int) -> bool:
        return True


@_mistake(
    "no projection with stride 1, although the channels differ. It is needed when either changes: stride or "
    "channels.",
    "4.2",
)
class projects_for_stride_only(Steps):
    def is_needed(self, before: int, after: int, stride: int) -> bool:
        return stride != 1


@_mistake(
    "no projection with equal channels, although the stride is not 1. It is needed when either changes.",
    "4.2",
)
class projects_for_channels_only(Steps):
    def is_needed(self, before: int, after: int, stride: int) -> bool:
        return before != after


@_mistake(
    "you project only when stride and channels both change. Either one is enough: `or`, not `and`.", "4.2"
)
class projects_when_both_change(Steps):
    def is_needed(self, before: int, after: int, stride: int) -> bool:
        return stride != 1 and before != after


@_mistake(
    "you compare shapes in forward. A picture of one pixel keeps its shape with stride 2, and downsample is "
    "left out: ask `self.downsample is None`.",
    "4.2",
)
class projects_by_shape(Steps):
    def forward(self, x: Tensor) -> Tensor:
        branch = self.branch(x)
        return self.join(branch, x if x.shape == branch.shape else self.downsample(x))


@_mistake("downsample does not have the block's stride, so its picture is larger than the branch's.", "4.2")
class projection_without_stride(Steps):
    def projection(self, before: int, after: int, stride: int) -> nn.Module:
        return super().projection(before, after, 1)


@_mistake(
    "downsample is a Python list: PyTorch does not see its layers. Use nn.Sequential(convolution, norm).",
    "4.2",
)
class projection_in_a_list(Steps):
    def projection(self, before: int, after: int, stride: int) -> list[nn.Module]:
        return list(super().projection(before, after, stride))

    def skip(self, x: Tensor) -> Tensor:
        for layer in self.downsample or []:
            x = layer(x)
        return x


@_mistake(
    "the skip takes every second pixel and fills channels with 0 (the paper's option A). "
    "Here downsample learns: 1×1 convolution and norm.",
    "4.2",
)
class pads_with_zeros(Steps):
    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, channels, stride)
        self.downsample, self.stride = None, stride

    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        skip = skip[:, : branch.shape[1], :: self.stride, :: self.stride]
        return torch.relu(branch + F.pad(skip, (0, 0, 0, 0, 0, branch.shape[1] - skip.shape[1])))


@_mistake(
    "the projection has another name. torchvision's is `downsample`, and its weights load by name.", "4.2"
)
class projection_called_shortcut(Steps):
    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, channels, stride)
        self.shortcut = self.downsample
        del self.downsample

    def skip(self, x: Tensor) -> Tensor:
        return x if self.shortcut is None else self.shortcut(x)
