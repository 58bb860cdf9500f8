"""How students get `ResNet` wrong: the head and the first weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course.checks.collect import Mistakes
from course.checks.residual.network_steps import Net

HEAD = Mistakes()
_mistake = HEAD.add


# --- The head -----------------------------------------------------------------------------------------------


@_mistake("the head takes the largest pixel of each channel. It takes the mean over all pixels.")
class largest_pixel(Net):
    def average(self, x: Tensor) -> Tensor:
        return x.amax((2, 3))


@_mistake(
    "the average pool has a window of 7×7: right for 224 pixels only. Take the mean over all pixels, however "
    "many."
)
class window_of_seven(Net):
    def average(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 7).flatten(1)


@_mistake("the picture is flattened without the mean over its pixels, so fc gets too many numbers.")
class flattened(Net):
    def average(self, x: Tensor) -> Tensor:
        return x.flatten(1)


@_mistake("only the first pixel goes into fc. Take the mean over all pixels.")
class first_pixel(Net):
    def average(self, x: Tensor) -> Tensor:
        return x[:, :, 0, 0]


@_mistake("the sum over the pixels goes into fc, which grows with the picture. Take the mean.")
class summed(Net):
    def average(self, x: Tensor) -> Tensor:
        return x.sum((2, 3))


@_mistake("a softmax ends the network. It returns logits; cross_entropy takes the softmax itself.")
class softmax_at_the_end(Net):
    def head(self, x: Tensor) -> Tensor:
        return super().head(x).softmax(1)


@_mistake("a log-softmax ends the network. It returns logits; cross_entropy takes the logarithm itself.")
class log_softmax_at_the_end(Net):
    def head(self, x: Tensor) -> Tensor:
        return super().head(x).log_softmax(1)


@_mistake("a ReLU follows fc. Logits may be negative: return what fc gives.")
class relu_at_the_end(Net):
    def head(self, x: Tensor) -> Tensor:
        return torch.relu(super().head(x))


@_mistake("fc takes 512 numbers whatever the block. It takes 512 * block.expansion.")
class head_without_expansion(Net):
    def make_head(self, block: Any, num_classes: int) -> None:
        self.fc = nn.Linear(512, num_classes)


@_mistake("num_classes is ignored: fc always has 1000 outputs.")
class num_classes_ignored(Net):
    def make_head(self, block: Any, num_classes: int) -> None:
        super().make_head(block, 1000)


# --- The first weights --------------------------------------------------------------------------------------


@_mistake("the convolutions keep torch's own first weights. Draw them: kaiming_normal_ with mode='fan_out'.")
class weights_not_drawn(Net):
    def draw(self, weight: Tensor) -> None:
        pass


@_mistake("mode is 'fan_in', the default. A ResNet draws with mode='fan_out', for the gradient's sake.")
class drawn_with_fan_in(Net):
    def draw(self, weight: Tensor) -> None:
        nn.init.kaiming_normal_(weight, nonlinearity="relu")


@_mistake("the gain is 1, without the factor 2 that makes up for the ReLU: nonlinearity='relu'.")
class drawn_without_gain(Net):
    def draw(self, weight: Tensor) -> None:
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="linear")


@_mistake("the weights are uniform. A ResNet draws normal ones: kaiming_normal_.")
class drawn_uniform(Net):
    def draw(self, weight: Tensor) -> None:
        nn.init.kaiming_uniform_(weight, mode="fan_out", nonlinearity="relu")


@_mistake("the weights are drawn as Xavier (Glorot) does, for tanh. With ReLU: kaiming_normal_.")
class drawn_as_xavier(Net):
    def draw(self, weight: Tensor) -> None:
        nn.init.xavier_normal_(weight)


@_mistake(
    "only the stem's weights are drawn. self.modules() finds those in the blocks too, once the layers exist."
)
class only_the_stem_drawn(Net):
    def __init__(
        self, block: Any, layers: Sequence[int], num_classes: int = 1000, in_channels: int = 3
    ) -> None:
        super().__init__(block, layers, num_classes, in_channels)
        for name, parameter in self.named_parameters():
            if name.startswith("layer") and parameter.dim() == 4:
                nn.init.kaiming_uniform_(parameter, a=5**0.5)


@_mistake("the 1×1 convolutions keep torch's own first weights. Draw those of every nn.Conv2d.")
class projections_not_drawn(Net):
    def draw(self, weight: Tensor) -> None:
        if weight.shape[2:] != (1, 1):
            super().draw(weight)


class _WithOwnHead(Net):
    def __init__(
        self, block: Any, layers: Sequence[int], num_classes: int = 1000, in_channels: int = 3
    ) -> None:
        super().__init__(block, layers, num_classes, in_channels)
        self.draw_head(self.fc.weight)

    def draw_head(self, weight: Tensor) -> None:
        raise NotImplementedError


@_mistake(
    "fc's weights are drawn as well. Only those of the convolutions are: isinstance(module, nn.Conv2d)."
)
class head_drawn(_WithOwnHead):
    def draw_head(self, weight: Tensor) -> None:
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")


@_mistake("fc starts with small normal weights (std 0.01), as in older networks. Leave it as torch made it.")
class head_drawn_small(_WithOwnHead):
    def draw_head(self, weight: Tensor) -> None:
        nn.init.normal_(weight, 0.0, 0.01)


@_mistake("fc starts at 0. Then no gradient reaches the layers before it in the first step. Leave it alone.")
class head_of_zeros(_WithOwnHead):
    def draw_head(self, weight: Tensor) -> None:
        nn.init.zeros_(weight)


@_mistake("fc's bias starts at 0. Leave fc as torch made it, weight and bias.")
class head_bias_of_zeros(_WithOwnHead):
    def draw_head(self, weight: Tensor) -> None:
        nn.init.zeros_(self.fc.bias)


@_mistake("the weights of the norms are drawn as well. They start at weight 1 and bias 0.")
class norms_drawn(Net):
    def __init__(
        self, block: Any, layers: Sequence[int], num_classes: int = 1000, in_channels: int = 3
    ) -> None:
        super().__init__(block, layers, num_classes, in_channels)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)
