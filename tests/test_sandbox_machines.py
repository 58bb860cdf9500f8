"""The sandbox and its surroundings: what a caller has to do, the filter on each processor, other machines."""

import errno
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_server import (
    KINDS,
    OLD_KERNEL,
    ROOT,
    Server,
    become_ordinary,
    file_for_everybody,
    kinds,
    needs_root,
    needs_sandbox,
    nothing_left_behind,
    own_mounts,
    refused,
    show_interpreter,
)
from waiting import wait_until

from autograder import sandbox
from autograder.sandbox import isolation, libc, seccomp, syscalls
from autograder.sandbox.layers import LANDLOCK, OWN_PROC, SECCOMP, Layer
from autograder.sandbox.reasons import why_not
from autograder.sandbox.usage import family

PEOPLE = kinds("this user", "ordinary user")


@pytest.fixture
def secret():
    with file_for_everybody() as path, nothing_left_behind(None):
        yield path


def number():
    return os.getpid()


# ---- What the caller has to do -----------------------------------------------------------------------------


@needs_sandbox
@pytest.mark.parametrize("victim", ["the process that waits", "the fork server"])
def test_when_the_fork_server_ends_its_children_end(secret, victim):
    def stay():
        libc.prctl(libc.PR_SET_PDEATHSIG, 0)  # no signal when the parent dies, please
        os.fork()
        while True:
            signal.pause()

    with Server(secret) as server:
        server.start(stay)
        wait_until(lambda: len(server.processes()) == 4)
        waits, forks, *_ = family(server.process.pid)
        assert list(Path(f"/proc/{waits}/fd").iterdir()) == []  # so who waits for the end of a pipe sees it
        os.kill(waits if victim == "the process that waits" else forks, signal.SIGKILL)
        wait_until(lambda: not server.processes())
        assert server.process.wait(10) == (-9 if victim == "the process that waits" else 128 + 9)


@needs_sandbox
@pytest.mark.parametrize("kind", PEOPLE)
def test_visible_folders_may_be_in_tmp_and_hidden_ones_in_them(secret, kind):
    course = secret.parent / "my course"
    for name in ("package/lesson", "answers"):
        (course / name).mkdir(parents=True)
        (course / name / "file.py").write_text("1")
    (course / "keys.txt").write_text("12")
    link = secret.parent / "link"
    link.symlink_to(course)

    def look(course, link):
        seen = [sorted(os.listdir(course + each)) for each in ("", "/..", "/answers", "/package/lesson")]
        seen.append(os.listdir(link + "/answers"))
        keys = Path(course, "keys.txt")
        text = Path(link, "package/lesson/file.py").read_text()
        places = [
            f"{place}/{each}" for place in (course, link) for each in (".", "answers", "package/lesson")
        ]
        return (
            seen,
            refused(keys.read_text) or keys.read_text(),
            text,
            [refused(os.mkdir, each + "/x") for each in places],
        )

    hidden = [course / "answers", course / "keys.txt"]
    with Server(secret, visible=[link], hidden=hidden, **KINDS[kind]) as server:
        seen, keys, text, written = server.value(look, course=str(course), link=str(link))
    assert seen == [["answers", "keys.txt", "package"], ["link", "my course"], [], ["file.py"], []]
    assert keys in ("", "EACCES")
    assert text == "1"
    assert all(written)


@needs_sandbox
@needs_root
@pytest.mark.parametrize("kernel", ["", OLD_KERNEL], ids=["this kernel", "an old kernel"])
@pytest.mark.parametrize("user", ["root", "ordinary user"])
def test_disks_below_what_is_visible_are_read_only_too(secret, user, kernel):
    disk = secret.parent / "disks" / "a disk"
    disk.mkdir(parents=True)

    def before():
        own_mounts()
        libc.mount("tmpfs", str(disk), "tmpfs", options="mode=0777")
        (disk / "data").write_text("1")
        if user != "root":
            become_ordinary()

    def look(disk):
        return Path(disk, "data").read_text(), refused(os.mkdir, disk + "/x"), os.statvfs(disk).f_flag & 0b111

    with Server(secret, visible=[disk.parent], preexec=before, before=kernel) as server:
        flags = os.ST_RDONLY | os.ST_NOSUID | os.ST_NODEV
        assert server.value(look, disk=str(disk)) == ["1", "EROFS", flags]


@needs_sandbox
def test_what_is_needed_cannot_be_hidden(secret):
    with Server(secret, hidden=[ROOT]) as server:
        assert f"lies in {ROOT}, which must stay hidden" in server.refused
    with Server(secret, visible=[secret.parent], hidden=[secret.parent / "not yet"]) as server:
        assert "cannot be hidden before it exists" in server.refused


@needs_sandbox
@needs_root
def test_closed_folders_are_named(secret):
    folder = secret.parent / "closed"
    folder.mkdir(mode=0o700)
    with Server(secret, visible=[folder]) as server:
        assert f"chmod -R o+rX {folder}" in server.refused
    with Server(secret, visible=[folder], ordinary=True) as server:
        assert f"{folder} is needed by every submission, but this user cannot read it" in server.refused


@needs_sandbox
@pytest.mark.parametrize("opened", ["'/'", "setting['secret']", "'/proc/self/ns/mnt'"])
def test_no_submission_gets_an_open_folder_or_file(secret, opened):
    before = f"""
kept = os.open({opened}, os.O_RDONLY)
close = sandbox.close_other_descriptors
sandbox.close_other_descriptors = lambda keep: close([*keep, kept])
"""
    with Server(secret, before=before) as server:
        answer = server.run(number)
    assert "a submission may have pipes, sockets and /dev/null only" in answer.error
    assert not answer.held


@needs_sandbox
def test_a_child_needs_a_process_namespace_of_its_own(secret):
    with Server(secret, after="sandbox.next_child_gets_pid_namespace = lambda: None") as server:
        assert "forked without next_child_gets_pid_namespace()" in server.run(number).error


@needs_sandbox
def test_nothing_is_run_when_a_step_fails(secret):
    both = "seccomp.restrict = lambda: False; landlock.restrict = lambda *arguments: False"
    with Server(secret, before=both) as server:
        answer = server.run(number)
        assert "neither Landlock nor seccomp" in answer.error
        assert answer.value is None
    with Server(secret, after="libc.mount = lambda *arguments, **more: libc.setns(-1, libc.NEWNS)") as server:
        answer = server.run(number)
        assert "The kernel refused setns(NEWNS): Bad file descriptor" in answer.error
        assert answer.value is None


def test_the_steps_have_an_order():
    assert isolation._base is None
    with pytest.raises(sandbox.SandboxUnavailable, match="enter_base"):
        sandbox.confine(sandbox.Limits())
    with pytest.raises(sandbox.SandboxUnavailable, match="enter_base"):
        sandbox.next_child_gets_pid_namespace()


def test_the_environment_holds_no_secrets(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("PATH", "/home/ada/bin")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    environment = sandbox.environment()
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert "ada" not in environment["PATH"]
    assert environment["LC_ALL"] == "C.UTF-8"
    assert environment["HOME"] == sandbox.HOME


# ---- The filter, on both processors ------------------------------------------------------------------------

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "i386": 0x40000003, "arm": 0x40000028}


def decide(processor, call, first=0, second=0, architecture=None):
    """Run the filter as the kernel does: what it says to a call."""
    data = struct.pack("<IIQQQ", call, ARCHITECTURES[architecture or processor], 0, first, second)
    code = list(struct.iter_unpack("<HBBI", seccomp.program(processor)))
    value = at = 0
    while True:
        operation, if_true, if_false, constant = code[at]
        at += 1
        if operation == 0x20:
            (value,) = struct.unpack_from("<I", data, constant)
        elif operation == 0x06:
            return {0x7FFF0000: "allow", 0x80000000: "kill"}.get(constant) or errno.errorcode[
                constant & 0xFFFF
            ]
        else:
            test = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[operation]
            at += if_true if test else if_false


@pytest.mark.parametrize("processor", syscalls.MACHINES)
def test_the_filter_decides_as_meant(processor):
    def call(name):
        return syscalls.number(name, processor)

    forbidden = {call(name) for name in seccomp.REFUSED} - {None}
    absent = {call(name) for name in seccomp.ABSENT}
    looked_at = {call(name) for name in ("socket", "socketpair")}
    assert {decide(processor, each) for each in forbidden} == {"EPERM"}
    assert {decide(processor, each) for each in absent} == {"ENOSYS"}
    assert {decide(processor, each) for each in set(range(500)) - forbidden - absent - looked_at} == {"allow"}

    assert decide(processor, call("clone"), signal.SIGCHLD) == "allow"
    assert decide(processor, call("clone"), 0x003D0F00) == "allow"  # a thread
    assert {decide(processor, call("clone"), kind | signal.SIGCHLD) for kind in libc.KINDS} == {"EPERM"}
    terminal = (0x5412, 0x541C, 0x5412 | 7 << 32)
    assert {decide(processor, call("ioctl"), 0, request) for request in terminal} == {"EPERM"}
    assert decide(processor, call("ioctl"), 0, 0x5413) == "allow"
    for name in ("socket", "socketpair"):
        assert decide(processor, call(name), 1) == "allow"
        assert {decide(processor, call(name), family) for family in (0, 2, 10, 16, 17, 40)} == {
            "EAFNOSUPPORT"
        }
    for architecture in set(ARCHITECTURES) - {processor}:
        assert decide(processor, 1, architecture=architecture) == "kill"
    assert decide(processor, 0x40000001) == ("kill" if processor == "x86_64" else "allow")


def test_where_a_processor_is_not_known_there_is_no_filter(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert syscalls.machine() == ""
    assert not seccomp.restrict()


def test_numbers_are_those_of_the_kernels_headers():
    headers = [
        Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        Path("/usr/include/asm-generic/unistd.h"),
    ]
    if not all(path.exists() for path in headers):
        pytest.skip("the kernel's headers (linux-libc-dev) are not installed")
    for processor, path in zip(syscalls.MACHINES, headers, strict=True):
        found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", path.read_text()))
        for name in syscalls.NUMBERS:
            number = syscalls.number(name, processor)
            if name in found:
                assert number == int(found[name]), name
            else:
                assert number is None or number > 450, name  # newer than these headers


# ---- Machines that cannot ----------------------------------------------------------------------------------


def ask(preexec=None, command=()):
    """What a fresh Python finds out about this machine, as somebody else or somewhere else."""
    code = """
import json
from autograder import sandbox
layers = sandbox.probe()
print(json.dumps([sandbox.usable(layers), {layer.name: vars(layer) for layer in layers}]))
try:
    sandbox.enter_base(sandbox.interpreter())
except sandbox.SandboxUnavailable as error:
    print(error)
"""
    run = subprocess.run(
        [*command, sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=preexec,
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
    )
    assert (run.returncode, run.stderr) == (0, "")
    first, sentence = run.stdout.splitlines()
    usable, layers = json.loads(first)
    return usable, layers, sentence


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare (util-linux) is not installed")
def test_a_machine_that_can_isolate_is_not_refused():
    """Otherwise a mistake in the sandbox would only skip the tests."""
    command = ["unshare", "-Ur", "-mpnif", "sh", "-c", "mount -t tmpfs none /tmp && unshare -U true"]
    if subprocess.run(command, capture_output=True, timeout=30).returncode:
        pytest.skip("this machine allows no user namespaces")
    assert sandbox.usable(sandbox.probe()), sandbox.probe()


@needs_sandbox
def test_each_layer_says_what_it_does():
    layers = sandbox.probe()
    assert sandbox.usable(layers)
    assert layers is sandbox.probe()  # tried once
    for layer in layers:
        assert layer.sentence.startswith("Works: " if layer.available else "Missing: ")
        assert layer.sentence.endswith(".")


@needs_sandbox
@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare (util-linux) is not installed")
def test_where_user_namespaces_are_switched_off_it_says_so():
    off = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    usable, layers, sentence = ask(command=["unshare", "-Ur", "sh", "-c", off, "sh"])
    assert not usable
    for text in (layers["mount namespace"]["sentence"], layers["together"]["sentence"], sentence):
        assert "user.max_user_namespaces is 0" in text
        assert "sysctl -w user.max_user_namespaces=10000" in text
        assert "--no-sandbox" in text
    assert layers["resource limits"]["available"]


@needs_sandbox
@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed")
def test_in_a_container_it_says_so():
    """Docker's root: no CAP_SYS_ADMIN, and its own filter refuses namespaces."""

    def before():
        show_interpreter()
        libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
        assert seccomp.restrict()

    usable, layers, sentence = ask(before, ["setpriv", "--bounding-set=-sys_admin", "--"])
    assert not usable
    for text in (sentence, layers["pid namespace"]["sentence"]):
        assert "This is a container that forbids it" in text
        assert "--security-opt" in text


@needs_sandbox
@needs_root
def test_root_that_cannot_become_somebody_else_is_told_so():
    def before():
        show_interpreter()
        for capability in (7, 21):  # CAP_SETUID, CAP_SYS_ADMIN
            libc.prctl(libc.PR_CAPBSET_DROP, capability)

    usable, _, sentence = ask(before)
    assert not usable
    assert "Run the command as an ordinary user" in sentence


@needs_sandbox
def test_a_process_with_threads_cannot_enter():
    code = """
import threading
from autograder import sandbox
threading.Thread(target=threading.Event().wait, daemon=True).start()
try:
    sandbox.enter_base([])
except sandbox.SandboxUnavailable as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert "several threads" in run.stdout


def test_other_systems_are_told_that_it_needs_linux(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    (layer,) = sandbox.probe.__wrapped__()
    assert not sandbox.usable([layer])
    with pytest.raises(sandbox.SandboxUnavailable) as raised:
        sandbox.enter_base([])
    for text in (layer.sentence, str(raised.value)):
        assert "needs Linux" in text
        assert "--no-sandbox" in text


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("user/max_net_namespaces", "0", "user.max_net_namespaces=10000"),
    ],
)
def test_settings_that_forbid_are_named(monkeypatch, setting, value, wanted):
    def pretend(path):
        if path == Path("/proc/sys", setting):
            return value + "\n"
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", pretend)
    text = why_not(PermissionError(errno.EPERM, "mount(none, /): Operation not permitted"))
    assert text.startswith("The kernel refused mount(none, /): Operation not permitted. Here ")
    assert f"{setting.replace('/', '.')} is {value}: ask your administrator for `sysctl -w {wanted}`." in text


def test_at_least_one_of_the_two_filters_is_needed():
    layers = [Layer("tmpfs", True, True, ""), Layer(OWN_PROC, False, False, "")]
    assert not sandbox.usable(layers)
    assert sandbox.usable([*layers, Layer(LANDLOCK, True, False, "")])
    assert sandbox.usable([*layers, Layer(SECCOMP, True, False, ""), Layer(LANDLOCK, False, False, "")])
    assert not sandbox.usable([*layers, Layer(SECCOMP, True, False, ""), Layer("x", False, True, "")])
