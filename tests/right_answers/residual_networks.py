"""Right answers to make_layer, ResNet, resnet18 and zero_init_residual."""

import math
from collections import OrderedDict
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from course.residual import BasicBlock, Bottleneck
from course.residual import ResNet as ReferenceResNet
from course.residual import make_layer as reference_make_layer

# --- make_layer ---------------------------------------------------------------------------------------------


def listed_make_layer(block, in_channels, channels, blocks, stride=1):
    layers = [block(in_channels, channels, stride)]
    for _ in range(1, blocks):
        layers.append(block(channels * block.expansion, channels))
    return nn.Sequential(*layers)


def counted_make_layer(block, in_channels, channels, blocks, stride=1):
    stage = nn.Sequential()
    for index in range(blocks):
        stage.add_module(str(index), block(in_channels, channels, stride=stride if index == 0 else 1))
        in_channels = block.expansion * channels
    return stage


def paired_make_layer(block, in_channels, channels, blocks, stride=1):
    widths = [in_channels, *[channels * block.expansion] * blocks]
    strides = [stride] + [1] * (blocks - 1)
    return nn.Sequential(
        *(block(before, channels, s) for (before, _), s in zip(pairwise(widths), strides, strict=True))
    )


def recursive_make_layer(block, in_channels, channels, blocks, stride=1):
    if blocks == 0:
        return nn.Sequential()
    rest = recursive_make_layer(block, channels * block.expansion, channels, blocks - 1)
    return nn.Sequential(
        OrderedDict((str(i), b) for i, b in enumerate([block(in_channels, channels, stride), *rest]))
    )


# --- ResNet -------------------------------------------------------------------------------------------------


class UsualResNet(nn.Module):
    def __init__(self, block, layers, num_classes=1000, in_channels=3):
        super().__init__()
        self.inplanes = 64
        self.conv1 = nn.Conv2d(in_channels, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2)
        self.layer3 = self._make_layer(block, 256, layers[2], stride=2)
        self.layer4 = self._make_layer(block, 512, layers[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def _make_layer(self, block, planes, blocks, stride=1):
        layers = [block(self.inplanes, planes, stride)]
        self.inplanes = planes * block.expansion
        layers += [block(self.inplanes, planes) for _ in range(1, blocks)]
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class FunctionalResNet(nn.Module):
    """Functions on the weights; the first weights from their formula."""

    def __init__(self, block, layers, num_classes=1000, in_channels=3):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, 7, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        before = 64
        for i, blocks in enumerate(layers):
            width = 64 << i
            self.add_module(f"layer{i + 1}", listed_make_layer(block, before, width, blocks, 1 + (i > 0)))
            before = width * block.expansion
        self.fc = nn.Linear(before, num_classes)
        with torch.no_grad():
            for weight in self.parameters():
                if weight.dim() == 4:
                    outputs, _, height, width = weight.shape
                    weight.copy_(torch.randn_like(weight) * math.sqrt(2 / (outputs * height * width)))

    def forward(self, x):
        bn = self.bn1
        x = F.conv2d(x, self.conv1.weight, stride=2, padding=3)
        x = F.batch_norm(x, bn.running_mean, bn.running_var, bn.weight, bn.bias, bn.training)
        x = F.max_pool2d(F.relu(x), 3, 2, 1)
        for i in range(1, 5):
            for block in getattr(self, f"layer{i}"):
                x = block.forward(x)
        x = F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0]
        return F.linear(x, self.fc.weight, self.fc.bias)


def draw(module):
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")


class SequentialResNet(nn.Sequential):
    """Layer after layer; the ReLU after the max pool, which gives the same."""

    def __init__(self, block, layers, num_classes=1000, in_channels=3):
        first, second, third, fourth = layers
        e = block.expansion
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(in_channels, 64, 7, 2, 3, bias=False),
                bn1=nn.BatchNorm2d(64),
                pool=nn.MaxPool2d(3, 2, 1),
                relu=nn.ReLU(),
                layer1=reference_make_layer(block, 64, 64, first),
                layer2=reference_make_layer(block, 64 * e, 128, second, 2),
                layer3=reference_make_layer(block, 128 * e, 256, third, 2),
                layer4=reference_make_layer(block, 256 * e, 512, fourth, 2),
                mean=nn.AdaptiveAvgPool2d(1),
                flat=nn.Flatten(),
                fc=nn.Linear(512 * e, num_classes),
            )
        )
        self.apply(draw)


# --- resnet18 -----------------------------------------------------------------------------------------------


def plain_resnet18(num_classes=1000, in_channels=3):
    return ReferenceResNet(BasicBlock, [2, 2, 2, 2], num_classes, in_channels)


def resnet18_by_name(num_classes=1000, in_channels=3):
    return ReferenceResNet(
        block=BasicBlock, layers=(2,) * 4, in_channels=in_channels, num_classes=num_classes
    )


class ResNet18(UsualResNet):
    def __init__(self, num_classes, in_channels):
        super().__init__(BasicBlock, [2] * 4, num_classes=num_classes, in_channels=in_channels)


def resnet18_of_a_class(num_classes=1000, in_channels=3):
    return ResNet18(num_classes, in_channels)


def sequential_resnet18(num_classes=1000, in_channels=3):
    return SequentialResNet(BasicBlock, [2, 2, 2, 2], num_classes, in_channels)


# --- zero_init_residual -------------------------------------------------------------------------------------


def zero_by_class(model):
    for m in model.modules():
        if isinstance(m, Bottleneck):
            nn.init.constant_(m.bn3.weight, 0)
        elif isinstance(m, BasicBlock):
            nn.init.constant_(m.bn2.weight, 0)


def zero_by_attribute(model):
    with torch.no_grad():
        for m in model.modules():
            if hasattr(m, "conv2"):
                last = m.bn3 if hasattr(m, "bn3") else m.bn2
                last.weight.mul_(0)
    return model


def zero_by_name(model):
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        is_last = name.endswith(".bn3.weight") or (
            name.endswith(".bn2.weight") and name.replace("bn2", "bn3") not in parameters
        )
        if is_last:
            parameter.data.fill_(0.0)


def zero_in_the_state(model):
    state = model.state_dict()
    for stage in range(1, 5):
        for index, block in enumerate(getattr(model, f"layer{stage}")):
            last = 3 if type(block) is Bottleneck else 2
            key = f"layer{stage}.{index}.bn{last}.weight"
            state[key] = torch.zeros_like(state[key])
    model.load_state_dict(state)


def zero_with_apply(model):
    def visit(module):
        norms = [name for name, _ in module.named_children() if name.startswith("bn")]
        if len(norms) > 1:
            getattr(module, max(norms)).weight.data = torch.zeros_like(getattr(module, max(norms)).weight)

    model.apply(visit)


RIGHT = {
    "make_layer": {
        "a list": listed_make_layer,
        "a counter": counted_make_layer,
        "pairs": paired_make_layer,
        "recursion": recursive_make_layer,
    },
    "ResNet": {
        "as in torchvision": UsualResNet,
        "functions": FunctionalResNet,
        "a Sequential": SequentialResNet,
    },
    "resnet18": {
        "one line": plain_resnet18,
        "by name": resnet18_by_name,
        "a class": resnet18_of_a_class,
        "a Sequential": sequential_resnet18,
    },
    "zero_init_residual": {
        "by class": zero_by_class,
        "by attribute": zero_by_attribute,
        "by name": zero_by_name,
        "in the state_dict": zero_in_the_state,
        "with apply": zero_with_apply,
    },
}
