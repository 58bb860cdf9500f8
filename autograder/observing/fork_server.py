"""The fork server: ``python -m autograder.observing.fork_server``, started by `client.ForkServer`.

It enters the sandbox's base, imports what the course asks for (seconds, once), and then forks a child for
each request (milliseconds). It never runs a student's code and never calls into torch, whose threads would
not survive a fork.

A request is one connection to its Unix socket, made by the same user: one JSON message with the child's end
of the channel attached. The answer is one JSON message with a pidfd of the child attached. The child lives
until it ends or the connection closes, so when the asking process is killed, its child is killed too. The
server itself ends when its standard input closes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
import traceback
from pathlib import Path
from typing import Any

from autograder import sandbox
from autograder.channel import MEGABYTE, Channel
from autograder.observing import audit
from autograder.observing.student import Student, entry_point

_MESSAGE = 65536


class _Children:
    """The connections of the running children."""

    def __init__(self, listener: socket.socket, config: dict[str, Any], student: Student) -> None:
        self._listener = listener
        self._config = config
        self._student = student
        self._limits = sandbox.Limits(**config["limits"])
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, tuple[socket.socket, int, int]] = {}

    def serve(self) -> None:
        """Fork children until standard input closes."""
        self._selector.register(0, selectors.EVENT_READ, ("owner", 0))
        self._selector.register(self._listener, selectors.EVENT_READ, ("request", 0))
        while True:
            for key, _ in self._selector.select():
                kind, child = key.data
                if kind == "owner":
                    return
                if kind == "request":
                    with contextlib.suppress(OSError):
                        self._accept()
                elif child in self._running:
                    self._end(child)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(5)
        user = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
        text, descriptors, _, _ = socket.recv_fds(connection, _MESSAGE, 2)
        if user != self._config["user"] or not text or len(descriptors) != 2:
            connection.close()
            return
        request = json.loads(text)
        child = self._fork(request, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        pidfd = os.pidfd_open(child)
        socket.send_fds(connection, [b"{}"], [pidfd])
        self._running[child] = (connection, child, pidfd)
        self._selector.register(connection, selectors.EVENT_READ, ("left", child))
        self._selector.register(pidfd, selectors.EVENT_READ, ("ended", child))

    def _fork(self, request: dict[str, Any], channel: int, notes: int) -> int:
        if self._config["sandbox"]:
            sandbox.next_child_gets_pid_namespace()
        child = os.fork()
        if child:
            return child
        # The child. Whatever happens, it must not return into the server's loop.
        status = 1
        try:
            sandbox.close_other_descriptors(keep=[channel, notes])
            _nothing_on_standard_streams()
            if self._config["sandbox"]:
                sandbox.confine(self._limits)
            else:
                sandbox.limit_only(self._limits)
                os.chdir(request["folder"])
            audit.start(notes)
            key = bytes.fromhex(request["key"])
            self._student.serve(
                Channel(socket.socket(fileno=channel), key, judge=False, text_limit=64 * MEGABYTE),
                request["randomness"],
            )
            status = 0
        except BaseException:
            with contextlib.suppress(BaseException):
                os.write(notes, json.dumps({"failed": traceback.format_exc()[-2000:]}).encode() + b"\n")
        finally:
            os._exit(status)

    def _end(self, child: int) -> None:
        """A child ended, or who asked for it is gone: kill what is left of it and tell how it ended."""
        connection, _, pidfd = self._running.pop(child)
        self._selector.unregister(connection)
        self._selector.unregister(pidfd)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        if not self._config["sandbox"]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(OSError):
            connection.send(json.dumps({"status": os.waitstatus_to_exitcode(status)}).encode())
        connection.close()
        os.close(pidfd)


def _nothing_on_standard_streams() -> None:
    """The lowest free descriptors are 0, 1 and 2: nothing that is opened later may take their places."""
    while os.open(os.devnull, os.O_RDWR) < 2:
        pass


def _import(modules: list[str]) -> list[str]:
    """Import the course's modules; returns a sentence for each that fails."""
    failed = []
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            failed.append(f"{name} cannot be imported ({type(error).__name__}: {error})")
    return failed


def main() -> None:
    """Read the configuration (one JSON line on stdin), get ready, say so (one JSON line on stdout), serve."""
    config = json.loads(_read_line(0))
    listener = socket.socket(fileno=config["listener"])
    font_lists = {path.name: path.read_bytes() for path in map(Path, config["font_lists"])}
    try:
        if config["sandbox"]:
            sandbox.enter_base(map(Path, config["visible"]), map(Path, config["hidden"]))
        folder = Path(os.environ["MPLCONFIGDIR"])
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in font_lists.items():
            (folder / name).write_bytes(content)
        failed = _import(config["preload"])
        observe = entry_point(config["observe"]) if config["observe"] else None
        student = Student(observe, config["output_limit"])
    except Exception as error:
        _say({"problem": f"{type(error).__name__}: {error}"})
        sys.exit(2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # a collection in a child would write to, and so copy, all of the shared memory
    _say({"ready": True, "failed": failed})
    _Children(listener, config, student).serve()


def _read_line(descriptor: int) -> bytes:
    """One line, without reading past its end."""
    line = bytearray()
    while byte := os.read(descriptor, 1):
        if byte == b"\n":
            break
        line += byte
    return bytes(line)


def _say(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
