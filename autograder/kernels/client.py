"""The Jupyter process's end: find or start a fork server, ask it for a kernel, and hold on to that kernel.

`ForkedKernel` looks like the `subprocess.Popen` of a kernel, though the kernel is the fork server's child: it
is signalled through a pidfd, and its exit status comes over the connection.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from autograder.errors import AutograderError
from autograder.kernels import settings, wire

_PATIENCE = 120.0
"""Seconds that a server may need to import its preload list."""
_STARTING_SECONDS = 5.0
_ENDING_SECONDS = 0.2
_ATTEMPTS = 4
# Servers that did not answer, and why: this process does not wait for them a second time.
_HOPELESS: dict[str, str] = {}


class NoWarmKernel(AutograderError):
    """No warm kernel could be had; its text says why. The kernel is then started cold."""


class ForkedKernel:
    """A kernel that a fork server started for this process, as far as `LocalProvisioner` uses a Popen."""

    stdin = stdout = stderr = None
    # Like a Popen that was forgotten, a kernel that was forgotten runs on until this process ends.
    _alive: ClassVar[set[ForkedKernel]] = set()

    def __init__(self, pid: int, process: int, connection: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._process = process
        self._connection = connection.detach()
        self._closed = False
        self._alive.add(self)

    def poll(self) -> int | None:
        """The exit status (negative: the signal that ended it), or None while it runs."""
        if self.returncode is None and not self._closed and _readable(self._connection, 0):
            try:
                with socket.socket(fileno=os.dup(self._connection)) as connection:
                    connection.settimeout(1.0)
                    message, _ = wire.receive(connection)
                self.returncode = int(message["status"])
            except (OSError, KeyError, ValueError):
                # The server is gone, and nobody can say how the kernel ended. It must not go on by itself.
                self.kill()
                if _readable(self._process, 5.0):
                    self.returncode = -signal.SIGKILL
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, then let the server forget this kernel and kill what is left of its group."""
        if self.returncode is None and not _readable(self._connection, timeout):
            raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
        status = self.poll()
        self.close()
        return -signal.SIGKILL if status is None else status

    async def wait_a_moment(self) -> None:
        """Wait for the end, but not long, and without blocking the event loop."""
        if self.returncode is None and not self._closed:
            with suppress(TimeoutError):
                await _until_readable(self._connection, _ENDING_SECONDS)

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel alone (a provisioner prefers its process group)."""
        if self.returncode is None and not self._closed:
            signal.pidfd_send_signal(self._process, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._send_tolerantly(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._send_tolerantly(signal.SIGTERM)

    def close(self) -> None:
        """Give the kernel up: when it still runs, the server kills it."""
        if not self._closed:
            self._closed = True
            os.close(self._connection)
            os.close(self._process)
            self._alive.discard(self)

    def _send_tolerantly(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self.send_signal(number)


async def start_kernel(
    interpreter: Sequence[str],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: str,
    outputs: tuple[int, int],
) -> tuple[ForkedKernel, list[str]]:
    """Have a kernel forked, by a server that is there or that is started now.

    Args:
        interpreter: the Python executable and its options. arguments: what follows `-m ipykernel_launcher`.
        environment: the kernel's whole environment. folder: where it runs. outputs: file descriptors of its
        standard output and standard error; they are copied.

    Returns:
        The kernel, and a sentence for each module of the preload list that was skipped.

    Raises:
        NoWarmKernel: there is none to be had.
    """
    request = {
        "do": "fork",
        "arguments": list(arguments),
        "environment": dict(environment),
        "folder": folder,
    }
    preload = settings.read_preload([Path(folder), Path.cwd()])
    name = settings.fingerprint(interpreter, preload, environment)
    path = settings.socket_folder() / name
    if name in _HOPELESS:
        raise NoWarmKernel(_HOPELESS[name])
    reason = ""
    for _ in range(_ATTEMPTS):
        connection = connect(path)
        if connection is None:
            await _start_server(interpreter, path, preload, environment)
            continue
        try:
            kernel, reply = await _ask(connection, request, outputs)
        except OSError as error:
            connection.close()
            _HOPELESS[name] = (
                f"The fork server did not answer ({error}). Perhaps importing one of its modules crashes it: "
                f"{', '.join(preload) or 'none'}."
            )
            raise NoWarmKernel(_HOPELESS[name]) from error
        if kernel is not None:
            return kernel, list(reply["problems"])
        connection.close()
        if "refused" in reply:
            raise NoWarmKernel(str(reply["refused"]))
        reason = str(reply.get("retry", ""))
    raise NoWarmKernel(f"No fork server could be started. {reason}")


def connect(path: Path) -> socket.socket | None:
    """A connection to the server at `path`, or None where none listens.

    Raises:
        NoWarmKernel: what listens there belongs to somebody else.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_PATIENCE)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    if wire.peer(connection)[1] != os.geteuid():
        connection.close()
        raise NoWarmKernel(f"{path} belongs to another user.")
    return connection


async def _ask(
    connection: socket.socket, request: dict[str, Any], outputs: tuple[int, int]
) -> tuple[ForkedKernel | None, dict[str, Any]]:
    """Ask for a kernel, and wait until clients can connect to it: their next try would come 0.1 s later."""
    bound, ready = os.pipe()
    try:
        try:
            wire.send(connection, request, (*outputs, ready))
        finally:
            os.close(ready)
        await _until_readable(connection.fileno(), _PATIENCE)
        reply, files = wire.receive(connection, max_files=1)
        if not files:
            return None, reply
        kernel = ForkedKernel(int(reply["pid"]), files[0], connection)
        with suppress(TimeoutError):  # a slow start-up file; the client has its own patience
            await _until_readable(bound, _STARTING_SECONDS)
        return kernel, reply
    finally:
        os.close(bound)


async def _start_server(
    interpreter: Sequence[str], path: Path, preload: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Start a server, and return when one listens (which may be another that was quicker)."""
    command = [
        *interpreter,
        "-m",
        "autograder.kernels.server",
        str(path),
        str(settings.read_idle()),
        *preload,
    ]
    # The folder is not the kernel's: the server must not hold it, nor import what lies there.
    with subprocess.Popen(
        command,
        cwd="/",
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        try:
            await _until_readable(process.stderr.fileno(), _PATIENCE)
        except BaseException:
            process.kill()
            raise
        said = process.stderr.read().decode(errors="replace").strip().splitlines()
    if process.returncode != 0:
        raise NoWarmKernel(f"No fork server could be started: {said[-1] if said else process.returncode}.")


async def _until_readable(file: int, seconds: float) -> None:
    """Wait without blocking the event loop, which serves other kernels meanwhile.

    Raises:
        TimeoutError: nothing came.
    """
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(file, ready.set)
    try:
        await asyncio.wait_for(ready.wait(), seconds)
    except TimeoutError:
        raise TimeoutError(f"nothing in {seconds:.0f} s") from None
    finally:
        loop.remove_reader(file)


def _readable(file: int, timeout: float | None) -> bool:
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))
