"""A training step in mixed precision, beside one that is written out, and with torch's scaler."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course.mixed_precision import train_amp


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(6, 5, generator=generator), torch.arange(6) % 3


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.5)


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_a_step_is_near_the_one_in_float32_and_not_the_same(model, batch):
    x, y = batch
    exact = copy.deepcopy(model)
    F.cross_entropy(exact(x), y).backward()
    sgd(exact).step()
    loss = train_amp(model, x, y, sgd(model))
    assert loss.shape == ()
    assert not loss.requires_grad
    difference = (weights(model) - weights(exact)).abs().max().item()
    assert 0 < difference < 0.01
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_scaling_changes_nothing_where_nothing_underflows(model, batch):
    scaled = copy.deepcopy(model)
    train_amp(model, *batch, sgd(model), dtype=torch.float16)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    train_amp(scaled, *batch, sgd(scaled), scaler=scaler, dtype=torch.float16)
    torch.testing.assert_close(weights(scaled), weights(model), rtol=0, atol=1e-3)


@pytest.mark.parametrize("scale", [None, 512.0])
def test_the_true_gradients_are_clipped(model, batch, scale):
    before = weights(model)
    scaler = scale and torch.amp.GradScaler("cpu", init_scale=scale)
    train_amp(model, *batch, sgd(model), scaler=scaler, max_norm=0.1, dtype=torch.float16)
    assert (weights(model) - before).norm().item() == pytest.approx(0.05, rel=1e-3)


def test_an_overflow_costs_the_step_and_halves_the_scale(model, batch):
    before = weights(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    train_amp(model, *batch, sgd(model), scaler=scaler, dtype=torch.float16)
    assert torch.equal(weights(model), before)
    assert scaler.get_scale() == 2.0**39


def test_gradients_of_an_earlier_step_do_not_count(model, batch):
    other = copy.deepcopy(model)
    for parameter in other.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    train_amp(model, *batch, sgd(model))
    train_amp(other, *batch, sgd(other))
    assert torch.equal(weights(other), weights(model))
