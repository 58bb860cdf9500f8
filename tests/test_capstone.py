"""Lesson 8's references, and the data sets that are drawn for it."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import confusion_matrix as sklearn_confusion
from torch import nn

from course import capstone, data
from course.capstone_data import COPIES, HELD_OUT, TRAINING, distort, draw_task
from course.checks.capstone.bands import PARAMETER_BUDGET


def test_the_confusion_matrix_is_that_of_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    predictions, labels = torch.randint(7, (2, 200), generator=generator)
    expected = sklearn_confusion(labels, predictions, labels=range(8))
    assert capstone.confusion_matrix(predictions, labels, 8).tolist() == expected.tolist()


def test_the_standard_error_is_the_spread_of_many_samples():
    generator = torch.Generator().manual_seed(0)
    right = torch.rand(4000, 100, generator=generator) < 0.9
    logits = torch.stack([right[0], ~right[0]], 1).double()
    accuracy, error = capstone.accuracy_with_error(logits, torch.zeros(100, dtype=torch.int64))
    assert accuracy == right[0].double().mean()
    assert error.item() == pytest.approx(right.double().mean(1).std().item(), rel=0.25)
    assert accuracy.dtype == error.dtype == torch.float64


def test_the_reference_keeps_its_own_budget():
    model = capstone.build_model()
    assert capstone.count_parameters(model) == 15_418
    assert sum(tensor.numel() for tensor in model.state_dict().values()) < PARAMETER_BUDGET


def test_frozen_and_shared_parameters_are_counted_as_they_are_trained():
    first = nn.Linear(3, 3)
    model = nn.Sequential(first, first, nn.Linear(3, 2), nn.BatchNorm1d(2))
    assert capstone.count_parameters(model) == 12 + 8 + 4
    first.requires_grad_(False)
    assert capstone.count_parameters(model) == 8 + 4


def test_a_training_lowers_the_loss_and_tells_each_epoch():
    task = draw_task(3)
    torch.manual_seed(0)
    model, epochs = capstone.build_network(4), []
    history = capstone.train_model(
        model, task.x_train, task.y_train, epochs=2, augment=distort, on_epoch=epochs.append
    )
    assert epochs == [1, 2]
    assert history[1] < history[0]


def test_a_data_set_is_that_of_its_seed():
    one, same, other = draw_task(5), draw_task(5), draw_task(6)
    assert torch.equal(one.x_held_out, same.x_held_out)
    assert torch.equal(one.y_train, same.y_train)
    assert not torch.equal(one.x_held_out, other.x_held_out)


def test_shapes_ranges_and_order():
    task = draw_task(0)
    assert task.x_train.shape == (TRAINING, 1, 8, 8)
    assert task.x_held_out.shape == (HELD_OUT * COPIES, 1, 8, 8)
    assert task.x_train.dtype == torch.float32
    assert 0 <= task.x_train.min() <= task.x_train.max() <= 1
    assert torch.equal(task.y_train, task.y_train.sort().values)
    assert task.y_train.unique().tolist() == task.y_held_out.unique().tolist() == [*range(10)]


def test_the_copies_of_an_original_are_different_pictures_of_one_label():
    task = draw_task(0)
    labels, pictures = task.y_held_out.view(COPIES, HELD_OUT), task.x_held_out.view(COPIES, HELD_OUT, -1)
    assert (labels == labels[0]).all()
    assert ((pictures[0] - pictures[1]).abs().amax(1) > 0.05).all()


def test_no_picture_is_one_of_scikit_learns():
    digits = data.digits()
    originals = torch.cat([digits.x_train, digits.x_test]).flatten(1)
    distances = torch.cdist(draw_task(0).x_held_out[:300].flatten(1), originals).amin(1)
    assert distances.min() > 0.1


def test_a_disguise_turns_the_pictures_and_renumbers_the_classes():
    plain, disguised = draw_task(8), draw_task(8, disguised=True)
    assert not torch.equal(plain.x_held_out, disguised.x_held_out)
    assert torch.equal(disguised.digit_of[disguised.y_held_out], plain.y_held_out)
    # The same values, at other places.
    assert torch.equal(
        plain.x_held_out.flatten(1).sort(1).values, disguised.x_held_out.flatten(1).sort(1).values
    )
    assert plain.digit_of.tolist() == [*range(10)]


def test_disguises_differ_from_seed_to_seed():
    numbers = {tuple(draw_task(seed, disguised=True).digit_of.tolist()) for seed in range(5)}
    assert len(numbers) == 5
