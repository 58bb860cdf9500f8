"""Tries every layer of the sandbox on this machine, in processes that live for a moment.

`probe` starts a fresh Python, because the one that asks may have threads, and those cannot enter a user
namespace. That Python (`python -m autograder.sandbox`) forks once for each layer and prints what came of it.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from autograder.sandbox import filesystem, isolation, landlock, libc, limits, namespaces, seccomp
from autograder.sandbox.layers import LANDLOCK, OWN_PROC, OWN_USER, SECCOMP, Layer, SandboxUnavailable
from autograder.sandbox.reasons import LAST_RESORT, why_not

_PACKAGE = Path(__file__).parents[1]
_SECONDS = 60

Trial = Callable[[], Collection[str] | None]


@lru_cache
def probe() -> tuple[Layer, ...]:
    """Try each layer for real, once in the life of this process; takes a fraction of a second."""
    if sys.platform != "linux":
        return (Layer("Linux", False, True, why_not(OSError())),)
    path = os.pathsep.join(filter(None, [str(_PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "autograder.sandbox"]
    said = ""
    try:
        run = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=_SECONDS
        )
        said = run.stderr.strip()
        return tuple(Layer(**layer) for layer in json.loads(run.stdout))
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        reason = said.splitlines()[-1] if said else str(error)
        return (Layer("trial", False, True, f"Isolation could not be tried ({reason}). {LAST_RESORT}"),)


def try_layers() -> list[Layer]:
    """Try each layer in a process forked from this one, then all of them together."""
    namespace_trials: list[tuple[str, int, str, Trial]] = [
        ("mount namespace", libc.NEWNS, "submissions have a file system of their own", _mount),
        ("tmpfs", libc.NEWNS, "what they may write has a fixed size and is gone afterwards", _fill),
        ("pid namespace", libc.NEWPID, "no other process exists for them", _first_process),
        ("network namespace", libc.NEWNET, "they have no network, nor localhost", _nothing),
        ("IPC namespace", libc.NEWIPC, "they share no memory with other programs", _nothing),
    ]
    layers = [_layer(name, True, _inside(kind, act), works) for name, kind, works, act in namespace_trials]
    layers += [
        _layer("resource limits", True, _lower_limits, "memory, processes and files are bounded"),
        _layer("no_new_privs", True, _no_new_privileges, "setuid programs give them no rights"),
        _layer(LANDLOCK, False, _landlock, "the kernel itself refuses writing elsewhere"),
        _layer(SECCOMP, False, _seccomp, "system calls that no exercise needs are refused"),
    ]
    problem, held = _try(_everything)
    layers.append(Layer("together", not problem, True, problem or "Works: a whole sandbox held."))
    if problem:
        return layers
    user = "they have rights over nothing", "they run as nobody in namespaces that belong to root"
    proc = "/proc shows them their own processes", "/proc is empty, as the machine's is partly covered"
    for name, (works, misses) in {OWN_USER: user, OWN_PROC: proc}.items():
        sentence = f"Works: {works}." if name in held else f"Missing: {misses}."
        layers.append(Layer(name, name in held, False, sentence))
    return layers


def _layer(name: str, required: bool, trial: Trial, works: str) -> Layer:
    problem, _ = _try(trial)
    return Layer(name, not problem, required, problem or f"Works: {works}.")


def _try(trial: Trial) -> tuple[str, Collection[str]]:
    """Run a trial in a child of this process.

    Returns:
        The problem as a sentence, or ""; and what the trial returned.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        root = namespaces.is_root()
        problem, held = "", list[str]()
        try:
            held = list(trial() or ())
        except SandboxUnavailable as error:
            problem = str(error)
        except OSError as error:
            problem = why_not(error, root=root)
        except BaseException as error:
            problem = f"The trial failed ({type(error).__name__}: {error}). {LAST_RESORT}"
        finally:
            os.write(writing, json.dumps([problem, held]).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, result = os.waitpid(child, 0)
    if not answer:
        return f"The trial ended with code {os.waitstatus_to_exitcode(result)}. {LAST_RESORT}", ()
    problem, held = json.loads(answer)
    return problem, held


def _inside(kind: int, action: Trial) -> Trial:
    """A trial in one new namespace."""

    def trial() -> Collection[str] | None:
        root = namespaces.is_root()
        if not root:
            namespaces.leave_root()
        namespaces.own(kind, with_user=not root)
        return action()

    return trial


def _nothing() -> None:
    """Making the namespace was all."""


def _mount() -> None:
    libc.mount("none", "/", flags=libc.MS_REC | libc.MS_PRIVATE)
    libc.mount("tmpfs", "/tmp", "tmpfs")


def _fill() -> None:
    libc.mount("none", "/", flags=libc.MS_REC | libc.MS_PRIVATE)
    libc.mount("tmpfs", "/tmp", "tmpfs", options="size=1m")
    try:
        Path("/tmp/full").write_bytes(bytes(2 * limits.MEGABYTE))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return
        raise
    raise SandboxUnavailable(f"A tmpfs of 1 MB took 2 MB. {LAST_RESORT}")


def _first_process() -> None:
    namespaces.become_first_process()
    if os.getpid() != 1:
        raise SandboxUnavailable(f"The first process of a namespace is number {os.getpid()}. {LAST_RESORT}")


def _lower_limits() -> None:
    limits.apply(limits.Limits(memory_megabytes=64), used_pages=limits.pages_in_use(), counted_alone=False)
    try:
        bytes(256 * limits.MEGABYTE)
    except MemoryError:
        return
    raise SandboxUnavailable(f"A process got more memory than its limit allows. {LAST_RESORT}")


def _no_new_privileges() -> None:
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)


def _landlock() -> None:
    _no_new_privileges()
    if not landlock.restrict(["/dev/shm"], ["/dev/null"]):
        raise SandboxUnavailable("Missing: this kernel has none; it came with 5.13 and can be switched off.")


def _seccomp() -> None:
    _no_new_privileges()
    if not seccomp.restrict():
        raise SandboxUnavailable("Missing: the kernel has none, or this processor's calls are not known.")


def _everything() -> Collection[str]:
    """Go the whole way, look around as a submission could, and return the optional layers."""
    isolation.enter_base([*filesystem.interpreter(), _PACKAGE])
    isolation.next_child_gets_pid_namespace()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            isolation.close_other_descriptors([writing])
            held = isolation.confine(limits.Limits())
            answer = [_look_around(own_proc=OWN_PROC in held), sorted(held)]
        except BaseException as error:
            answer = [f"{error}", []]
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        problem, held = json.loads(pipe.read() or b'["An isolated process died at once.", []]')
        layers: list[str] = held
    os.waitpid(child, 0)
    if problem:
        raise SandboxUnavailable(f"{problem} {'' if LAST_RESORT in problem else LAST_RESORT}".strip())
    return layers


def _look_around(*, own_proc: bool) -> str:
    """What a confined process can do that it should not; "" where there is nothing."""
    if os.getpid() != 1 or libc.capabilities() or not libc.prctl(libc.PR_GET_NO_NEW_PRIVS):
        return "An isolated process kept rights."
    if own_proc and [name for name in os.listdir("/proc") if name.isdigit()] != ["1"]:
        return "An isolated process saw others."
    with suppress(OSError), socket.socket(socket.AF_INET) as network:
        network.connect(("127.0.0.1", 9))
        return "An isolated process had a network."
    for folder in ("/", "/usr", "/etc", "/dev", str(_PACKAGE)):
        with suppress(OSError), open(f"{folder}/trial", "x"):
            return f"An isolated process could write to {folder}."
    for path in ("/etc/shadow", "/run", "/var"):
        with suppress(OSError):
            os.listdir(path) if os.path.isdir(path) else open(path).close()
            return f"An isolated process could read {path}."
    try:
        Path("trial").write_text("")
    except OSError as error:
        return f"An isolated process could not write into its own folder ({error})."
    return ""
