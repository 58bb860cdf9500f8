"""Ways around the work, and wrong answers with a misleading symptom, found by attacking the checks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from right_answers import RIGHT
from torch import nn

from course import normalization as reference
from course.checks import EXERCISES, examine
from course.checks.judge import Verdict


def verdict(exercise: str, student: Callable[..., object], **options: object) -> Verdict:
    return examine(EXERCISES[exercise], student, hidden=True, seed=0, own_work=True, **options)


# --- Work left to others ------------------------------------------------------------------------------------


class WrappedReference(nn.Module):
    """The course's own layer, with its tensors under the names that the checks ask for."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__()
        self.inner = reference.BatchNorm2d(num_features, eps, momentum, affine)

    def __getattr__(self, name):
        if name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            return getattr(self.inner, name)
        return super().__getattr__(name)

    def forward(self, x):
        return self.inner(x)


def test_the_reference_is_seen_through_a_wrapper() -> None:
    assert "course's own BatchNorm2d" in verdict("BatchNorm2d", WrappedReference, group="forward").problem


def test_autograd_is_seen_where_the_formula_is_asked_for() -> None:
    def student(grad_output, x, weight, eps=1e-5):
        with torch.inference_mode(False), torch.enable_grad():
            x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
            bias = torch.zeros_like(weight, requires_grad=True)
            x_hat = (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps)
            return torch.autograd.grad(weight * x_hat + bias, (x, weight, bias), grad_output.clone())

    assert "torch.autograd.grad" in verdict("batch_norm_backward", student).problem


def test_torchs_own_folding_is_seen() -> None:
    def student(linear, bn):
        return torch.nn.utils.fusion.fuse_linear_bn_eval(linear, bn)

    assert "fuse_linear_bn" in verdict("fuse_linear_bn", student, group="interface").problem


def test_a_folded_layer_does_the_work_with_its_own_weight() -> None:
    def student(linear, bn):
        fused = nn.Linear(linear.in_features, linear.out_features, dtype=linear.weight.dtype)
        fused.forward = lambda x: bn(linear(x))
        return fused

    assert verdict("fuse_linear_bn", student, group="interface").passed
    assert verdict("fuse_linear_bn", student).misconception.name == "old_layers_called"


class BatchNormFunction(torch.autograd.Function):
    """A student's own, in spite of its name."""

    @staticmethod
    def forward(ctx, x, weight, bias, eps, backward):
        var, mean = torch.var_mean(x, 0, correction=0)
        x_hat = (x - mean) / torch.sqrt(var + eps)
        ctx.save_for_backward(x, x_hat, weight, torch.sqrt(var + eps))
        ctx.mark_non_differentiable(mean, var)
        ctx.eps, ctx.left_to = eps, backward
        return x_hat * weight + bias, mean, var

    @staticmethod
    def backward(ctx, grad, *_):
        x, x_hat, weight, std = ctx.saved_tensors
        if ctx.left_to == "torch":
            mask = [True, True, True]
            return (
                *torch.ops.aten.native_batch_norm_backward(
                    grad, x, weight, None, None, x.mean(0), 1 / std, True, ctx.eps, mask
                ),
                None,
                None,
            )
        through_var = x_hat * (grad * x_hat).mean(0)
        grad_x = weight / std * (grad - grad.mean(0) - through_var)
        return grad_x, (grad * x_hat).sum(0), grad.sum(0), None, None


@pytest.mark.parametrize("backward", ["nobody", "torch"])
def test_a_function_of_the_students_own_is_looked_into(backward: str) -> None:
    def student(x, weight, bias, eps=1e-5):
        return BatchNormFunction.apply(x, weight, bias, eps, backward)

    problem = verdict("batch_norm_train", student, group="gradients").problem
    assert ("`native_batch_norm_backward`" in problem) is (backward == "torch")


def test_a_hook_is_looked_into() -> None:
    def student(x, weight, bias, eps=1e-5):
        def hook(grad):
            mask = [True, True, True]
            return torch.ops.aten.native_batch_norm_backward(
                grad, x, weight, None, None, mean, 1 / std, True, eps, mask
            )[0]

        mean, var = x.mean(0), x.var(0, correction=0)
        std = torch.sqrt(var + eps)
        y = ((x - mean) / std * weight).detach() + bias + 0 * weight
        through = x + 0
        through.register_hook(hook)
        return y + through - through.detach(), mean, var

    problem = verdict("batch_norm_train", student, group="gradients").problem
    assert "`native_batch_norm_backward`" in problem


# --- Wrong answers that once passed -------------------------------------------------------------------------


class RightBatchNorm2d(nn.Module):
    """A right solution, with steps that a test can get wrong."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__()
        self.eps, self.momentum, self.affine = eps, momentum, affine
        if affine:
            self.weight = nn.Parameter(torch.ones(num_features))
            self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def scale(self):
        return self.weight

    @torch.no_grad()
    def update(self, mean, var, n):
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var * n / (n - 1), self.momentum)
        self.num_batches_tracked += 1

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
            self.update(mean, var, x.numel() // x.shape[1])
        y = (x - mean.view(-1, 1, 1)) / torch.sqrt(var.view(-1, 1, 1) + self.eps)
        return y * self.scale().view(-1, 1, 1) + self.bias.view(-1, 1, 1) if self.affine else y


class NoStatisticsWithoutAffine(RightBatchNorm2d):
    def update(self, mean, var, n):
        if self.affine:
            super().update(mean, var, n)


class AffineAsBuffersWhenOff(RightBatchNorm2d):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__(num_features, eps, momentum, affine)
        if not affine:
            self.register_buffer("weight", torch.ones(num_features))
            self.register_buffer("bias", torch.zeros(num_features))


class SignOfTheWeightLost(RightBatchNorm2d):
    def scale(self):
        return self.weight.square().sqrt()


@pytest.mark.parametrize(
    ("student", "costs"),
    [
        (RightBatchNorm2d, set()),
        (NoStatisticsWithoutAffine, {"running-stats"}),
        (AffineAsBuffersWhenOff, {"interface"}),
        (SignOfTheWeightLost, {"interface", "forward", "evaluation"}),
    ],
)
def test_a_wrong_answer_without_a_name_does_not_pass(student: type[nn.Module], costs: set[str]) -> None:
    groups = EXERCISES["BatchNorm2d"].groups
    assert {group for group in groups if not verdict("BatchNorm2d", student, group=group).passed} == costs


@pytest.mark.parametrize("name", ["LayerNorm", "InstanceNorm2d", "GroupNorm"])
def test_evaluation_without_weight_and_bias_is_looked_at(name: str) -> None:
    class Student(getattr(nn, name)):
        def forward(self, x):
            return super().forward(x) if self.training or self.weight is not None else x.clone()

    wrong = {finding.aspect.label for finding in examine(EXERCISES[name], Student, hidden=True, seed=0).wrong}
    assert wrong == {"evaluation mode without weight and bias"}


def test_group_norm_is_looked_at_with_one_group() -> None:
    class Student(nn.GroupNorm):
        def forward(self, x):
            return super().forward(x) if self.num_groups > 1 else x.clone()

    seen = examine(EXERCISES["GroupNorm"], Student, hidden=True, seed=0)
    assert {finding.aspect.label for finding in seen.wrong} == {"one group of all channels"}


class OnlyWhereAGradientIsAskedFor(RightBatchNorm2d):
    def forward(self, x):
        return super().forward(x) if x.requires_grad else x.clone()


def train_only_where_a_gradient_is_asked_for(x, weight, bias, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    return (x - mean) / torch.sqrt(var + eps) * weight + bias if x.requires_grad else x.clone(), mean, var


def eval_only_where_a_gradient_is_asked_for(x, running_mean, running_var, weight, bias, eps=1e-5):
    return (
        (x - running_mean) / torch.sqrt(running_var + eps) * weight + bias if x.requires_grad else x.clone()
    )


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("BatchNorm2d", OnlyWhereAGradientIsAskedFor),
        ("batch_norm_train", train_only_where_a_gradient_is_asked_for),
        ("batch_norm_eval", eval_only_where_a_gradient_is_asked_for),
    ],
)
def test_inputs_without_a_gradient_are_looked_at_too(name: str, student: Callable[..., object]) -> None:
    wrong = {finding.aspect.label for finding in verdict(name, student).wrong}
    assert "input that is not contiguous" in wrong


@pytest.mark.parametrize("counter", [torch.int32, torch.int16, torch.bool])
def test_the_counter_is_an_int64(counter: torch.dtype) -> None:
    class Student(RightBatchNorm2d):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.num_batches_tracked = torch.tensor(0, dtype=counter)

        def update(self, mean, var, n):
            super().update(mean, var, n)
            self.num_batches_tracked = self.num_batches_tracked.to(counter)

    assert (
        f"keep it as an integer (torch.int64), not as {counter}"
        in verdict("BatchNorm2d", Student, group="interface").message
    )
    assert not verdict("BatchNorm2d", Student, group="running-stats").passed


@pytest.mark.parametrize("step", [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8])
def test_difference_quotients_are_no_formula(step: float) -> None:
    def student(grad_output, x, weight, eps=1e-5):
        def quotients(loss: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor) -> torch.Tensor:
            steps = step * torch.eye(at.numel(), dtype=torch.float64).view(-1, *at.shape)
            slopes = [(loss(at + each) - loss(at - each)) / (2 * step) for each in steps]
            return torch.stack(slopes).view(at.shape).to(x.dtype)

        def loss(x, weight, bias):
            x_hat = (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps)
            return (grad_output * (x_hat * weight + bias)).sum()

        wide, bias = x.double(), torch.zeros_like(weight).double()
        return (
            quotients(lambda at: loss(at, weight, bias), wide),
            quotients(lambda at: loss(wide, at, bias), weight.double()),
            quotients(lambda at: loss(wide, weight, at), bias),
        )

    wrong = {finding.aspect.label for finding in verdict("batch_norm_backward", student).wrong}
    assert "eps as an argument" in wrong


@pytest.mark.parametrize("name", ["LayerNorm", "InstanceNorm2d", "GroupNorm"])
def test_a_layer_that_keeps_its_graph_cannot_be_copied(name: str) -> None:
    class Student(next(iter(RIGHT[name].values()))):
        def forward(self, x):
            self.y = super().forward(x)
            return self.y

    for group in EXERCISES[name].groups:
        assert verdict(name, Student, group=group).passed is (group != "interface")
    (finding,) = verdict(name, Student, group="interface").wrong
    assert finding.aspect.label == "copied, saved and loaded into a new layer"
    assert "support the deepcopy protocol" in finding.symptom.advice


# --- Symptoms that many mistakes share ----------------------------------------------------------------------


def answers_none(exercise: str) -> Callable[..., object]:
    if EXERCISES[exercise].kind == "function":
        namespace: dict[str, object] = {"torch": torch}
        exec(f"def student({EXERCISES[exercise].signature}): pass", namespace)
        return namespace["student"]

    class Student(EXERCISES[exercise].oracle):
        def forward(self, x):
            super().forward(x)

    return Student


RETURN_NOTHING = ("zero_init_residual", "clip_grad_value_")
DO_SOMETHING_FIRST = ("overfit_small_batch", "train", "benchmark_step", "train_amp")
"""Who does nothing at all has forgotten more than a return."""
ENDS_WITHOUT_RETURN = {"build_model": "nothing_returned", "train_network": "returns_nothing"}
"""They have a sentence of their own for it."""


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, exercise in EXERCISES.items()
        if exercise.kind != "plain class" and name not in (*RETURN_NOTHING, *DO_SOMETHING_FIRST)
    ],
)
def test_a_forgotten_return_is_not_taken_for_another_mistake(name: str) -> None:
    seen = examine(EXERCISES[name], answers_none(name), hidden=True, seed=0)
    if name in ENDS_WITHOUT_RETURN:
        assert seen.misconception is not None
        assert seen.misconception.name == ENDS_WITHOUT_RETURN[name]
    else:
        assert seen.misconception is None
        assert seen.message == "Your code returns None here. Is a `return` missing?"


def test_a_counter_that_is_a_float_is_named() -> None:
    class Student(nn.BatchNorm2d):
        def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
            super().__init__(num_features, eps, momentum, affine)
            self.num_batches_tracked = torch.tensor(0.0)

    seen = examine(EXERCISES["BatchNorm2d"], Student, "interface", seed=0)
    assert seen.misconception.name == "counter_is_a_float"


# --- The first check of a session ---------------------------------------------------------------------------


def test_the_first_backward_pass_imports_no_computer_algebra() -> None:
    """Half a second to two seconds, inside the time limit, for nothing that a check needs."""
    code = (
        "import sys; from course.checks import EXERCISES, examine;"
        "examine(EXERCISES['BatchNorm2d'], EXERCISES['BatchNorm2d'].oracle, seed=0);"
        "sys.exit('sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_numbers_that_another_process_worked_out_are_not_ones_own() -> None:
    """In inference mode, where this is called, moving numbers takes operators with names of their own."""

    def batch_norm_backward(grad_output, x, weight, eps=1e-5):
        reader, writer = os.pipe()
        if os.fork() == 0:
            try:
                given = (t.detach().numpy().astype("float64") for t in (grad_output, x, weight))
                os.write(writer, b"".join(each.tobytes() for each in by_hand(*given, eps)))
            finally:
                os._exit(0)
        numbers = torch.from_numpy(np.frombuffer(os.read(reader, 65536)).copy()).to(x.dtype)
        n, c = x.shape
        parts = numbers.split([n * c, c, c])
        return parts[0].reshape(n, c), parts[1], parts[2]

    def by_hand(g, x, weight, eps):
        d = x - x.mean(0)
        r = 1 / np.sqrt((d * d).mean(0) + eps)
        h = d * r
        return weight * r * (g - g.mean(0) - h * (g * h).mean(0)), (g * h).sum(0), g.sum(0)

    def in_numpy(grad_output, x, weight, eps=1e-5):
        given = (t.numpy() for t in (grad_output, x, weight))
        return tuple(torch.from_numpy(each).to(x.dtype) for each in by_hand(*given, eps))

    assert (
        "nothing that could compute them was seen"
        in verdict("batch_norm_backward", batch_norm_backward).problem
    )
    assert verdict("batch_norm_backward", in_numpy).passed
