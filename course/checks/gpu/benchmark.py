"""Exercise `benchmark_step`: the simulated machines, and what is looked at.

The warm-up calls take ten times as long as the others, so that whoever counts one of them gets another
number. The first call that counts is the shortest: where the warm-up's work is still in the queue, it becomes
the longest, and the median moves.
"""

from __future__ import annotations

from typing import Any

from course import timing as reference
from course.checks.framework import Aspect, Draw, Exercise, Probe
from course.checks.gpu.benchmark_mistakes import BENCHMARK_STEP as MISTAKES
from course.checks.probes.timing import TimingProbe


def _durations(draw: Draw, warmup: int, repeats: int) -> tuple[float, ...]:
    """Of the warm-up, then the shortest one, then the others in any order; one of them was interrupted."""
    slow = draw.uniform(warmup, low=0.2, high=0.4).tolist()
    # Steps of at least 1 ms between two times: no two medians are equal.
    jitter = draw.uniform(repeats, low=0.0, high=5e-4)
    times = [0.010 + 0.002 * i + more for i, more in enumerate(jitter.tolist())]
    others = times[1:]
    if len(others) > 1:
        others[-1] += 0.15
    order = draw.uniform(max(len(others), 1)).argsort().tolist()
    mixed = [others[i] for i in order if i < len(others)]
    # The middle of the unsorted list must not be the median.
    return (*slow, times[0], *mixed, *([0.5] * 3))


def _probes(seed: int) -> dict[str, Probe]:
    draw = Draw(seed)

    def probe(warmup: int | None = None, repeats: int | None = None, **settings: Any) -> Probe:
        options = {} if warmup is None else {"warmup": warmup, "repeats": repeats}
        note = settings.pop("note", "")
        durations = _durations(draw, 3 if warmup is None else warmup, repeats or 10)
        return TimingProbe(durations, options=options, note=note, **settings)

    return {
        "cpu": probe(device="cpu", note="3 slow warm-up calls, then 10 that count"),
        "odd": probe(2, 5, device="cpu", note="warmup = 2, repeats = 5"),
        "gpu": probe(note="a queue: step() returns before its work is done"),
        "once": probe(2, 1, note="warmup = 2, repeats = 1, on a GPU"),
        "text": probe(4, 3, as_text=True, note='the device is the text "cuda"'),
        "mps": probe(1, 5, device="mps", note="Apple's GPU, which is not CUDA"),
        "text of a cpu": probe(1, 7, device="cpu", as_text=True),
        "second": probe(1, 4, device="cuda:1", note="the second GPU"),
        "cold": probe(0, 6, device="cpu", note="warmup = 0"),
        "cold gpu": probe(0, 7),
        "many": probe(5, 12),
    }


SECONDS = ("seconds",)
CALLS = ("calls",)
_M, _Q, _D = "median", "queue", "devices"

BENCHMARK_STEP = Exercise(
    name="benchmark_step",
    kind="function",
    signature="step, device, warmup=3, repeats=10",
    section="7.2",
    oracle=reference.benchmark_step,
    probes=_probes,
    aspects=(
        Aspect("how often step is called", _M, "cpu", CALLS),
        Aspect("median of ten times, on a CPU", _M, "cpu", SECONDS),
        Aspect("how often, with warmup and repeats given", _M, "odd", CALLS),
        Aspect("median of five times", _M, "odd", SECONDS),
        Aspect("without warm-up", _M, "cold", ("seconds", "calls"), hidden=True),
        Aspect("one time after the warm-up, on a GPU", _Q, "once", SECONDS),
        Aspect("median of ten times, on a GPU", _Q, "gpu", SECONDS),
        Aspect("how often step is called, on a GPU", _Q, "gpu", CALLS),
        Aspect("without warm-up, on a GPU", _Q, "cold gpu", ("seconds", "calls"), hidden=True),
        Aspect("median of twelve times, on a GPU", _Q, "many", ("seconds", "calls"), hidden=True),
        Aspect("a device given as text", _D, "text", SECONDS),
        Aspect("Apple's GPU", _D, "mps", SECONDS),
        Aspect("a CPU given as text", _D, "text of a cpu", ("seconds", "calls"), hidden=True),
        Aspect("the second GPU", _D, "second", ("seconds", "calls"), hidden=True),
    ),
    misconceptions=tuple(MISTAKES),
    unknown=(
        "The time is not the one that the machine of the check took. Go through the six lines in the text: "
        "warm-up, then for each repeat wait, read, step, wait, read."
    ),
)
