"""Namespaces, users and capabilities: who a process is, and what exists for it.

A *user namespace* gives its creator all capabilities over what is made in it, and none outside. An ordinary
user gets the right to mount that way. root has it already, and needs none for the base. Either way the child
ends in a user namespace of its own, in which it is nobody and to which none of its other namespaces belong.

man 7 user_namespaces, pid_namespaces, capabilities.
"""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from pathlib import Path

from autograder.sandbox import libc
from autograder.sandbox.layers import SandboxUnavailable

NOBODY = 65534  # on the machine, for root's submissions
STUDENT = 1000  # what a submission takes itself for
BASE = libc.NEWNS | libc.NEWPID | libc.NEWNET | libc.NEWIPC | libc.NEWUTS | libc.NEWCGROUP
CHILD = libc.NEWNS | libc.NEWNET | libc.NEWIPC | libc.NEWUTS | libc.NEWCGROUP

_ROOTS_RIGHTS = 1 << 21 | 1 << 7 | 1 << 6  # CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID


def is_root() -> bool:
    """Whether this process can isolate its children with the rights that it has, and run them as nobody."""
    return (
        os.geteuid() == 0
        and libc.capabilities() & _ROOTS_RIGHTS == _ROOTS_RIGHTS
        and all(_maps(f"/proc/self/{kind}_map", NOBODY) for kind in ("uid", "gid"))
        and "deny" not in _read("/proc/self/setgroups")
    )


def leave_root() -> None:
    """Become nobody where this is the machine's root without root's rights, as in a container.

    The kernel exempts root from the limit on processes, and lets it write below /proc/sys, whatever namespace
    it is in.
    """
    if os.geteuid() != 0 or _read("/proc/self/uid_map").split() != ["0", "0", str(2**32 - 1)]:
        return
    try:
        become(NOBODY, NOBODY)
    except OSError as error:
        raise SandboxUnavailable(
            f"This root user has few of root's rights and cannot become another user ({error}). "
            "Run the command as an ordinary user."
        ) from error


def become(uid: int, gid: int) -> None:
    """Become another user for good, without further groups."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # Its files below /proc belong to the new user only if it may be traced; the user's map is one of them.
    libc.prctl(libc.PR_SET_DUMPABLE, 1)


def own(kinds: int, *, with_user: bool) -> None:
    """Enter new namespaces; `with_user` also a user namespace, in which user and group keep their numbers."""
    uid, gid = os.geteuid(), os.getegid()
    libc.unshare(kinds | (libc.NEWUSER if with_user else 0))
    if with_user:
        folder = os.open("/proc/self", os.O_PATH)
        try:
            write_maps(folder, uid, gid, uid, gid)
        finally:
            os.close(folder)


def write_maps(folder: int, uid: int, gid: int, outer_uid: int, outer_gid: int) -> None:
    """Say who this process is in the user namespace that it has just made.

    Args:
        folder: descriptor of its folder in /proc.
        uid: its user there.
        gid: its group there.
        outer_uid: its user in the namespace around.
        outer_gid: its group in the namespace around.
    """
    for name, text in [
        ("setgroups", "deny"),  # otherwise a group that is kept from reading a file could be left
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ]:
        write(folder, name, text)


def write(folder: int, name: str, text: str) -> None:
    """Write into a file below an open folder of /proc, in one call, as the kernel wants it."""
    descriptor = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        raise OSError(error.errno, f"writing {name}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def become_first_process() -> None:
    """Go on as process 1 of the process namespace that was made; the process so far only waits for the end.

    A process cannot move itself into a process namespace, so this forks. What waits keeps no descriptor open,
    ends as the new process ends, and takes it along when it is killed. When process 1 ends, the kernel
    ends all that live in its namespace and in those below it: nothing can stay behind.
    """
    child = os.fork()
    if child == 0:
        die_with_parent()
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that does the work
    libc.close_range(0, libc.LAST_DESCRIPTOR)
    _, result = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(result)
    os._exit(code if code >= 0 else 128 - code)  # as shells report a signal


def die_with_parent() -> None:
    """Be killed when the process that forked this one ends."""
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)


def lose_all_rights(proc: int, *, root: bool) -> bool:
    """Become nobody in a user namespace of its own, with no capability in any namespace, for good.

    Args:
        proc: descriptor of /proc.
        root: whether this process has root's rights (rather than those in its user namespace).

    Returns:
        False where the machine allows no user namespace, which only root can do without.
    """
    if root:
        # Kept over the change of user: some systems let only privileged users make user namespaces.
        kept = libc.capabilities()
        libc.prctl(libc.PR_SET_KEEPCAPS, 1)
        become(NOBODY, NOBODY)
        libc.set_capabilities(kept)
    outer = (os.geteuid(), os.getegid())
    separate = True
    try:
        libc.unshare(libc.NEWUSER)
    except OSError as error:
        if not root or error.errno not in (errno.EPERM, errno.ENOSPC, errno.EUSERS, errno.EINVAL):
            raise
        separate = False
    else:
        folder = os.open("self", os.O_PATH | os.O_CLOEXEC, dir_fd=proc)
        try:
            write_maps(folder, STUDENT, STUDENT, *outer)
        finally:
            os.close(folder)
        with suppress(OSError):  # one bolt more; unshare and clone are refused as well
            write(proc, "sys/user/max_user_namespaces", "0")
    libc.forget_session_keys()
    libc.drop_capabilities()
    return separate


def _read(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text()
    return ""


def _maps(path: str, number: int) -> bool:
    """Whether a user or group exists in this user namespace."""
    ranges = [[int(each) for each in line.split()] for line in _read(path).splitlines()]
    return any(first <= number < first + count for first, _, count in ranges)
