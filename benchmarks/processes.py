"""A running grader from outside: its processes, what they are for, and their memory.

Memory is the proportional set size (PSS): a page that several processes share counts once in the sum, so the
sum over the tree is what the grader takes from the machine. Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36

FORK_SERVER = "autograder.observing.fork_server"
POOL = "multiprocessing.forkserver"

GRADER = ("main", "pool", "worker", "fork server", "other")
"""Roles of the grader's own processes; "submission" is the one that is not."""


@dataclass(frozen=True)
class Process:
    """One process of a tree."""

    pid: int
    parent: int
    command: str


def tree(root: int) -> list[Process]:
    """A process and all that descend from it; empty when it is gone."""
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                # The name in brackets may hold anything, so what counts begins behind the last bracket.
                fields = Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2].split()
                if fields[0] not in ("Z", "X"):
                    parents[int(entry.name)] = int(fields[1])
    children = defaultdict(list)
    for pid, parent in parents.items():
        children[parent].append(pid)
    found, waiting = [], [root] if root in parents else []
    while waiting:
        pid = waiting.pop()
        found.append(Process(pid, parents[pid], _command(pid)))
        waiting += children[pid]
    return found


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def roles(processes: list[Process], servers: frozenset[int] = frozenset()) -> dict[int, str]:
    """What each process of a grader's tree is for.

    The fork server may be two processes, one inside the sandbox and one outside. The inner one is known by
    having children, so it is given in `servers` when it was seen before and has none at the moment.
    """
    commands = {process.pid: process.command for process in processes}
    forking = {process.parent for process in processes if FORK_SERVER in process.command} | servers
    found: dict[int, str] = {}
    for process in processes:
        above = commands.get(process.parent)
        if above is None:
            role = "main"
        elif FORK_SERVER in process.command:
            outer = FORK_SERVER not in above
            role = "fork server" if outer or process.pid in forking else "submission"
        elif POOL in process.command:
            role = "worker" if POOL in above else "pool"
        else:
            role = "submission" if found.get(process.parent) == "submission" else "other"
        found[process.pid] = role
    return found


def pss(pid: int) -> int | None:
    """Proportional set size in bytes; None when the process is gone or not ours to read."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return None


@dataclass(frozen=True)
class Sample:
    """Memory of a tree at one moment, in bytes: by role, with the number of processes."""

    seconds: float
    memory: dict[str, int]
    processes: dict[str, int]

    @property
    def total(self) -> int:
        """All processes."""
        return sum(self.memory.values())

    @property
    def grader(self) -> int:
        """The grader's own processes, without those of submissions."""
        return sum(self.memory.get(role, 0) for role in GRADER)


class Watch(threading.Thread):
    """Samples the memory of a process and its descendants until it is stopped."""

    def __init__(self, root: int, interval: float = 1.0) -> None:
        super().__init__(daemon=True)
        self.samples: list[Sample] = []
        self.unreadable: set[str] = set()
        self._root = root
        self._servers: frozenset[int] = frozenset()
        self._interval = interval
        self._done = threading.Event()

    def run(self) -> None:
        """Sample in regular intervals."""
        begin = time.monotonic()
        while not self._done.wait(self._interval):
            processes = tree(self._root)
            if processes:
                self.samples.append(self._sample(processes, time.monotonic() - begin))

    def stop(self) -> list[Sample]:
        """End the thread and return what it saw."""
        self._done.set()
        self.join()
        return self.samples

    def _sample(self, processes: list[Process], seconds: float) -> Sample:
        memory: dict[str, int] = defaultdict(int)
        counted: dict[str, int] = defaultdict(int)
        found = roles(processes, self._servers)
        self._servers |= {pid for pid, role in found.items() if role == "fork server"}
        for pid, role in found.items():
            size = pss(pid)
            if size is not None:
                memory[role] += size
                counted[role] += 1
            elif Path(f"/proc/{pid}").exists():
                self.unreadable.add(role)
        return Sample(seconds, dict(memory), dict(counted))


def adopt_orphans() -> None:
    """From here on, a descendant whose parent dies becomes a child of this process, not of init."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def left_over(patience: float) -> list[Process]:
    """Descendants of this process that do not end by themselves; waits up to `patience` seconds for them.

    Dead ones are reaped, so no process of the caller's own may be waited for meanwhile.
    """
    deadline = time.monotonic() + patience
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        left = tree(os.getpid())[1:]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def kill(processes: list[Process]) -> None:
    """SIGKILL to each; those that are gone are skipped."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
