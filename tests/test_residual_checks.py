"""The checks of lesson 4 under attack: work left to others, wrong answers without a name, chance."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from right_answers import RIGHT
from torch import Tensor, nn
from torch.nn import functional as F

from course import residual as reference
from course.checks import EXERCISES, examine, observe
from course.checks.judge import Verdict, answer_book
from course.checks.probes import building
from course.checks.probes.building import Fill, NoDraws, StandIn, block_class
from course.checks.residual import networks
from course.checks.residual.block_steps import Basic, Neck, Steps
from course.checks.residual.network_steps import Net
from course.residual import BasicBlock

LESSON = ("BasicBlock", "Bottleneck", "make_layer", "ResNet", "resnet18", "zero_init_residual")


def verdict(
    exercise: str, student: Callable[..., object], group: str | None = None, **options: object
) -> Verdict:
    return examine(EXERCISES[exercise], student, group, hidden=True, seed=0, **options)


def wrong(exercise: str, student: Callable[..., object]) -> set[str]:
    return {finding.aspect.label for finding in verdict(exercise, student).wrong}


# --- Work left to others ------------------------------------------------------------------------------------


def borrowed(name: str) -> Callable[..., object]:
    """The course's own class or function behind one of the student's."""
    ours = getattr(reference, name)
    if isinstance(ours, type):

        class Student(nn.Module):
            expansion = getattr(ours, "expansion", None)

            def __init__(self, first, second, *others, **options):
                super().__init__()
                inner = ours(first, second, *others, **options)
                self._modules.update(inner._modules)
                self.__dict__["inner"] = inner

            def forward(self, x):
                return self.inner.train(self.training)(x)

        return Student
    namespace = {"ours": ours}
    signature = EXERCISES[name].signature
    names = ", ".join(part.split("=")[0] for part in signature.split(","))
    exec(f"def student({signature}): return ours({names})", namespace)
    return namespace["student"]


@pytest.mark.parametrize("name", LESSON)
def test_the_reference_is_seen_behind_a_wrapper(name: str) -> None:
    student = borrowed(name)
    if isinstance(student, type):  # which takes any arguments, so that it does for all three classes
        exercise = EXERCISES[name]
        notes = [observe.observe(student, probe) for probe in exercise.probes(1).values()]
        assert any(f"{name}.forward" in seen["course functions"] for seen in notes)
    else:
        assert f"course's own {name}" in verdict(name, student, own_work=True).problem


def test_torchvisions_network_is_not_ones_own() -> None:
    made_by_torchvision = type("ResNet", (reference.ResNet,), {"__module__": "torchvision.models.resnet"})

    def resnet18(num_classes=1000, in_channels=3):
        return made_by_torchvision(BasicBlock, [2, 2, 2, 2], num_classes, in_channels)

    assert "torchvision.models.resnet.ResNet" in verdict("resnet18", resnet18, own_work=True).problem


@pytest.mark.parametrize("name", ["ResNet", "resnet18", "make_layer"])
def test_other_parts_of_the_reference_may_be_used(name: str) -> None:
    """Who is stuck at one exercise goes on with the course's."""
    for answer in RIGHT[name].values():
        assert verdict(name, answer, own_work=True).problem == ""


# --- Wrong answers without a name ---------------------------------------------------------------------------


class SkipInTrainingOnly(Steps):
    def skip(self, x: Tensor) -> Tensor:
        return super().skip(x) if self.training else torch.zeros_like(super().skip(x))


class SkipScaled(Steps):
    def skip(self, x: Tensor) -> Tensor:
        return 0.99 * super().skip(x)


class Leaky(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return F.leaky_relu(branch + skip, 1e-3)


class LastReluInTrainingOnly(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(branch + skip) if self.training else branch + skip


class OtherEps(Steps):
    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=1e-6)


class CumulativeAverage(Steps):
    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, momentum=None)


class InstanceNorms(Steps):
    def norm(self, channels: int) -> nn.Module:
        return nn.InstanceNorm2d(channels, affine=True, track_running_stats=True)


class PaddedWithTheBorder(Steps):
    def conv(self, before: int, after: int, size: int, stride: int = 1) -> nn.Conv2d:
        return nn.Conv2d(before, after, size, stride, size // 2, bias=False, padding_mode="replicate")


class PooledProjection(Steps):
    def projection(self, before: int, after: int, stride: int) -> nn.Module:
        pool = nn.AvgPool2d(stride, ceil_mode=True)
        return nn.Sequential(self.conv(before, after, 1), self.norm(after), pool)


class StrideOfTwoOnly(Steps):
    def projection(self, before: int, after: int, stride: int) -> nn.Module:
        return super().projection(before, after, min(stride, 2))


class DropsOut(Steps):
    def branch(self, x: Tensor) -> Tensor:
        return F.dropout(super().branch(x), 0.1, self.training)


class SkipDetachedInEvaluation(Steps):
    def skip(self, x: Tensor) -> Tensor:
        return super().skip(x) if self.training else super().skip(x).detach()


class ProjectionOfADetachedInput(Steps):
    def skip(self, x: Tensor) -> Tensor:
        return x if self.downsample is None else self.downsample(x.detach())


class OnlyWithAGradient(Steps):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.requires_grad else 1.01 * x)


class DoubleOnly(Steps):
    def join(self, branch: Tensor, skip: Tensor) -> Tensor:
        return torch.relu(branch + skip).double()


class KeepsItsGraph(Steps):
    def forward(self, x: Tensor) -> Tensor:
        self.y = super().forward(x)
        return self.y


class ProjectionFrozen(Steps):
    def projection(self, before: int, after: int, stride: int) -> nn.Module:
        made = super().projection(before, after, stride)
        made[1].requires_grad_(False)
        return made


@pytest.mark.parametrize("block", [Basic, Neck])
@pytest.mark.parametrize(
    "mistake",
    [
        *(SkipInTrainingOnly, SkipScaled, Leaky, LastReluInTrainingOnly, OtherEps, CumulativeAverage),
        *(InstanceNorms, PaddedWithTheBorder, PooledProjection, StrideOfTwoOnly, DropsOut),
        *(SkipDetachedInEvaluation, ProjectionOfADetachedInput, OnlyWithAGradient, DoubleOnly),
        *(KeepsItsGraph, ProjectionFrozen),
    ],
)
def test_a_wrong_block_without_a_name_does_not_pass(block: type[Steps], mistake: type[Steps]) -> None:
    name = "BasicBlock" if block is Basic else "Bottleneck"
    assert wrong(name, type("Student", (mistake, block), {}))
    assert not wrong(name, block)


class ResizedPicture(Net):
    def stem(self, x: Tensor) -> Tensor:
        return super().stem(F.interpolate(x, (64, 64)))


class RoundedUpPool(Net):
    def make_stem(self, in_channels: int) -> None:
        super().make_stem(in_channels)
        self.pool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)


class SevenBySeven(Net):
    def average(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, 7).mean((2, 3))


class LeakyStem(Net):
    def stem(self, x: Tensor) -> Tensor:
        return self.pool(F.leaky_relu(self.bn1(self.conv1(x)), 0.01))


class DropsOutAtTheEnd(Net):
    def average(self, x: Tensor) -> Tensor:
        return F.dropout(super().average(x), 0.2, self.training)


class SoftmaxInEvaluation(Net):
    def head(self, x: Tensor) -> Tensor:
        return super().head(x) if self.training else super().head(x).softmax(1)


class SlowStem(Net):
    def make_stem(self, in_channels: int) -> None:
        super().make_stem(in_channels)
        self.bn1.momentum = 0.01


class SmallWeights(Net):
    def draw(self, weight: Tensor) -> None:
        nn.init.normal_(weight, std=0.01)


class WeightsTooLarge(Net):
    def draw(self, weight: Tensor) -> None:
        nn.init.kaiming_normal_(weight, mode="fan_out").data.mul_(1.3)


class NormalHead(Net):
    def make_head(self, block, num_classes):
        super().make_head(block, num_classes)
        nn.init.normal_(self.fc.weight, std=(3 * self.fc.in_features) ** -0.5)  # of torch's own spread


class ConstantBias(Net):
    def make_head(self, block, num_classes):
        super().make_head(block, num_classes)
        nn.init.constant_(self.fc.bias, 0.01)


@pytest.mark.parametrize(
    "student",
    [
        *(ResizedPicture, RoundedUpPool, SevenBySeven, LeakyStem, DropsOutAtTheEnd, SoftmaxInEvaluation),
        *(SlowStem, SmallWeights, WeightsTooLarge, NormalHead, ConstantBias),
    ],
)
def test_a_wrong_network_without_a_name_does_not_pass(student: type[Net]) -> None:
    assert wrong("ResNet", student)
    assert not wrong("ResNet", Net)


def test_a_stage_in_another_stage_does_not_pass() -> None:
    def make_layer(block, in_channels, channels, blocks, stride=1):
        return nn.Sequential(reference.make_layer(block, in_channels, channels, blocks, stride))

    assert "names and shapes of three blocks" in wrong("make_layer", make_layer)


def test_a_conv2_of_another_kernel_is_not_taken_for_the_first_one_run_twice() -> None:
    class FiveByFive(Basic):
        def make_branch(self, before: int, after: int, stride: int) -> None:
            super().make_branch(before, after, stride)
            self.conv2 = nn.Conv2d(after, after, 5, padding=1, bias=False)

    for group in ("identity", "projection"):
        assert "conv2 makes the picture smaller" in verdict("BasicBlock", FiveByFive, group).message


def test_a_norm_inside_of_resnet18_that_does_not_start_at_one_shows() -> None:
    class Asleep(Basic):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            nn.init.constant_(self.bn1.weight, 0.5)

    def resnet18(num_classes=1000, in_channels=3):
        return reference.ResNet(Asleep, [2, 2, 2, 2], num_classes, in_channels)

    assert wrong("resnet18", resnet18) == {"norms start at weight 1, bias 0"}


def test_a_wrong_block_inside_of_resnet18_shows_in_its_output() -> None:
    class NoLastRelu(Basic):
        def join(self, branch, skip):
            return branch + skip

    def resnet18(num_classes=1000, in_channels=3):
        return reference.ResNet(NoLastRelu, [2, 2, 2, 2], num_classes, in_channels)

    assert wrong("resnet18", resnet18) == {"output, evaluation mode"}


def test_the_layers_argument_may_be_used_up() -> None:
    class Student(Net):
        def make_stages(self, block, layers):
            layers = layers if isinstance(layers, list) else [*layers]
            super().make_stages(block, [layers.pop(0) for _ in range(4)])

    assert not wrong("ResNet", Student)
    assert not wrong("ResNet", Student)  # the probe's own list is as it was


# --- Which blocks zero_init_residual finds ------------------------------------------------------------------


def in_a_notebook(code: str) -> Callable[..., object]:
    """The function of a cell, with the notebook's names around it."""
    names = {"nn": nn, "torch": torch}
    exec(code, names)
    return names["zero_init_residual"]


RAISES = "    def __init__(self): raise NotImplementedError"
ZERO = """
def zero_init_residual(model):
    for module in model.modules():
        if type(module) is BasicBlock:
            nn.init.zeros_(module.bn2.weight)
        if type(module) is Bottleneck:
            nn.init.zeros_(module.bn3.weight)
"""


@pytest.mark.parametrize(
    "blocks",
    [
        "from course.residual import BasicBlock, Bottleneck",
        "class BasicBlock(nn.Module): pass\nclass Bottleneck(nn.Module): pass",
        f"class BasicBlock(nn.Module):\n{RAISES}\nclass Bottleneck(BasicBlock): pass",
        "class Base(nn.Module): pass\nclass BasicBlock(Base): pass\nclass Bottleneck(Base): pass",
    ],
)
def test_the_students_own_blocks_are_found_whatever_they_can_do(blocks: str) -> None:
    assert verdict("zero_init_residual", in_a_notebook(blocks + ZERO), own_work=True).passed


def test_blocks_that_are_reached_through_the_course_are_found() -> None:
    code = "from course import residual" + ZERO.replace("Basic", "residual.Basic").replace(
        "Bottleneck", "residual.Bottleneck"
    )
    assert verdict("zero_init_residual", in_a_notebook(code), own_work=True).passed


def test_a_copy_in_the_place_of_a_norm_does_not_pass() -> None:
    def zero_init_residual(model):
        for module in model.modules():
            for name in ("bn3", "bn2"):
                if hasattr(module, name):
                    setattr(module, name, copy.deepcopy(getattr(module, name)))
                    nn.init.zeros_(getattr(module, name).weight)
                    break

    assert "all of it can still learn" in wrong("zero_init_residual", zero_init_residual)


# --- What a student reads -----------------------------------------------------------------------------------


def test_a_missing_name_is_said() -> None:
    class Student(Basic):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.first = self._modules.pop("conv1")

        def branch(self, x):
            return self.bn2(self.conv2(torch.relu(self.bn1(self.first(x)))))

    seen = verdict("BasicBlock", Student, "identity")
    assert "no tensor called `conv1.weight`" in seen.message
    seen = verdict("BasicBlock", Student, "interface")
    assert "missing: conv1.weight (4, 4, 3, 3); not asked for: first.weight (4, 4, 3, 3)." in seen.message


def test_a_long_list_of_names_is_cut_short() -> None:
    def resnet18(num_classes=1000, in_channels=3):
        return nn.ModuleDict({"net": reference.resnet18(num_classes, in_channels)})["net"].layer1

    seen = verdict("resnet18", resnet18, "interface")
    assert "and 118 more" in seen.message
    assert len(seen.message) < 400
    assert seen.symptom.text == "24 names, expected 122"


def test_a_list_of_equal_length_says_how_many_differ() -> None:
    def resnet18(num_classes=1000, in_channels=3):
        return reference.resnet18()

    seen = {finding.aspect.label: finding.symptom for finding in verdict("resnet18", resnet18).wrong}
    assert seen["10 classes, 1 channel"].text == "3 of 122 are different"


def test_a_block_that_stands_there_twice_has_no_weights_of_its_own() -> None:
    def make_layer(block, in_channels, channels, blocks, stride=1):
        other = block(channels * block.expansion, channels)
        return nn.Sequential(block(in_channels, channels, stride), *[other] * (blocks - 1))

    assert "every block starts with weights of its own" in wrong("make_layer", make_layer)


@pytest.mark.parametrize("name", ["make_layer", "resnet18"])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "Your code returns None here. Is a `return` missing?"),
        ((1, 2), "Your function returned tuple; it should return an nn.Module that can be called."),
    ],
)
def test_something_else_than_a_network_is_named(name: str, value: object, says: str) -> None:
    namespace = {"value": value}
    exec(f"def student({EXERCISES[name].signature}): return value", namespace)
    assert verdict(name, namespace["student"]).message == says


# --- Chance -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begins", "tolerance"),
    [
        ("drawn: standard deviation of conv1", networks.STEM_DRAWN),
        ("drawn: standard deviation of layer", networks.BLOCKS_DRAWN),
        ("drawn: share far out of conv1", networks.NORMAL),
        ("drawn: share far out of fc", networks.NORMAL),
    ],
)
def test_a_right_draw_is_rejected_less_than_once_in_a_million_checks(begins: str, tolerance) -> None:
    """The oracle draws 60 times. Two draws are normal numbers apart: beyond 6 of their deviations is 2e-9."""
    probe = EXERCISES["ResNet"].probes(0)["initial"]
    draws: dict[str, list[float]] = {}
    for seed in range(60):
        torch.manual_seed(seed)
        model = reference.ResNet(block_class(probe.arguments[0]), *probe.arguments[1:])
        building.take_step(
            model, probe.steps[0], lambda *_: None, lambda key, v: draws.setdefault(key, []).append(v)
        )
    keys = [key for key in draws if key.startswith(begins)]
    assert 1 <= len(keys) <= 5
    for key in keys:
        values = torch.stack([each.detach() for each in draws[key]]).double()
        apart = values.std().item() * math.sqrt(2)
        allowed = tolerance.atol + tolerance.rtol * values.mean().item()
        assert allowed > 7 * apart, key


# --- Filling ------------------------------------------------------------------------------------------------


def nothing(*_: object) -> None: ...


def test_a_tensor_is_filled_by_its_name_whatever_else_is_there() -> None:
    one, two = nn.Module(), nn.Module()
    one.a, one.b = nn.Linear(3, 2), nn.Linear(3, 2)
    two.extra, two.b = nn.Linear(5, 5), nn.Linear(3, 2)
    for module in (one, two):
        building.take_step(module, Fill(7), nothing, nothing)
    assert torch.equal(one.b.weight, two.b.weight)
    assert not torch.equal(one.a.weight, one.b.weight)
    building.take_step(two, Fill(8), nothing, nothing)
    assert not torch.equal(one.b.weight, two.b.weight)


def test_constants_and_missing_names() -> None:
    module = nn.BatchNorm2d(3)
    assert building.take_step(module, Fill(7, ("weight", "scale")), nothing, nothing) == "scale"
    assert building.take_step(module, Fill(7, ("weight",), {"weight": 0.0}), nothing, nothing) == ""
    assert module.weight.tolist() == [0, 0, 0]
    assert module.num_batches_tracked == 0
    assert bool((module.running_var > 0).all())


def test_nothing_is_drawn_without_draws() -> None:
    before = torch.get_rng_state()
    with NoDraws():
        model = reference.resnet18(4, 1)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.conv1.weight.abs().sum() == 0
    assert model.bn1.weight.tolist() == [1] * 64


@pytest.mark.parametrize("expansion", [1, 2, 3])
def test_a_stand_in_is_used_as_a_block(expansion: int) -> None:
    block = block_class(StandIn(expansion))
    assert block.expansion == expansion
    assert block(4, 6, 2)(torch.zeros(2, 4, 9, 7)).shape == (2, 6 * expansion, 5, 4)
    assert block(4, 6)(torch.zeros(2, 4, 9, 7)).shape == (2, 6 * expansion, 9, 7)


def test_a_stand_in_of_1x1_convolutions_keeps_the_shapes() -> None:
    block = block_class(StandIn(2, size=1))
    assert block(4, 6, 2)(torch.zeros(2, 4, 9, 7)).shape == (2, 12, 5, 4)
    assert block(4, 6).conv.kernel_size == (1, 1)


def test_the_large_network_is_small_on_the_way() -> None:
    """Weights do not travel: the probes of every exercise together take less than a megabyte."""
    numbers = 0
    for name in LESSON:
        for probe in answer_book(EXERCISES[name], 3).probes.values():
            numbers += sum(step.x.numel() for step in getattr(probe, "steps", ()) if hasattr(step, "x"))
    assert numbers * 8 < 1_000_000
