"""The references of lesson 05: against torch where torch has them, else by their laws."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.adversarial import fgsm_attack
from course.augmentation import add_noise, horizontal_flip, mixup, predict_with_tta, random_crop
from course.early_stopping import EarlyStopping
from course.regularization import Dropout, l2_penalty
from course.smote import smote


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2))


# --- l2_penalty ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}])
def test_the_penalty_trains_as_weight_decay_does(options: dict[str, object]) -> None:
    """Three steps of torch's SGD, once with its weight_decay, once with the penalty in the loss."""
    ours = network().double()
    theirs = copy.deepcopy(ours)
    x, y = torch.randn(8, 3, dtype=torch.float64), torch.randint(2, (8,))
    with_penalty = torch.optim.SGD(ours.parameters(), lr=0.1, **options)
    with_decay = torch.optim.SGD(theirs.parameters(), lr=0.1, weight_decay=0.3, **options)
    for _ in range(3):
        with_penalty.zero_grad()
        (F.cross_entropy(ours(x), y) + l2_penalty(ours.parameters(), 0.3)).backward()
        with_penalty.step()
        with_decay.zero_grad()
        F.cross_entropy(theirs(x), y).backward()
        with_decay.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_the_penalty_is_half_the_price_of_the_squares() -> None:
    penalty = l2_penalty([torch.tensor([3.0, 4.0])], 0.1)
    assert penalty.shape == ()
    assert penalty.item() == pytest.approx(1.25)


def test_a_penalty_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no parameter"):
        l2_penalty(iter([]), 0.1)


# --- Dropout ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dropout_is_torchs(p: float, dtype: torch.dtype) -> None:
    x = (torch.rand(400, 50, dtype=dtype) + 1).requires_grad_()
    for layer in (Dropout(p), nn.Dropout(p)):
        x.grad = None
        output = layer(x)
        output.sum().backward()
        kept = output != 0
        assert output.dtype == dtype
        assert kept.double().mean().item() == pytest.approx(1 - p, abs=0.02)
        if p < 1:
            torch.testing.assert_close(output[kept], x[kept] / (1 - p))
            torch.testing.assert_close(x.grad, kept.to(dtype) / (1 - p))
        assert layer.eval()(x) is x
    assert str(Dropout(p)).startswith(f"Dropout(p={p}")
    assert not Dropout(p).state_dict()


@pytest.mark.parametrize("p", [-0.1, 1.5, math.nan])
def test_a_probability_lies_between_0_and_1(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Dropout(p)
    with pytest.raises(ValueError, match="between 0 and 1"):
        horizontal_flip(torch.zeros(1, 1, 2, 2), p)


# --- EarlyStopping ------------------------------------------------------------------------------------------


def test_the_best_weights_and_buffers_come_back() -> None:
    model, stopping = network(), EarlyStopping(patience=2)
    kept = {}
    for epoch, loss in enumerate([3.0, 2.0, 2.5, 2.0]):
        model(torch.randn(6, 3))  # moves the running statistics
        with torch.no_grad():
            model[0].weight.add_(1)
        if epoch == 1:
            kept = copy.deepcopy(model.state_dict())
        assert stopping.step(loss, model) is (epoch == 3)
    stopping.restore(model)
    for name, value in model.state_dict().items():
        assert torch.equal(value, kept[name]), name
    assert stopping.best_loss == 2.0


def test_there_must_be_something_to_restore() -> None:
    stopping = EarlyStopping(1)
    assert stopping.step(math.nan, network())
    with pytest.raises(RuntimeError, match="nothing to restore"):
        stopping.restore(network())


@pytest.mark.parametrize("arguments", [(0,), (3, -1.0)])
def test_patience_is_positive_and_min_delta_not_negative(arguments: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="patience"):
        EarlyStopping(*arguments)


# --- Augmentations ------------------------------------------------------------------------------------------


def test_a_crop_is_a_window_of_the_padded_picture() -> None:
    x = torch.randn(200, 3, 4, 5)
    padded = F.pad(x, (2, 2, 2, 2))
    windows = [padded[:, :, i : i + 4, j : j + 5] for i in range(5) for j in range(5)]
    cropped = random_crop(x, padding=2)
    found = torch.stack([(cropped == window).flatten(1).all(1) for window in windows])
    assert bool(found.any(0).all())
    assert bool(found.any(1).all()), "each window is taken by some picture"
    assert torch.equal(random_crop(x, padding=0), x)


def test_a_flip_is_torchs_for_some_pictures() -> None:
    x = torch.randn(400, 2, 3, 4)
    flipped = horizontal_flip(x, p=0.3)
    mirrored = (flipped == x.flip(-1)).flatten(1).all(1)
    assert bool((mirrored | (flipped == x).flatten(1).all(1)).all())
    assert mirrored.double().mean().item() == pytest.approx(0.3, abs=0.1)
    assert torch.equal(horizontal_flip(x, p=1.0), x.flip(-1))


def test_noise_has_the_given_standard_deviation() -> None:
    x = torch.rand(50, 3, 16, 16)
    noise = add_noise(x, std=0.2) - x
    assert noise.std().item() == pytest.approx(0.2, rel=0.02)
    assert noise.mean().item() == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(
    "augment",
    [
        lambda x, generator: random_crop(x, 2, generator),
        lambda x, generator: horizontal_flip(x, 0.5, generator),
        lambda x, generator: add_noise(x, 0.1, generator),
    ],
)
def test_a_generator_decides(augment: Callable[[Tensor, torch.Generator | None], Tensor]) -> None:
    x = torch.randn(30, 1, 4, 4)
    before = torch.get_rng_state()
    one = augment(x, torch.Generator().manual_seed(1))
    assert torch.equal(one, augment(x, torch.Generator().manual_seed(1)))
    assert not torch.equal(one, augment(x, torch.Generator().manual_seed(2)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mixup_mixes_labels_as_it_mixes_pictures(dtype: torch.dtype) -> None:
    x, y = torch.eye(5, dtype=dtype), torch.tensor([0, 1, 2, 3, 4])
    mixed, soft = mixup(x, y, alpha=0.4, num_classes=6)
    assert mixed.dtype == soft.dtype == dtype
    torch.testing.assert_close(soft[:, :5], mixed)
    torch.testing.assert_close(soft.sum(1), torch.ones(5, dtype=dtype))
    # The targets are what torch's cross-entropy takes.
    assert F.cross_entropy(torch.randn(5, 6, dtype=dtype), soft).isfinite()
    assert torch.equal(mixup(x, y, 0.0, 6)[0], x)
    with pytest.raises(ValueError, match="alpha"):
        mixup(x, y, -0.1, 6)


def test_a_negative_padding_is_refused() -> None:
    with pytest.raises(ValueError, match="padding"):
        random_crop(torch.zeros(1, 1, 3, 3), -1)


# --- SMOTE --------------------------------------------------------------------------------------------------


def test_new_rows_lie_between_a_row_and_its_nearest() -> None:
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [10.0, 10.0], [10.0, 11.0]])
    new = smote(x, 200, k=1)
    low, high = new[new[:, 0] < 5], new[new[:, 0] >= 5]
    assert len(low) > 50 < len(high)
    assert bool((low[:, 1] == 0).all())
    assert bool((high[:, 0] == 10).all())


@pytest.mark.parametrize("d", [2, 3])
def test_neighbours_are_sklearns(d: int) -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    x = torch.randn(12, d, dtype=torch.float64)
    found = neighbors.NearestNeighbors(n_neighbors=3).fit(x.numpy()).kneighbors(return_distance=False)
    for row in smote(x, 100, k=3):
        gaps = [
            (torch.linalg.vector_norm(x[i] - row) + torch.linalg.vector_norm(row - x[j]))
            - (x[i] - x[j]).norm()
            for i in range(12)
            for j in found[i]
        ]
        assert min(gaps).item() < 1e-12


def test_a_small_table_has_fewer_neighbours() -> None:
    assert smote(torch.randn(2, 3), 7).shape == (7, 3)
    assert smote(torch.randn(2, 3), 0).shape == (0, 3)
    for x, k in ((torch.randn(1, 3), 5), (torch.randn(4, 3), 0), (torch.randn(4), 2)):
        with pytest.raises(ValueError, match="at least 2 rows"):
            smote(x, 3, k)


# --- Looking at a network -----------------------------------------------------------------------------------


def test_the_mean_of_the_views() -> None:
    model, x = network(), torch.randn(4, 3)
    model(torch.randn(9, 3))
    views = [lambda x: x, lambda x: x.flip(1)]
    found = predict_with_tta(model, x, views)
    assert model.training
    model.eval()
    torch.testing.assert_close(found, (model(x).softmax(1) + model(x.flip(1)).softmax(1)) / 2)
    assert not found.requires_grad
    with pytest.raises(ValueError, match="no transform"):
        predict_with_tta(model, x, [])


def test_the_attack_makes_the_loss_larger_by_what_the_gradient_promises() -> None:
    """For a small epsilon the loss grows by epsilon times the sum of the gradient's absolute values."""
    model = network().double().eval()
    x, y = torch.rand(6, 3, dtype=torch.float64) * 0.8 + 0.1, torch.randint(2, (6,))
    leaf = x.clone().requires_grad_()
    loss = F.cross_entropy(model(leaf), y)
    (gradient,) = torch.autograd.grad(loss, leaf)
    attacked = fgsm_attack(model, x, y, 1e-5)
    rise = F.cross_entropy(model(attacked), y) - loss
    assert rise.item() == pytest.approx(1e-5 * gradient.abs().sum().item(), rel=1e-3)
    assert all(parameter.grad is None for parameter in model.parameters())
    far = fgsm_attack(model, x, y, 2.0)
    assert far.min() >= 0
    assert far.max() <= 1


def test_the_attack_works_where_gradients_are_switched_off() -> None:
    with torch.no_grad():
        assert fgsm_attack(network(), torch.rand(2, 3), torch.tensor([0, 1]), 0.1).shape == (2, 3)
