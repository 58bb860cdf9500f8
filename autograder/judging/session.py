"""The student's process over the length of a submission: started when needed, and again when a cell ends it.

A cell or a check that crashes, runs too long or takes too much memory ends the process, and with it the
names that earlier cells defined. The next request then starts a new one and runs the earlier cells again,
except those that did it; experiments are not run, so that takes milliseconds.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from autograder.channel import ChannelClosed, ChannelError, ChannelTimeout, Message
from autograder.observing.client import PATIENCE, Child

GRACE = 1.0
"""Seconds that an interrupted cell has to come to an end by itself."""


class Ended(Exception):
    """The student's process ended while it ran a cell or a check.

    Attributes:
        name: as the error in the notebook is called.
    """

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


class NoTimeLeft(Ended):
    """The time of the whole notebook is over."""

    def __init__(self, seconds: float) -> None:
        super().__init__("NotebookTimeout", f"The notebook ran longer than {seconds:g} s; this was not run.")


@dataclass(frozen=True)
class _Cell:
    """A cell that ran well and has to run again in a new process."""

    name: str
    source: str


class ServerLost(Exception):
    """The fork server ended, and the student's process with it: nothing that the student did."""


class Session:
    """The student's process.

    Args:
        start: forks a new child; called with the number of the attempt.
        cell_timeout: seconds for one cell, on the process's own clock (`client.Child.clock`).
        check_timeout: seconds for one check.
        notebook_timeout: seconds for all of it.
        files: what lies beside the notebook, by relative path.
        forgiving: raise `ServerLost` when the process ended with the fork server, and not by itself.
    """

    def __init__(
        self,
        start: Callable[[], Child],
        cell_timeout: float,
        check_timeout: float,
        notebook_timeout: float,
        files: dict[str, bytes] | None = None,
        forgiving: bool = False,
    ) -> None:
        self._start = start
        self._cell_timeout = cell_timeout
        self._check_timeout = check_timeout
        self._notebook_timeout = notebook_timeout
        self._files = files or {}
        self._forgiving = forgiving
        self._deadline = time.monotonic() + PATIENCE * notebook_timeout
        self._spent = 0.0
        self._late = False
        self._child: Child | None = None
        self._done: list[_Cell] = []
        self.ends: list[tuple[str, str]] = []
        """Where the process ended, and how, in a sentence."""
        self.notes: list[dict[str, Any]] = []
        """What the audit hook of all children noted, with the cell it happened in."""
        self.memory: dict[Any, Any] = {}
        """For the course's check, which may keep in it what it saw: emptied when a cell runs."""

    def run(self, name: str, source: str, keep: bool = True) -> dict[str, Any]:
        """Run a cell in the student's process and return its answer (see `observing.shell.run_cell`).

        Args:
            name: of the cell, for the notes.
            source: of the cell.
            keep: whether it has to run again in a new process.

        Raises:
            Ended: the process ended, or the cell had to be stopped.
        """
        self.memory.clear()
        answer = self._run(name, source)
        if keep:
            self._done.append(_Cell(name, source))
        return answer

    def observe(self, test: str, name: str, request: Message) -> Message:
        """Let the course's observer look at the object called `name`.

        Raises:
            Ended: the process ended, or had to be stopped.
            LookupError: there is no such object, or looking at it failed; the arguments are name and text.
        """
        header, buffers = request
        asked = {"do": "observe", "name": name, "request": header}
        answer, seen = self._ask(test, asked, buffers, self._check_timeout)
        if "error" in answer:
            raise LookupError(*_two_texts(answer["error"]))
        return answer.get("seen"), seen

    def close(self) -> None:
        """End the process."""
        self._end("", wait=False)

    def _run(self, name: str, source: str) -> dict[str, Any]:
        answer, _ = self._ask(name, {"do": "run", "source": source}, [], self._cell_timeout)
        if "error" in answer:
            raise Ended(*_two_texts(answer["error"]))
        return answer

    def _ask(
        self, name: str, request: dict[str, Any], buffers: list[bytes], limit: float
    ) -> tuple[dict[str, Any], list[bytes]]:
        child = self._ready_child(name)
        seconds = min(limit, self._time_left())
        try:
            with self._counted(child):
                answer, seen = child.ask(request, buffers, seconds)
        except ChannelTimeout:
            answer, seen = self._interrupt(name, request, child, limit)
        except ChannelError as error:
            raise self._note_end(name, self._died(name, child, error)) from error
        if not isinstance(answer, dict):
            raise self._note_end(name, self._died(name, child, ChannelError("the answer is no object")))
        return answer, seen

    def _interrupt(
        self, name: str, request: dict[str, Any], child: Child, limit: float
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Stop what runs too long; a cell that lets itself be stopped leaves its names in the process."""
        whole = self._time_left() <= 0
        if whole:
            self._note_no_time(name)
        sentence = (
            f"The notebook ran longer than {self._notebook_timeout:g} s and was stopped here."
            if whole
            else f"Stopped after {limit:g} s. Is there a loop that never ends?"
        )
        if request["do"] == "run":
            try:
                answer, _ = child.wait_longer(GRACE)
                if isinstance(answer, dict) and isinstance(answer.get("outputs"), list):
                    raise _Interrupted(sentence, answer)
            except ChannelError:
                pass
        self._end(name)
        raise Ended("CellTimeoutError", sentence)

    def _note_end(self, name: str, ended: Ended) -> Ended:
        self.ends.append((name, str(ended)))
        return ended

    def _note_no_time(self, name: str) -> None:
        """Note once where the notebook's time was over."""
        if not self._late:
            self._late = True
            self.ends.append((name, f"The notebook ran longer than {self._notebook_timeout:g} s."))

    def _died(self, name: str, child: Child, error: ChannelError) -> Ended:
        """Say how the process ended."""
        over_memory = child.over_memory
        talked_nonsense = not isinstance(error, ChannelClosed) and not child.ended()
        status = self._end(name)
        if child.lost and self._forgiving:
            raise ServerLost
        if over_memory:
            return Ended("MemoryLimit", "It used more memory than a submission may have, and was stopped.")
        if talked_nonsense:
            return Ended("ProtocolError", f"The process answered with {error}; it was stopped.")
        if status is not None and status < 0:
            try:
                how = f"was ended by {signal.Signals(-status).name}"
            except ValueError:
                how = f"was ended by signal {-status}"
        else:
            how = f"ended itself (exit code {status})" if status is not None else "ended"
        return Ended("DeadProcess", f"The Python process {how} while this ran.")

    def _ready_child(self, name: str) -> Child:
        """A process in which all earlier cells have run."""
        if self._time_left() <= 0:
            self._note_no_time(name)
            raise NoTimeLeft(self._notebook_timeout)
        if self._child is None:
            self._child = self._start()
            done, self._done = self._done, []
            if self._files:
                self._ask(name, {"do": "write", "names": list(self._files)}, [*self._files.values()], 10)
            for cell in done:
                self.run(cell.name, cell.source)
        return self._child

    def _end(self, name: str, wait: bool = True) -> int | None:
        child, self._child = self._child, None
        if child is None:
            return None
        status = child.kill(wait)
        self.notes += [{**note, "cell": name} for note in child.notes()]
        return status

    @contextmanager
    def _counted(self, child: Child) -> Iterator[None]:
        """What happens in the block counts as the notebook's time."""
        start = child.clock()
        try:
            yield
        finally:
            self._spent += child.clock() - start

    def _time_left(self) -> float:
        """Seconds for which the student's process may still be asked; what the judge takes does not count."""
        return min(self._notebook_timeout - self._spent, self._deadline - time.monotonic())


class _Interrupted(Ended):
    """A cell was stopped and the process lives on."""

    def __init__(self, sentence: str, answer: dict[str, Any]) -> None:
        super().__init__("CellTimeoutError", sentence)
        self.answer = answer


def outputs_until(ended: Ended) -> list[Any]:
    """What a stopped cell showed until then, without the KeyboardInterrupt."""
    if not isinstance(ended, _Interrupted):
        return []
    return [
        output
        for output in ended.answer["outputs"]
        if not (isinstance(output, dict) and output.get("ename") == "KeyboardInterrupt")
    ]


def _two_texts(error: object) -> tuple[str, str]:
    name, text = (*error, "", "")[:2] if isinstance(error, list) else ("Error", "")
    return str(name)[:100], str(text)[:500]
