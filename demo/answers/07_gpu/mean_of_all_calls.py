"""One clock over all calls, the total divided: one slow call spoils it."""

import time

from course.device import synchronize


def benchmark_step(step, device, warmup=3, repeats=10):
    """Mean time of a step."""
    for _ in range(warmup):
        step()
    synchronize(device)
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    synchronize(device)
    return (time.perf_counter() - start) / repeats
