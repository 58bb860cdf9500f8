"""Measuring a step: what counts, and from when to when."""

import pytest
import torch

from course import timing
from course.checks.probes.timing import Machine, TimingProbe, observe_timing
from course.timing import benchmark_step, step_times


def measured(device="cuda", warmup=2, repeats=3, durations=(1.0, 1.0, 0.1, 0.2, 0.4)):
    """Times of the reference on the simulated machine, and how often the step was called."""

    class Notes(dict):
        log = None

        def logged(self):
            return torch.enable_grad()

        def write(self, key, value):
            self[key] = value

    notes = Notes()
    probe = TimingProbe(durations, device, options={"warmup": warmup, "repeats": repeats})
    observe_timing(benchmark_step, probe, notes)
    return notes


def test_the_median_of_the_calls_after_the_warm_up_is_returned():
    notes = measured()
    assert notes["calls of step"] == 5
    assert notes["seconds"].item() == pytest.approx(0.2 + 1e-3)


def test_an_even_number_of_times_has_the_mean_of_the_two_in_the_middle():
    notes = measured("cpu", warmup=0, repeats=4, durations=(0.1, 0.4, 0.2, 5.0))
    assert notes["seconds"].item() == pytest.approx(0.3 + 1e-3)


def test_each_call_is_measured_by_itself_in_its_order(monkeypatch):
    ticks = iter([0.0, 1.0, 10.0, 13.0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(ticks))
    assert step_times(lambda: None, "cpu", warmup=0, repeats=2) == [1.0, 3.0]


def test_the_device_is_waited_for_before_and_after_each_measured_call(monkeypatch):
    order = []
    monkeypatch.setattr(timing, "synchronize", lambda device: order.append(f"wait for {device}"))
    benchmark_step(lambda: order.append("step"), "cuda:1", warmup=1, repeats=2)
    assert order == ["step", *2 * ["wait for cuda:1", "step", "wait for cuda:1"]]


@pytest.mark.parametrize(("warmup", "repeats"), [(0, 0), (-1, 3)])
def test_numbers_that_make_no_sense_are_refused(warmup, repeats):
    with pytest.raises(ValueError, match="repeats must be at least 1"):
        benchmark_step(lambda: None, "cpu", warmup, repeats)


def test_a_gpus_step_returns_before_its_work_is_done():
    machine = Machine(TimingProbe((5.0,)))
    before = machine.clock()
    machine.step()
    assert machine.clock() - before == pytest.approx(1e-3)
    machine.wait()
    assert machine.clock() - before == pytest.approx(5.0 + 1e-3)
