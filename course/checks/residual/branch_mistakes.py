"""How students get residual blocks wrong: the branch and its norms, for `BasicBlock` and `Bottleneck` alike.

Each is a mixin that overrides one step (`block_steps.py`).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from course.checks.collect import Mistakes
from course.checks.residual.block_steps import Steps

BRANCH = Mistakes()
_mistake = BRANCH.add


# --- The branch ---------------------------------------------------------------------------------------------


@_mistake(
    "there is no ReLU inside of the branch: two convolutions in a row are one. ReLU after the norm.", "4.2"
)
class no_relu_in_the_branch(Steps):
    def activate(self, y: Tensor) -> Tensor:
        return y


@_mistake("the ReLU within the branch stops at 6 (ReLU6, as in MobileNet). Here it is the plain ReLU.", "4.2")
class relu_stops_at_six(Steps):
    def activate(self, y: Tensor) -> Tensor:
        return F.relu6(y)


@_mistake("each norm comes after the ReLU. The order is convolution, norm, ReLU.", "4.2")
class relu_before_norm(Steps):
    def branch(self, x: Tensor) -> Tensor:
        count = sum(name.startswith("conv") for name in self._modules)
        for i in range(1, count + 1):
            x = getattr(self, f"conv{i}")(x)
            x = getattr(self, f"bn{i}")(self.activate(x) if i < count else x)
        return x


@_mistake("the norms are not applied. Each convolution is followed by a norm of its own.", "4.2")
class norms_not_applied(Steps):
    def branch(self, x: Tensor) -> Tensor:
        count = sum(name.startswith("conv") for name in self._modules)
        for i in range(1, count + 1):
            x = getattr(self, f"conv{i}")(x)
            x = self.activate(x) if i < count else x
        return x


@_mistake("the norm of the branch's end is missing: the last convolution is followed by a norm too.", "4.2")
class last_norm_not_applied(Steps):
    def branch(self, x: Tensor) -> Tensor:
        count = sum(name.startswith("conv") for name in self._modules)
        for i in range(1, count):
            x = self.activate(getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x)))
        return getattr(self, f"conv{count}")(x)


@_mistake("bn1 follows the first and the second convolution. Each has a norm of its own: bn1, bn2.", "4.2")
class first_norm_twice(Steps):
    def branch(self, x: Tensor) -> Tensor:
        own, self.bn2 = self.bn2, self.bn1
        try:
            return super().branch(x)
        finally:
            self.bn2 = own


@_mistake("bn1 and bn2 are one and the same layer. Each convolution needs a norm of its own.", "4.2")
class one_norm_for_both(Steps):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        super().make_branch(before, after, stride)
        self.bn2 = self.bn1


@_mistake(
    "the convolutions of the branch have a bias. The norm behind it subtracts it again: bias=False.", "4.2"
)
class convolutions_with_bias(Steps):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        super().make_branch(before, after, stride)
        for name, each in list(self._modules.items()):
            if isinstance(each, nn.Conv2d):
                sizes = each.in_channels, each.out_channels, each.kernel_size, each.stride, each.padding
                setattr(self, name, nn.Conv2d(*sizes))


@_mistake(
    "the 3×3 convolutions have no padding, so the picture shrinks and x cannot be added: padding=1.", "4.2"
)
class no_padding(Steps):
    def conv(self, before: int, after: int, size: int, stride: int = 1) -> nn.Conv2d:
        return nn.Conv2d(before, after, size, stride, bias=False)


@_mistake(
    "a norm is made for in_channels. It follows a convolution: it has as many channels as that gives out.",
    "4.2",
)
class norm_of_the_input(Steps):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        super().make_branch(before, after, stride)
        self.bn1 = self.norm(before)


@_mistake(
    "the norm comes before the convolution (a pre-activation block, He et al. 2016b). "
    "Here it is convolution, norm, ReLU.",
    "4.2",
)
class pre_activation(Steps):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        super().make_branch(before, after, stride)
        for i, name in enumerate([name for name in self._modules if name.startswith("conv")], 1):
            setattr(self, f"bn{i}", self.norm(getattr(self, name).in_channels))

    def branch(self, x: Tensor) -> Tensor:
        for i in range(1, 1 + sum(name.startswith("conv") for name in self._modules)):
            x = getattr(self, f"conv{i}")(self.activate(getattr(self, f"bn{i}")(x)))
        return x

    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return branch + skip


@_mistake(
    "the stride is ignored: the picture keeps its size. A convolution of the branch and downsample have it."
)
class stride_ignored(Steps):
    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, channels)
        if stride != 1 and self.downsample is None:
            self.downsample = self.projection(in_channels, channels * self.expansion, 1)


# --- The norms ----------------------------------------------------------------------------------------------


@_mistake(
    "the last norm starts at 0 in the block itself. Let it start at 1, as torch does: only "
    "zero_init_residual sets it to 0.",
    "4.6",
)
class last_norm_starts_at_zero(Steps):
    def make_branch(self, before: int, after: int, stride: int) -> None:
        super().make_branch(before, after, stride)
        last = sum(name.startswith("bn") for name in self._modules)
        nn.init.zeros_(getattr(self, f"bn{last}").weight)


_NOT_TORCHS_DEFAULTS = (
    "eps or momentum of your norms is not torch's (Keras has eps=0.001). Keep nn.BatchNorm2d(channels)."
)


@_mistake(_NOT_TORCHS_DEFAULTS, "4.2")
class keras_defaults(Steps):
    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


@_mistake(_NOT_TORCHS_DEFAULTS, "4.2")
class keras_eps(Steps):
    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=1e-3)


@_mistake(_NOT_TORCHS_DEFAULTS, "4.2")
class small_momentum(Steps):
    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, momentum=0.01)


@_mistake(
    "momentum=0.99 is Keras' number; torch's momentum weighs the new batch. Keep the default 0.1.", "4.2"
)
class keras_momentum(Steps):
    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, momentum=0.99)


@_mistake("your norms keep no running statistics. Evaluation needs them: nn.BatchNorm2d(channels).", "4.2")
class no_running_statistics(Steps):
    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, track_running_stats=False)


class _FunctionalNorm(nn.BatchNorm2d):
    trains: bool

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.trains, 0.1, 1e-5
        )


class _TrainingNorm(_FunctionalNorm):
    trains = True


class _EvaluationNorm(_FunctionalNorm):
    trains = False


@_mistake("the norms use the batch's statistics in evaluation mode too. Pass training=self.training.", "4.2")
class norms_always_train(Steps):
    def norm(self, channels: int) -> nn.Module:
        return _TrainingNorm(channels)


@_mistake(
    "the norms use running statistics in training too: F.batch_norm has training=False by default. "
    "Pass training=self.training.",
    "4.2",
)
class norms_never_train(Steps):
    def norm(self, channels: int) -> nn.Module:
        return _EvaluationNorm(channels)
