"""seccomp: system calls that no exercise needs, and that past escapes from sandboxes used, are refused.

A deny-list: what libraries use stays as it is, and a refused call is an ordinary OSError. The filter is a
program for the kernel's packet filter (classic BPF), which looks at the number of a call and at its first
arguments. man 2 seccomp; the numbers are in `syscalls`.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from functools import lru_cache

from autograder.sandbox import libc, syscalls

_SET_MODE_FILTER, _SPEC_ALLOW = 1, 4

_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # in struct seccomp_data; lower halves come first

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000  # bit of the calls of x86's third ABI

_AF_UNIX = 1
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # put characters into a terminal's input
_NEW_NAMESPACES = sum(libc.KINDS)

REFUSED = (
    # mounts and namespaces
    *("mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr", "move_mount"),
    *("mount_setattr", "fsopen", "fsconfig", "fsmount", "fspick", "unshare", "setns"),
    *("open_by_handle_at", "quotactl", "quotactl_fd"),
    # other processes
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp"),
    # parts of the kernel with a long history of holes
    *("bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "personality"),
    *("modify_ldt", "fanotify_init", "lookup_dcookie", "uselib", "_sysctl", "vhangup"),
    # the machine itself
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module"),
    *("reboot", "swapon", "swapoff", "sethostname", "setdomainname", "iopl", "ioperm", "syslog", "acct"),
    *("settimeofday", "clock_settime", "clock_adjtime", "adjtimex"),
    # memory that no limit counts (shared memory in files is counted, and is what Python and torch use)
    *("shmget", "semget", "msgget", "mq_open"),
)
# "This kernel has no such call": libraries then go the older way, which can be looked at or is counted.
ABSENT = ("clone3", "io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_create", "memfd_secret")


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def restrict() -> bool:
    """Install the filter for this process and all that it starts, for good.

    Returns:
        False where the kernel has no such filters, or the processor's numbers are not known.
    """
    code = program(syscalls.machine())
    if not code:
        return False
    filter_ = _Program(len(code) // 8, code)
    try:
        # SPEC_ALLOW: without it, kernels before 5.16 slow down all computing (speculative store bypass).
        libc.syscall("seccomp", _SET_MODE_FILTER, _SPEC_ALLOW, ctypes.byref(filter_))
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL, errno.EPERM):
            raise
        return False
    return True


@lru_cache
def program(processor: str) -> bytes:
    """The filter for a processor, as the kernel's instructions; nothing where it is not known."""
    if processor not in _AUDIT_ARCH:
        return b""
    code = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, _AUDIT_ARCH[processor], 1, 0),
        _instruction(_RETURN, _KILL),  # 32-bit programs: their calls have other numbers
        _instruction(_LOAD, _NUMBER),
    ]
    if processor == "x86_64":
        code += [_instruction(_AT_LEAST, _X32, 0, 1), _instruction(_RETURN, _KILL)]
    for name in REFUSED:
        code += _refuse(syscalls.number(name, processor), errno.EPERM)
    for name in ABSENT:
        code += _refuse(syscalls.number(name, processor), errno.ENOSYS)
    # Arguments are looked at in their lower halves: the kernel takes no more of these either.
    code += _look_at("clone", processor, _FIRST, _refuse_if(_ANY_BIT, _NEW_NAMESPACES))
    terminal = [*_refuse_if(_EQUAL, _TIOCSTI), *_refuse_if(_EQUAL, _TIOCLINUX)]
    code += _look_at("ioctl", processor, _SECOND, terminal)
    for name in ("socket", "socketpair"):
        # Some families (AF_VSOCK) know no network namespaces and reach the machine around.
        code += _look_at(name, processor, _FIRST, _unless(_AF_UNIX, errno.EAFNOSUPPORT))
    code.append(_instruction(_RETURN, _ALLOW))
    return b"".join(code)


def _instruction(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction (struct sock_filter); the jumps count instructions to skip."""
    return struct.pack("<HBBI", operation, if_true, if_false, value)


def _refuse(number: int | None, code: int) -> list[bytes]:
    if number is None:
        return []
    return [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, _ERROR | code)]


def _refuse_if(test: int, value: int) -> list[bytes]:
    return [_instruction(test, value, 0, 1), _instruction(_RETURN, _ERROR | errno.EPERM)]


def _unless(value: int, code: int) -> list[bytes]:
    return [_instruction(_EQUAL, value, 1, 0), _instruction(_RETURN, _ERROR | code)]


def _look_at(name: str, processor: str, argument: int, tests: list[bytes]) -> list[bytes]:
    """For one call, apply tests to an argument, and allow it if none of them refuses."""
    number = syscalls.number(name, processor)
    assert number is not None
    body = [_instruction(_LOAD, argument), *tests, _instruction(_RETURN, _ALLOW)]
    return [_instruction(_EQUAL, number, 0, len(body)), *body]
