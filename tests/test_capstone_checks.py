"""The checks of lesson 8: what crosses over, what is trained how often, what a failed band says."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable

import pytest
import torch
from right_answers import RIGHT
from torch import nn

from course import capstone
from course.capstone_data import draw_task
from course.checks import EXERCISES, examine, remote, report, wire
from course.checks.capstone import EXERCISES as LESSON
from course.checks.capstone.bands import BANDS, PARAMETER_BUDGET, SECONDS, band, unfit
from course.checks.capstone.evaluating import evaluate, task_of
from course.checks.capstone.training_mistakes import Recipe
from course.checks.judge import Verdict
from course.checks.observe import observe
from course.checks.probes import training_run
from course.checks.render import MIME_TYPE, advice

TRAIN = EXERCISES["train_network"]
NAMES = [exercise.name for exercise in LESSON if exercise is not TRAIN]


class Brief(Recipe):
    """A right training that is too brief for the highest band."""

    epochs = 3


def brief(x_train, y_train):
    return Brief()(x_train, y_train)


def test_the_seconds_are_those_of_one_thread_however_many_cores_there_are() -> None:
    """Threads that wait for each other use CPU time too: eight on two cores ten times as much as one."""
    seen = []

    def train(x_train, y_train):
        seen.append(torch.get_num_threads())
        return capstone.build_model()

    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 2)
    try:
        observe(train, next(iter(TRAIN.probes(0).values())))
        assert torch.get_num_threads() == threads + 2
    finally:
        torch.set_num_threads(threads)
    assert seen == [1]


class Proxy:
    name = "student"


def across(exercise: str, student: Callable[..., object], group: str, **options: object) -> dict[str, object]:
    return remote.check(
        lambda _, request: remote.observe(student, request), exercise, Proxy(), group, **options
    )


def test_the_lesson_has_an_answer_to_each_exercise_and_mistakes_enough() -> None:
    assert sum(len(exercise.misconceptions) for exercise in LESSON) >= 90
    assert len(TRAIN.misconceptions) >= 20
    assert all(mistake.sign for mistake in TRAIN.misconceptions)


@pytest.mark.parametrize("name", NAMES)
def test_a_check_in_two_processes_gives_the_same_verdict(name: str) -> None:
    exercise = EXERCISES[name]
    right, wrong = next(iter(RIGHT[name].values())), exercise.misconceptions[1].implementation
    copied = types.FunctionType(wrong.__code__, wrong.__globals__, wrong.__name__, wrong.__defaults__)
    copied.__module__ = "__main__"
    for group in exercise.groups:
        assert across(name, right, group, hidden=True, seed=3)["error"] is None
    said = [across(name, copied, group, hidden=True, seed=3)["error"] for group in exercise.groups]
    assert any(exercise.misconceptions[1].message in str(each) for each in said)


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_is_not_the_students_own_work(name: str) -> None:
    verdict = examine(EXERCISES[name], getattr(capstone, name), own_work=True)
    assert "course's own" in verdict.delegation

    def around(*arguments):
        return getattr(capstone, name)(*arguments)

    if name != "count_parameters":  # it runs no operator and is seen by its calls only
        assert "course's own" in examine(EXERCISES[name], around, own_work=True).delegation


def test_a_training_by_the_reference_is_not_the_students_own_work() -> None:
    def train_network(x_train, y_train):
        return capstone.train_network(x_train[::20], y_train[::20])

    assert "course's own train_network" in examine(TRAIN, train_network, own_work=True).delegation


# --- What crosses over --------------------------------------------------------------------------------------


def test_neither_held_out_pictures_nor_their_labels_go_to_the_students_process() -> None:
    asked = []

    def ask(name: str, request: wire.Message) -> wire.Message:
        asked.append(wire.unpack(request))
        return remote.observe(brief, request)

    remote.check(ask, "train_network", Proxy(), "band-1", hidden=True, seed=77)
    ((probe,),) = asked
    task = task_of(77)
    assert torch.equal(probe.x, task.x_train)
    sent = {tuple(picture.flatten().tolist()) for picture in probe.x}
    assert not sent & {tuple(picture.flatten().tolist()) for picture in task.x_held_out}


def test_what_is_graded_is_not_taken_from_an_observation() -> None:
    forged = {"accuracy": 1.0, "parameters": 1, "seconds": 0.1, "by itself": True, "random": False}
    for network in ("recorded", "done", None):
        seen = evaluate(5, {**forged, **({"network": network} if network else {})})
        assert "accuracy" not in seen
        assert unfit(seen) is not None


@pytest.mark.parametrize("key", ["numbers", "operators of the network", "output", "size", "constant 1"])
def test_a_spoilt_recording_is_no_network(key: str) -> None:
    seen = examine_once()
    for value in (
        None,
        3.5,
        "text",
        [],
        ["x"],
        torch.zeros(2),
        -5,
        {"trouble": "a", "text": "", "where": ""},
    ):
        if key == "size" and value is None:
            continue
        spoilt = {**seen, key: value}
        assert unfit(evaluate(0, spoilt)) is not None or key in ("constant 1", "output")


def examine_once() -> dict[str, object]:
    from course.checks.observe import observe

    probe = TRAIN.probes(0)["training"]
    return dict(observe(lambda x, y: capstone.build_network(2), probe))


# --- Trained how often --------------------------------------------------------------------------------------


def counted() -> tuple[Callable[..., object], list[int]]:
    calls: list[int] = []

    def train_network(x_train, y_train):
        calls.append(1)
        return capstone.build_network(2)

    return train_network, calls


def test_all_test_cells_of_a_notebook_look_at_two_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """One on the visible data set and one on a hidden one, which all bands share."""
    student, calls = counted()
    for cell, group in enumerate(TRAIN.groups, start=10):
        monkeypatch.setattr(training_run, "_cell", lambda cell=cell: cell)
        examine(TRAIN, student, group)
        examine(TRAIN, student, group, hidden=True)
    assert len(calls) == 2


def test_it_trains_again_after_another_cell_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    student, calls = counted()
    for cell in (20, 22):
        monkeypatch.setattr(training_run, "_cell", lambda cell=cell: cell)
        examine(TRAIN, student, "contract")
    assert len(calls) == 2


def test_another_function_is_another_training() -> None:
    for _ in range(2):
        student, calls = counted()
        examine(TRAIN, student, "contract")
        assert len(calls) == 1


# --- What is said -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def failed() -> Verdict:
    verdict = examine(TRAIN, brief, "band-4")
    assert not verdict.passed
    return verdict


def test_a_failed_band_names_accuracy_band_confusion_and_the_likely_reason(failed: Verdict) -> None:
    said = advice(failed)
    assert "95.5% needed" in said
    assert "most often a" in said
    assert "Likely: you stop after very few epochs" in said


def test_measures_travel_with_the_verdict(failed: Verdict) -> None:
    assert "measures" not in report.bundle(failed)[MIME_TYPE]  # practice, and its seconds change each time
    data = report.bundle(dataclasses.replace(failed, hidden=True))[MIME_TYPE]
    assert [each["name"] for each in data["measures"]] == ["accuracy", "parameters", "seconds"]
    assert data["measures"][0]["better"] == "higher"
    assert "measures" not in report.bundle(examine(EXERCISES["count_parameters"], print))[MIME_TYPE]


def fit(**values: object) -> dict[str, object]:
    return {"accuracy": 0.99, "parameters": 100, "seconds": 1.0, "confusion": "no confusion", **values}


def test_a_band_is_reached_within_the_budgets_only() -> None:
    passes = band(BANDS[-1])
    assert passes(fit()) is None
    assert passes(fit(accuracy=0.9549)).kind == "accuracy"
    assert passes(fit(parameters=PARAMETER_BUDGET + 1)).kind == "over budget"
    assert passes(fit(seconds=SECONDS + 1)).kind == "over budget"
    assert passes({"error": {"trouble": "timeout", "text": "120 seconds", "where": ""}}).kind == "timeout"


def test_a_network_that_is_not_written_yet() -> None:
    def train_network(x_train, y_train):
        raise NotImplementedError

    verdict = examine(TRAIN, train_network, "band-1")
    assert verdict.symptom is not None
    assert verdict.symptom.kind == "unwritten"


def test_weights_of_float64_are_an_error_with_a_line() -> None:
    def train_network(x_train, y_train):
        return capstone.build_network(2).double()

    verdict = examine(TRAIN, train_network, "contract")
    assert verdict.symptom is not None
    assert verdict.symptom.kind == "error"


def test_a_network_without_parameters_or_training_is_told_so() -> None:
    verdict = examine(TRAIN, lambda x_train, y_train: nn.Flatten(), "contract")
    assert verdict.misconception is not None
    assert verdict.misconception.name == "puts_out_classes"


def test_the_held_out_originals_are_not_trained_with() -> None:
    """The seed decides the split, and no original is in both parts: here, by its class counts at least."""
    task = draw_task(11)
    assert len(task.x_train) + len(task.x_held_out) // 3 == 1797
