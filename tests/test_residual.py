"""The reference residual networks: torchvision's names and shapes, the paper's numbers, laws of a block."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from course.residual import BasicBlock, Bottleneck, ResNet, make_layer, resnet18, zero_init_residual

# What torchvision's published ResNet-18 holds, stage by stage; a norm has five entries.
NORM = ("weight", "bias", "running_mean", "running_var")


def norm(name, channels):
    return {**{f"{name}.{each}": (channels,) for each in NORM}, f"{name}.num_batches_tracked": ()}


RESNET18 = {
    "conv1.weight": (64, 3, 7, 7),
    **norm("bn1", 64),
    "layer1.0.conv1.weight": (64, 64, 3, 3),
    **norm("layer1.0.bn1", 64),
    "layer1.0.conv2.weight": (64, 64, 3, 3),
    **norm("layer1.0.bn2", 64),
    "layer1.1.conv1.weight": (64, 64, 3, 3),
    **norm("layer1.1.bn1", 64),
    "layer1.1.conv2.weight": (64, 64, 3, 3),
    **norm("layer1.1.bn2", 64),
    "layer2.0.conv1.weight": (128, 64, 3, 3),
    **norm("layer2.0.bn1", 128),
    "layer2.0.conv2.weight": (128, 128, 3, 3),
    **norm("layer2.0.bn2", 128),
    "layer2.0.downsample.0.weight": (128, 64, 1, 1),
    **norm("layer2.0.downsample.1", 128),
    "layer2.1.conv1.weight": (128, 128, 3, 3),
    **norm("layer2.1.bn1", 128),
    "layer2.1.conv2.weight": (128, 128, 3, 3),
    **norm("layer2.1.bn2", 128),
    "layer3.0.conv1.weight": (256, 128, 3, 3),
    **norm("layer3.0.bn1", 256),
    "layer3.0.conv2.weight": (256, 256, 3, 3),
    **norm("layer3.0.bn2", 256),
    "layer3.0.downsample.0.weight": (256, 128, 1, 1),
    **norm("layer3.0.downsample.1", 256),
    "layer3.1.conv1.weight": (256, 256, 3, 3),
    **norm("layer3.1.bn1", 256),
    "layer3.1.conv2.weight": (256, 256, 3, 3),
    **norm("layer3.1.bn2", 256),
    "layer4.0.conv1.weight": (512, 256, 3, 3),
    **norm("layer4.0.bn1", 512),
    "layer4.0.conv2.weight": (512, 512, 3, 3),
    **norm("layer4.0.bn2", 512),
    "layer4.0.downsample.0.weight": (512, 256, 1, 1),
    **norm("layer4.0.downsample.1", 512),
    "layer4.1.conv1.weight": (512, 512, 3, 3),
    **norm("layer4.1.bn1", 512),
    "layer4.1.conv2.weight": (512, 512, 3, 3),
    **norm("layer4.1.bn2", 512),
    "fc.weight": (1000, 512),
    "fc.bias": (1000,),
}


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def seasoned(module):
    """The module in float64, with weights and statistics that are neither 0 nor 1."""
    with torch.no_grad():
        for seed, (name, tensor) in enumerate(module.double().state_dict().items()):
            if tensor.is_floating_point():
                tensor.copy_(random(*tensor.shape, seed=seed))
                if name.endswith("running_var"):
                    tensor.abs_().add_(0.5)
    return module


def by_hand(block, x):
    """The paper's formula on the block's weights, with no call of the block or of what is in it."""

    def normed(x, bn):
        statistics = bn.running_mean.clone(), bn.running_var.clone()
        return F.batch_norm(x, *statistics, bn.weight, bn.bias, block.training, 0.1, 1e-5)

    y = x
    layers = [(1, 3), (2, 3)] if isinstance(block, BasicBlock) else [(1, 1), (2, 3), (3, 1)]
    strided = layers[0] if isinstance(block, BasicBlock) else layers[1]
    stride = 1 if block.downsample is None else block.downsample[0].stride[0]
    for number, size in layers:
        y = F.relu(y) if number > 1 else y
        step = stride if (number, size) == strided else 1
        y = F.conv2d(y, getattr(block, f"conv{number}").weight, None, step, size // 2)
        y = normed(y, getattr(block, f"bn{number}"))
    if block.downsample is not None:
        x = normed(F.conv2d(x, block.downsample[0].weight, None, stride), block.downsample[1])
    return F.relu(y + x)


# --- Blocks -------------------------------------------------------------------------------------------------

BLOCKS = [
    pytest.param(block, arguments, id=f"{block.__name__}{arguments}")
    for block, all_arguments in {
        BasicBlock: [(4, 4), (4, 6), (4, 4, 2), (4, 6, 2), (5, 3, 3)],
        Bottleneck: [(8, 2), (3, 3), (8, 2, 2), (4, 3, 2), (5, 2, 3)],
    }.items()
    for arguments in all_arguments
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("block", "arguments"), BLOCKS)
def test_a_block_computes_the_papers_formula(block, arguments, training):
    module = seasoned(block(*arguments)).train(training)
    x = random(3, arguments[0], 7, 6, seed=99).requires_grad_()
    expected, got = by_hand(module, x), module(x)
    assert_close(got, expected)
    weights = [x, *module.parameters()]
    grad = random(*got.shape, seed=100)
    assert_close(torch.autograd.grad(got, weights, grad), torch.autograd.grad(expected, weights, grad))


@pytest.mark.parametrize(("block", "arguments"), BLOCKS)
def test_a_block_keeps_its_input(block, arguments):
    x = random(2, arguments[0], 5, 5)
    before = x.clone()
    seasoned(block(*arguments))(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize(("block", "arguments"), [(BasicBlock, (4, 4)), (Bottleneck, (8, 2))])
def test_a_block_whose_branch_is_zero_is_a_relu(block, arguments):
    module = seasoned(block(*arguments))
    last = module.bn2 if block is BasicBlock else module.bn3
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    x = random(2, arguments[0], 5, 6)
    assert torch.equal(module(x), x.relu())


@pytest.mark.parametrize(
    ("block", "arguments", "projects"),
    [
        (BasicBlock, (64, 64), False),
        (BasicBlock, (64, 64, 2), True),
        (BasicBlock, (64, 128), True),
        (Bottleneck, (64, 64), True),
        (Bottleneck, (256, 64), False),
        (Bottleneck, (256, 64, 2), True),
    ],
)
def test_a_projection_is_there_where_the_shape_changes(block, arguments, projects):
    assert (block(*arguments).downsample is not None) is projects


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_a_block_refuses_other_channels(block):
    with pytest.raises(RuntimeError):
        block(4, 4)(torch.zeros(2, 5, 6, 6))


# --- Stages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("block", "width"), [(BasicBlock, 6), (Bottleneck, 24)])
def test_a_stage_changes_the_shape_once(block, width):
    stage = make_layer(block, 4, 6, 3, stride=2)
    shapes = []
    x = torch.zeros(1, 4, 9, 11)
    for each in stage:
        x = each(x)
        shapes.append(tuple(x.shape))
    assert shapes == [(1, width, 5, 6)] * 3
    assert len({id(p) for p in stage.parameters()}) == sum(len([*b.parameters()]) for b in stage)


# --- Networks -----------------------------------------------------------------------------------------------


def test_resnet18_has_torchvisions_names_and_shapes():
    assert len(RESNET18) == 122
    shapes = {name: tuple(tensor.shape) for name, tensor in resnet18().state_dict().items()}
    assert shapes == RESNET18
    assert [*shapes] == [*RESNET18]  # in torchvision's order, too


@pytest.mark.parametrize(
    ("block", "layers", "parameters"),
    [  # torchvision's documentation gives these numbers with its published weights
        (BasicBlock, [2, 2, 2, 2], 11_689_512),
        (BasicBlock, [3, 4, 6, 3], 21_797_672),
        (Bottleneck, [3, 4, 6, 3], 25_557_032),
    ],
)
def test_networks_have_the_published_number_of_parameters(block, layers, parameters):
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in ResNet(block, layers).parameters()) == parameters


def test_a_dictionary_of_these_names_and_shapes_loads():
    dtypes = {"num_batches_tracked": torch.int64}
    state = {
        name: torch.ones(shape, dtype=dtypes.get(name.rpartition(".")[2], torch.float32))
        for name, shape in RESNET18.items()
    }
    model = resnet18()
    model.load_state_dict(state)
    assert all(bool((parameter == 1).all()) for parameter in model.parameters())


def test_shapes_of_deck_d3():
    """The summary of ResNet-18 for pictures of 96×96 pixels, in torch's order of the axes."""
    model = resnet18(num_classes=10, in_channels=1).eval()
    shapes = []
    with torch.no_grad():
        x = model.maxpool(torch.relu(model.bn1(model.conv1(torch.zeros(1, 1, 96, 96)))))
        shapes.append(tuple(x.shape))
        for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
            x = stage(x)
            shapes.append(tuple(x.shape))
        shapes.append(tuple(model(torch.zeros(1, 1, 96, 96)).shape))
    assert shapes == [
        (1, 64, 24, 24),
        (1, 64, 24, 24),
        (1, 128, 12, 12),
        (1, 256, 6, 6),
        (1, 512, 3, 3),
        (1, 10),
    ]


def test_a_network_runs_its_parts_in_order():
    model = seasoned(ResNet(BasicBlock, [1, 1, 1, 1], 5, 2)).eval()
    x = random(2, 2, 40, 33)
    y = F.max_pool2d(F.relu(model.bn1(F.conv2d(x, model.conv1.weight, None, 2, 3))), 3, 2, 1)
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        y = by_hand(stage[0], y)
    expected = y.flatten(2).mean(2) @ model.fc.weight.T + model.fc.bias
    # The weights are of size 1, and so the numbers grow to 1e8 here.
    assert_close(model(x), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_convolutions_start_as_torchvisions_do(block):
    torch.manual_seed(0)
    model = ResNet(block, [1, 1, 1, 1])
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 4000:
            fan_out = module.weight.shape[0] * module.kernel_size[0] ** 2
            spread = module.weight.std().item() * (fan_out / 2) ** 0.5
            # The standard deviation of n draws is off by 1/sqrt(2n), here by 0.011 at most: 5 of these.
            assert spread == pytest.approx(1, abs=0.056)
        elif isinstance(module, nn.BatchNorm2d):
            assert bool((module.weight == 1).all())
            assert bool((module.bias == 0).all())


# --- zero_init_residual -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("block", "last"), [(BasicBlock, "bn2"), (Bottleneck, "bn3")])
def test_zero_init_sets_the_last_norms_and_nothing_else(block, last):
    torch.manual_seed(0)
    model = ResNet(block, [2, 1, 1, 2], 5)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    zero_init_residual(model)
    for name, tensor in model.state_dict().items():
        is_last = name.startswith("layer") and name.endswith(f"{last}.weight")
        assert torch.equal(tensor, torch.zeros_like(tensor) if is_last else before[name]), name
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_zero_init_knows_blocks_that_are_not_the_course_s_own():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.bn1, self.bn2 = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    model = nn.Sequential(Block(), Block())
    zero_init_residual(model)
    assert all(not block.bn2.weight.any() and block.bn1.weight.all() for block in model)


def test_a_resnet_has_four_stages_of_at_least_one_block():
    with pytest.raises(ValueError, match="four stages, got 5"):
        ResNet(BasicBlock, [1, 1, 1, 1, 5])
    with pytest.raises(ValueError, match="at least one block, got 0"):
        make_layer(BasicBlock, 4, 4, blocks=0)


def test_after_zero_init_a_stage_is_a_relu_and_still_learns():
    stage = make_layer(BasicBlock, 4, 4, 3).double()
    zero_init_residual(stage)
    x = random(2, 4, 5, 5)
    y = stage(x)
    assert torch.equal(y, x.relu())
    y.square().sum().backward()
    for each in stage:
        assert each.bn2.weight.grad.abs().sum() > 0
        assert each.conv1.weight.grad.abs().sum() == 0  # until bn2.weight has left 0
