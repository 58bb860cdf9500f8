"""Landlock: the kernel itself refuses writing outside the writable folders, whatever is mounted.

It says once more what the mounts say already, by another mechanism, and keeps signals and abstract sockets
inside (ABI 6). Each ABI adds rights; those that the kernel does not know are left out.

https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable

from autograder.sandbox import libc

_VERSION, _PATH_BENEATH = 1, 1  # LANDLOCK_CREATE_RULESET_VERSION, LANDLOCK_RULE_PATH_BENEATH
_QUIET = 1  # LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF: a student's mistakes are no audit records (ABI 7)

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract sockets, signals

# ABI → rights on files: 13 at first, then linking to other folders, truncation, ioctl on devices.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}


class _Ruleset(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("files", "network", "scoped")]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def abi() -> int:
    """Version of Landlock in this kernel; 0 where there is none or it is switched off."""
    try:
        return libc.syscall("landlock_create_ruleset", None, 0, _VERSION)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):  # EPERM: a container's own filter
            return 0
        raise


def restrict(writable: Iterable[str], devices: Iterable[str]) -> bool:
    """Let this process read all that it sees, and write only below `writable` and to `devices`, for good.

    Returns:
        False where the kernel has no Landlock.
    """
    version = abi()
    if version == 0:
        return False
    rights = max(value for since, value in _FILE_RIGHTS.items() if since <= version)
    handled = _Ruleset(rights, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 8 * (1 + (version >= 4) + (version >= 6))  # older kernels take a shorter struct
    ruleset = libc.syscall("landlock_create_ruleset", ctypes.byref(handled), size, 0)
    try:
        _allow(ruleset, "/", _READ & rights)
        for path in writable:
            _allow(ruleset, path, rights)
        for path in devices:
            _allow(ruleset, path, (_READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV) & rights)
        libc.syscall("landlock_restrict_self", ruleset, _QUIET if version >= 7 else 0)
    finally:
        os.close(ruleset)
    return True


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(rights, descriptor)
        libc.syscall("landlock_add_rule", ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)
