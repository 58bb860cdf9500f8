"""The reference norms against torch, which is the oracle, and against the laws that define them."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from course import normalization as ours

settings.register_profile("course", deadline=None, max_examples=30, derandomize=True)
settings.load_profile("course")

LAYERS = [  # name, constructor arguments, input shapes it accepts
    ("BatchNorm1d", {"num_features": 3}, [(2, 3), (5, 3), (4, 3, 7), (1, 3, 2)]),
    ("BatchNorm1d", {"num_features": 3, "eps": 0.1, "momentum": 0.01, "affine": False}, [(5, 3), (2, 3, 4)]),
    ("BatchNorm2d", {"num_features": 3}, [(2, 3, 4, 5), (1, 3, 2, 1), (4, 3, 1, 1)]),
    ("BatchNorm2d", {"num_features": 3, "eps": 0.1, "momentum": 0.01, "affine": False}, [(2, 3, 4, 5)]),
    ("LayerNorm", {"normalized_shape": 5}, [(5,), (2, 5), (2, 3, 4, 5)]),
    ("LayerNorm", {"normalized_shape": (4, 5), "eps": 0.1}, [(4, 5), (2, 4, 5), (2, 3, 4, 5)]),
    ("LayerNorm", {"normalized_shape": [3, 4, 5], "bias": False}, [(2, 3, 4, 5)]),
    ("LayerNorm", {"normalized_shape": 5, "elementwise_affine": False}, [(2, 5)]),
    ("InstanceNorm2d", {"num_features": 3}, [(2, 3, 4, 5), (1, 3, 2, 1), (3, 4, 5)]),
    ("InstanceNorm2d", {"num_features": 3, "eps": 0.1, "affine": True}, [(2, 3, 4, 5), (3, 4, 5)]),
    ("GroupNorm", {"num_groups": 2, "num_channels": 6}, [(2, 6), (2, 6, 3), (2, 6, 4, 5), (2, 6, 2, 3, 4)]),
    ("GroupNorm", {"num_groups": 3, "num_channels": 6, "eps": 0.1, "affine": False}, [(2, 6, 4, 5)]),
]
CASES = [
    pytest.param(name, arguments, shape, id=f"{name}{tuple(arguments.values())}-{shape}")
    for name, arguments, shapes in LAYERS
    for shape in shapes
]


def random(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def pair(name, arguments, dtype=torch.float64):
    """Our layer and torch's, with equal random parameters."""
    mine, theirs = getattr(ours, name)(**arguments).to(dtype), getattr(nn, name)(**arguments).to(dtype)
    with torch.no_grad():
        for seed, parameter in enumerate(theirs.parameters()):
            parameter.copy_(random(*parameter.shape, seed=seed))
    mine.load_state_dict(theirs.state_dict())
    return mine, theirs


def outcome(layer, x):
    """Output, and the gradients of a random weighted sum of it."""
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    y = layer(x)
    inputs = [x, *layer.parameters()]
    return y, torch.autograd.grad((y * random(*y.shape, seed=9).to(y.dtype)).sum(), inputs)


# --- drop-in replacements -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "arguments", "shape"), CASES)
def test_layer_computes_what_torch_computes(name, arguments, shape, dtype):
    mine, theirs = pair(name, arguments, dtype)
    for seed in range(3):  # several batches: the running statistics must follow, too
        x = 3 + 2 * random(*shape, dtype=dtype, seed=seed)
        assert_close(outcome(mine, x), outcome(theirs, x), rtol=1e-4, atol=1e-5)
    assert_close(mine.state_dict(), theirs.state_dict())
    assert_close(outcome(mine.eval(), x), outcome(theirs.eval(), x), rtol=1e-4, atol=1e-5)
    assert_close(mine.state_dict(), theirs.state_dict())


@pytest.mark.parametrize(("name", "arguments", "shapes"), LAYERS)
def test_layer_starts_as_torch_starts(name, arguments, shapes):
    mine, theirs = getattr(ours, name)(**arguments), getattr(nn, name)(**arguments)
    assert_close(mine.state_dict(), theirs.state_dict(), rtol=0, atol=0)
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert mine._parameters.keys() == theirs._parameters.keys()


@pytest.mark.parametrize(("name", "arguments", "shapes"), LAYERS)
def test_reset_parameters_starts_anew(name, arguments, shapes):
    layer, _ = pair(name, arguments, torch.float32)
    layer(random(*shapes[0], dtype=torch.float32))
    layer.reset_parameters()
    assert_close(layer.state_dict(), getattr(nn, name)(**arguments).state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(("name", "arguments", "shapes"), LAYERS)
def test_repr_shows_the_arguments(name, arguments, shapes):
    layer = getattr(ours, name)(**arguments)
    torchs_start = repr(getattr(nn, name)(**arguments)).split(", affine")[0].split(", elementwise")[0]
    assert repr(layer).startswith(torchs_start)


@pytest.mark.parametrize(("name", "arguments"), [(name, arguments) for name, arguments, _ in LAYERS])
def test_memory_layout_does_not_matter(name, arguments):
    channels = arguments.get("num_channels", 3)
    shape = (2, channels, 4) if name == "BatchNorm1d" else (2, channels, 4, 5)
    strided = random(*shape, 2)[..., 0]
    layouts = [strided, strided.flip(-1).transpose(-1, -2).contiguous().transpose(-1, -2).flip(-1)]
    if strided.dim() == 4:
        layouts.append(strided.to(memory_format=torch.channels_last))
    mine, theirs = pair(name, arguments)
    for x in layouts:
        before = x.clone()
        assert_close(outcome(mine, x), outcome(theirs, x))
        assert_close(x, before, rtol=0, atol=0)


def test_variance_survives_a_large_mean():
    """float32 holds 7 digits: E[x²] − E[x]² at a mean of 1e4 would keep none of the variance."""
    x = 1e4 + random(64, 3)
    mine, theirs = pair("BatchNorm1d", {"num_features": 3})
    assert_close(mine.float()(x.float()), theirs(x.float().double()).float(), rtol=0, atol=0.01)


def test_running_statistics_keep_no_graph():
    layer = ours.BatchNorm1d(3)
    layer(random(4, 3, dtype=torch.float32).requires_grad_())
    assert not layer.running_mean.requires_grad
    copy.deepcopy(layer)  # raises for a buffer that is part of a graph


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("BatchNorm1d", {"num_features": 3}, (2, 3, 4, 4)),
        ("BatchNorm1d", {"num_features": 3}, (3,)),
        ("BatchNorm1d", {"num_features": 3}, (2, 4)),
        ("BatchNorm1d", {"num_features": 3}, (1, 3)),
        ("BatchNorm1d", {"num_features": 3}, (1, 3, 1)),
        ("BatchNorm2d", {"num_features": 3}, (3, 4, 4)),
        ("BatchNorm2d", {"num_features": 3}, (2, 4, 4, 4)),
        ("BatchNorm2d", {"num_features": 3}, (1, 3, 1, 1)),
        ("LayerNorm", {"normalized_shape": 3}, (2, 4)),
        ("LayerNorm", {"normalized_shape": (3, 2)}, (2,)),
        ("InstanceNorm2d", {"num_features": 3, "affine": True}, (2, 4, 4, 4)),
        ("InstanceNorm2d", {"num_features": 3}, (2, 3)),
        ("InstanceNorm2d", {"num_features": 3}, (2, 3, 1, 1)),
        ("GroupNorm", {"num_groups": 2, "num_channels": 4}, (2, 6, 3)),
        ("GroupNorm", {"num_groups": 2, "num_channels": 4}, (4,)),
    ],
)
def test_bad_input_raises_what_torch_raises(name, arguments, shape):
    errors = []
    for package in (nn, ours):
        layer = getattr(package, name)(**arguments)
        with pytest.raises((ValueError, RuntimeError), match=r"expected|Expected|should contain") as caught:
            layer(torch.zeros(shape))
        errors.append(caught.type)
    assert errors[0] is errors[1]


def test_groups_must_divide_the_channels():
    with pytest.raises(ValueError, match="divisible"):
        ours.GroupNorm(2, 3)


def test_one_example_has_no_batch_statistics():
    row, one = torch.ones(1, 3), torch.ones(3)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        ours.batch_norm_train(row, one, one)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        ours.batch_norm_backward(row, row, one)
    assert_close(ours.batch_norm_eval(row, one, one, one, one), row)
    assert_close(ours.BatchNorm1d(3).eval()(row), nn.BatchNorm1d(3).eval()(row))


# --- laws ---------------------------------------------------------------------------------------------------

batches = st.builds(
    lambda n, c, seed, scale, shift: shift + scale * random(n, c, seed=seed),
    st.integers(2, 12),
    st.integers(1, 5),
    st.integers(0, 10**6),
    st.floats(0.5, 50),
    st.floats(-100, 100),
)
images = st.builds(
    lambda n, h, w, seed: random(n, 6, h, w, seed=seed),
    st.integers(1, 4),
    st.integers(2, 5),
    st.integers(1, 5),
    st.integers(0, 10**6),
)


def plain(x, eps=0.0):
    """Standardized x, without scale and shift."""
    return ours.batch_norm_train(x, torch.ones_like(x[0]), torch.zeros_like(x[0]), eps)[0]


@given(batches)
def test_output_has_mean_0_and_variance_1(x):
    y = plain(x)
    assert_close(y.mean(0), torch.zeros_like(y[0]), rtol=0, atol=1e-9)
    assert_close(y.var(0, correction=0), torch.ones_like(y[0]), rtol=1e-6, atol=0)


@given(batches, st.floats(-100, 100))
def test_a_shift_of_the_input_changes_nothing(x, shift):
    """Hence the bias of a linear layer before batch norm is redundant."""
    assert_close(plain(x + shift), plain(x), rtol=1e-6, atol=1e-6)


@given(batches, st.floats(0.1, 10))
def test_a_scale_of_the_input_changes_nothing_but_its_sign(x, scale):
    """Hence the size of the weights before batch norm matters for the learning rate only."""
    assert_close(plain(scale * x), plain(x), rtol=1e-6, atol=1e-6)
    assert_close(plain(-scale * x), -plain(x), rtol=1e-6, atol=1e-6)


@given(batches, st.sampled_from([0.0, 1e-5, 0.1]))
def test_gamma_sigma_and_beta_mu_recover_the_identity(x, eps):
    sigma = torch.sqrt(x.var(0, correction=0) + eps)
    y, _, _ = ours.batch_norm_train(x, sigma, x.mean(0), eps)
    assert_close(y, x)


@given(batches)
def test_returned_statistics_are_those_of_torch(x):
    _, mean, var = ours.batch_norm_train(x, x[0], x[1])
    assert_close((var, mean), torch.var_mean(x, dim=0, correction=0))


@given(batches)
def test_the_batchs_own_statistics_make_eval_equal_train(x):
    y, mean, var = ours.batch_norm_train(x, x[0], x[1])
    assert_close(ours.batch_norm_eval(x, mean, var, x[0], x[1]), y)


@given(batches, st.integers(0, 10**6), st.sampled_from([1e-5, 0.1]))
def test_closed_form_gradient_equals_autograd(x, seed, eps):
    weight, bias = random(2, x.shape[1], seed=seed).unbind()
    grad_output = random(*x.shape, seed=seed + 1)
    inputs = [t.clone().requires_grad_() for t in (x, weight, bias)]
    y = F.batch_norm(inputs[0], None, None, inputs[1], inputs[2], training=True, eps=eps)
    expected = torch.autograd.grad(y, inputs, grad_output)
    assert_close(ours.batch_norm_backward(grad_output, x, weight, eps), expected)


def test_closed_form_gradient_passes_gradcheck():
    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight, bias):
            ctx.save_for_backward(x, weight)
            return ours.batch_norm_train(x, weight, bias)[0]

        @staticmethod
        def backward(ctx, grad_output):
            return ours.batch_norm_backward(grad_output, *ctx.saved_tensors)

    inputs = [random(5, 3), random(3, seed=1), random(3, seed=2)]
    assert torch.autograd.gradcheck(Function.apply, [t.requires_grad_() for t in inputs])


@given(batches)
def test_gradient_sees_neither_mean_nor_x_hat(x):
    """grad_x sums to 0 and, at eps = 0, is orthogonal to x̂: shift and scale of x do not change the loss."""
    weight, x_hat = torch.ones_like(x[0]), plain(x)
    grad_x, _, _ = ours.batch_norm_backward(random(*x.shape), x, weight, eps=0.0)
    zero = torch.zeros_like(weight)
    assert_close(grad_x.sum(0), zero, rtol=0, atol=1e-9)
    assert_close((grad_x * x_hat).sum(0), zero, rtol=0, atol=1e-9)


@given(images)
def test_group_norm_lies_between_layer_norm_and_instance_norm(x):
    layer = ours.LayerNorm(x.shape[1:], elementwise_affine=False)
    assert_close(ours.GroupNorm(1, 6, affine=False)(x), layer(x))
    assert_close(ours.GroupNorm(6, 6, affine=False)(x), ours.InstanceNorm2d(6)(x))


@given(images)
def test_only_batch_norm_mixes_the_examples(x):
    for layer in (ours.LayerNorm(x.shape[1:]), ours.InstanceNorm2d(6), ours.GroupNorm(2, 6)):
        layer.double()
        assert_close(layer(x)[:1], layer(x[:1]))
    batch_norm = ours.BatchNorm2d(6, affine=False).double()
    repeated = torch.cat([x[:1], 3 * x[:1]])
    assert not torch.allclose(batch_norm(repeated)[:1], batch_norm(x[:1]))
    batch_norm.eval()
    assert_close(batch_norm(repeated)[:1], batch_norm(x[:1]))


@given(images)
def test_batch_norm_2d_is_batch_norm_1d_of_the_pixels(x):
    pixels = x.movedim(1, -1).reshape(-1, 6)
    y = ours.BatchNorm1d(6).double()(pixels)
    assert_close(ours.BatchNorm2d(6).double()(x).movedim(1, -1).reshape(-1, 6), y)


# --- folding ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("package", [nn, ours], ids=["torch", "ours"])
def test_fused_layer_equals_linear_then_batch_norm(package, bias, affine, dtype):
    linear, bn = nn.Linear(4, 3, bias=bias).to(dtype), package.BatchNorm1d(3, affine=affine).to(dtype)
    bn.train()(3 + 2 * random(16, 3, dtype=dtype))
    with torch.no_grad():
        for parameter in bn.parameters():
            parameter.copy_(random(3, seed=4))
    x, before = random(5, 4, dtype=dtype), copy.deepcopy((linear.state_dict(), bn.state_dict()))

    fused = ours.fuse_linear_bn(linear, bn)

    assert type(fused) is nn.Linear
    assert fused.weight.dtype == dtype
    assert all(p.is_leaf and p.requires_grad for p in fused.parameters())
    assert_close((linear.state_dict(), bn.state_dict()), before, rtol=0, atol=0)
    assert bn.training  # fusing looks at the remembered statistics, whatever the mode
    assert_close(fused(x), bn.eval()(linear(x)))


def test_fusing_needs_fitting_sizes_and_running_statistics():
    with pytest.raises(ValueError, match="linear has 3 outputs, but bn expects 4 features"):
        ours.fuse_linear_bn(nn.Linear(2, 3), nn.BatchNorm1d(4))
    with pytest.raises(ValueError, match="no running statistics"):
        ours.fuse_linear_bn(nn.Linear(2, 3), nn.BatchNorm1d(3, track_running_stats=False))


# --- preprocessing ------------------------------------------------------------------------------------------


def test_channel_statistics_are_those_of_the_definition():
    images = 5 + random(7, 2, 3, 4)
    mean_image, channel_mean, channel_std = ours.channel_statistics(images)
    assert_close(mean_image, sum(images) / 7)
    for c in range(2):
        values = images[:, c].flatten().tolist()
        mean = math.fsum(values) / len(values)
        std = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))
        assert channel_mean[c].item() == pytest.approx(mean)
        assert channel_std[c].item() == pytest.approx(std)


@pytest.mark.parametrize("shape", [(3, 4, 5), (0, 3, 4, 5)])
def test_channel_statistics_ask_for_images(shape):
    with pytest.raises(ValueError, match="at least one image"):
        ours.channel_statistics(torch.zeros(shape))


def correlated(n, d, seed):
    return 10 + random(n, d, seed=seed) @ random(d, d, seed=seed + 1)


@given(st.integers(1, 6), st.integers(0, 10**6))
def test_whitened_training_data_has_unit_covariance(d, seed):
    train = correlated(50, d, seed)
    covariance = torch.cov(ours.pca_whiten(train, train, eps=0.0).T).reshape(d, d)
    assert_close(covariance, torch.eye(d, dtype=torch.float64), rtol=0, atol=1e-6)


@given(st.integers(2, 6), st.integers(0, 10**6))
def test_whitening_equals_scikit_learns_up_to_signs(d, seed):
    from sklearn.decomposition import PCA

    train, x = correlated(50, d, seed), correlated(7, d, seed + 2)
    expected = torch.from_numpy(PCA(whiten=True).fit(train.numpy()).transform(x.numpy()))
    assert_close(ours.pca_whiten(train, x, eps=0.0).abs(), expected.abs(), rtol=1e-6, atol=1e-6)


def test_a_constant_feature_stays_finite():
    train = correlated(20, 4, 0)
    train[:, 2] = 1.0
    whitened = ours.pca_whiten(train.float(), train.float())
    assert whitened.isfinite().all()
    assert whitened[:, -1].abs().max() < 0.1


@pytest.mark.parametrize(("train", "x"), [((5, 3), (5, 4)), ((5,), (5, 3)), ((5, 3), (3,)), ((1, 3), (5, 3))])
def test_whitening_asks_for_fitting_tables(train, x):
    with pytest.raises(ValueError, match=r"expected shapes|at least 2"):
        ours.pca_whiten(torch.zeros(train), torch.zeros(x))
