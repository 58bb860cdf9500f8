"""Lesson 06 on Fashion-MNIST: what a run does, and what the committed figures must show."""

import copy

import pytest
import torch
from torch import nn

from course import results
from course.data import ImageData
from course.results import load, select, summarize, transfer
from course.results.runner import Record
from course.results.transfer_tables import gains, parts

RUNS = load("06_transfer_learning")["runs"]
DENSE = select(RUNS, experiment="a_to_b", network="dense")


@pytest.fixture
def small_task(monkeypatch):
    """A few made-up pictures in place of Fashion-MNIST, and an untrained model A."""
    torch.manual_seed(0)
    x, y = torch.rand(300, 1, 28, 28), torch.randint(0, 2, (300,))
    task = ImageData("toy", x, y, x[:20], y[:20], ("a", "b"))
    model = transfer.conv()
    monkeypatch.setattr(transfer, "_task_a", lambda: task)
    monkeypatch.setattr(transfer, "_task_b", lambda: task)
    monkeypatch.setattr(transfer, "_model_a", lambda *_: model)
    return task, model


def spec(arm: str) -> dict:
    return {"experiment": "a_to_b", "network": "conv", "seed": 0, "draw": 0, "arm": arm}


def test_a_run_on_a_copy_leaves_model_a_alone(small_task):
    _, model = small_task
    before = copy.deepcopy(model.state_dict())
    result = transfer.execute(spec("B on A"))
    assert result["a_unchanged"]
    assert len(result["phase_accuracies"]) == 2
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_shared_layers_change_their_model_a_but_not_that_of_the_other_runs(small_task):
    _, model = small_task
    before = copy.deepcopy(model.state_dict())
    result = transfer.execute(spec("B on A, shared layers"))
    assert not result["a_unchanged"]
    assert 0 <= result["a_accuracy_after"] <= 1
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_frozen_body_stays_bit_identical_with_its_running_statistics(small_task):
    task, model = small_task
    body = copy.deepcopy(model)
    body.head = nn.Linear(64, 1)
    before = copy.deepcopy(body.body.state_dict())
    transfer.train_binary(body, task.x_train[:64], task.y_train[:64], [(2, 0.1, True)], task, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in body.body.state_dict().items())


def test_every_arm_gets_the_same_labels_and_every_draw_others(small_task):
    task, _ = small_task
    first, _ = transfer.draw_labels(task, 0)
    assert len(first) == transfer.LABELS == 200
    assert torch.equal(first, transfer.draw_labels(task, 0)[0])
    assert not torch.equal(first, transfer.draw_labels(task, 1)[0])


def test_the_targets_are_sandal_and_shirt():
    assert [transfer.FASHION_NAMES[c] for c in transfer.TARGETS] == ["Sandal", "Shirt"]


# --- the committed figures


def test_every_planned_run_is_recorded_once():
    planned = [s for s in transfer.specifications() if s["experiment"] != "a_to_b_gpu"]
    assert Record(results.path_of("06_transfer_learning")).missing(planned) == []
    assert len([run for run in RUNS if run["experiment"] != "a_to_b_gpu"]) == len(planned)


def test_every_model_a_is_above_90_percent_as_the_deck_says():
    assert min(run["test_accuracy"] for run in select(RUNS, experiment="model_a")) > 0.90


def test_every_arm_has_at_least_ten_draws():
    for arm in transfer.ARMS:
        assert len({run["draw"] for run in select(DENSE, arm=arm)}) >= 10


def test_model_a_is_bit_identical_after_every_run_with_a_copy_and_after_no_other():
    for run in select(RUNS, experiment="a_to_b"):
        assert run["a_unchanged"] == transfer.ARMS[run["arm"]].copy_a


def test_at_equal_learning_rate_transfer_wins_with_most_labels():
    differences = gains(DENSE, "B on A, lr 1e-2 to the end")
    assert sum(difference > 0 for difference in differences) > 0.8 * len(differences)


def test_the_decks_second_number_is_the_end_of_our_range_and_not_its_middle():
    cell = summarize(select(DENSE, arm="B on A"), by=())[()]
    assert cell.median < transfer.DECK_ON_A <= cell.max


def test_a_larger_learning_rate_without_transfer_beats_the_decks_transfer():
    assert max(gains(DENSE, "B on A")) < 0


def test_the_tables_name_every_arm():
    page = "\n".join(parts(RUNS))
    assert all(f"| {arm} |" in page for arm in transfer.ARMS)
