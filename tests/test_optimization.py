"""Lesson 1's references: scaling, losses, optimizers, schedules and loops, against torch and scikit-learn."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from course import losses, optimization, schedules
from course.loops import overfit_small_batch, train
from course.scaling import min_max_scale, standardize

SHAPES = [(3, 2), (4,), (), (2, 3, 2)]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


# --- Scaling ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "scaler"), [(standardize, StandardScaler), (min_max_scale, MinMaxScaler)])
def test_scaling_agrees_with_scikit_learn(
    scale: Callable[..., tuple[Tensor, Tensor]], scaler: type, generator: torch.Generator
) -> None:
    x_train = torch.randn(9, 4, generator=generator, dtype=torch.float64) * torch.tensor([0.1, 1, 7, 300])
    x_test = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    x_train[:, 1] = 2.5  # constant
    fitted = scaler().fit(x_train.numpy())

    train_scaled, test_scaled = scale(x_train, x_test)

    np.testing.assert_allclose(train_scaled, fitted.transform(x_train.numpy()), atol=1e-12)
    np.testing.assert_allclose(test_scaled, fitted.transform(x_test.numpy()), atol=1e-12)


@pytest.mark.parametrize("scale", [standardize, min_max_scale])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e6 + 0.1])
def test_a_constant_that_rounds_becomes_zero(
    scale: Callable[..., tuple[Tensor, Tensor]], value: float
) -> None:
    x_train, x_test = torch.full((7, 2), value), torch.full((3, 2), value + 1.0)
    train_scaled, test_scaled = scale(x_train, x_test)
    assert (train_scaled == 0).all()
    torch.testing.assert_close(test_scaled, x_test - x_train[:3])


@pytest.mark.parametrize("scale", [standardize, min_max_scale])
def test_scaling_refuses_what_does_not_fit(scale: Callable[..., tuple[Tensor, Tensor]]) -> None:
    with pytest.raises(ValueError, match="same features"):
        scale(torch.ones(3, 2), torch.ones(3, 4))
    with pytest.raises(ValueError, match="no training example"):
        scale(torch.ones(0, 2), torch.ones(3, 2))


# --- Losses -------------------------------------------------------------------------------------------------


def test_mse_loss_agrees_with_torch_and_refuses_to_broadcast(generator: torch.Generator) -> None:
    one, other = (torch.randn(5, 3, generator=generator, requires_grad=True) for _ in range(2))
    torch.testing.assert_close(losses.mse_loss(one, other), F.mse_loss(one, other))
    with pytest.raises(ValueError, match=r"\(5, 3\) and \(5,\)"):
        losses.mse_loss(one, other[:, 0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1.0, 100.0, 1e4])
def test_cross_entropy_and_its_gradient_agree_with_torch(
    size: float, dtype: torch.dtype, generator: torch.Generator
) -> None:
    logits = (size * torch.randn(6, 4, generator=generator)).to(dtype).requires_grad_()
    target = torch.tensor([0, 3, 1, 1, 2, 0])
    ours, theirs = losses.cross_entropy(logits, target), F.cross_entropy(logits, target)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)))


def test_equal_logits_cost_the_bits_of_a_fair_choice() -> None:
    loss = losses.cross_entropy(torch.zeros(2, 8), torch.tensor([0, 5]))
    assert loss.item() / math.log(2) == pytest.approx(3)


# --- Optimizers ---------------------------------------------------------------------------------------------

SGDS = [
    {"lr": 0.1},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "weight_decay": 0.2},
    {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1},
    {"lr": 0.05, "momentum": 0.7, "weight_decay": 0.1, "nesterov": True},
]
ADAMS = [
    {},
    {"lr": 0.1, "betas": (0.5, 0.8)},
    {"lr": 0.1, "eps": 0.1},
    {"lr": 0.1, "weight_decay": 0.3},
]
OPTIMIZERS = [
    *(pytest.param(optimization.SGD, torch.optim.SGD, each, id=f"SGD {each}") for each in SGDS),
    *(pytest.param(optimization.Adam, torch.optim.Adam, each, id=f"Adam {each}") for each in ADAMS),
]


def parameters(generator: torch.Generator) -> list[nn.Parameter]:
    return [nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64)) for s in SHAPES]


def give_gradients(*twins: list[nn.Parameter], generator: torch.Generator, absent: int = -1) -> None:
    """The same gradients for all lists; one parameter may have none."""
    for i, together in enumerate(zip(*twins, strict=True)):
        gradient = torch.randn(together[0].shape, generator=generator, dtype=torch.float64)
        for p in together:
            p.grad = None if i == absent else gradient.clone()


@pytest.mark.parametrize(("ours", "theirs", "options"), OPTIMIZERS)
def test_twenty_steps_agree_with_torch(
    ours: type, theirs: type, options: dict[str, Any], generator: torch.Generator
) -> None:
    params = parameters(generator)
    twins = copy.deepcopy(params)
    one, other = ours(params, **options), theirs(twins, **options)
    for step in range(20):
        # Parameter 1 gets its first gradient in step 3; parameter 3 has none in step 7.
        absent = 1 if step < 3 else 3 if step == 7 else -1
        give_gradients(params, twins, generator=generator, absent=absent)
        before = [None if p.grad is None else p.grad.clone() for p in params]
        if step == 10:
            for group in (*one.param_groups, *other.param_groups):
                group["lr"] *= 0.3
        one.step()
        other.step()
        for p, twin, gradient in zip(params, twins, before, strict=True):
            torch.testing.assert_close(p, twin, rtol=1e-12, atol=1e-12)
            assert p.requires_grad
            assert p.is_leaf
            assert (p.grad is None) if gradient is None else torch.equal(p.grad, gradient)


@pytest.mark.parametrize(("ours", "theirs", "options"), OPTIMIZERS)
def test_groups_agree_with_torch(
    ours: type, theirs: type, options: dict[str, Any], generator: torch.Generator
) -> None:
    params = parameters(generator)
    twins = copy.deepcopy(params)

    def groups(given: list[nn.Parameter]) -> list[dict[str, Any]]:
        return [
            {"params": iter(given[:2]), "lr": 0.3, "weight_decay": 0.0},
            {"params": given[2:], "weight_decay": 0.5},
        ]

    one, other = ours(groups(params), **options), theirs(groups(twins), **options)
    for _ in range(5):
        give_gradients(params, twins, generator=generator)
        one.step()
        other.step()
    torch.testing.assert_close(params, twins, rtol=1e-12, atol=1e-12)
    one.zero_grad()
    assert all(p.grad is None for p in params)


@pytest.mark.parametrize(("ours", "theirs", "options"), OPTIMIZERS)
def test_a_deep_copy_goes_on_alike_and_leaves_the_original_alone(
    ours: type, theirs: type, options: dict[str, Any], generator: torch.Generator
) -> None:
    params = parameters(generator)
    optimizer = ours(params, **options)
    give_gradients(params, generator=generator)
    optimizer.step()
    before = copy.deepcopy(params)
    copied, copied_optimizer = copy.deepcopy((params, optimizer))
    give_gradients(params, copied, generator=generator)
    copied_optimizer.step()
    torch.testing.assert_close(params, before, rtol=0, atol=0)
    optimizer.step()
    torch.testing.assert_close(params, copied, rtol=0, atol=0)


def test_optimizers_refuse_what_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="at least one parameter"):
        optimization.Adam([])
    with pytest.raises(ValueError, match="needs momentum"):
        optimization.SGD([torch.ones(1, requires_grad=True)], 0.1, nesterov=True)


# --- Schedules ----------------------------------------------------------------------------------------------

SCHEDULES = [
    (schedules.StepLR, torch.optim.lr_scheduler.StepLR, (3,), (3,)),
    (schedules.StepLR, torch.optim.lr_scheduler.StepLR, (2, 0.5), (2, 0.5)),
    (schedules.CosineAnnealingLR, torch.optim.lr_scheduler.CosineAnnealingLR, (12,), (12,)),
    (schedules.CosineAnnealingLR, torch.optim.lr_scheduler.CosineAnnealingLR, (5, 0.01), (5, 0.01)),
    (schedules.LinearWarmup, torch.optim.lr_scheduler.LinearLR, (4,), (1 / 4, 1.0, 3)),
    (schedules.LinearWarmup, torch.optim.lr_scheduler.LinearLR, (1,), (1.0, 1.0, 0)),
]


@pytest.mark.parametrize(("ours", "theirs", "arguments", "torchs_arguments"), SCHEDULES)
def test_schedules_agree_with_torch(
    ours: type, theirs: type, arguments: tuple[Any, ...], torchs_arguments: tuple[Any, ...]
) -> None:
    def optimizer() -> torch.optim.Optimizer:
        groups = [{"params": [nn.Parameter(torch.ones(2))], "lr": rate} for rate in (0.8, 0.05, 2.0)]
        return torch.optim.SGD(groups)

    one, other = optimizer(), optimizer()
    mine, torchs = ours(one, *arguments), theirs(other, *torchs_arguments)
    for _ in range(13):
        for group, twin in zip(one.param_groups, other.param_groups, strict=True):
            assert group["lr"] == pytest.approx(twin["lr"], rel=1e-9, abs=1e-12)
        one.step()
        other.step()
        mine.step()
        torchs.step()


def test_a_warm_up_hands_the_base_rate_on() -> None:
    optimizer = optimization.SGD([torch.ones(1, requires_grad=True)], 0.6)
    warmup = schedules.LinearWarmup(optimizer, 3)
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        warmup.step()
    cosine = schedules.CosineAnnealingLR(optimizer, 2)
    for _ in range(3):
        rates.append(optimizer.param_groups[0]["lr"])
        cosine.step()
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.6, 0.6, 0.3, 0.0])


# --- Loops --------------------------------------------------------------------------------------------------


def small_problem(generator: torch.Generator) -> tuple[nn.Module, Tensor, Tensor]:
    x = torch.randn(12, 5, generator=generator)
    y = torch.arange(12) % 3
    model = nn.Sequential(nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    for p in model.parameters():
        nn.init.normal_(p, std=0.3, generator=generator)
    return model, x, y


def test_a_small_batch_can_be_learned_by_heart(generator: torch.Generator) -> None:
    model, x, y = small_problem(generator)
    model.eval()
    curve = overfit_small_batch(model, x, y, optimization.Adam(model.parameters(), lr=0.05), 80)
    assert len(curve) == 80
    assert curve[-1] < 0.01 < 0.5 < curve[0]
    assert all(type(loss) is float for loss in curve)


def test_train_learns_and_can_be_repeated(generator: torch.Generator) -> None:
    model, x, y = small_problem(generator)
    histories = []
    for seed in (0, 0, 1):
        again = copy.deepcopy(model)
        optimizer = optimization.SGD(again.parameters(), lr=0.2, momentum=0.9)
        schedule = schedules.StepLR(optimizer, 15)
        histories.append(train(again, x[:9], y[:9], x[9:], y[9:], optimizer, 30, 5, schedule, seed))
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2 * 0.1**2)
    assert histories[0] == histories[1] != histories[2]
    assert sorted(histories[0]) == ["train_loss", "val_accuracy", "val_loss"]
    assert all(len(values) == 30 for values in histories[0].values())
    assert histories[0]["train_loss"][-1] < histories[0]["train_loss"][0] / 2


def test_train_counts_the_last_smaller_batch_by_its_examples(generator: torch.Generator) -> None:
    model, x, y = small_problem(generator)
    model[1] = nn.Identity()
    optimizer = optimization.SGD(model.parameters(), lr=0.0)
    history = train(model, x[:7], y[:7], x[7:], y[7:], optimizer, 1, 3)
    model.eval()
    with torch.no_grad():
        assert history["train_loss"] == [pytest.approx(F.cross_entropy(model(x[:7]), y[:7]).item(), rel=1e-5)]
        assert history["val_loss"] == [pytest.approx(F.cross_entropy(model(x[7:]), y[7:]).item(), rel=1e-5)]
