"""A grading process: trusted, long-lived, with the course's checks imported; one task after the other."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import warnings

from autograder.judging.conductor import conduct
from autograder.observing.client import (
    Child,
    ForkServerError,
    Surroundings,
    forget_fork_server,
    shared_fork_server,
)
from autograder.task import Outcome, Task, Terms

_PR_SET_PDEATHSIG = 1

_terms: Terms | None = None
_address = ""


def prepare(terms: Terms, address: str) -> None:
    """Initialize a process of the local pool."""
    global _terms, _address
    _terms, _address = terms, address
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that runs the pool
    _end_with_the_run()
    warm_up(terms.surroundings.preload, terms.check)
    gc.collect()
    gc.freeze()


def warm_up(modules: tuple[str, ...], check: str) -> None:
    """Import the course's modules, quietly; what fails is reported when it is used."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    warnings.simplefilter("ignore")
    for name in (*modules, check.partition(":")[0]):
        if name:
            try:
                importlib.import_module(name)
            except Exception:
                continue


def grade(task: Task) -> Outcome:
    """Grade a task in a process of the local pool."""
    assert _terms is not None
    return grade_with(_terms, task, _address)


def grade_with(terms: Terms, task: Task, address: str = "") -> Outcome:
    """Grade a task.

    Args:
        terms: of the run.
        task: the submission.
        address: of a running fork server; by default this process has its own.
    """

    def start(randomness: int, folder: str) -> Child:
        if address:
            try:
                return _fork(address, terms.surroundings, randomness, folder)
            except ForkServerError:
                pass  # it was killed, perhaps for want of memory: go on with one of our own
        try:
            own = shared_fork_server(terms.surroundings)
            return _fork(own.address, terms.surroundings, randomness, folder)
        except ForkServerError:
            forget_fork_server(terms.surroundings)
            own = shared_fork_server(terms.surroundings)
            return _fork(own.address, terms.surroundings, randomness, folder)

    return conduct(terms, task, start)


def _fork(address: str, surroundings: Surroundings, randomness: int, folder: str) -> Child:
    memory = surroundings.limits.memory_megabytes
    return Child(address, surroundings.sandboxed, randomness, memory, folder)


def _end_with_the_run() -> None:
    """Be killed when the run is: the pool's parent process ends with it."""
    with contextlib.suppress(OSError, AttributeError):  # not Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
