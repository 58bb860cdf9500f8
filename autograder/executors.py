"""Where submissions are graded: in processes on this machine, or on a Dask cluster.

Both take a `Task` and give a future of its `Outcome`; the rest of the grader does not know which it is.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.forkserver
import multiprocessing.util
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from autograder.config import Course
from autograder.confinement import sandbox_problem
from autograder.errors import AutograderError, ConfigError
from autograder.observing.client import PREFIX, ForkServer, Surroundings, sweep
from autograder.sandbox import SandboxUnavailable
from autograder.surroundings import surroundings

# Nothing else is imported here: with this module a run starts its processes, and it can start them before it
# has imported nbgrader, or the judging side, which only they need.
if TYPE_CHECKING:
    from autograder.task import Outcome, Task, Terms


class Executor(Protocol):
    """Runs tasks."""

    width: int
    """How many tasks run at the same time."""

    def submit(self, task: Task) -> Future[Outcome]:
        """Start a task. Its future raises `BrokenProcessPool` when its process died."""

    def repair(self) -> None:
        """Make the executor work again after a process died."""

    def unblock(self) -> None:
        """If a process has died and nobody noticed, let its tasks fail."""

    def close(self) -> None:
        """End all processes."""


class Servers:
    """The two processes that all others on this machine are forked from, started before they are needed.

    One has the course's checks imported, for the pool; the other is the fork server for submissions. Both
    import for seconds, each on a core, while their owner goes on.

    Args:
        surroundings: of the submissions.
        check: the course's check, "module:function"; empty for none.

    Raises:
        ConfigError: there is no place for their sockets.
    """

    def __init__(self, surroundings: Surroundings, check: str) -> None:
        self.surroundings = surroundings
        # Before any process starts: torch reads it when it is imported.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        self.context = multiprocessing.get_context("forkserver")
        modules = [
            __name__,
            "autograder.judging.worker",
            *surroundings.preload,
            *filter(None, [check.partition(":")[0]]),
        ]
        self.context.set_forkserver_preload(modules)
        try:
            _keep_sockets_in_own_folder()
            with _deaf_to_ctrl_c():
                multiprocessing.forkserver.ensure_running()
            self.fork_server = ForkServer(surroundings)
        except BaseException as error:
            _end_pool_server()
            if not isinstance(error, OSError) or "AF_UNIX" not in str(error):
                raise
            raise ConfigError(
                f"The folder for temporary files, {tempfile.gettempdir()}, has too long a name for a "
                "Unix socket in it; set TMPDIR to a shorter one."
            ) from error

    def stop(self) -> None:
        """End both, whatever they are doing."""
        _end_pool_server()
        self.fork_server.stop()


@cache
def _keep_sockets_in_own_folder() -> None:
    """Let multiprocessing's sockets lie where the next run sweeps them, should this process be killed."""
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
    this: Any = multiprocessing.current_process()
    this._config["tempdir"] = folder  # where multiprocessing.util.get_temp_dir keeps its own
    multiprocessing.util.Finalize(None, shutil.rmtree, (folder, True), exitpriority=-100)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """What is started meanwhile does not hear Ctrl-C, which is for this process and not for its helpers."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say so
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_pool_server() -> None:
    """End the process that multiprocessing forks from; by itself it takes seconds to leave torch behind."""
    server: Any = getattr(multiprocessing.forkserver, "_forkserver", None)
    pid = getattr(server, "_forkserver_pid", None)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(AttributeError, OSError):
            server._stop()  # it waits for the process and forgets it


@contextmanager
def head_start(course: Course, assignment: str, sandbox: bool) -> Iterator[Servers | None]:
    """Start the servers for a run that is going to need them, and end them with the body.

    It is a guess, made before anything slow is imported and before anything is checked: when it is wrong, the
    servers are ended unused. It raises nothing; who really needs servers and gets None starts them, and is
    told what is wrong.

    Yields:
        The servers; None when the run may not need any.
    """
    servers = None
    try:
        with suppress(OSError, AutograderError):
            if _has_new_work(course, assignment):
                servers = Servers(surroundings(course, sandbox, assignment), course.settings.check)
        yield servers
    finally:
        if servers is not None:
            servers.stop()


def _has_new_work(course: Course, assignment: str) -> bool:
    """Whether a submission seems not to have been graded yet; a quick look, which opens none."""
    name = f"{assignment}.ipynb"
    if not (course.release / assignment / name).is_file():
        return False
    refused = _refused(course, assignment)
    return any(
        (folder / assignment / name).is_file()
        and not (course.autograded / folder.name / assignment / name).exists()
        and folder.name not in refused
        for folder in course.submitted.iterdir()
    )


def _refused(course: Course, assignment: str) -> set[str]:
    """The students whose submission could not be graded in the last run."""
    try:
        run = json.loads(course.last_run(assignment).read_bytes())
        return {student for student, noted in run["students"].items() if not noted["graded"]}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return set()


class LocalExecutor:
    """A pool of processes on this machine, with one fork server for all of them.

    Args:
        terms: of the run.
        jobs: processes; by default one for each core.
        servers: that were started before (see `head_start`); by default it starts its own.

    Raises:
        ForkServerError: submissions cannot be run here.
    """

    def __init__(self, terms: Terms, jobs: int | None = None, servers: Servers | None = None) -> None:
        self.width = jobs or cores()
        self._terms = terms
        self._servers = servers or Servers(terms.surroundings, terms.check)
        try:
            self.failed_imports = self._servers.fork_server.failed_imports
        except BaseException:
            self._servers.stop()
            raise
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            max_workers=self.width,
            mp_context=self._servers.context,
            initializer=_prepare,
            initargs=(self._terms, self._servers.fork_server.address, os.getpid()),
        )

    def submit(self, task: Task) -> Future[Outcome]:
        """Start a task."""
        return self._pool.submit(_grade, task)

    def repair(self) -> None:
        """Replace the pool: all its processes ended with the one that died."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new_pool()

    def unblock(self) -> None:
        """If a process has died, end the others: then the pool knows.

        By itself it does not when the process was killed while it sent its outcome: it then waits for the
        rest, which may come as long as anybody can write to that pipe. So we close it on this side, too.
        """
        processes = self._processes()
        if all(process.is_alive() for process in processes):
            return
        for process in processes:
            process.terminate()
        with suppress(AttributeError, OSError):
            queue: Any = self._pool._result_queue
            queue._writer.close()

    def _processes(self) -> list[Any]:
        return list((getattr(self._pool, "_processes", None) or {}).values())

    def close(self) -> None:
        """End all processes, also those that are busy."""
        processes = self._processes()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(5)
        self._servers.stop()
        sweep()  # a worker may have had a fork server of its own


def _prepare(terms: Terms, address: str, owner: int) -> None:
    """`worker.prepare`, in a process of the pool; here nobody has to import the judging side."""
    from autograder.judging import worker

    worker.prepare(terms, address, owner)


def _grade(task: Task) -> Outcome:
    """`worker.grade`, in a process of the pool."""
    from autograder.judging import worker

    return worker.grade(task)


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
        from autograder.judging import worker

        future: Any = self._client.submit(worker.grade_with, self._terms, task, pure=False)
        answer: Future[Outcome] = Future()
        answer.set_running_or_notify_cancel()
        future.add_done_callback(lambda done: _pass_on(done, answer))
        return answer

    def repair(self) -> None:
        """Dask repairs itself."""

    def unblock(self) -> None:
        """Dask notices by itself."""

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
