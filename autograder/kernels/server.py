"""The fork server: imports once, then forks a kernel for everyone who asks on its socket.

One thread and one loop, because only a process with one thread can be forked safely. Each kernel has one
connection, and it lives as long as that: when the Jupyter process that asked for it closes the connection or
dies, the kernel and what it started are killed. A kernel that has ended stays a zombie until then, so that
the process group that a Jupyter process sends signals to is always the one it means.

The server ends when it had no kernel for some time, on SIGTERM, and when a file that it imported has changed,
because its kernels would run old code. Whoever asks next starts a new one.

Run as ``python -m autograder.kernels.server SOCKET IDLE_SECONDS [MODULE...]``. The command returns when
a server listens; the server itself goes on in the background.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from autograder.kernels import wire
from autograder.kernels.child import Request, run_kernel
from autograder.kernels.preload import Preloaded, preload
from autograder.kernels.settings import locked

_REQUEST_SECONDS = 5.0
_FIRST_REQUEST_SECONDS = 10.0
_BACKLOG = 128


@dataclass
class _Kernel:
    """A fork and who asked for it."""

    pid: int
    process: int
    """pidfd, readable when the kernel has ended"""
    owner: int
    """pidfd of the Jupyter process, whose own forks may hold the connection open after its death"""
    connection: socket.socket
    abandoned: bool = False
    ended: bool = False


class Server:
    """Listens, forks, and tells how kernels ended."""

    def __init__(self, listener: socket.socket, path: Path, idle: float, preloaded: Preloaded) -> None:
        self._listener = listener
        self._path = path
        self._idle = idle
        self._preloaded = preloaded
        self._kernels: dict[int, _Kernel] = {}
        self._listening = True
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._alarm = socket.socketpair()

    def serve(self) -> Request | None:
        """Serve until there is nothing left to do. **Returns in every kernel too**, with its request."""
        self._listener.setblocking(False)
        self._alarm.setblocking(False)
        signal.set_wakeup_fd(self._alarm.fileno())
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._watch(self._wakeup, self._terminate)
        self._watch(self._listener, self._accept)
        deadline = time.monotonic() + max(self._idle, _FIRST_REQUEST_SECONDS)
        while self._listening or self._kernels:
            events = self._selector.select(None if self._kernels else max(0.0, deadline - time.monotonic()))
            if not events:
                self._stop_listening("The fork server was about to end.")
            for key, _ in events:
                # What an earlier event of this round closed must not be served any more.
                if self._selector.get_map().get(key.fd) is key and (request := key.data()) is not None:
                    return request  # type: ignore[no-any-return]
            if events:
                deadline = time.monotonic() + self._idle
        self._close()
        return None

    def _accept(self) -> Request | None:
        """Take one request; in the fork that is made for it, return it."""
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return None
        files: list[int] = []
        try:
            connection.settimeout(_REQUEST_SECONDS)
            owner, user = wire.peer(connection)
            if user != os.geteuid():
                raise PermissionError("another user")
            message, files = wire.receive(connection, max_files=3)
            request = self._answer(connection, owner, message, files)
        except (OSError, ValueError):
            connection.close()
            request = None
        if request is None:
            for file in files:
                os.close(file)
        return request

    def _answer(
        self, connection: socket.socket, owner: int, message: dict[str, Any], files: list[int]
    ) -> Request | None:
        if message.get("do") == "stop":
            self._stop_listening("The fork server was told to end.")
        if message.get("do") != "fork":
            reply = self._status()
        elif changed := self._preloaded.changed_file():
            # The others that wait are told the same: they start a new server.
            self._stop_listening(f"{changed} has changed.")
            reply = {"retry": f"{changed} has changed."}
        elif self._preloaded.refusal:
            reply = {"refused": self._preloaded.refusal}
        else:
            return self._fork(connection, owner, Request.read(message, files))
        with connection:
            wire.send(connection, reply)
        return None

    def _fork(self, connection: socket.socket, owner: int, request: Request) -> Request | None:
        owner_file = os.pidfd_open(owner)
        try:
            pid = _fork_with_signals_blocked()
        except OSError as error:
            os.close(owner_file)
            with connection:
                wire.send(connection, {"refused": f"The fork server cannot fork: {error.strerror}."})
            return None
        if pid == 0:
            connection.close()
            os.close(owner_file)
            signal.set_wakeup_fd(-1)
            self._close()
            return request
        kernel = _Kernel(pid, os.pidfd_open(pid), owner_file, connection)
        self._kernels[pid] = kernel
        self._watch(kernel.process, partial(self._ended, kernel))
        self._watch(kernel.owner, partial(self._abandon, kernel))
        self._watch(kernel.connection, partial(self._abandon, kernel))
        with suppress(OSError):  # it is gone: the connection's event comes next
            wire.send(connection, {"pid": pid, "problems": self._preloaded.problems}, [kernel.process])
        return None

    def _ended(self, kernel: _Kernel) -> None:
        """Tell the status of a kernel that has ended, and leave it as a zombie for now."""
        self._selector.unregister(kernel.process)
        kernel.ended = True
        found = os.waitid(os.P_PIDFD, kernel.process, os.WEXITED | os.WNOWAIT)
        if found is not None:
            status = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            with suppress(OSError):
                wire.send(kernel.connection, {"status": status})
        if kernel.abandoned:
            self._bury(kernel)

    def _abandon(self, kernel: _Kernel) -> None:
        """Kill a kernel that nobody waits for any more, and what is left of its process group."""
        self._selector.unregister(kernel.owner)
        self._selector.unregister(kernel.connection)
        kernel.abandoned = True
        with suppress(ProcessLookupError):
            os.killpg(kernel.pid, signal.SIGKILL)
        with suppress(ProcessLookupError):  # a fork so young that it has no group of its own yet
            signal.pidfd_send_signal(kernel.process, signal.SIGKILL)
        if kernel.ended:
            self._bury(kernel)

    def _bury(self, kernel: _Kernel) -> None:
        os.waitpid(kernel.pid, 0)
        del self._kernels[kernel.pid]
        self._close_kernel(kernel)

    def _terminate(self) -> None:
        self._wakeup.recv(64)
        self._stop_listening("The fork server was told to end.")
        for kernel in list(self._kernels.values()):
            if not kernel.abandoned:
                self._abandon(kernel)

    def _stop_listening(self, reason: str) -> None:
        """Take the socket away: who asks next starts a new server, and who waits already is told so."""
        if not self._listening:
            return
        self._listening = False
        with suppress(OSError), locked(self._path.parent):
            self._path.unlink()
        self._selector.unregister(self._listener)
        with suppress(OSError):  # nobody waits any more
            while True:
                connection, _ = self._listener.accept()
                with suppress(OSError), connection:
                    wire.send(connection, {"retry": reason})
        self._listener.close()

    def _status(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "modules": self._preloaded.modules,
            "problems": [*self._preloaded.problems, *filter(None, [self._preloaded.refusal])],
            "kernels": sorted(self._kernels),
        }

    def _watch(self, file: int | socket.socket, handler: Any) -> None:
        self._selector.register(file, selectors.EVENT_READ, handler)

    def _close(self) -> None:
        """Close the server's files; in a kernel too, which must hold nobody's connection open."""
        for kernel in self._kernels.values():
            self._close_kernel(kernel)
        for each in (self._selector, self._listener, self._wakeup, self._alarm):
            each.close()

    @staticmethod
    def _close_kernel(kernel: _Kernel) -> None:
        kernel.connection.close()
        os.close(kernel.process)
        os.close(kernel.owner)


def _fork_with_signals_blocked() -> int:
    """Fork; in the child signals stay blocked, because its handlers are still the server's."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = -1
    try:
        with warnings.catch_warnings():
            # Python 3.12 counts the threads of numpy's OpenBLAS, which takes care of forks itself.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    finally:
        if pid != 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return pid


def listen(path: Path) -> socket.socket | None:
    """A socket that listens at `path`, or None where another server listens already."""
    with locked(path.parent):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError):
                path.unlink(missing_ok=True)  # a server that was killed left it
            else:
                return None
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(_BACKLOG)
        return listener


def main(arguments: Sequence[str]) -> None:
    """Start a server in the background, unless there is one. Returns in every kernel when it has ended."""
    path, idle, *modules = arguments
    listener = listen(Path(path))
    if listener is None:
        return
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
    server = os.getpid()
    # Who asks meanwhile waits in the socket's queue.
    preloaded = preload(modules)
    request = Server(listener, Path(path), float(idle), preloaded).serve()
    if request is not None:
        run_kernel(request, server, preloaded.variables)


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the folder it was started in; ipykernel adds the kernel's own
    main(sys.argv[1:])
