"""The judging side's hold on the fork server and its children."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from autograder.channel import MEGABYTE, Channel, ChannelClosed, ChannelTimeout, Message
from autograder.errors import AutograderError
from autograder.sandbox import Limits, environment, interpreter, memory_megabytes

SECONDS_TO_START = 120
PREFIX = "autograder-"
"""Temporary folders begin with this and the process id of their owner."""
PATIENCE = 4.0
"""How many times longer than its limit a child may take by the clock, while it waits for a processor."""
_MESSAGE = 65536


class ForkServerError(AutograderError):
    """The fork server could not be started, or it is gone."""


@dataclass(frozen=True)
class Surroundings:
    """What the fork server is made of; plain data, the same for all submissions of a run.

    Attributes:
        preload: modules that it imports before it forks.
        observe: the course's observer, "module:function"; empty for none.
        visible: folders that submissions may read, beside Python itself and the packages of `preload`.
        hidden: folders that stay empty for them even where they lie inside a visible one.
        sandboxed: whether children are confined.
        limits: of one child.
        output_limit: bytes of output that a cell may have.
        masked: files of installed packages that are empty for submissions.
    """

    preload: tuple[str, ...]
    observe: str
    visible: tuple[str, ...]
    hidden: tuple[str, ...]
    sandboxed: bool
    limits: Limits
    output_limit: int = MEGABYTE
    masked: tuple[str, ...] = ()


class ForkServer:
    """A fork server; use it as a context manager.

    The constructor only starts it. It imports for seconds, in which its owner can do something else; whoever
    connects to it earlier waits.

    Raises:
        ForkServerError: it cannot start; the text says why.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        sweep()
        # Mode 0700: other users cannot connect.
        self._folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
        self.address = str(Path(self._folder) / "s")  # the whole path may have 107 letters
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
                listener.bind(self.address)
                listener.listen(64)
                self._process = self._start(listener.fileno())
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _start(self, listener: int) -> subprocess.Popen[bytes]:
        """Start the process and send it the configuration."""
        config = {
            "listener": listener,
            "user": os.getuid(),
            "sandbox": self.surroundings.sandboxed,
            "visible": [str(path) for path in visible_folders(self.surroundings)],
            "hidden": [
                path
                for path in (*self.surroundings.hidden, *self.surroundings.masked)
                if os.path.exists(path)
            ],
            "font_lists": [str(path) for path in _font_lists()],
            "limits": asdict(self.surroundings.limits),
            "preload": list(self.surroundings.preload),
            "observe": self.surroundings.observe,
            "output_limit": self.surroundings.output_limit,
        }
        # Not in our process group: Ctrl-C is ours to handle.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "autograder.observing.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[listener],
            env=_environment(self._folder, self.surroundings.sandboxed),
            cwd="/",
            start_new_session=True,
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended; who waits for it is told
            process.stdin.write(json.dumps(config).encode() + b"\n")
            process.stdin.flush()
        return process

    @cached_property
    def failed_imports(self) -> list[str]:
        """A sentence for each of the course's modules that it could not import; waits until it is ready.

        Raises:
            ForkServerError: it is not going to be ready.
        """
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], SECONDS_TO_START)
        line = self._process.stdout.readline() if ready else b""
        answer = json.loads(line) if line else {}
        if answer.get("ready"):
            return list(answer["failed"])
        problem = answer.get("problem") or "it ended, or did not answer in time"
        raise ForkServerError(f"The process that runs submissions cannot start: {problem}.")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def stop(self) -> None:
        """End it and all its children."""
        if self.surroundings.sandboxed:
            # Its children are in its process namespace and end with it. By itself it takes a while to leave
            # torch behind.
            self._process.kill()
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Child:
    """A forked process for one submission.

    Args:
        address: of the fork server.
        sandboxed: whether its children are confined.
        randomness: seeds the child's random generators.
        memory_limit: megabytes that the child and all it starts may use together.
        folder: the child's working folder where there is no sandbox.

    Raises:
        ForkServerError: the fork server is gone.
    """

    def __init__(
        self, address: str, sandboxed: bool, randomness: int, memory_limit: int, folder: str = "/"
    ) -> None:
        self._sandboxed = sandboxed
        self._memory_limit = memory_limit
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._notes, notes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        key = secrets.token_bytes(32)
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {"key": key.hex(), "randomness": randomness, "folder": folder}
        try:
            self._connection.settimeout(30)
            self._connection.connect(address)
            socket.send_fds(self._connection, [json.dumps(request).encode()], [theirs.fileno(), notes])
            _, descriptors, _, _ = socket.recv_fds(self._connection, _MESSAGE, 1)
            (self._pidfd,) = descriptors
        except (OSError, ValueError, KeyError) as error:
            self._connection.close()
            os.close(self._notes)
            ours.close()
            raise ForkServerError("The process that runs submissions is gone.") from error
        finally:
            theirs.close()
            os.close(notes)
        self._channel = Channel(ours, key, judge=True)
        self._open = True
        self.over_memory = False
        self.lost = False
        """Whether it ended because the fork server did; known after `kill`."""
        self._next_look = 0.0
        self._waited = 0.0

    def ask(self, request: dict[str, Any], buffers: list[bytes], seconds: float) -> Message:
        """Send a request and wait for the answer.

        Args:
            request: JSON.
            buffers: bytes.
            seconds: on the child's own clock (see `clock`); at most `PATIENCE` times as many on ours.

        Raises:
            ChannelTimeout: no answer in time; the child still runs.
            ChannelError: the child is gone, or what it sent is no answer.
        """
        began, start = time.monotonic(), self.clock()

        def watch() -> None:
            if self.clock() - start >= seconds:
                raise ChannelTimeout
            self._watch_memory()

        self._channel.send((request, buffers), seconds)
        return self._channel.receive(PATIENCE * seconds - (time.monotonic() - began), watch)

    def clock(self) -> float:
        """Seconds by the child's own clock.

        It stands still while the child is ready to run and others have the processors: nobody loses points
        because a machine is busy. It goes on while the child works, sleeps, or waits for its own threads.
        """
        pid = self._pid() if self._open else None
        with contextlib.suppress(OSError, ValueError, IndexError):
            nanoseconds = Path(f"/proc/{pid}/schedstat").read_text().split()[1]
            self._waited = int(nanoseconds) / 1e9
        return time.monotonic() - self._waited

    def wait_longer(self, seconds: float) -> Message:
        """Interrupt what the child runs (as the stop button does) and wait for the answer."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGINT)
        return self._channel.receive(seconds, self._watch_memory)

    def _watch_memory(self) -> None:
        """rlimits bound each process; this bounds the child with all that it started."""
        began = time.monotonic()
        if began < self._next_look:
            return
        pid = self._pid()
        used = 0.0 if pid is None else memory_megabytes(pid, enough=self._memory_limit)
        # Many processes take long to look at: a tenth of the time, but nobody is left alone for long.
        now = time.monotonic()
        self._next_look = now + min(max(0.2, 10 * (now - began)), 1.0)
        if used > self._memory_limit:
            self.over_memory = True
            self.kill()
            raise ChannelClosed("over its memory limit")

    def kill(self, wait: bool = True) -> int | None:
        """End the child with all that it started.

        Args:
            wait: until it is gone, some milliseconds. It ends just as surely without.

        Returns:
            Its exit code, negative for a signal; None when it is not known.
        """
        if not self._open:
            return self._status
        self._open = False
        family = [] if self._sandboxed else self._descendants()
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.kill()
        self._status: int | None = None
        if wait:
            self._status = self._how_it_ended()
        self._connection.close()
        self._channel.close()
        os.close(self._pidfd)
        return self._status

    def _how_it_ended(self) -> int | None:
        try:
            answer = self._connection.recv(_MESSAGE)
        except TimeoutError:
            return None
        except OSError:
            answer = b""
        self.lost = not answer
        with contextlib.suppress(ValueError, KeyError):
            return int(json.loads(answer)["status"])
        return None

    def _pid(self) -> int | None:
        """The child's process id as this process sees it; the fork server counts its own."""
        for line in Path(f"/proc/self/fdinfo/{self._pidfd}").read_text().splitlines():
            if line.startswith("Pid:"):
                pid = int(line.split()[1])
                return pid if pid > 0 else None
        return None

    def _descendants(self) -> list[psutil.Process]:
        pid = self._pid()
        try:
            return list(psutil.Process(pid).children(recursive=True)) if pid else []
        except psutil.Error:
            return []

    def ended(self) -> bool:
        """Whether the process has ended by itself."""
        return bool(select.select([self._pidfd], [], [], 0)[0])

    def notes(self) -> list[dict[str, Any]]:
        """What the child's audit hook noted (see `audit`); call it once, after `kill`."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            while len(data) < MEGABYTE and (part := os.read(self._notes, 65536)):
                data += part
        os.close(self._notes)
        found = []
        for line in data.splitlines():
            with contextlib.suppress(ValueError):
                note = json.loads(line)
                if isinstance(note, dict):
                    found.append(note)
        return found


def sweep() -> None:
    """Remove the temporary folders of graders that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            with contextlib.suppress(OSError):
                if folder.lstat().st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink():
                    shutil.rmtree(folder, ignore_errors=True)


def visible_folders(surroundings: Surroundings) -> list[Path]:
    """What the sandbox shows: Python, its packages, the preloaded packages, and what is configured."""
    folders = set(interpreter())
    modules = {
        name.partition(".")[0] for name in (*surroundings.preload, surroundings.observe.partition(":")[0])
    }
    for name in {"autograder", *filter(None, modules)}:
        with contextlib.suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(name)
            for place in (spec.submodule_search_locations if spec else None) or []:
                folders.add(Path(place))
            if spec is not None and spec.submodule_search_locations is None and spec.origin:
                folders.add(Path(spec.origin))
    folders |= {Path(path) for path in surroundings.visible}
    return sorted({folder for folder in folders if folder.exists()})


def _font_lists() -> list[Path]:
    """matplotlib's list of fonts, which takes seconds to make anew."""
    cache = Path(os.environ.get("MPLCONFIGDIR") or Path.home() / ".cache" / "matplotlib")
    return sorted(cache.glob("fontlist-*.json"))


def _environment(folder: str, sandboxed: bool) -> dict[str, str]:
    """The variables of a submission: a few known ones, because ours may hold passwords."""
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    home = {} if sandboxed else {"HOME": folder}
    return {
        **environment(),
        **home,
        **kept,
        "MPLCONFIGDIR": "/tmp/matplotlib" if sandboxed else f"{folder}/matplotlib",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # One thread a process: with one submission on every core, more of them only wait for each other.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NBGRADER_EXECUTION": "autograde",
    }


_shared: dict[Surroundings, ForkServer] = {}
_lock = threading.Lock()


def shared_fork_server(surroundings: Surroundings) -> ForkServer:
    """This process's own fork server for these surroundings, started when first asked for."""
    with _lock:
        if surroundings not in _shared:
            server = ForkServer(surroundings)
            try:
                _ = server.failed_imports  # waits; a request would give up before slow imports end
            except BaseException:
                server.stop()
                raise
            _shared[surroundings] = server
        return _shared[surroundings]


def forget_fork_server(surroundings: Surroundings) -> None:
    """The next call of `shared_fork_server` starts a new one."""
    with _lock:
        if gone := _shared.pop(surroundings, None):
            gone.stop()
