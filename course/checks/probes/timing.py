"""Probes of a function that measures time: a simulated machine whose clocks and queue the check knows.

Real times are never equal twice, and most students have no GPU. So the function measures a machine that is
made up: a step takes as long as the probe says, a GPU works through a queue while Python goes on, and
`torch.cuda.synchronize` waits for it. While the student's function runs, and in its thread only, the names in
`time` and `torch` that read a clock or wait for a device belong to this machine; then what it returns has one
right value.

    time.perf_counter, time.monotonic    the true time
    time.time                            the date: the system corrects it during the measurement
    time.process_time                    what the processor worked: stands still while Python waits for a GPU
"""

from __future__ import annotations

import contextlib
import numbers
import threading
import time
import timeit
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from course.checks.plain import trouble, type_name
from course.checks.probes.traces import Notes


@dataclass(frozen=True)
class TimingProbe:
    """Let a function measure a step on a simulated machine.

    Args:
        durations: seconds that each call of the step keeps the device busy, in order.
        device: "cuda", "cuda:1", "mps" or "cpu".
        as_text: whether the device is passed as text instead of as a torch.device.
        launch: seconds that Python needs to put a step into the queue.
        options: keyword arguments of the function.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    durations: tuple[float, ...]
    device: str = "cuda"
    as_text: bool = False
    launch: float = 1e-3
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    looks_at: tuple[str, ...] = ("",)

    @property
    def dtype(self) -> torch.dtype:
        """Of the seconds."""
        return torch.float64


RECORDS = (TimingProbe,)
"""The dataclasses that may travel to another process."""

CORRECTION = 0.9
"""The date runs at this rate while the system corrects it."""

CORES = 2
"""That work on a step on the CPU; process_time adds up their times."""


class Machine:
    """The clocks and the queues of a simulated machine."""

    def __init__(self, probe: TimingProbe) -> None:
        self.device = torch.device(probe.device)
        self._probe = probe
        self._now = 1000.0
        self._worked = 0.0
        self._busy_until = 0.0
        self.calls = 0

    def step(self) -> None:
        """Put the next piece of work into the queue; a CPU does it at once."""
        work = self._probe.durations[min(self.calls, len(self._probe.durations) - 1)]
        self.calls += 1
        if self.device.type == "cpu":
            self._pass(self._probe.launch + work, CORES)
        else:
            self._pass(self._probe.launch)
            self._busy_until = max(self._busy_until, self._now) + work

    def wait(self) -> None:
        """Wait until the queue is empty."""
        self._now = max(self._now, self._busy_until)

    def _pass(self, seconds: float, cores: int = 1) -> None:
        self._now += seconds
        self._worked += cores * seconds

    # --- What stands for the names in `time` and `torch` ----------------------------------------------------

    def clock(self) -> float:
        """The true time."""
        return self._now

    def date(self) -> float:
        """Seconds since 1970, as they look while the system corrects them."""
        return 1.7e9 + CORRECTION * self._now

    def worked(self) -> float:
        """Seconds that the processor's cores have worked."""
        return self._worked

    def synchronize(self, kind: str, device: Any = None) -> None:
        """What the synchronize of a kind of device does on this machine."""
        if kind != self.device.type:
            raise AssertionError(f"Torch not compiled with {kind.upper()} enabled")
        wanted = torch.device(kind if device is None else device)
        if wanted.type != kind:
            raise ValueError(f"Expected a {kind} device, but got: {wanted}")
        if (wanted.index or 0) == (self.device.index or 0):
            self.wait()  # another GPU has nothing to do


class _Stream:
    """The queue of a device, as torch.cuda.current_stream gives it."""

    def __init__(self, synchronize: Callable[[], None]) -> None:
        self.synchronize = synchronize


def _names(machine: Machine) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """(module, name, what stands for it) on this machine."""
    clocks = {
        "perf_counter": machine.clock,
        "monotonic": machine.clock,
        "time": machine.date,
        "process_time": machine.worked,
        "thread_time": machine.worked,
    }
    for name, clock in clocks.items():
        yield time, name, clock
        yield time, f"{name}_ns", lambda clock=clock: round(clock() * 1e9)
    yield timeit, "default_timer", machine.clock

    def cuda(device: Any = None) -> None:
        machine.synchronize("cuda", device)

    def any_device(device: Any = None) -> None:
        machine.synchronize(machine.device.type, device)

    kind = machine.device.type
    yield torch.cuda, "synchronize", cuda
    yield torch.cuda, "is_available", lambda: kind == "cuda"
    yield torch.cuda, "current_stream", lambda device=None: _Stream(lambda: cuda(device))
    yield torch.mps, "synchronize", lambda: machine.synchronize("mps")
    yield torch.backends.mps, "is_available", lambda: kind == "mps"
    if hasattr(torch, "accelerator"):
        yield torch.accelerator, "synchronize", any_device
        yield torch.accelerator, "is_available", lambda *_, **__: kind != "cpu"


@contextlib.contextmanager
def _simulated(machine: Machine, names: dict[str, Any]) -> Iterator[None]:
    """Let `time`, `torch` and the given global names belong to the machine, in this thread."""
    here = threading.get_ident()
    before: list[tuple[Any, str, Any]] = []
    stands_for: dict[int, Any] = {}
    try:
        for module, name, simulated in _names(machine):
            real = getattr(module, name, None)
            if real is None:
                continue

            def choose(*given: Any, _real: Any = real, _simulated: Any = simulated, **options: Any) -> Any:
                # Jupyter's own threads go on with the real clock.
                chosen = _simulated if threading.get_ident() == here else _real
                return chosen(*given, **options)

            before.append((module, name, real))
            setattr(module, name, choose)
            stands_for.setdefault(id(real), choose)
        # timeit has bound its clock as a default value.
        for function in (timeit.timeit, timeit.repeat, timeit.Timer.__init__):
            before.append((function, "__defaults__", function.__defaults__))
            function.__defaults__ = tuple(stands_for.get(id(each), each) for each in function.__defaults__)
        found = {name: value for name, value in names.items() if id(value) in stands_for}
        names.update({name: stands_for[id(value)] for name, value in found.items()})
        try:
            yield
        finally:
            names.update(found)
    finally:
        for module, name, real in reversed(before):
            setattr(module, name, real)


def observe_timing(measure: Callable[..., Any], probe: TimingProbe, notes: Notes) -> None:
    """Let the function measure the simulated machine."""
    machine = Machine(probe)
    device = probe.device if probe.as_text else torch.device(probe.device)
    calls = notes.log.calls() if notes.log else contextlib.nullcontext()
    # `from time import perf_counter` has put the clock among the names that the function sees.
    names = getattr(measure, "__globals__", {})
    try:
        with _simulated(machine, names), notes.logged(), calls:
            returned = measure(machine.step, device, **probe.options)
    finally:
        notes.write("calls of step", machine.calls)
    if returned is None:
        notes.write("seconds", trouble("none"))
    elif isinstance(returned, bool) or not isinstance(returned, numbers.Real):
        notes.write("seconds", trouble("count", f"a {type_name(returned)}, not one number (a float)"))
    else:
        notes.write("seconds", torch.tensor(float(returned), dtype=torch.float64))
