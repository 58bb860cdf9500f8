"""Why a machine refuses isolation, in words for the person at it."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

from autograder.sandbox import libc

LAST_RESORT = "To grade without isolation, use --no-sandbox, which every report will show."

_CLONE = "kernel/unprivileged_userns_clone"  # Debian's
_APPARMOR = (
    "kernel/apparmor_restrict_unprivileged_userns"  # Ubuntu's; it refuses the mount, not the namespace
)
# Setting, value that forbids, what to ask for. A kernel has some of them.
_SETTINGS = [
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ("user/max_mnt_namespaces", "0", "user.max_mnt_namespaces=10000"),
    ("user/max_pid_namespaces", "0", "user.max_pid_namespaces=10000"),
    ("user/max_net_namespaces", "0", "user.max_net_namespaces=10000"),
    ("user/max_ipc_namespaces", "0", "user.max_ipc_namespaces=10000"),
    (_CLONE, "0", "kernel.unprivileged_userns_clone=1"),
    (_APPARMOR, "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
]


def why_not(error: OSError, *, root: bool = False) -> str:
    """The likely reason for a refused call, and what to do about it; full sentences.

    Args:
        error: what the kernel answered.
        root: whether the caller had root's rights, to which some settings do not apply.
    """
    if sys.platform != "linux":
        return f"Isolation needs Linux (on this system: in a virtual machine or WSL 2). {LAST_RESORT}"
    settings = []
    for name, forbids, wanted in _SETTINGS:
        with suppress(OSError):
            present = Path("/proc/sys", name).read_text().strip()
            if present == forbids and not (root and name in (_CLONE, _APPARMOR)):
                settings.append((f"{name.replace('/', '.')} is {present}", wanted))
    if settings:
        found = " and ".join(have for have, _ in settings)
        wish = " ".join(want for _, want in settings)
        advice = f"Here {found}: ask your administrator for `sysctl -w {wish}`"
    elif _in_container():
        advice = (
            "This is a container that forbids it: start it with `--security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined --security-opt systempaths=unconfined` for an ordinary user, "
            "or with `--cap-add SYS_ADMIN --security-opt apparmor=unconfined` for root"
        )
    elif error.errno in (errno.EINVAL, errno.ENOSYS, errno.ENODEV):
        advice = (
            "This kernel was built without it, or this is a chroot: use your distribution's kernel, outside"
        )
    elif error.errno in (errno.ENOSPC, errno.EUSERS):
        advice = "Too many namespaces are in use, or too many within each other: ask your administrator"
    else:
        advice = "Something forbids it (a container, a chroot, SELinux or AppArmor): ask your administrator"
    return f"The kernel refused {error.strerror}. {advice}. {LAST_RESORT}"


def _in_container() -> bool:
    """Whether a container's manager has set limits on this process."""
    if any(os.path.exists(path) for path in ("/.dockerenv", "/run/.containerenv")):
        return True
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return True
    return libc.filtered()
