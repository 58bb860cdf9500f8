"""Bringing a batch to a device: containers, values, and what is not done."""

from collections import namedtuple

import pytest
import torch

from course.batches import to_device

Sample = namedtuple("Sample", ["image", "label"])


def test_tensors_move_and_the_containers_keep_their_types():
    x, y = torch.rand(2, 3), torch.arange(2)
    moved = to_device({"pair": (x, [y, "cat"]), "sample": Sample(x, 3), "none": None}, "meta")
    assert list(moved) == ["pair", "sample", "none"]
    assert moved["pair"][0].is_meta
    assert moved["pair"][1][0].is_meta
    assert moved["pair"][1][1] == "cat"
    assert isinstance(moved["pair"], tuple)
    assert isinstance(moved["sample"], Sample)
    assert moved["sample"].label == 3
    assert moved["none"] is None


def test_the_given_batch_stays_as_it_is():
    x = torch.rand(2)
    batch = [x, {"again": x}]
    to_device(batch, torch.device("meta"))
    assert batch[0] is x
    assert batch[1]["again"] is x


def test_what_is_there_already_is_not_copied():
    x = torch.rand(2)
    assert to_device((x,), "cpu")[0] is x


def test_the_graph_goes_along():
    w = torch.rand(2, requires_grad=True)
    assert to_device([2 * w], "meta")[0].grad_fn is not None


@pytest.mark.parametrize("value", [3, "text", None, 0.5, {1, 2}])
def test_other_values_are_passed_on(value):
    assert to_device(value, "meta") is value


@pytest.mark.parametrize("non_blocking", [False, True])
def test_non_blocking_is_passed_on_to_every_tensor(monkeypatch, non_blocking):
    asked = []
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device, **options: asked.append(options))
    to_device([torch.rand(1), {"a": (torch.rand(1),)}], "cuda", non_blocking)
    assert asked == 2 * [{"non_blocking": non_blocking}]
