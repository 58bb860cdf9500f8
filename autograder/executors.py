"""Where submissions are graded: in processes on this machine, or on a Dask cluster.

Both take a `Task` and give a future of its `Outcome`; the rest of the grader does not know which it is.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
import signal
import tempfile
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any, Protocol

from autograder.confinement import sandbox_problem
from autograder.errors import ConfigError
from autograder.judging import worker
from autograder.observing.client import ForkServer
from autograder.sandbox import SandboxUnavailable
from autograder.task import Outcome, Task, Terms


class Executor(Protocol):
    """Runs tasks."""

    width: int
    """How many tasks run at the same time."""

    def submit(self, task: Task) -> Future[Outcome]:
        """Start a task. Its future raises `BrokenProcessPool` when its process died."""

    def repair(self) -> None:
        """Make the executor work again after a process died."""

    def close(self) -> None:
        """End all processes."""


class LocalExecutor:
    """A pool of processes on this machine, with one fork server for all of them.

    Args:
        terms: of the run.
        jobs: processes; by default one for each core.

    Raises:
        ForkServerError: submissions cannot be run here.
    """

    def __init__(self, terms: Terms, jobs: int | None = None) -> None:
        self.width = jobs or cores()
        self._terms = terms
        # Before any process starts: torch reads it when it is imported.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        self._context = multiprocessing.get_context("forkserver")
        # The pool's processes are forked from one that has everything imported.
        check = terms.check.partition(":")[0]
        self._context.set_forkserver_preload(
            ["autograder.judging.worker", *terms.surroundings.preload, *filter(None, [check])]
        )
        # The two servers import torch at the same time, each on a core.
        try:
            multiprocessing.forkserver.ensure_running()
            self._fork_server = ForkServer(terms.surroundings)
        except OSError as error:
            if "AF_UNIX" not in str(error):
                raise
            raise ConfigError(
                f"The folder for temporary files, {tempfile.gettempdir()}, has too long a name for a "
                "Unix socket in it; set TMPDIR to a shorter one."
            ) from error
        self.failed_imports = self._fork_server.failed_imports
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            max_workers=self.width,
            mp_context=self._context,
            initializer=worker.prepare,
            initargs=(self._terms, self._fork_server.address, os.getpid()),
        )

    def submit(self, task: Task) -> Future[Outcome]:
        """Start a task."""
        return self._pool.submit(worker.grade, task)

    def repair(self) -> None:
        """Replace the pool: all its processes ended with the one that died."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new_pool()

    def close(self) -> None:
        """End all processes, also those that are busy."""
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        _end_pool_server()
        self._fork_server.stop()


def _end_pool_server() -> None:
    """End the process that multiprocessing forks from; by itself it takes seconds to leave torch behind."""
    server = getattr(multiprocessing.forkserver, "_forkserver", None)
    pid = getattr(server, "_forkserver_pid", None)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class DaskExecutor:
    """A running Dask cluster; every worker process has a fork server of its own.

    Args:
        terms: of the run.
        address: of the scheduler, such as "tcp://127.0.0.1:8786".

    Raises:
        ConfigError: `distributed` is not installed, or the scheduler does not answer.
        SandboxUnavailable: a worker cannot confine submissions.
    """

    def __init__(self, terms: Terms, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise ConfigError(
                "The Dask executor needs the package distributed: install training-deep-networks[cluster]."
            ) from error
        try:
            self._client: Any = Client(address, timeout="10s", set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise ConfigError(f"The Dask scheduler at {address} does not answer: {error}.") from error
        threads = self._client.nthreads()
        if not threads:
            self._client.close()
            raise ConfigError(
                f"The Dask scheduler at {address} has no workers. Start `dask worker {address}`."
            )
        if terms.surroundings.sandboxed:
            for place, problem in self._client.run(sandbox_problem).items():
                if problem:
                    self._client.close()
                    raise SandboxUnavailable(f"The worker {place}: {problem}")
        self.width = sum(threads.values())
        self.failed_imports: list[str] = []
        self._terms: Any = self._client.scatter(terms, broadcast=True)

    def submit(self, task: Task) -> Future[Outcome]:
        """Start a task. Dask runs it again elsewhere when its worker dies."""
        future: Any = self._client.submit(worker.grade_with, self._terms, task, pure=False)
        answer: Future[Outcome] = Future()
        answer.set_running_or_notify_cancel()
        future.add_done_callback(lambda done: _pass_on(done, answer))
        return answer

    def repair(self) -> None:
        """Dask repairs itself."""

    def close(self) -> None:
        """Leave the cluster; it goes on running."""
        self._client.close()


def _pass_on(done: Any, answer: Future[Outcome]) -> None:
    """From a Dask future to one of the standard library."""
    error = done.exception() if done.status in ("error", "cancelled", "lost") else None
    if done.status == "finished":
        answer.set_result(done.result())
    elif type(error).__name__ == "KilledWorker" or error is None:
        answer.set_exception(BrokenProcessPool(f"the workers that ran it died ({done.status})"))
    else:
        answer.set_exception(error)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
