"""One grader at a time on a workspace.

Two runs at once would write the same folders and the same gradebook. The lock is the kernel's (flock on
``workspace/.lock``), so it is free again the moment its holder ends, however it ends; the file only says who
holds it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from getpass import getuser
from pathlib import Path
from typing import BinaryIO

from autograder.config import Course
from autograder.errors import AutograderError, ConfigError

# What a file system answers that has no flock: some network and FUSE mounts.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}

_held: set[int] = set()
"""Descriptors of the locks that this process holds."""


class WorkspaceBusy(AutograderError):
    """Another command is working on this workspace."""


@contextmanager
def workspace_lock(course: Course, command: str) -> Iterator[str]:
    """Hold the workspace while the body runs.

    Args:
        course: the course whose workspace it is.
        command: what the holder is doing, as an instructor would type it.

    Yields:
        "" normally. On a file system without locks the body runs all the same, and this is a sentence that
        says so, for the command to show.

    Raises:
        WorkspaceBusy: another process holds it; the sentence names it.
        ConfigError: the workspace cannot be written.
    """
    path = course.workspace / ".lock"
    with _open(path) as file:
        note = ""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkspaceBusy(_sentence(course, _holder(file))) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise ConfigError(f"{path} cannot be locked: {error.strerror}.") from error
            note = (
                f"The file system of {course.workspace} has no locks, so two graders there would not notice "
                "each other; take care that only one runs."
            )
        _held.add(file.fileno())
        # On a full disk the lock holds all the same, only without a name.
        with suppress(OSError):
            _write(file, _describe(command))
        try:
            yield note
        finally:
            _held.discard(file.fileno())
            # The file stays: if it were removed, one process could lock the old file and another a new one.
            with suppress(OSError):
                _write(file, {})
                fcntl.flock(file, fcntl.LOCK_UN)  # also where a child that was just forked has the file open


def _open(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Neither truncates the holder's entry nor appends to it.
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b", buffering=0)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error


def _forget_in_child() -> None:
    """A lock lives as long as any process has its file open, so a forked child must not keep it.

    The number stays taken, in case the child unwinds the parent's stack and closes it.
    """
    if _held:
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for descriptor in _held:
            os.dup2(nowhere, descriptor, inheritable=False)
        os.close(nowhere)
        _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)


def _describe(command: str) -> dict[str, str | int]:
    try:
        user = getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "user": user,
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": command,
    }


def _write(file: BinaryIO, entry: dict[str, str | int]) -> None:
    file.seek(0)
    file.truncate()
    if entry:
        file.write(json.dumps(entry).encode())
    file.flush()


def _holder(file: BinaryIO) -> dict[str, str | int]:
    """The holder's entry; nothing where it has not been written yet."""
    try:
        entry = json.loads(file.read() or b"{}")
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _sentence(course: Course, holder: dict[str, str | int]) -> str:
    if not holder:
        return f"Another grader is just starting on {course.workspace}; try again when it is done."
    return (
        f"`{holder.get('command')}` is working on {course.workspace} since {holder.get('since')} (process "
        f"{holder.get('pid')} of {holder.get('user')} on {holder.get('host')}); wait until it "
        "is done, or stop it."
    )
