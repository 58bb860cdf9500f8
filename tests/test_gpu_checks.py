"""Lesson 7's checks: the simulated machine stays in its place, and odd answers get a sentence that helps."""

import contextlib
import threading
import time
import timeit

import pytest
import torch

from course.checks import EXERCISES, examine, wire
from course.checks.gpu.benchmark_mistakes import Recipe
from course.timing import benchmark_step

REAL = {
    (module, name): getattr(module, name)
    for module, names in {
        time: ("perf_counter", "perf_counter_ns", "time", "monotonic", "process_time"),
        torch.cuda: ("synchronize", "is_available", "current_stream"),
        torch.mps: ("synchronize",),
        timeit: ("default_timer",),
    }.items()
    for name in names
}
REAL_DEFAULTS = timeit.repeat.__defaults__


def seen(name, answer, **options):
    return examine(EXERCISES[name], answer, hidden=True, seed=3, own_work=True, **options)


def assert_everything_is_back():
    for (module, name), real in REAL.items():
        assert getattr(module, name) is real
    assert timeit.repeat.__defaults__ == REAL_DEFAULTS


def test_afterwards_the_clocks_are_the_computers_again():
    seen("benchmark_step", benchmark_step)
    assert_everything_is_back()


@pytest.mark.parametrize("problem", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_afterwards_means_after_an_error_too(problem):
    def fails(step, device, warmup=3, repeats=10):
        raise problem

    with contextlib.suppress(KeyboardInterrupt):
        assert not seen("benchmark_step", fails).passed
    assert_everything_is_back()


def test_a_clock_that_was_imported_by_name_is_given_back():
    names = {}
    exec(
        "from time import perf_counter\n"
        "from course.device import synchronize\n"
        "import statistics\n"
        "def benchmark_step(step, device, warmup=3, repeats=10):\n"
        "    [step() for _ in range(warmup)]\n"
        "    times = []\n"
        "    for _ in range(repeats):\n"
        "        synchronize(device); start = perf_counter(); step(); synchronize(device)\n"
        "        times.append(perf_counter() - start)\n"
        "    return statistics.median(times)\n",
        names,
    )
    assert seen("benchmark_step", names["benchmark_step"]).passed
    assert names["perf_counter"] is REAL[time, "perf_counter"]


def test_other_threads_go_on_with_the_real_clock():
    """Jupyter's own threads ask for the time as well."""
    shown = []

    def asks_elsewhere(step, device, warmup=3, repeats=10):
        thread = threading.Thread(target=lambda: shown.append(time.perf_counter()))
        thread.start()
        thread.join()
        return time.perf_counter()

    before = time.perf_counter()
    seen("benchmark_step", asks_elsewhere)
    assert all(before <= shown_time <= time.perf_counter() for shown_time in shown)


def test_the_courses_own_measurement_is_no_answer():
    def leaves_it_to_the_course(step, device, warmup=3, repeats=10):
        return benchmark_step(step, device, warmup, repeats)

    verdict = seen("benchmark_step", leaves_it_to_the_course)
    assert "the course's own benchmark_step" in verdict.message


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (None, "returns None"),
        ("fast", "a str, not one number"),
        (True, "a bool, not one number"),
        ([0.1], "a list, not one number"),
    ],
)
def test_what_is_no_number_has_a_sentence(returned, sentence):
    verdict = examine(EXERCISES["benchmark_step"], lambda step, device, warmup=3, repeats=10: returned)
    assert any(sentence in finding.symptom.advice for finding in verdict.wrong)


def test_a_probe_of_each_kind_travels():
    for name in ("to_device", "benchmark_step", "train_amp"):
        for probe in EXERCISES[name].probes(1).values():
            again = wire.unpack(wire.pack(probe))
            assert type(again) is type(probe)
            assert str(again) == str(probe)


def test_the_whole_median_is_right_on_many_seeds():
    exercise = EXERCISES["benchmark_step"]
    right = Recipe()

    def answer(step, device, warmup=3, repeats=10):
        return right(step, device, warmup, repeats)

    wrong = [m for m in exercise.misconceptions if m.name in ("middle_unsorted", "mean", "no_wait_before")]
    for seed in range(1, 40):
        assert examine(exercise, answer, hidden=True, seed=seed).passed
        for mistake in wrong:
            verdict = examine(exercise, mistake.implementation, hidden=True, seed=seed)
            assert verdict.misconception is mistake, (seed, mistake.name)


def test_autocast_that_was_left_on_is_switched_off_again():
    (left_on,) = [m for m in EXERCISES["train_amp"].misconceptions if m.name == "left_on"]
    verdict = examine(EXERCISES["train_amp"], left_on.implementation)
    assert verdict.misconception is left_on
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("cost", ["to_device", "train_amp"])
def test_an_exercise_that_is_not_written_yet_says_so(cost):
    def empty(*args, **options):
        raise NotImplementedError("Write your code here")

    assert "not written yet" in examine(EXERCISES[cost], empty).message


def test_text_in_a_batch_does_not_end_in_an_endless_recursion():
    def loops_over_everything(batch, device, non_blocking=False):
        if isinstance(batch, torch.Tensor):
            return batch.to(device, non_blocking=non_blocking)
        return type(batch)(loops_over_everything(item, device, non_blocking) for item in batch)

    verdict = seen("to_device", loops_over_everything)
    assert not verdict.passed
