"""The probes of lesson 01: they travel as plain data, see what a loop did, and whose work it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from right_answers import RIGHT
from right_answers.optimizers import PlainAdam, PlainSGD
from right_answers.training_loops import overfit_zeroing_first, train_with_slices
from torch.nn import functional as F

from course import loops, losses, optimization, scaling, schedules, training
from course.checks import EXERCISES, examine, remote
from course.checks.judge import Verdict
from course.checks.optimization import EXERCISES as LESSON
from course.checks.probes.looping import LoopProbe
from course.checks.probes.optimizing import OptimizerProbe

NAMES = [exercise.name for exercise in LESSON]
REFERENCES: dict[str, Any] = {
    name: getattr(module, name)
    for module in (scaling, losses, optimization, schedules, loops)
    for name in module.__all__
    if name not in ("Optimizer", "Schedule")
}


def verdict(exercise: str, student: Callable[..., object], hidden: bool = True) -> Verdict:
    return examine(EXERCISES[exercise], student, hidden=hidden, seed=0, own_work=True)


def wrong(exercise: str, student: Callable[..., object]) -> set[str]:
    return {finding.aspect.label for finding in verdict(exercise, student).wrong}


def test_a_name_for_each_exercise_of_the_lesson() -> None:
    assert sorted(REFERENCES) == sorted(NAMES)
    assert sum(len(exercise.misconceptions) for exercise in LESSON) >= 300


class Proxy:
    name = "student"


def test_a_wrong_answer_is_named_across_two_processes() -> None:
    class SGD(PlainSGD):
        def zero_grad(self):
            pass

    answer = remote.check(
        lambda _, request: remote.observe(SGD, request), "SGD", Proxy(), "interface", hidden=True, seed=3
    )
    assert "zero_grad() does nothing" in answer["error"]["evalue"]


# --- Whose work ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_earns_no_points(name: str) -> None:
    assert "the course's own" in verdict(name, REFERENCES[name]).delegation


def test_a_reference_behind_another_name_is_found() -> None:
    class SGD:
        def __init__(self, params, lr, momentum=0, weight_decay=0, nesterov=False):
            self.inner = optimization.SGD(params, lr, momentum, weight_decay, nesterov)
            self.param_groups = self.inner.param_groups

        def step(self):
            self.inner.step()

        def zero_grad(self):
            self.inner.zero_grad()

    def train(model, x_train, y_train, x_val, y_val, optimizer, epochs, batch_size, scheduler=None, seed=0):
        return loops.train(
            model, x_train, y_train, x_val, y_val, optimizer, epochs, batch_size, scheduler, seed
        )

    class StepLR:
        def __init__(self, optimizer, step_size, gamma=0.1):
            self.step = schedules.StepLR(optimizer, step_size, gamma).step

    for name, student in (("SGD", SGD), ("train", train), ("StepLR", StepLR)):
        assert f"the course's own {name}" in verdict(name, student).delegation


@pytest.mark.parametrize(("name", "torchs"), [("SGD", torch.optim.SGD), ("Adam", torch.optim.Adam)])
def test_torchs_optimizer_in_any_disguise_is_recognised(name: str, torchs: type) -> None:
    class Inside:
        def __init__(self, params, lr=1e-3, **options):
            self.inner = torchs(params, lr, **options)
            self.param_groups = self.inner.param_groups

        def step(self):
            self.inner.step()

        def zero_grad(self):
            self.inner.zero_grad()

    class Foreach(Inside):
        def __init__(self, params, lr=1e-3, **options):
            super().__init__(params, lr, foreach=True, **options)

    class Fused(Inside):
        def __init__(self, params, lr=1e-3, **options):
            super().__init__(params, lr, fused=True, **options)

    class Renamed(torchs):
        pass

    for student in (torchs, Inside, Foreach, Fused, Renamed):
        assert "torch" in verdict(name, student).delegation, student


def test_torchs_functional_and_fused_sgd_are_recognised() -> None:
    from torch.optim.sgd import sgd

    class Functional(PlainSGD):
        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                params = [p for p in group["params"] if p.grad is not None]
                buffers = [None] * len(params)
                options = {key: group[key] for key in ("weight_decay", "momentum", "lr", "nesterov")}
                sgd(params, [p.grad for p in params], buffers, **options, dampening=0, maximize=False)

    class Fused(PlainSGD):
        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                params = [p for p in group["params"] if p.grad is not None]
                if params:
                    options = {key: group[key] for key in ("weight_decay", "momentum", "lr", "nesterov")}
                    torch._fused_sgd_(
                        params,
                        [p.grad for p in params],
                        [torch.zeros_like(p) for p in params],
                        **options,
                        dampening=0,
                        maximize=False,
                        is_first_step=True,
                    )

    for student in (Functional, Fused):
        assert "torch's own" in verdict("SGD", student).delegation


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR"])
def test_torchs_schedule_in_any_disguise_is_recognised(name: str) -> None:
    torchs = getattr(torch.optim.lr_scheduler, name)

    class Inside:
        def __init__(self, optimizer, *arguments, **options):
            self.inner = torchs(optimizer, *arguments, **options)

        def step(self):
            self.inner.step()

    class Renamed(torchs):
        pass

    for student in (torchs, Inside, Renamed):
        assert name in verdict(name, student).delegation


def test_a_warm_up_by_torchs_linear_or_lambda_schedule_is_recognised() -> None:
    def linear(optimizer, warmup_steps):
        return torch.optim.lr_scheduler.LinearLR(optimizer, 1 / warmup_steps, 1.0, warmup_steps - 1)

    class Linear:
        def __init__(self, optimizer, warmup_steps):
            self.step = linear(optimizer, warmup_steps).step

    class Lambda:
        def __init__(self, optimizer, warmup_steps):
            inner = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: min(1, (t + 1) / warmup_steps))
            self.step = inner.step

    for student in (Linear, Lambda):
        assert "torch's own" in verdict("LinearWarmup", student).delegation


@pytest.mark.parametrize(
    "loss",
    [
        F.cross_entropy,
        lambda logits, target: torch.nn.CrossEntropyLoss()(logits, target),
        lambda logits, target: F.nll_loss(F.log_softmax(logits, 1), target),
        lambda logits, target: -F.log_softmax(logits, 1)[torch.arange(len(target)), target].mean(),
    ],
)
def test_torchs_cross_entropy_and_its_halves_are_recognised(loss: Callable[..., object]) -> None:
    def cross_entropy(logits, target):
        return loss(logits, target)

    assert "torch's own" in verdict("cross_entropy", cross_entropy).delegation


def test_the_courses_own_fit_does_not_do_for_train() -> None:
    def train(model, x_train, y_train, x_val, y_val, optimizer, epochs, batch_size, scheduler=None, seed=0):
        training._train_one_epoch(
            model, optimizer, x_train, y_train, batch_size, torch.Generator(), training.tqdm(disable=True)
        )

    assert "of the course" in verdict("train", train).delegation


# --- What an optimizer must be ------------------------------------------------------------------------------


def test_an_instance_and_a_function_are_told_from_the_class() -> None:
    instance = PlainSGD([torch.ones(1, requires_grad=True)], 0.1)
    assert "expected a class called SGD" in verdict("SGD", instance).problem
    assert "expected a class called SGD and got a function" in verdict("SGD", lambda params, lr: None).problem


def test_options_may_be_keywords_only_and_may_be_more() -> None:
    class Adam(PlainAdam):
        def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False):
            super().__init__(params, lr, betas, eps, weight_decay)

    assert verdict("Adam", Adam).passed

    class NoBetas(PlainAdam):
        def __init__(self, params, lr=1e-3, eps=1e-8, weight_decay=0):
            super().__init__(params, lr, eps=eps, weight_decay=weight_decay)

    assert "betas is missing" in verdict("Adam", NoBetas).problem
    assert "betas=(0.9, 0.999), eps=1e-8" in verdict("Adam", NoBetas).problem


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (None, "keeps nothing under param_groups"),
        ([[]], "should be a list of dicts"),
        ([{"params": []}], "has no 'lr'"),
        ([{"params": [], "lr": 0.1}] * 2, "2 param_groups; 1 were given"),
    ],
)
def test_param_groups_that_a_schedule_cannot_use_are_described(groups: Any, sentence: str) -> None:
    class SGD(PlainSGD):
        def __init__(self, params, lr, momentum=0, weight_decay=0, nesterov=False):
            super().__init__(params, lr, momentum, weight_decay, nesterov)
            self.kept, self.param_groups = self.param_groups, groups

        def step(self):
            self.param_groups, broken = self.kept, self.param_groups
            super().step()
            self.param_groups = broken

    found = verdict("SGD", SGD)
    assert not found.passed
    assert any(sentence in (finding.symptom.advice or "") for finding in found.wrong)
    assert "one step" not in {finding.aspect.label for finding in found.wrong}


def test_class_level_memory_shows_with_a_second_optimizer() -> None:
    class SGD(PlainSGD):
        shared: dict[int, Any] = {}  # noqa: RUF012

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for i, p in enumerate(group["params"]):
                    if p.grad is not None:
                        self.shared[i] = group["momentum"] * self.shared.get(i, 0) + p.grad
                        p -= group["lr"] * self.shared[i]

    assert "two optimizers at a time" in wrong("SGD", SGD) or verdict("SGD", SGD).problem


def test_a_broken_optimizer_of_the_students_costs_nothing_in_the_schedules_and_loops() -> None:
    kinds = {type(p) for e in LESSON[6:] for p in e.probes(0).values()}
    assert OptimizerProbe not in kinds  # they bring optimizers of their own


# --- What a loop did ----------------------------------------------------------------------------------------


def variant(function: Callable[..., Any], *replacements: tuple[str, str]) -> Callable[..., Any]:
    """The function with some of its source text replaced."""
    import inspect

    source = inspect.getsource(function)
    for old, new in replacements:
        assert old in source
        source = source.replace(old, new)
    names = dict(function.__globals__)
    exec(source, names)
    return names[function.__name__]


@pytest.mark.parametrize(
    ("old", "new", "label"),
    [
        ("order = torch.randperm(x_train.shape[0])", "order = torch.arange(len(x_train))", "a random order"),
        (
            "x, y = x_train[order], y_train[order]",
            "x, y = x_train[order], y_train",
            "the weights, all in one batch",
        ),
        ("range(0, len(x), batch_size)", "range(0, len(x) - 3, batch_size)", "sizes of the batches"),
        ("torch.manual_seed(seed)", "pass", "the same seed, the same order"),
        ("with torch.inference_mode():", "if True:", "in evaluation mode, without gradients"),
        ("model.eval()", "pass", "in evaluation mode, without gradients"),
        ("            model.train()\n", "", "training mode in each step"),
        ("scheduler.step()", "[scheduler.step() for _ in range(2)]", "one call per epoch"),
        ("each += [loss.item()] * len(xb)", "each += [loss.item()]", "train_loss, batches of 4, 4 and 2"),
    ],
)
def test_a_loop_with_one_wrong_line(old: str, new: str, label: str) -> None:
    assert label in wrong("train", variant(train_with_slices, (old, new)))


def test_one_example_left_over_is_trained_on_too() -> None:
    """13 = 2 · 5 + 3, 14 = 3 · 4 + 2: what a loop drops shows in the sizes."""
    for probe in EXERCISES["train"].probes(0).values():
        assert isinstance(probe, LoopProbe)
        epochs, batch_size = probe.rest
        n = len(probe.data["x_train"])
        assert n <= batch_size or n % batch_size
        assert epochs >= 1


def test_a_slow_loop_is_stopped() -> None:
    def overfit_small_batch(model, x, y, optimizer, steps):
        while True:
            optimizer.step()

    from course.checks.observe import observe

    probe = EXERCISES["overfit_small_batch"].probes(0)["one step"]
    assert observe(overfit_small_batch, probe, 0.2)["error"]["trouble"] == "timeout"


def test_the_observed_run_does_not_hold_the_students_objects() -> None:
    from course.checks.observe import observe
    from course.checks.plain import is_observation

    for exercise in LESSON:
        student = next(iter(RIGHT[exercise.name].values()))
        for probe in exercise.probes(5).values():
            assert is_observation(observe(student, probe))


def test_checks_leave_global_state_alone() -> None:
    def overfit_small_batch(model, x, y, optimizer, steps):
        losses = overfit_zeroing_first(model, x, y, optimizer, steps)
        torch.set_grad_enabled(False)
        return losses

    before = copy.deepcopy(torch.get_rng_state())
    assert wrong("overfit_small_batch", overfit_small_batch) == {"grad mode as before"}
    assert torch.is_grad_enabled()
    assert torch.equal(before, torch.get_rng_state())
