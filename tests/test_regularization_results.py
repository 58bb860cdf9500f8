"""Lesson 05 on the real data: what a run does, and what the committed figures must show."""

import pytest
import torch

from course import results
from course.data import ImageData
from course.results import load, regularization, regularization_tables, select, summarize
from course.results.regularization import ARMS, EPSILONS, TASKS
from course.results.runner import Record


@pytest.fixture
def small_data(monkeypatch):
    """A few made-up pictures in place of MNIST."""
    torch.manual_seed(0)
    x, y = torch.rand(320, 1, 28, 28), torch.arange(320) % 10
    data = ImageData("toy", x, y, x[:30], y[:30], tuple("0123456789"))
    monkeypatch.setattr(regularization, "_load", lambda dataset: data)
    return data


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_runs(small_data, arm):
    spec = {"experiment": "few_labels", "dataset": "mnist", "wrong": 0.3, "arm": arm, "seed": 0, "epochs": 2}
    run = regularization.execute(spec)
    assert 0 <= run["test_accuracy"] <= 1
    assert ("many_looks" in run) == (arm in ("nothing", "crop", "flip"))


@pytest.mark.parametrize("defended", [False, True])
def test_an_attack_is_measured_at_every_epsilon(small_data, defended):
    run = regularization.execute({"experiment": "attacked", "defended": defended, "seed": 0, "epochs": 1})
    assert len(run["attacked"]) == len(run["random_signs"]) == len(EPSILONS)
    assert run["attacked"][0] == run["random_signs"][0]


def test_memorising_is_followed_epoch_by_epoch(small_data):
    run = regularization.execute({"experiment": "memorised", "wrong": 1.0, "seed": 0, "epochs": 2})
    assert len(run["train_accuracies"]) == 2


def test_one_label_in_ten_stays_right_by_luck():
    y = torch.zeros(20_000, dtype=torch.int64)
    assert torch.equal(regularization.spoil_labels(y, 0.0, 0), y)
    changed = (regularization.spoil_labels(y, 0.3, 0) != y).double().mean().item()
    assert changed == pytest.approx(0.27, abs=0.01)


def test_a_seed_decides_which_pictures_are_drawn(small_data):
    first, again = (regularization.draw(small_data, 50, 3)[0] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, regularization.draw(small_data, 50, 4)[0])


def test_pictures_are_shifted_and_zeros_come_in():
    x = torch.arange(1.0, 5).view(1, 1, 2, 2)
    assert regularization.shifted(x, down=1, right=0)[0, 0].tolist() == [[0, 0], [1, 2]]
    assert regularization.shifted(x, down=0, right=-1)[0, 0].tolist() == [[2, 0], [4, 0]]


def test_early_stopping_gives_back_the_best_epoch(small_data):
    torch.manual_seed(0)
    model = regularization.network(ARMS["early_stopping"])
    noise = (small_data.x_train[:50], torch.randint(0, 10, (50,)))
    result = regularization.train_with(ARMS["early_stopping"], model, noise, noise, epochs=3)
    assert result["stopped_after"] == 3


# --- the committed figures

RUNS = load("05_regularization")["runs"]
FEW = select(RUNS, experiment="few_labels")


def test_every_planned_run_is_recorded_once():
    planned = regularization.specifications()
    assert Record(results.path_of("05_regularization")).missing(planned) == []
    assert len(RUNS) == len(planned)


def medians(dataset, wrong):
    table = summarize(select(FEW, dataset=dataset, wrong=wrong), by=("arm",))
    assert set(table) == {(arm,) for arm in ARMS}
    assert all(summary.n >= 3 for summary in table.values())
    return {arm: summary.median for (arm,), summary in table.items()}


@pytest.mark.parametrize("arm", ["dropout", "early_stopping", "crop"])
def test_with_wrong_labels_the_methods_help(arm):
    measured = medians("fashion_mnist", 0.3)
    assert measured[arm] > measured["nothing"] + 0.02


def test_a_crop_helps_on_mnist_and_a_mirrored_digit_does_not():
    measured = medians("mnist", 0.0)
    assert measured["crop"] > measured["nothing"] + 0.02
    assert measured["flip"] < measured["nothing"]


def test_random_labels_are_memorised_and_teach_nothing():
    for run in select(RUNS, experiment="memorised", wrong=1.0):
        assert run["train_accuracies"][-1] > 0.95
        assert run["test_accuracy"] < 0.2
    for run in select(RUNS, experiment="memorised", wrong=0.0):
        assert run["test_accuracy"] > 0.8


def test_the_gradient_fools_the_network_and_random_signs_do_not():
    place = EPSILONS.index(0.1)
    for run in select(RUNS, experiment="attacked", defended=False):
        assert run["attacked"][place] < 0.5 < run["random_signs"][place]
    for run in select(RUNS, experiment="attacked", defended=True):
        assert run["attacked"][place] > 0.6


def test_the_tables_show_every_arm_and_every_task():
    text = "\n".join(regularization_tables.parts(RUNS))
    for arm in ARMS.values():
        assert f"| {arm.title} |" in text
    assert len(TASKS) == 3
