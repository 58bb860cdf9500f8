"""The three steps of isolation, in the order in which a fork server takes them (see the package)."""

from __future__ import annotations

import os
import site
import socket
import stat
import sys
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autograder.sandbox import filesystem, landlock, libc, limits, namespaces, seccomp
from autograder.sandbox.layers import LANDLOCK, OWN_PROC, OWN_USER, SECCOMP, SandboxUnavailable
from autograder.sandbox.reasons import LAST_RESORT, why_not

_HOME = {"HOME": filesystem.HOME, "TMPDIR": "/tmp", "USER": "student", "LOGNAME": "student"}
_KEPT = ("LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX")


@dataclass
class _Base:
    """What the fork server knows about the place that it has made.

    Attributes:
        root: whether it has root's rights, rather than those in a user namespace of its own.
        processes: descriptor of its process namespace.
        again: visible paths that each child's own /tmp would cover.
        counts: whether the kernel counts processes in each user namespace by itself.
        checked: whether its memory has been looked at.
    """

    root: bool
    processes: int
    again: list[str]
    counts: bool
    checked: bool = False


_base: _Base | None = None


def environment() -> dict[str, str]:
    """Environment to start the fork server with: language and paths; no key, token or password.

    A submission can read what the fork server was started with, its command line too, in its own memory.
    """
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("LC_")}
    if site.ENABLE_USER_SITE:
        kept["PYTHONUSERBASE"] = site.getuserbase()  # packages in the person's home, which HOME names no more
    kept["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), "/usr/local/bin", "/usr/bin", "/bin"])
    return {**kept, **_HOME, "PYTHONDONTWRITEBYTECODE": "1"}


def enter_base(visible: Iterable[Path], hidden: Iterable[Path] = ()) -> None:
    """Move this process to a place that holds the system, `visible` and nothing else of the machine.

    To be called once, with a single thread, before anything big is imported. It forks: what returns is a new
    process, number 1 of its own process namespace. The process that was called waits for it, with no
    descriptor open, and ends with the same exit code. SIGKILL or SIGTERM to it ends the new one as well.

    Args:
        visible: folders or files that submissions need beside the system (`interpreter`, the course), shown
            read-only at the same paths. As root: other users must be able to read them.
        hidden: paths that stay empty even where they lie inside what is visible.

    Raises:
        SandboxUnavailable: this machine does not allow it, or a path cannot be shown; it says what to do.
    """
    global _base
    if sys.platform != "linux":
        raise SandboxUnavailable(why_not(OSError()))
    root = namespaces.is_root()
    try:
        if len(os.listdir("/proc/self/task")) > 1:
            raise SandboxUnavailable("enter_base() was called in a process with several threads.")
        if not root:
            namespaces.leave_root()
        namespaces.own(namespaces.BASE, with_user=not root)
        namespaces.become_first_process()
        again = filesystem.build(visible, hidden, for_others=root)
        processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        socket.sethostname("sandbox")
    except OSError as error:
        raise SandboxUnavailable(why_not(error, root=root)) from error
    os.chdir(filesystem.WORK)
    os.environ.update(_HOME)
    _base = _Base(root, processes, again, counts=limits.counts_by_namespace())


def next_child_gets_pid_namespace() -> None:
    """Let the child of the next fork be number 1 of a new process namespace. To be called before each fork.

    A namespace takes one fork only; until the next call, further ones fail or join the same namespace. The
    first call also looks for memory that this process shares with others, and keeps it from all children.
    """
    base = _entered()
    if not base.checked:
        _keep_shared_memory()
        base.checked = True
    try:
        libc.setns(base.processes, libc.NEWPID)  # back to our own: a second step down is refused
        libc.unshare(libc.NEWPID)
    except OSError as error:
        raise SandboxUnavailable(why_not(error, root=base.root)) from error


def confine(allowed: limits.Limits) -> frozenset[str]:
    """Isolate this process, a fresh fork, for good. Afterwards it may run what nobody has read.

    Its working directory is `WORK`, an empty folder, and its home `HOME`. Of descriptors it may have pipes,
    sockets and devices: through an open folder it could climb out, and an open file it could change.

    Returns:
        The optional layers that hold it (names in `layers`).

    Raises:
        SandboxUnavailable: a step failed. The process must end and run nothing.
    """
    base = _entered()
    if os.getpid() != 1:
        raise SandboxUnavailable("The process was forked without next_child_gets_pid_namespace().")
    try:
        return _confine(base, allowed)
    except OSError as error:
        raise SandboxUnavailable(why_not(error, root=base.root)) from error


def _confine(base: _Base, allowed: limits.Limits) -> frozenset[str]:
    held = set()
    os.setsid()  # no terminal, no process group with others; and Linux shares processor time by sessions
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # the base's: the own one is read-only
    try:
        _refuse_open_files(proc)
        used_pages = limits.pages_in_use(proc)
        namespaces.own(namespaces.CHILD, with_user=False)
        owner = (namespaces.NOBODY, namespaces.NOBODY) if base.root else (os.geteuid(), os.getegid())
        disk, shared_memory = allowed.disk_megabytes, allowed.shared_memory_megabytes
        if filesystem.own_folders(disk, shared_memory, owner, base.again):
            held.add(OWN_PROC)
        with suppress(OSError):  # when the machine runs out of memory, this goes first
            namespaces.write(proc, "self/oom_score_adj", "1000")
        if namespaces.lose_all_rights(proc, root=base.root):
            held.add(OWN_USER)
    finally:
        os.close(proc)
    namespaces.die_with_parent()  # a change of user had cancelled it
    os.mkdir(filesystem.HOME)
    os.mkdir(filesystem.WORK)
    os.chdir(filesystem.WORK)
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    if landlock.restrict(filesystem.WRITABLE, filesystem.DEVICES):
        held.add(LANDLOCK)
    limits.apply(allowed, used_pages=used_pages, counted_alone=base.counts and OWN_USER in held)
    if seccomp.restrict():
        held.add(SECCOMP)
    if not held & {LANDLOCK, SECCOMP}:
        raise SandboxUnavailable(f"This kernel has neither Landlock nor seccomp. {LAST_RESORT}")
    return frozenset(held)


def limit_only(allowed: limits.Limits) -> None:
    """Set limits and nothing else, for --no-sandbox: own session, ends with its parent, not isolated.

    The number of processes stays unlimited: without a user namespace, all that the same person runs counts.
    """
    os.setsid()
    limits.apply(allowed, used_pages=limits.pages_in_use(), counted_alone=False)
    if sys.platform == "linux":
        namespaces.die_with_parent()


def close_other_descriptors(keep: Collection[int]) -> None:
    """Close all descriptors of this process but these."""
    first = 0
    for descriptor in sorted(set(keep)):
        if first < descriptor:
            libc.close_range(first, descriptor - 1)
        first = descriptor + 1
    libc.close_range(first, libc.LAST_DESCRIPTOR)


def _refuse_open_files(proc: int) -> None:
    """Raise where this process has descriptors that lead out of the sandbox."""
    folder = os.open("self/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc)
    try:
        for descriptor in map(int, os.listdir(folder)):
            with suppress(OSError):  # the copy that os.listdir() had is closed already
                mode = os.fstat(descriptor).st_mode
                leads_out = stat.S_IFMT(mode) in (stat.S_IFDIR, stat.S_IFREG, stat.S_IFBLK)
                if (leads_out or os.isatty(descriptor)) and descriptor not in (folder, proc):
                    raise SandboxUnavailable(
                        f"Descriptor {descriptor} is a file, a folder or a terminal: a submission may have "
                        "pipes, sockets and /dev/null only (close_other_descriptors)."
                    )
    finally:
        os.close(folder)


def _entered() -> _Base:
    if _base is None:
        raise SandboxUnavailable("enter_base() has to come first.")
    return _base


def _keep_shared_memory() -> None:
    """Keep memory that the fork server shares with others from its children, who could change it for all."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, permissions, *rest = line.split(maxsplit=5)
        path = rest[3] if len(rest) > 3 else ""
        in_memory = path.startswith((*filesystem.WRITABLE, "/dev/zero", "/memfd:", "/SYSV")) or not path
        if permissions[3] == "s" and ("w" in permissions or in_memory):
            start, end = (int(each, 16) for each in span.split("-"))
            libc.keep_from_children(start, end - start)
