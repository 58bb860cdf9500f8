"""A grading process: trusted, long-lived, with the course's checks imported; one task after the other."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import threading
import time
import warnings

import psutil

from autograder.judging.conductor import conduct
from autograder.judging.session import ServerLost
from autograder.observing.client import (
    Child,
    ForkServerError,
    Surroundings,
    forget_fork_server,
    shared_fork_server,
)
from autograder.task import Outcome, Task, Terms

FORGIVEN = 2
"""How often a submission starts again because the fork server ended. Unconfined, it may do that itself."""

_terms: Terms | None = None
_address = ""


def prepare(terms: Terms, address: str, owner: int) -> None:
    """Initialize a process of the local pool; `owner` is the process that runs the pool."""
    global _terms, _address
    _terms, _address = terms, address
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that runs the pool
    threading.Thread(target=_end_with, args=(owner,), daemon=True).start()
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

    for _ in range(FORGIVEN):
        try:
            return conduct(terms, task, start, forgiving=True)
        except ServerLost:
            continue  # it was killed while this submission ran: from the beginning, with another one
    return conduct(terms, task, start)


def _fork(address: str, surroundings: Surroundings, randomness: int, folder: str) -> Child:
    memory = surroundings.limits.memory_megabytes
    return Child(address, surroundings.sandboxed, randomness, memory, folder)


def _end_with(owner: int) -> None:
    """Wait until the owner ends, however it ends, and end as well.

    The kernel's own signal for this (PR_SET_PDEATHSIG) does not help: the parent of this process is
    multiprocessing's fork server, which lives as long as any of its children does.
    """
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(ProcessLookupError):
            select.select([os.pidfd_open(owner)], [], [])
    else:
        while psutil.pid_exists(owner):
            time.sleep(1)
    os._exit(1)
