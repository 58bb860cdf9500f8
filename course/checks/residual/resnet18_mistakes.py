"""How students get `resnet18` wrong."""

from __future__ import annotations

from torch import nn

from course.checks.collect import Mistakes
from course.residual import BasicBlock, Bottleneck, ResNet, zero_init_residual

RESNET_18 = Mistakes()
_mistake = RESNET_18.add


@_mistake("these are the numbers of ResNet-34: 3, 4, 6, 3. ResNet-18 has two blocks in each stage.")
def layers_of_34(num_classes=1000, in_channels=3):
    return ResNet(BasicBlock, [3, 4, 6, 3], num_classes, in_channels)


@_mistake("every stage has one block: that would be ResNet-10. ResNet-18 has two in each.")
def one_block_each(num_classes=1000, in_channels=3):
    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes, in_channels)


@_mistake("18 counts the layers with weights, not the blocks: 16 convolutions in 8 blocks, the stem and fc.")
def eighteen_convolutions(num_classes=1000, in_channels=3):
    return ResNet(BasicBlock, [2, 2, 2, 3], num_classes, in_channels)


@_mistake("the block is Bottleneck. ResNet-18 and -34 are made of BasicBlock.")
def made_of_bottlenecks(num_classes=1000, in_channels=3):
    return ResNet(Bottleneck, [2, 2, 2, 2], num_classes, in_channels)


@_mistake("num_classes is not passed on: ResNet(BasicBlock, [2, 2, 2, 2], num_classes, in_channels).")
def num_classes_dropped(num_classes=1000, in_channels=3):
    return ResNet(BasicBlock, [2, 2, 2, 2], in_channels=in_channels)


@_mistake("in_channels is not passed on: ResNet(BasicBlock, [2, 2, 2, 2], num_classes, in_channels).")
def in_channels_dropped(num_classes=1000, in_channels=3):
    return ResNet(BasicBlock, [2, 2, 2, 2], num_classes)


@_mistake("neither num_classes nor in_channels is passed on to ResNet, so it keeps its own defaults.")
def both_dropped(num_classes=1000, in_channels=3):
    return ResNet(BasicBlock, [2, 2, 2, 2])


@_mistake("num_classes and in_channels are swapped on the way to ResNet. Pass them by name.")
def arguments_swapped(num_classes=1000, in_channels=3):
    return ResNet(BasicBlock, [2, 2, 2, 2], in_channels, num_classes)


@_mistake("the defaults are those of a lesson's own data. torchvision's are num_classes=1000, in_channels=3.")
def defaults_of_the_lesson(num_classes=10, in_channels=1):
    return ResNet(BasicBlock, [2, 2, 2, 2], num_classes, in_channels)


@_mistake(
    "the function returns the class or a list, not a network. Call ResNet(...) and return what it gives."
)
def class_returned(num_classes=1000, in_channels=3):
    return ResNet


@_mistake("the weights of the network are frozen (requires_grad is off). A new network learns.")
def frozen(num_classes=1000, in_channels=3):
    return ResNet(BasicBlock, [2, 2, 2, 2], num_classes, in_channels).requires_grad_(False)


@_mistake("the network is in evaluation mode. A new network trains: leave .eval() out.")
def in_evaluation_mode(num_classes=1000, in_channels=3):
    return ResNet(BasicBlock, [2, 2, 2, 2], num_classes, in_channels).eval()


@_mistake(
    "the last norm of each block starts at 0. Let it start at 1, as torch does: only zero_init_residual sets "
    "it to 0.",
    "4.6",
)
def last_norms_start_at_zero(num_classes=1000, in_channels=3):
    model = ResNet(BasicBlock, [2, 2, 2, 2], num_classes, in_channels)
    zero_init_residual(model)
    return model


@_mistake("the network is wrapped in another module, so every key has a prefix. Return the ResNet itself.")
def wrapped(num_classes=1000, in_channels=3):
    return nn.Sequential(ResNet(BasicBlock, [2, 2, 2, 2], num_classes, in_channels))
