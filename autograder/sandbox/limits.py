"""How much a submission may use, as resource limits of the kernel (man 2 setrlimit).

They hold for each process. Together a submission's processes are bounded by their number, by the size of /tmp
and by whoever looks at `usage.memory_megabytes` now and then.
"""

from __future__ import annotations

import os
import platform
import re
import resource
from contextlib import suppress
from dataclasses import dataclass

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        memory_megabytes: memory of each process, beyond what it has when it starts.
        processes: processes and threads together, itself included.
        disk_megabytes: all files in /tmp, which are kept in memory; also the largest single file.
        shared_memory_megabytes: all files in /dev/shm.
        open_files: descriptors of each process.
        cpu_seconds: processor time of each process; None for no limit (the grader watches the clock).
    """

    memory_megabytes: int = 2048
    processes: int = 64
    disk_megabytes: int = 256
    shared_memory_megabytes: int = 64
    open_files: int = 256
    cpu_seconds: int | None = None


def apply(limits: Limits, *, used_pages: int, counted_alone: bool) -> None:
    """Set the limits for this process and all that it starts.

    Args:
        limits: the limits.
        used_pages: address space of this process now; torch reserves a lot and uses little of it.
        counted_alone: whether the processes in this user namespace are counted by themselves. Otherwise all
            that the same user runs would count, and the number of processes is left as it is.
    """
    page = resource.getpagesize()
    _lower("AS", used_pages * page + limits.memory_megabytes * MEGABYTE)
    _lower("FSIZE", limits.disk_megabytes * MEGABYTE)
    _lower("NOFILE", limits.open_files)
    _lower("CORE", 1)  # unlike 0, it also keeps the machine's crash handler (core_pattern) from being started
    _lower("MSGQUEUE", 0)  # memory of the kernel's, which nothing else here counts
    _lower("RTPRIO", 0)
    _lower("MEMLOCK", MEGABYTE)
    _lower("SIGPENDING", 1024)
    if limits.cpu_seconds is not None:
        _lower("CPU", limits.cpu_seconds)
    if counted_alone:
        _lower("NPROC", limits.processes)


def pages_in_use(proc: int | None = None) -> int:
    """Pages of address space that this process has reserved; 0 where there is no /proc.

    Args:
        proc: descriptor of a folder that shows this process, or None for /proc itself.
    """
    with suppress(OSError):
        path = "/proc/self/statm" if proc is None else "self/statm"
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
        try:
            return int(os.read(descriptor, 200).split()[0])
        finally:
            os.close(descriptor)
    return 0


def counts_by_namespace() -> bool:
    """Whether the kernel counts a user's processes in each user namespace by itself (since Linux 5.14)."""
    version = re.match(r"(\d+)\.(\d+)", platform.release())
    return version is not None and (int(version[1]), int(version[2])) >= (5, 14)


def _lower(name: str, value: int) -> None:
    """Lower one limit for good; never raise it, which only root could do."""
    kind = getattr(resource, f"RLIMIT_{name}", None)
    if kind is None:
        return  # this system has no such limit
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))
