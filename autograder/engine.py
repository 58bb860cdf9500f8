"""Run submissions through an executor: many at once, few in memory, and nothing lost when a process dies.

An executor (see `executors`) takes tasks; here is the loop around it. Tasks are made when there is room for
them, so a class of ten thousand never lies in memory, and each outcome is handed on as soon as it is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool

from autograder.executors import Executor
from autograder.task import Outcome, Task

QUEUED = 2
"""Tasks that wait for each that runs, so that no process is idle."""

SECONDS_OF_SILENCE = 10.0
"""After so long without an outcome the engine asks whether a process is dead; it may also just be slow."""

_DIED = "The process that graded it ended twice without an answer (too little memory?)."


def run(executor: Executor, tasks: Iterable[Task], on_outcome: Callable[[Outcome], None]) -> None:
    """Grade all tasks.

    Args:
        executor: where they run.
        tasks: made one by one, as there is room.
        on_outcome: called in this thread with each outcome, in no particular order.
    """
    waiting = _Waiting(iter(tasks))
    running: dict[Future[Outcome], Task] = {}
    while True:
        while len(running) < executor.width * (1 + QUEUED) and (task := waiting.next()):
            running[_submit(executor, task)] = task
        if not running:
            return
        finished, _ = wait(running, SECONDS_OF_SILENCE, FIRST_COMPLETED)
        if not finished:
            executor.unblock()
        broken = []
        for future in finished:
            task = running.pop(future)
            try:
                outcome = future.result()
            except BrokenProcessPool:
                broken.append(task)
            except Exception as error:
                on_outcome(Outcome(task.student, refused=_failed(error)))
            else:
                on_outcome(outcome)
        if broken:
            # One dead process breaks the whole pool: nobody knows whose task it was, so all are tried again.
            broken += [running.pop(future) for future in list(running) if _is_broken(future)]
            executor.repair()
            for task in broken:
                if not waiting.again(task):
                    on_outcome(Outcome(task.student, refused=_DIED))


class _Waiting:
    """Tasks that have not started, first those that have to be repeated."""

    def __init__(self, tasks: Iterator[Task]) -> None:
        self._tasks = tasks
        self._repeated: deque[Task] = deque()
        self._tries: dict[str, int] = {}

    def next(self) -> Task | None:
        return self._repeated.popleft() if self._repeated else next(self._tasks, None)

    def again(self, task: Task) -> bool:
        """Put a task back; False when it has been tried often enough."""
        self._tries[task.student] = self._tries.get(task.student, 1) + 1
        if self._tries[task.student] > 3:
            return False
        self._repeated.append(task)
        return True


def _submit(executor: Executor, task: Task) -> Future[Outcome]:
    try:
        return executor.submit(task)
    except BrokenProcessPool:
        executor.repair()
        return executor.submit(task)


def _is_broken(future: Future[Outcome]) -> bool:
    wait([future], timeout=5)
    return not future.done() or isinstance(future.exception(), BrokenProcessPool)


def _failed(error: Exception) -> str:
    return f"The grader failed on it ({type(error).__name__}: {str(error)[:300]}); please report this."
