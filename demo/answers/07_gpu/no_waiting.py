"""Reads the clock while the GPU is still working."""

import statistics
import time


def benchmark_step(step, device, warmup=3, repeats=10):
    """Median time of a step."""
    for _ in range(warmup):
        step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
