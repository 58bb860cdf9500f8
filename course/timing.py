"""Measure how long a step takes, on a device that works through a queue.

A GPU answers before it has computed: `model(x)` puts work into a queue and returns. A clock that is read
without waiting measures how fast Python can fill the queue. The first steps are slower than the others as
well (memory is reserved, kernels are loaded and chosen), and now and then the operating system interrupts
one: so there are warm-up steps that do not count, and the median is taken.

The same rules as in torch.utils.benchmark, https://pytorch.org/docs/stable/benchmark_utils.html.
"""

import statistics
import time
from collections.abc import Callable

import torch

from course.device import synchronize

__all__ = ["benchmark_step", "step_times"]


def benchmark_step(
    step: Callable[[], object], device: torch.device | str, warmup: int = 3, repeats: int = 10
) -> float:
    """Return the median time of ``step()`` in seconds.

    ``step`` is called ``warmup + repeats`` times, and the last ``repeats`` calls are measured, one by one:
    from an empty queue of ``device`` to an empty queue. With an even number of measurements the median is
    the mean of the two in the middle, as in `statistics.median`.

    Raises:
        ValueError: ``repeats`` is below 1 or ``warmup`` below 0.
    """
    return statistics.median(step_times(step, device, warmup, repeats))


def step_times(
    step: Callable[[], object], device: torch.device | str, warmup: int = 3, repeats: int = 10
) -> list[float]:
    """Return the times of the measured calls in seconds, in their order: see `benchmark_step`."""
    if repeats < 1 or warmup < 0:
        raise ValueError(
            f"repeats must be at least 1 and warmup at least 0, got repeats={repeats}, warmup={warmup}."
        )
    for _ in range(warmup):
        step()
    times = []
    for _ in range(repeats):
        synchronize(device)
        start = time.perf_counter()
        step()
        synchronize(device)
        times.append(time.perf_counter() - start)
    return times
