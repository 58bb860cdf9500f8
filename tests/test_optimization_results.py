"""Lesson 01 on the real data: its schedules, and what the committed figures must show."""

import pytest
import torch

from course import results
from course.results import load, optimization, optimization_tables, select, summarize
from course.results.optimization import BATCHES, INPUTS, OPTIMIZERS, RATES, SCHEDULE_RATES, SCHEDULES
from course.results.optimization_tables import best_rate
from course.results.runner import Record

RUNS = load("01_optimization")["runs"]


# --- the schedules


def rates(schedule, steps):
    """The learning rates of the first ``steps`` updates and of the one after them."""
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=1.0)
    optimization.follow(optimizer, schedule, steps)
    used = []
    for _ in range(steps + 1):
        used.append(optimizer.param_groups[0]["lr"])
        weight.grad = torch.zeros(1)
        optimizer.step()
    return used


def test_a_constant_rate_stays():
    assert set(rates("constant", 10)) == {1.0}


def test_the_step_schedule_falls_after_60_and_after_80_percent():
    assert rates("step", 10)[:10] == pytest.approx([1] * 6 + [0.1] * 2 + [0.01] * 2)


def test_the_cosine_is_half_way_in_the_middle_and_0_at_the_end():
    used = rates("cosine", 10)
    assert [used[0], used[5], used[10]] == pytest.approx([1, 0.5, 0], abs=1e-9)


def test_the_warm_up_rises_to_the_base_rate_and_never_starts_at_0():
    used = rates("warmup", 100)
    assert 0 < used[0] < 0.01
    assert used[:6] == sorted(used[:6])
    assert max(used) == used[5] == 1


# --- the committed figures


def test_every_planned_run_is_recorded_once():
    planned = optimization.specifications()
    assert Record(results.path_of("01_optimization")).missing(planned) == []
    assert len(RUNS) == len(planned)


def test_every_group_has_three_seeds():
    fields = ("experiment", "batch_size", "optimizer", "schedule", "inputs", "lr")
    assert {summary.n for summary in summarize(RUNS, by=fields).values()} == {3}


def test_the_best_rate_is_chosen_by_the_validation_images():
    runs = [
        {"lr": 0.1, "val_accuracy": 0.9, "test_accuracy": 0.1},
        {"lr": 1.0, "val_accuracy": 0.8, "test_accuracy": 0.99},
    ]
    assert best_rate(runs) == 0.1


def accuracies(experiment, **wanted):
    """The test accuracies at the best rate."""
    runs = select(RUNS, experiment=experiment, **wanted)
    (summary,) = summarize(select(runs, lr=best_rate(runs)), by=("lr",)).values()
    return summary


def test_larger_batches_want_larger_rates_and_the_largest_ends_lower():
    best = [best_rate(select(RUNS, experiment="batch_grid", batch_size=size)) for size in BATCHES]
    assert best == sorted(best)
    assert best[0] < best[-1]
    assert accuracies("batch_grid", batch_size=2048).max < accuracies("batch_grid", batch_size=128).min


def test_along_the_diagonal_the_accuracy_falls_slower_than_down_the_column():
    cells = summarize(select(RUNS, experiment="batch_grid"), by=("batch_size", "lr"), value="val_accuracy")
    diagonal = [cells[size, lr].median for size, lr in zip(BATCHES, RATES, strict=False)]
    column = [cells[size, RATES[0]].median for size in BATCHES]
    assert diagonal[0] - diagonal[-1] < 0.05
    assert column[0] - column[-1] > 0.2


def test_the_optimizers_are_near_each_other_at_their_own_rates():
    medians = [accuracies("optimizers", optimizer=name).median for name in OPTIMIZERS]
    assert max(medians) - min(medians) < 0.015


def test_adam_wants_the_smallest_rate_and_plain_sgd_the_largest():
    best = {name: best_rate(select(RUNS, experiment="optimizers", optimizer=name)) for name in OPTIMIZERS}
    assert min(best, key=best.get) == "Adam"
    assert max(best, key=best.get) == "SGD"


def test_decay_rescues_a_large_rate_and_changes_little_at_a_good_one():
    cells = summarize(select(RUNS, experiment="schedules"), by=("schedule", "lr"))
    good, large = SCHEDULE_RATES
    assert cells["cosine", large].min > cells["constant", large].max + 0.1
    medians = [cells[schedule, good].median for schedule in SCHEDULES]
    assert max(medians) - min(medians) < 0.01


def test_pixels_from_0_to_255_train_worse_at_their_best_rate():
    assert accuracies("inputs", inputs="bytes").max < accuracies("inputs", inputs="standardized").min


def test_the_tables_show_every_experiment():
    text = "\n".join(optimization_tables.parts(RUNS))
    for title in [*map(str, BATCHES), *OPTIMIZERS, *SCHEDULES.values(), *INPUTS.values()]:
        assert f"| {title} |" in text
