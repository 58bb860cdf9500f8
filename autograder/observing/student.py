"""The child that runs one submission: it does what its channel says until the channel closes.

Three requests exist. ``run`` executes a cell and answers with its outputs. ``observe`` calls the course's
observer on an object of the student's, by name, and answers with what was seen. ``write`` lays down files.
Everything in this process may be changed by the student's code; so nothing here decides about a score.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograder.channel import Channel, ChannelClosed, Message
from autograder.observing.shell import Descriptors, make_shell, run_cell

Observer = Callable[[object, Message], Message]


def entry_point(name: str) -> Callable[..., Any]:
    """The function behind "package.module:function".

    Raises:
        ImportError: there is no such module or function.
    """
    module, _, function = name.partition(":")
    found = getattr(importlib.import_module(module), function, None)
    if not callable(found):
        raise ImportError(f"{name} is not a function")
    return found  # type: ignore[no-any-return]


class Student:
    """The student's shell and what may be asked of it. Made once, before the first fork.

    Args:
        observe: the course's observer; None when the course has none.
        output_limit: bytes of output that a cell may have.
    """

    def __init__(self, observe: Observer | None, output_limit: int) -> None:
        self._shell = make_shell(output_limit)
        self._observe = observe

    def serve(self, channel: Channel, randomness: int) -> None:
        """Answer requests until the channel closes."""
        _reseed(randomness)
        self._descriptors = Descriptors()
        sys.stdin = None  # input() then fails at once instead of waiting
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with contextlib.suppress(ChannelClosed):
            while True:
                (request, buffers) = channel.receive()
                channel.send(self._answer(request, buffers))

    def _answer(self, request: dict[str, Any], buffers: list[bytes]) -> Message:
        try:
            if request["do"] == "run":
                return self._run(request["source"]), []
            if request["do"] == "write":
                return self._write(request["names"], buffers), []
            return self._look(request["name"], (request["request"], buffers))
        except BaseException as error:  # whatever a student's code lets through ends only this request
            return {"error": [type(error).__name__, str(error)[:500]]}, []

    def _run(self, source: str) -> dict[str, Any]:
        """Run a cell; the judging side may interrupt it with SIGINT."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return run_cell(self._shell, source, self._descriptors)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _write(self, names: list[str], contents: list[bytes]) -> dict[str, Any]:
        """Lay down the files that lie beside the notebook. They are found after the real packages."""
        for name, content in zip(names, contents, strict=True):
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        sys.path.append(os.getcwd())
        return {}

    def _look(self, name: str, request: Message) -> Message:
        """Observe the object of this name."""
        if name not in self._shell.user_ns:
            return {"error": ["NameError", f"name {name!r} is not defined"]}, []
        assert self._observe is not None
        seen, buffers = self._observe(self._shell.user_ns[name], request)
        return {"seen": seen}, buffers


def _reseed(randomness: int) -> None:
    """Give this child random numbers of its own: all children start as copies of one process."""
    random.seed(randomness)
    for module, function in (("numpy.random", "seed"), ("torch", "manual_seed")):
        if module in sys.modules:
            getattr(sys.modules[module], function)(randomness % 2**32)
