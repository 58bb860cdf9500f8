"""Around the student's code: silence, a time limit, notes of what ran, and the line at which it failed."""

from __future__ import annotations

import contextlib
import linecache
import os
import signal
import sys
import sysconfig
import threading
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.utils.fusion
from torch.utils._python_dispatch import TorchDispatchMode

_COURSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CHECKS = os.path.join(_COURSE, "checks")
_LIBRARIES = tuple({os.path.abspath(sysconfig.get_paths()[key]) for key in ("stdlib", "purelib", "platlib")})

_SHORTCUTS = {module.__file__: module.__name__ for module in (torch.autograd, torch.nn.utils.fusion)}
"""Modules of torch whose work cannot be told from a student's by its operators."""


class OutOfTime(BaseException):
    """The probe's time is over. Not an Exception, so that a student's `except Exception` does not eat it."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings and stderr out of the cell's stderr: nbgrader scores any stderr text 0."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(sys.stdout):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def time_limited(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in the block after some seconds, where signals can be had."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    # Rings again every second, should the student's code catch it.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class OperatorLog(TorchDispatchMode):
    """Writes down the name of every operator below autograd, whatever Python name it was called by."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise the first call imports torch's compiler: 1.5 s for a wrapper that does nothing here.
        return False

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self._names = names

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def note_course_functions(names: set[str]) -> Iterator[None]:
    """Write down which functions of the course package, and of `_SHORTCUTS`, the student's code calls."""

    def note(frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call":
            return
        if code.co_filename in _SHORTCUTS and not code.co_name.startswith("_"):
            names.add(f"{_SHORTCUTS[code.co_filename]}.{code.co_qualname}")
        elif code.co_filename.startswith(_COURSE) and not code.co_filename.startswith(_CHECKS):
            names.add(code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


def student_line(error: BaseException) -> str:
    """The innermost line of the student's own code in a traceback: "line 3: x = y + 1"."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith((_COURSE, *_LIBRARIES)) or frame.filename.startswith("<frozen"):
            continue
        source = linecache.getline(frame.filename, frame.lineno or 0).strip()
        return f"line {frame.lineno}" + (f": {source}" if source else "")
    return ""
