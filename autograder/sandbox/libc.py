"""The kernel's calls for isolation, as Python functions that raise OSError with the call's name.

Python has no functions for most of them (`os.unshare` came with 3.12); ctypes calls libc without a compiler.
Nothing here is policy. See the manual pages of section 2: unshare, setns, mount, pivot_root, prctl, capset.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from typing import Any

from autograder.sandbox import syscalls

_libc = ctypes.CDLL(None, use_errno=True)

# Kinds of namespaces, as unshare(), setns() and clone() take them.
NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
KINDS = {
    NEWUSER: "NEWUSER",
    NEWNS: "NEWNS",
    NEWPID: "NEWPID",
    NEWNET: "NEWNET",
    NEWIPC: "NEWIPC",
    NEWUTS: "NEWUTS",
    NEWCGROUP: "NEWCGROUP",
}

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_NOATIME, MS_NODIRATIME = 32, 1024, 2048
MS_BIND, MS_REC, MS_PRIVATE, MS_RELATIME = 4096, 16384, 1 << 18, 1 << 21

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_CAPBSET_DROP = 1, 4, 8, 24
PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 38, 39, 47
_PR_GET_SECCOMP, _AMBIENT_CLEAR_ALL = 21, 4

_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_MNT_DETACH = 2
_CAPABILITY_VERSION = 0x20080522
_JOIN_SESSION_KEYRING = 1
_MADV_DONTFORK = 10
LAST_DESCRIPTOR = 2**32 - 1


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def syscall(name: str, *arguments: Any) -> int:
    """Make a system call by its name; integers are passed as long, anything else as ctypes passes it.

    Raises:
        OSError: it failed (ENOSYS where this processor's number is not known).
    """
    number = syscalls.number(name)
    if number is None:
        raise OSError(errno.ENOSYS, f"{name}: not known on this processor")
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _check(_libc.syscall(ctypes.c_long(number), *wide), name)


def unshare(kinds: int) -> None:
    """Move this process into new namespaces (NEWPID: its future children)."""
    names = "|".join(name for kind, name in KINDS.items() if kinds & kind)
    _check(_libc.unshare(kinds), f"unshare({names})")


def setns(descriptor: int, kind: int) -> None:
    """Move this process into the namespace of an open descriptor."""
    _check(_libc.setns(descriptor, kind), f"setns({KINDS[kind]})")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount something, bind a folder elsewhere, or change a mount: whatever mount(2) does."""
    names = [os.fsencode(source), os.fsencode(target), kind.encode() or None]
    result = _libc.mount(*names, ctypes.c_ulong(flags), options.encode() or None)
    _check(result, f"mount({kind or source}, {target})")


def detach(target: str) -> None:
    """Take a mount away, also while files in it are open."""
    _check(_libc.umount2(os.fsencode(target), _MNT_DETACH), f"umount2({target})")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root of the file system and put the former root at `old`."""
    _check(_libc.pivot_root(os.fsencode(new), os.fsencode(old)), "pivot_root")


def close_range(first: int, last: int) -> None:
    """Close the descriptors from `first` to `last`, at once where the kernel can (5.9)."""
    try:
        syscall("close_range", first, last, 0)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            if first <= descriptor <= last:
                with suppress(OSError):  # the one that listed them is closed already
                    os.close(descriptor)


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def restrict_mounts(target: str, flags: int) -> None:
    """Add MS_RDONLY, MS_NOSUID, MS_NODEV or MS_NOEXEC to a mount and to all below it (since Linux 5.12)."""
    attributes = _MountAttributes(attr_set=flags)  # MOUNT_ATTR_* have the values of these MS_*
    size = ctypes.sizeof(attributes)
    path = ctypes.c_char_p(os.fsencode(target))
    syscall("mount_setattr", _AT_FDCWD, path, _AT_RECURSIVE, ctypes.byref(attributes), size)


def prctl(option: int, value: int = 0) -> int:
    """Change or ask something about this process."""
    wide = [ctypes.c_ulong(each) for each in (value, 0, 0, 0)]
    return _check(_libc.prctl(ctypes.c_int(option), *wide), f"prctl({option})")


def filtered() -> bool:
    """Whether somebody has put a seccomp filter on this process, as containers do."""
    try:
        return prctl(_PR_GET_SECCOMP) > 0
    except OSError:
        return False


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


_CapabilitySets = ctypes.c_uint32 * 6  # effective, permitted, inheritable; then their upper halves


def capabilities() -> int:
    """The effective capabilities of this process (in its own user namespace), as a bit mask."""
    sets = _CapabilitySets()
    header = _CapabilityHeader(_CAPABILITY_VERSION, 0)
    _check(_libc.capget(ctypes.byref(header), ctypes.byref(sets)), "capget")
    return sets[0] | sets[3] << 32


def set_capabilities(mask: int) -> None:
    """Make these the effective and permitted capabilities of this process; none is inheritable."""
    low, high = mask & 0xFFFFFFFF, mask >> 32
    sets = _CapabilitySets(low, low, 0, high, high, 0)
    header = _CapabilityHeader(_CAPABILITY_VERSION, 0)
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(sets)), "capset")


def drop_capabilities() -> None:
    """Give up every capability of this process, and of all that it will execute, for good."""
    wide = [ctypes.c_ulong(each) for each in (_AMBIENT_CLEAR_ALL, 0, 0, 0)]
    _check(_libc.prctl(PR_CAP_AMBIENT, *wide), "prctl(PR_CAP_AMBIENT)")
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            break  # one more than the kernel knows
    set_capabilities(0)


def forget_session_keys() -> None:
    """Leave the session keyring, which is shared with the person's own session, where there are keyrings."""
    try:
        syscall("keyctl", _JOIN_SESSION_KEYRING, None, 0, 0, 0)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):  # a container may forbid it altogether
            raise


def keep_from_children(start: int, length: int) -> None:
    """Leave a range of memory out of what a fork copies or shares."""
    result = _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _MADV_DONTFORK)
    _check(result, "madvise(MADV_DONTFORK)")
