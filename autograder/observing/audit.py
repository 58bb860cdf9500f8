"""Notes when a student's cell reaches for what no exercise needs, as evidence for an instructor.

Python's audit hooks (PEP 578) cannot be removed from Python code, and a note is written to a pipe before the
call goes on, so it stays when the call then takes the process over. Only calls whose own line stands in a
cell are noted: libraries do such things for good reasons. A note changes no score.
"""

from __future__ import annotations

import json
import os
import sys
from types import FrameType
from typing import Any

NOTED = {
    "ctypes.dlopen": "loads a C library with ctypes",
    "ctypes.dlsym": "calls C functions with ctypes",
    "gc.get_objects": "lists all objects of the process",
    "gc.get_referrers": "looks for what refers to an object",
    "sys._current_frames": "reads the frames of other threads",
    "sys.addaudithook": "adds an audit hook",
    "sys.setprofile": "sets a profile function",
    "sys.settrace": "sets a trace function",
    "os.exec": "replaces the process by another program",
    "os.fork": "starts another process",
    "os.forkpty": "starts another process",
    "os.posix_spawn": "starts another process",
    "os.system": "starts another program",
    "subprocess.Popen": "starts another program",
    "os.kill": "sends a signal to a process",
    "socket.connect": "opens a network connection",
    "sqlite3.connect": "opens a database",
    "_thread.start_new_thread": "starts a thread",
}
_MOST = 50


def start(descriptor: int) -> None:
    """From here on, write a JSON line to the file descriptor for each noted call."""
    written = 0

    def hook(event: str, _: tuple[Any, ...]) -> None:
        nonlocal written
        if event not in NOTED or written >= _MOST:
            return
        frame = _student_frame(sys._getframe(1))
        if frame is None:
            return
        written += 1
        note = {"event": event, "line": frame.f_lineno, "function": frame.f_code.co_name}
        os.write(descriptor, json.dumps(note).encode() + b"\n")

    sys.addaudithook(hook)


def _student_frame(frame: FrameType | None) -> FrameType | None:
    """The calling frame if it stands in a cell, looking through the standard library's own frames."""
    for _ in range(6):
        if frame is None:
            return None
        name = frame.f_code.co_filename
        if name.startswith("<ipython-input"):
            return frame
        if "site-packages" in name or os.sep + "autograder" + os.sep in name:
            return None
        frame = frame.f_back
    return None
