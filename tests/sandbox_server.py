"""A fork server in the sandbox's base, for tests: it runs functions in confined children.

`Server.value(function)` sends the function's source over, so nothing around it exists there but what `NAMES`
imports and the two helpers `refused` and `system_call`.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autograder import sandbox
from autograder.sandbox import libc

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "autograder"
UNUSABLE = " ".join(layer.sentence for layer in sandbox.probe() if layer.required and not layer.available)
NAMES = """
import ctypes, errno, os, signal, socket, subprocess, sys
from pathlib import Path
from autograder.sandbox import libc
"""

# Requests come as lines of JSON, and each is answered by a line.
SERVER = """
import ctypes, json, mmap, os, select, signal, socket, sys, traceback
from pathlib import Path
setting = json.loads(sys.argv[1])
sys.path.insert(0, setting["path"])
from autograder import sandbox
from autograder.sandbox import filesystem, isolation, landlock, libc, limits, namespaces, seccomp
exec(setting["before"])
secret = os.open(setting["secret"], os.O_RDONLY)
visible = [*sandbox.interpreter(), Path(setting["path"], "autograder"), *map(Path, setting["visible"])]
try:
    sandbox.enter_base(visible, [Path(each) for each in setting["hidden"]])
except sandbox.SandboxUnavailable as error:
    print(json.dumps(str(error)), flush=True)
    sys.exit(3)
print(json.dumps(""), flush=True)
shared = mmap.mmap(-1, mmap.PAGESIZE)
shared[:6] = b"shared"
listening = socket.socket(socket.AF_UNIX)
listening.bind("\\0fork server")
listening.listen()
exec(setting["after"])

def child(request, answer):
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    sandbox.close_other_descriptors([0, 1, 2, answer])
    said = {}
    try:
        said["held"] = sorted(sandbox.confine(sandbox.Limits(**request["limits"])))
        names = {"shared": shared}
        exec(request["code"], names)
        said["value"] = names[request["name"]](**request["arguments"])
    except BaseException as error:
        said["error"] = f"{type(error).__name__}: {error}"
        said["trace"] = traceback.format_exc()
    os.write(answer, json.dumps(said).encode())
    os._exit(0)

for line in sys.stdin:
    request = json.loads(line)
    reading, writing = os.pipe()
    sandbox.next_child_gets_pid_namespace()
    pid = os.fork()
    if pid == 0:
        child(request, writing)
    os.close(writing)
    said = b""
    while select.select([reading], [], [], request["seconds"])[0]:
        piece = os.read(reading, 1 << 20)
        said += piece
        if not piece or said.endswith(b"}"):  # what it started may keep the pipe open
            break
    else:
        os.kill(pid, signal.SIGKILL)
    _, result = os.waitpid(pid, 0)
    os.close(reading)
    said = json.loads(said or b"{}")
    said["code"] = os.waitstatus_to_exitcode(result)
    print(json.dumps({**said, "shared": shared[:6].decode()}), flush=True)
"""


def refused(function, *arguments):
    """Why an attempt failed, by the kernel's name for it; "" when it worked."""
    import errno

    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return ""


def system_call(name, *arguments):
    """Make a system call."""
    from autograder.sandbox import libc

    return libc.syscall(name, *arguments)


HELPERS = NAMES + inspect.getsource(refused) + inspect.getsource(system_call)


@dataclass
class Answer:
    """What came of a function in the sandbox: how its process ended, and what it returned or raised."""

    code: int
    shared: str
    value: object = None
    error: str = ""
    trace: str = ""
    held: list[str] = field(default_factory=list)


class Server:
    """A fork server, started as the grader starts it.

    `refused` is the sentence with which it refused, if it did. `before` and `after` are statements that it
    runs before it enters the base and afterwards; `preexec` is called before the new Python starts.
    """

    def __init__(
        self, secret, *, ordinary=False, before="", after="", visible=(), hidden=(), preexec=None
    ) -> None:
        self.marker = uuid.uuid4().hex
        setting = dict(path=str(ROOT), secret=str(secret), before=before, after=after)
        setting |= dict(visible=list(map(str, visible)), hidden=list(map(str, hidden)))
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, json.dumps(setting)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**sandbox.environment(), "MARKER": self.marker},
            preexec_fn=become_ordinary if ordinary else preexec,
            start_new_session=True,
        )
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.refused = json.loads(line)

    def start(self, function, limits=None, seconds=20, **arguments) -> None:
        """Run a function with these arguments in a child; `answer` waits for it."""
        code = HELPERS + textwrap.dedent(inspect.getsource(function))
        request = dict(code=code, name=function.__name__, arguments=arguments)
        self.process.stdin.write(json.dumps(request | dict(limits=limits or {}, seconds=seconds)) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Answer:
        return Answer(**json.loads(self.process.stdout.readline()))

    def run(self, function, **arguments) -> Answer:
        self.start(function, **arguments)
        return self.answer()

    def value(self, function, **arguments):
        """What a function returns that is expected to end well."""
        answer = self.run(function, **arguments)
        assert not answer.error, answer.trace
        assert answer.code == 0
        return answer.value

    def processes(self) -> set[int]:
        """All processes on this machine that come from this server."""
        found = set()
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.marker.encode() in (entry / "environ").read_bytes():
                    found.add(int(entry.name))
        return found

    def close(self) -> str:
        """End it; nothing of it may go on. Returns what it wrote on stderr."""
        self.process.stdin.close()
        errors = self.process.stderr.read()
        self.process.wait(10)
        self.process.stdout.close()
        self.process.stderr.close()
        assert not self.processes()
        return errors

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception) -> None:
        self.close()


@contextlib.contextmanager
def file_for_everybody() -> Iterator[Path]:
    """A file outside that everybody on this machine may read (pytest's own folders are closed)."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "secret.txt")
        path.write_text("the answers")
        yield path


@contextlib.contextmanager
def nothing_left_behind(server: Server | None) -> Iterator[None]:
    """The same mounts before and after, and no process of the server's but the two that it consists of."""
    mounts = Path("/proc/self/mounts").read_text()
    before = server.processes() if server else set()
    assert len(before) in (0, 2)
    yield
    assert Path("/proc/self/mounts").read_text() == mounts
    assert (server.processes() if server else set()) == before


# ---- Other people and other machines -----------------------------------------------------------------------


def become_ordinary() -> None:
    """Be nobody, who can read the interpreter although root's home is closed."""
    show_interpreter()
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def show_interpreter() -> None:
    """In a mount namespace of its own, open the folders above the interpreter to others."""
    own_mounts()
    closed: dict[Path, list[Path]] = {}
    for path in [*sandbox.interpreter(), PACKAGE]:
        for parent in reversed(path.parents):
            if not parent.stat().st_mode & 0o001:
                closed.setdefault(parent, []).append(path)
                break
    for parent, inside in closed.items():
        kept = {path: os.open(path, os.O_PATH) for path in inside}
        libc.mount("tmpfs", str(parent), "tmpfs", options="mode=0755")
        for path, descriptor in kept.items():
            path.mkdir(parents=True, exist_ok=True)
            libc.mount(f"/proc/self/fd/{descriptor}", str(path), flags=libc.MS_BIND | libc.MS_REC)
            os.close(descriptor)


def own_mounts() -> None:
    libc.unshare(libc.NEWNS)
    libc.mount("none", "/", flags=libc.MS_REC | libc.MS_PRIVATE)


def lose_root_rights() -> None:
    """Be root without CAP_SYS_ADMIN, as root in a container."""
    show_interpreter()
    libc.prctl(libc.PR_CAPBSET_DROP, 21)


def cover_part_of_proc() -> None:
    """Do to /proc what container managers do."""
    own_mounts()
    libc.mount("/proc/sys", "/proc/sys", flags=libc.MS_BIND)
    become_ordinary()


NO_SECCOMP = "seccomp.restrict = lambda: False"
NO_LANDLOCK = "landlock.restrict = lambda *arguments: False"
OLD_KERNEL = f"""
def absent(*arguments):
    raise OSError(38, "mount_setattr: Function not implemented")
libc.restrict_mounts = absent
{NO_LANDLOCK}
"""
NO_USER_NAMESPACE = """
unshare = libc.unshare
def unshare_but_user(kinds):
    if kinds & libc.NEWUSER:
        raise OSError(28, "unshare(NEWUSER): No space left on device")
    unshare(kinds)
libc.unshare = unshare_but_user
"""
KINDS = {
    "this user": {},
    "ordinary user": dict(ordinary=True),
    "without seccomp": dict(before=NO_SECCOMP),
    "ordinary user without seccomp": dict(ordinary=True, before=NO_SECCOMP),
    "without Landlock": dict(before=NO_LANDLOCK),
    "ordinary user on an old kernel": dict(ordinary=True, before=OLD_KERNEL),
    "ordinary user where /proc is partly covered": dict(preexec=cover_part_of_proc),
    "root without root's rights": dict(preexec=lose_root_rights),
    "root without user namespaces": dict(before=NO_USER_NAMESPACE),
}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
needs_sandbox = pytest.mark.skipif(bool(UNUSABLE), reason=UNUSABLE)


def kinds(*names: str) -> list:
    """Parameters for a test that is run as different people."""
    return [pytest.param(name, marks=() if name == "this user" else needs_root) for name in names]
