"""Parameters and multiply-adds: by hand for one layer, published figures for whole networks."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course import architectures, counting
from course.residual import BasicBlock, Bottleneck, ResNet, resnet18


def resnet50() -> ResNet:
    return ResNet(Bottleneck, [3, 4, 6, 3])


def test_a_convolution_uses_each_weight_at_every_position():
    convolution = nn.Conv2d(3, 8, kernel_size=5, stride=2, padding=2, bias=False)
    assert counting.parameters(convolution) == 3 * 8 * 25
    assert counting.multiply_adds(convolution, (3, 9, 7)) == 3 * 8 * 25 * 5 * 4


def test_groups_divide_the_work():
    whole, split = (nn.Conv2d(8, 8, kernel_size=3, padding=1, groups=groups) for groups in (1, 4))
    assert counting.multiply_adds(whole, (8, 6, 6)) == 4 * counting.multiply_adds(split, (8, 6, 6))


def test_a_linear_layer_uses_each_weight_once_and_its_bias_costs_nothing():
    assert counting.multiply_adds(nn.Linear(7, 5), (7,)) == 35
    assert counting.parameters(nn.Linear(7, 5)) == 40


def test_work_counts_however_forward_is_written():
    class Functional(nn.Conv2d):
        def forward(self, x):
            return F.conv2d(x, self.weight, padding=1)

    plain = nn.Conv2d(4, 4, kernel_size=3, padding=1)
    assert counting.multiply_adds(Functional(4, 4, 3), (4, 6, 6)) == counting.multiply_adds(plain, (4, 6, 6))


def test_counting_changes_nothing():
    block = BasicBlock(4, 4)
    before = {name: value.clone() for name, value in block.state_dict().items()}
    counting.multiply_adds(block, (4, 6, 6))
    assert block.training
    assert all(torch.equal(value, before[name]) for name, value in block.state_dict().items())


@pytest.mark.parametrize(
    ("make", "shape", "parameters", "giga"),
    [
        # parameters: LeNet-5 by hand; the others as the models of their authors have them
        (architectures.lenet5, (1, 28, 28), 61_706, 0.0004),
        (architectures.alexnet, (3, 224, 224), 60_965_224, 0.72),
        (architectures.vgg16, (3, 224, 224), 138_357_544, 15.47),
        (architectures.googlenet, (3, 224, 224), 6_998_552, 1.58),
        (resnet18, (3, 224, 224), 11_689_512, 1.81),
        (resnet50, (3, 224, 224), 25_557_032, 4.09),
    ],
    ids=["LeNet-5", "AlexNet", "VGG-16", "GoogLeNet", "ResNet-18", "ResNet-50"],
)
def test_the_networks_have_their_published_size_and_work(make, shape, parameters, giga):
    with torch.device("meta"):
        network = make()
    assert counting.parameters(network) == parameters
    assert counting.multiply_adds(network, shape) / 1e9 == pytest.approx(giga, rel=0.05)


def test_most_of_vgg_is_in_its_linear_layers_and_little_of_googlenet():
    with torch.device("meta"):
        vgg, googlenet = architectures.vgg16(), architectures.googlenet()
    assert counting.linear_parameters(vgg) == 25_088 * 4096 + 4096 * 4096 + 4096 * 1000 + 4096 + 4096 + 1000
    assert counting.linear_parameters(googlenet) == 1_025_000


@pytest.mark.parametrize(
    ("make", "shape", "classes"),
    [(architectures.lenet5, (1, 28, 28), 10), (architectures.googlenet, (3, 64, 64), 1000)],
)
def test_the_networks_give_one_number_per_class(make, shape, classes):
    assert make()(torch.rand(2, *shape)).shape == (2, classes)
