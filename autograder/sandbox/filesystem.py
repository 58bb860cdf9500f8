"""What a sandboxed process can see: a root of its own, made of read-only pieces of the machine's.

::

    /usr /bin /lib …     the system's programs and libraries, read-only
    /etc                 a handful of files, most of them our own
    /dev                 null zero full random urandom
    /sys                 only the list of processors: libraries count them there
    /home/ada/env …      what the caller names, at its own path, read-only; its parents are empty folders
    /proc                the processes of the own process namespace
    /tmp /dev/shm        the only places to write: tmpfs with a fixed size, gone with the process

Nothing else exists, so nothing else has to be forbidden. The root is built once (`build`), in the mount
namespace of the fork server; each child covers /proc, /tmp and /dev/shm with fresh ones (`own_folders`).
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from autograder.sandbox import libc
from autograder.sandbox.layers import SandboxUnavailable

HOME, WORK = "/tmp/home", "/tmp/work"
WRITABLE = ("/tmp", "/dev/shm")
DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
_PIECES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/alternatives", "/sys/devices/system/cpu")
_ETC = {
    "passwd": f"root:x:0:0::/:/usr/sbin/nologin\nstudent:x:1000:1000::{HOME}:/bin/sh\n",
    "group": "root:x:0:\nstudent:x:1000:\n",
    "hosts": "127.0.0.1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_OLD, _SPARE = "/.old", "/.spare"
_READ_ONLY = libc.MS_RDONLY | libc.MS_NOSUID | libc.MS_NODEV
_DEVICE = libc.MS_RDONLY | libc.MS_NOSUID | libc.MS_NOEXEC
_PRIVATE = libc.MS_NOSUID | libc.MS_NODEV


def interpreter() -> list[Path]:
    """The folders that this Python, its installed packages and their libraries are read from."""
    folders = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__)}
    folders |= {path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")}
    folders |= set(
        os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    )  # clusters with environment modules
    return sorted(Path(folder) for folder in folders if os.path.isabs(folder) and os.path.isdir(folder))


def build(visible: Iterable[Path], hidden: Iterable[Path], *, for_others: bool) -> list[str]:
    """Replace the root of this mount namespace by one that holds the system and `visible`, read-only.

    Args:
        visible: folders or files to show, at the same absolute paths.
        hidden: paths that stay empty even where they are inside what is shown.
        for_others: whether submissions run as another user than this one, and read what others may read.

    Returns:
        What is shown inside /tmp or /dev/shm: each child has to show it again (`own_folders`).

    Raises:
        OSError: the kernel refused a step.
        SandboxUnavailable: a path cannot be shown.
    """
    # Links are followed now: after the pivot, absolute ones would lead into the new root.
    links = {path: os.readlink(path) for path in _SYSTEM if os.path.realpath(path).startswith("/usr/")}
    shown = _plan(visible, links)
    secrets = [os.path.realpath(path) for path in hidden]
    _check(shown, secrets, 0o005 if for_others else 0)
    mask = os.umask(0o022)  # the parents of what is shown are for everybody, whatever the person's habit is
    try:
        libc.mount("none", "/", flags=libc.MS_REC | libc.MS_PRIVATE)
        libc.mount("tmpfs", "/tmp", "tmpfs", _PRIVATE, "mode=0755,size=4m")
        os.mkdir("/tmp" + _OLD)
        libc.pivot_root("/tmp", "/tmp" + _OLD)
        os.chdir("/")
        _mount_processes()
        for path, goal in links.items():
            os.symlink(goal, path)
        for folder in WRITABLE:
            os.makedirs(folder)
            libc.mount("tmpfs", folder, "tmpfs", _PRIVATE, "mode=0755,size=64m")
        again = [target for target in shown if any(inside(target, folder) for folder in WRITABLE)]
        shown |= {_SPARE + target: shown[target] for target in again}
        for target, source in shown.items():
            _bind(source, target, _READ_ONLY)
            for secret in secrets:
                if inside(secret, source):
                    _cover(target + secret.removeprefix(source))
        for path in DEVICES:
            _bind(path, path, _DEVICE)
        for name, text in _ETC.items():
            Path("/etc", name).write_text(text)
        os.symlink("/proc/self/fd", "/dev/fd")
        for folder in (HOME, WORK):
            os.mkdir(folder)
        libc.detach(_OLD)
        os.rmdir(_OLD)
        libc.mount("tmpfs", "/", flags=libc.MS_REMOUNT | _READ_ONLY)
    finally:
        os.umask(mask)
    return again


def own_folders(disk: int, shared_memory: int, owner: tuple[int, int], again: Sequence[str] = ()) -> bool:
    """Give this process its own empty /tmp, /dev/shm and /proc.

    Args:
        disk: megabytes that fit into /tmp.
        shared_memory: megabytes that fit into /dev/shm.
        owner: user and group that they belong to.
        again: what `build` returned.

    Returns:
        False where /proc has to stay empty: the kernel allows a new one only where the machine's own is not
        partly covered, as it is in containers.
    """
    for folder, megabytes in zip(WRITABLE, (disk, shared_memory), strict=True):
        # Each inode costs a kilobyte that `size` does not count.
        options = f"mode=0755,uid={owner[0]},gid={owner[1]},size={megabytes}m,nr_inodes={64 * megabytes}"
        libc.mount("tmpfs", folder, "tmpfs", _PRIVATE, options)
    for target in again:
        _make_place(target, os.path.isdir(_SPARE + target))
        libc.mount(_SPARE + target, target, flags=libc.MS_BIND | libc.MS_REC)
    try:
        libc.mount("proc", "/proc", "proc", _READ_ONLY | libc.MS_NOEXEC)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        libc.mount("tmpfs", "/proc", "tmpfs", _READ_ONLY | libc.MS_NOEXEC, "mode=0555,size=4k")
        return False
    return True


def inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it (both absolute)."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _plan(visible: Iterable[Path], links: Iterable[str]) -> dict[str, str]:
    """What is shown where: target → source, parents first, nothing twice."""
    shown = {path: path for path in _SYSTEM if os.path.isdir(path) and path not in links}
    shown |= {path: os.path.realpath(path) for path in _PIECES if os.path.exists(path)}
    names = {os.path.abspath(path) for path in visible}
    for name in sorted(names | {os.path.realpath(name) for name in names}, key=len):
        if not any(inside(name, folder) for folder in (*shown, *links)):
            shown[name] = os.path.realpath(name)
    return shown


def _check(shown: dict[str, str], secrets: Iterable[str], permission: int) -> None:
    """Say what cannot work before anything is changed."""
    for target, source in shown.items():
        if not os.access(source, os.R_OK):
            raise SandboxUnavailable(
                f"{target} is needed by every submission, but this user cannot read it. "
                "Install Python and the course where the user who grades can read them."
            )
        if os.path.isdir(source) and os.stat(source).st_mode & permission != permission:
            raise SandboxUnavailable(
                f"{target} is needed by every submission. root runs them as an ordinary user, who cannot "
                f"read it. Allow it with `chmod -R o+rX {source}`, or grade as the user who owns it."
            )
        for secret in secrets:
            if inside(source, secret):
                raise SandboxUnavailable(
                    f"{target} is needed by every submission, but it lies in {secret}, "
                    "which must stay hidden. Move one of the two."
                )
            if inside(secret, source) and not os.path.exists(secret):
                raise SandboxUnavailable(
                    f"{secret} lies in {target}, which every submission may read, and cannot be hidden "
                    "before it exists. Create it, or move it elsewhere."
                )


def _mount_processes() -> None:
    """Mount a /proc for the own process namespace, or show the machine's where the kernel refuses that."""
    os.mkdir("/proc")
    try:
        libc.mount("proc", "/proc", "proc", _PRIVATE | libc.MS_NOEXEC)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        libc.mount(_OLD + "/proc", "/proc", flags=libc.MS_BIND | libc.MS_REC)


def _bind(source: str, target: str, restrictions: int) -> None:
    """Show something of the old root in the new one."""
    _make_place(target, os.path.isdir(_OLD + source))
    libc.mount(_OLD + source, target, flags=libc.MS_BIND | libc.MS_REC)
    try:
        libc.restrict_mounts(target, restrictions)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        _restrict_one_by_one(target, restrictions)


def _make_place(target: str, is_folder: bool) -> None:
    """Create an empty folder or file to mount something on."""
    os.makedirs(target if is_folder else os.path.dirname(target), exist_ok=True)
    if not is_folder:
        os.close(os.open(target, os.O_CREAT | os.O_RDONLY, 0o644))


def _cover(path: str) -> None:
    """Put something empty over a folder or file."""
    if os.path.isdir(path):
        libc.mount("tmpfs", path, "tmpfs", _READ_ONLY, "mode=0755,size=4k")
    else:
        libc.mount(_OLD + "/dev/null", path, flags=libc.MS_BIND)


def _restrict_one_by_one(target: str, restrictions: int) -> None:
    """What `restrict_mounts` does, for kernels before 5.12: mount by mount."""
    kept = {
        "ro": libc.MS_RDONLY,
        "nosuid": libc.MS_NOSUID,
        "nodev": libc.MS_NODEV,
        "noexec": libc.MS_NOEXEC,
        "noatime": libc.MS_NOATIME,
        "nodiratime": libc.MS_NODIRATIME,
        "relatime": libc.MS_RELATIME,
    }
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split(" ")
        path = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields[4])  # \040 is a space
        if inside(path, target):
            present = sum(kept.get(option, 0) for option in fields[5].split(","))
            flags = libc.MS_REMOUNT | libc.MS_BIND | restrictions | present
            libc.mount("none", path, flags=flags)
