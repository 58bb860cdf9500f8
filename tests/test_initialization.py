"""The reference of lesson 02: torch is the oracle; initializers are judged by their moments and bounds."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from course import activations, clipping, initialization

FORWARD = {
    "sigmoid": (torch.sigmoid, {}),
    "tanh": (torch.tanh, {}),
    "relu": (torch.relu, {}),
    "leaky_relu": (F.leaky_relu, {"negative_slope": 0.3}),
    "elu": (F.elu, {"alpha": 1.7}),
    "selu": (F.selu, {}),
}
X = torch.tensor([-1000.0, -20.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 20.0, 1000.0])


# --- Activations --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", FORWARD)
def test_an_activation_its_derivative_and_autograd_agree_with_torch(name: str, dtype: torch.dtype) -> None:
    theirs, options = FORWARD[name]
    ours, ours_backward = getattr(activations, name), getattr(activations, f"{name}_backward")
    x, x_theirs = (X.to(dtype, copy=True).requires_grad_() for _ in range(2))
    grad_output = torch.linspace(-2, 3, len(X), dtype=dtype)
    y, y_theirs = ours(x, **options), theirs(x_theirs, **options)
    y.backward(grad_output)
    y_theirs.backward(grad_output)
    torch.testing.assert_close(y, y_theirs)
    torch.testing.assert_close(x.grad, x_theirs.grad)
    torch.testing.assert_close(ours_backward(grad_output, x.detach(), **options), x_theirs.grad)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (2, 3, 4, 4)])
@pytest.mark.parametrize("slopes", [1, 3])
def test_prelu_agrees_with_torch(shape: tuple[int, ...], slopes: int) -> None:
    x = torch.randn(shape, dtype=torch.float64)
    weight = torch.linspace(-0.5, 1.5, slopes, dtype=torch.float64)
    leaves = x.clone().requires_grad_(), weight.clone().requires_grad_()
    y = F.prelu(*leaves)
    grad_output = torch.randn_like(x)
    expected = torch.autograd.grad(y, leaves, grad_output)
    torch.testing.assert_close(activations.prelu(x, weight), y.detach())
    torch.testing.assert_close(activations.prelu_backward(grad_output, x, weight), expected)


def test_prelu_refuses_slopes_that_fit_no_channel() -> None:
    with pytest.raises(ValueError, match="1 or C numbers"):
        activations.prelu(torch.randn(2, 3), torch.ones(2))


def test_selu_keeps_mean_0_and_variance_1() -> None:
    x = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = activations.selu(x)
    assert abs(y.mean()) < 5e-3
    assert abs(y.var() - 1) < 1e-2


# --- Initializers -------------------------------------------------------------------------------------------

shapes = st.lists(st.integers(1, 6), min_size=2, max_size=5).map(tuple)


@given(shapes)
def test_fans_agree_with_torch(shape: tuple[int, ...]) -> None:
    tensor = torch.empty(shape)
    expected = nn.init._calculate_fan_in_and_fan_out(tensor)
    assert initialization.calculate_fan_in_and_fan_out(tensor) == expected


@pytest.mark.parametrize("shape", [(50, 80), (20, 10, 3, 5)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("xavier_uniform_", {}),
        ("xavier_uniform_", {"gain": 2.0}),
        ("xavier_normal_", {"gain": 0.5}),
        ("kaiming_uniform_", {}),
        ("kaiming_uniform_", {"a": math.sqrt(5), "mode": "fan_out"}),
        ("kaiming_normal_", {"nonlinearity": "relu"}),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "tanh"}),
    ],
)
def test_the_same_seed_gives_torchs_numbers(name: str, options: dict, shape: tuple[int, ...]) -> None:
    """The reference draws in torch's order, so here even the single numbers are right."""
    ours, theirs = torch.empty(shape), torch.empty(shape)
    torch.manual_seed(3)
    assert getattr(initialization, name)(ours, **options) is ours
    torch.manual_seed(3)
    getattr(nn.init, name)(theirs, **options)
    torch.testing.assert_close(ours, theirs)


@settings(max_examples=30)
@given(
    shape=shapes,
    scale=st.floats(0.1, 10),
    mode=st.sampled_from(["fan_in", "fan_out", "fan_avg"]),
    seed=st.integers(0, 2**31),
)
def test_uniform_weights_end_at_the_bound(shape: tuple[int, ...], scale: float, mode: str, seed: int) -> None:
    tensor = torch.empty(shape, dtype=torch.float64)
    fan_in, fan_out = initialization.calculate_fan_in_and_fan_out(tensor)
    n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    torch.manual_seed(seed)
    initialization.variance_scaling_(tensor, scale, mode, "uniform")
    assert tensor.abs().max() <= math.sqrt(3 * scale / n)


def test_lecun_is_a_tenth_for_a_hundred_inputs() -> None:
    weights = initialization.lecun_normal_(torch.empty(1000, 100))
    assert weights.std().item() == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("options", [{"mode": "fan_on"}, {"distribution": "truncated_normal"}])
def test_variance_scaling_refuses_what_it_does_not_know(options: dict) -> None:
    with pytest.raises(ValueError, match="must be"):
        initialization.variance_scaling_(torch.empty(2, 3), **options)


@pytest.mark.parametrize("name", ["variance_scaling_", "orthogonal_", "calculate_fan_in_and_fan_out"])
def test_a_bias_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="dimensions"):
        getattr(initialization, name)(torch.empty(5))


@given(shape=shapes, gain=st.floats(0.1, 5), seed=st.integers(0, 2**31))
def test_orthogonal_weights_are_orthogonal(shape: tuple[int, ...], gain: float, seed: int) -> None:
    torch.manual_seed(seed)
    matrix = initialization.orthogonal_(torch.empty(shape, dtype=torch.float64), gain).flatten(1)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    torch.testing.assert_close(matrix @ matrix.T, gain**2 * torch.eye(len(matrix), dtype=torch.float64))


@pytest.mark.parametrize("training", [True, False])
def test_lsuv_gives_every_layer_variance_1(training: bool) -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(288, 50),
        nn.Tanh(),
        nn.Linear(50, 10),
    ).train(training)
    x = torch.randn(30, 1, 8, 8) + 2
    assert initialization.lsuv_init(model, x) is model
    assert model.training is training
    model.eval()
    with torch.no_grad():
        for layer in model:
            x = layer(x)
            if isinstance(layer, nn.Conv2d | nn.Linear):
                assert x.var().item() == pytest.approx(1, rel=1e-4)
                assert not layer.bias.any()


def test_lsuv_measures_before_an_activation_overwrites_the_output() -> None:
    model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(inplace=True), nn.Linear(12, 4))
    x = torch.randn(200, 6) + 2
    initialization.lsuv_init(model, x)
    with torch.no_grad():
        assert model[0](x).var().item() == pytest.approx(1, rel=1e-4)
        assert model(x).var().item() == pytest.approx(1, rel=1e-4)


def test_lsuv_puts_back_the_mode_of_every_layer_also_after_an_error() -> None:
    frozen = nn.Dropout().eval()
    model = nn.Sequential(nn.Linear(3, 4), frozen, nn.Linear(4, 2))
    with pytest.raises(RuntimeError):
        initialization.lsuv_init(model, torch.randn(5, 7))
    assert model.training
    assert not frozen.training
    assert not model[0]._forward_hooks


# --- Clipping -----------------------------------------------------------------------------------------------


def network(scale: float = 1.0) -> list[nn.Parameter]:
    parameters = [nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (4,), (2, 2))]
    for index, each in enumerate(parameters[:2]):
        each.grad = scale * torch.arange(1.0, each.numel() + 1).view(each.shape) * (-1) ** index
    return parameters


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.1, 1e4])
def test_clipping_by_norm_agrees_with_torch(max_norm: float, norm_type: float) -> None:
    ours, theirs = network(), network()
    norm = clipping.clip_grad_norm_(iter(ours), max_norm, norm_type)
    torch.testing.assert_close(norm, nn.utils.clip_grad_norm_(theirs, max_norm, norm_type))
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    assert ours[2].grad is None


def test_clipping_by_value_agrees_with_torch() -> None:
    ours, theirs = network(), network()
    assert clipping.clip_grad_value_(iter(ours), 2.5) is None
    nn.utils.clip_grad_value_(theirs, 2.5)
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def angle(one: Tensor, other: Tensor) -> float:
    return F.cosine_similarity(one.flatten(), other.flatten(), dim=0).item()


def test_clipping_by_value_turns_the_gradient_and_by_norm_does_not() -> None:
    before = network()[0].grad
    by_norm, by_value = network()[0], network()[0]
    clipping.clip_grad_norm_(by_norm, 0.5)
    clipping.clip_grad_value_(by_value, 0.5)
    assert angle(before, by_norm.grad) == pytest.approx(1, abs=1e-6)
    assert angle(before, by_value.grad) < 0.95


def test_clipping_without_gradients_finds_norm_0() -> None:
    assert clipping.clip_grad_norm_([nn.Parameter(torch.ones(2))], 1.0) == 0
