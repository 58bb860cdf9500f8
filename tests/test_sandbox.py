"""The sandbox from within: what a submission sees, and what it tries.

Each attack is tried as root's and as an ordinary user's submission, and again with one layer switched off at
a time: what one layer lets through, another has to stop.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from sandbox_server import (
    KINDS,
    NO_SECCOMP,
    PACKAGE,
    ROOT,
    Server,
    file_for_everybody,
    kinds,
    needs_sandbox,
    nothing_left_behind,
    refused,
    system_call,
)

from autograder import sandbox
from autograder.sandbox import libc, syscalls
from autograder.sandbox.layers import OWN_PROC, OWN_USER, SECCOMP

pytestmark = needs_sandbox


@pytest.fixture(scope="module")
def secret():
    with file_for_everybody() as path:
        yield path


@pytest.fixture(scope="module", params=kinds(*KINDS))
def any_server(request, secret):
    with Server(secret, **KINDS[request.param]) as server:
        yield server


@pytest.fixture
def server(any_server):
    with nothing_left_behind(any_server):
        yield any_server


@pytest.fixture
def held(server):
    """Names of the optional layers that hold the children of this server."""

    def nothing():
        return None

    return set(server.run(nothing).held)


# ---- What exists -------------------------------------------------------------------------------------------


def test_only_the_system_and_what_is_visible_exist(server):
    def look():
        return [sorted(os.listdir(folder)) for folder in ("/", "/etc", "/dev")]

    root, etc, dev = server.value(look)
    system = {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "nix", "gnu"}
    system |= {"etc", "dev", "proc", "sys", "tmp"}
    files = {"passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache", "localtime", "fonts", "alternatives"}
    assert set(root) - {".spare"} <= system | {path.parts[1] for path in [*sandbox.interpreter(), PACKAGE]}
    assert set(etc) <= files
    assert set(dev) == {"null", "zero", "full", "random", "urandom", "shm", "fd"}


def test_other_files_do_not_exist(server, secret):
    def look(paths):
        return [path for path in paths if os.path.lexists(path)]

    outside = [secret, *(ROOT / name for name in ("source_notebooks", "solutions", "pyproject.toml", ".git"))]
    outside += map(Path, ["/etc/shadow", "/run", "/var", "/boot", "/sys/kernel", "/sys/class"])
    outside += map(Path, ["/dev/tty", "/dev/pts", "/dev/mem", "/dev/kmsg"])
    seen = sandbox.interpreter()
    for path in Path.home().iterdir():
        if path not in seen and not any(path in each.parents for each in seen):
            outside.append(path)
    assert len([path for path in outside if path.exists()]) > 8
    assert server.value(look, paths=list(map(str, outside))) == []


def test_there_is_no_way_up(server, secret):
    def climb(secret):
        out = []
        for start in ("/", "/tmp/work", "/proc/self/root", "/proc/1/root", "/proc/self/cwd"):
            path = start + "/.." * 20
            if os.path.exists(path):
                same = sorted(os.listdir(path)) == sorted(os.listdir("/"))
                out.append(os.path.exists(path + secret) or not same)
        return out

    assert not any(server.value(climb, secret=str(secret)))


def test_files_that_the_fork_server_has_open_are_closed(server):
    def look():
        return [each for each in range(1000) if not refused(os.fstat, each)]

    assert len(server.value(look)) == 4  # input, output, errors, and the pipe for the answer


def test_memory_that_the_fork_server_shares_is_not_inherited(server):
    def overwrite():
        globals()["shared"][:6] = b"forged"

    answer = server.run(overwrite)
    assert (answer.code, answer.shared) == (-signal.SIGSEGV, "shared")


def test_only_its_own_processes_exist(server, held):
    def look():
        child = os.fork()
        if child == 0:
            signal.pause()
        seen = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
        return os.getpid(), os.getppid(), child, seen

    pid, parent, child, seen = server.value(look)
    assert (pid, parent) == (1, 0)
    assert seen == ([1, child] if OWN_PROC in held else [])


# ---- What can be written -----------------------------------------------------------------------------------


def test_nothing_can_be_written_but_in_tmp_and_shm(server):
    def plant_everywhere():
        ways = [os.mkdir, os.mkfifo, lambda path: os.symlink("/", path), lambda path: os.mknod(path)]
        written = []
        for top in ("/", *(os.path.join("/", each) for each in os.listdir("/"))):
            for folder, subfolders, _ in os.walk(top):
                if folder.startswith(("/tmp", "/dev/shm")):
                    subfolders.clear()
                    continue
                if folder.count("/") > 3 or top == "/":
                    subfolders.clear()
                written += [folder for way in ways if not refused(way, folder + "/planted")]
        return written

    assert server.value(plant_everywhere) == []


def test_what_is_visible_cannot_be_changed(server):
    def change(path):
        attempts = {
            "append": (os.open, path, os.O_WRONLY | os.O_APPEND),
            "chmod": (os.chmod, path, 0o777),
            "touch": (os.utime, path),
            "chown": (os.chown, path, os.getuid(), os.getgid()),
            "remove": (os.remove, path),
            "rename": (os.rename, path, path + "2"),
            "link": (os.link, path, "/tmp/work/link"),
            "attribute": (os.setxattr, path, "user.x", b"1"),
            "truncate": (os.truncate, path, 0),
        }
        return [name for name, attempt in attempts.items() if not refused(*attempt)]

    assert server.value(change, path=str(PACKAGE / "__init__.py")) == []


def test_settings_of_the_kernel_cannot_be_written(server):
    def write_everywhere():
        paths = [f"/proc/{name}" for name in ("sysrq-trigger", "kmsg", "kcore", "mtrr", "pressure/memory")]
        for top in ("/proc/sys", "/proc/1", "/sys"):
            for folder, _, names in os.walk(top):
                paths += [f"{folder}/{name}" for name in names]
        own = ("/fd/", "/map_files/")
        return [
            path
            for path in paths
            if not refused(os.open, path, os.O_WRONLY) and not any(map(path.count, own))
        ]

    assert server.value(write_everywhere) == []


def test_its_own_program_cannot_be_written(server):
    def overwrite():
        return [
            refused(os.open, path, os.O_RDWR) for path in (sys.executable, "/proc/self/exe", "/proc/1/exe")
        ]

    assert all(server.value(overwrite))


def test_each_child_has_an_empty_tmp_of_its_own(server):
    def look_and_leave():
        seen = [os.listdir(folder) for folder in ("/tmp/home", "/tmp/work", "/dev/shm")]
        Path("left").write_text("here")
        Path("/dev/shm/left").write_text("here")
        return os.getcwd(), os.path.expanduser("~"), seen

    for _ in range(2):
        assert server.value(look_and_leave) == ["/tmp/work", "/tmp/home", [[], [], []]]


def test_usual_work_with_files_works(server):
    def work():
        import tempfile

        os.makedirs("a/b")
        Path("a/b/one").write_text("1")
        os.rename("a/b/one", "a/two")
        os.link("a/two", "three")
        os.symlink("three", "four")
        os.truncate("four", 0)
        os.chmod("three", 0o600)
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x")
        with open("/dev/null", "w") as null:
            null.write("x")
        with open("/dev/urandom", "rb") as random:
            return len(random.read(4)) + len(os.urandom(4))

    assert server.value(work) == 8


# ---- Network, other processes ------------------------------------------------------------------------------


def test_there_is_no_network_nor_localhost(server):
    def connect(port):
        def stream(address):
            with socket.create_connection(address, timeout=1):
                pass

        def datagram():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as each:
                each.sendto(b"x", ("127.0.0.1", port))

        return refused(stream, ("127.0.0.1", port)), refused(stream, ("::1", port)), refused(datagram)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert all(server.value(connect, port=listening.getsockname()[1]))


def test_families_of_sockets_that_know_no_namespaces_are_closed(server, held):
    if SECCOMP not in held:
        pytest.skip("only seccomp knows them")

    def open_all():
        return {
            family: refused(lambda family: socket.socket(family).close(), family) for family in range(1, 50)
        }

    codes = server.value(open_all)
    assert codes.pop(str(int(socket.AF_UNIX))) == ""
    assert set(codes.values()) == {"EAFNOSUPPORT"}


def test_abstract_sockets_of_others_do_not_exist(server):
    """Neither those on the machine nor those in the fork server's own network namespace."""

    def connect(name):
        with socket.socket(socket.AF_UNIX) as each:
            return refused(each.connect, "\0" + name)

    name = f"sandbox-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0" + name)
        listening.listen()
        assert server.value(connect, name=name)
        assert server.value(connect, name="fork server")


def test_signals_reach_nobody_else(server):
    def kill():
        for number in (signal.SIGTERM, signal.SIGKILL):
            for target in (0, -1, os.getppid(), 2, *range(100, 3000)):
                refused(os.kill, target, number)
            refused(os.killpg, 0, number)
        return "alive"

    assert server.value(kill) == "alive"  # the kernel keeps process 1 from killing itself
    assert server.value(kill) == "alive"  # and the fork server is still there


# ---- Rights and the kernel ---------------------------------------------------------------------------------


def test_no_rights_are_left(server, held):
    def look():
        users = [*os.getresuid(), *os.getresgid(), *os.getgroups()]
        bounding = [libc.prctl(23, capability) for capability in range(40)]  # PR_CAPBSET_READ
        status = Path("/proc/self/status")
        return users, bounding, libc.capabilities(), libc.prctl(39), status.exists() and status.read_text()

    users, bounding, capabilities, no_new_privileges, status = server.value(look)
    assert len(set(users)) == 1
    assert users[0] != 0
    assert (set(bounding), capabilities, no_new_privileges) == ({0}, 0, 1)
    if OWN_PROC in held:
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert {int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert fields["NoNewPrivs"] == "1"
        assert fields["Seccomp"] == ("2" if SECCOMP in held else "0")


def test_mounts_cannot_be_made_or_changed(server):
    def attempt():
        overlay = "lowerdir=/usr,upperdir=/tmp/a,workdir=/tmp/b"
        attempts = {
            "tmpfs": (libc.mount, "tmpfs", "/tmp/work", "tmpfs"),
            "proc": (libc.mount, "proc", "/tmp/work", "proc"),
            "bind": (libc.mount, "/usr", "/tmp/work", "", libc.MS_BIND),
            "overlay": (libc.mount, "overlay", "/tmp/work", "overlay", 0, overlay),
            "writable": (libc.mount, "none", "/", "", libc.MS_REMOUNT),
            "writable /usr": (libc.mount, "none", "/usr", "", libc.MS_REMOUNT | libc.MS_BIND),
            "uncover /tmp": (libc.detach, "/tmp"),
            "uncover /proc": (libc.detach, "/proc"),
            "pivot_root": (libc.pivot_root, "/tmp", "/tmp/work"),
            "chroot": (os.chroot, "/tmp"),
            "open_tree": (system_call, "open_tree", -100, ctypes.c_char_p(b"/"), 1),
            "fsopen": (system_call, "fsopen", ctypes.c_char_p(b"tmpfs"), 0),
            "handles": (system_call, "open_by_handle_at", -100, ctypes.create_string_buffer(200), 0),
        }
        return [name for name, attempt in attempts.items() if not refused(*attempt)]

    assert server.value(attempt) == []


def test_namespaces_cannot_be_made_or_entered(server, held):
    def attempt():
        names = {"NEWNS": "mnt"}
        worked = [name for kind, name in libc.KINDS.items() if not refused(libc.unshare, kind)]
        for kind, name in libc.KINDS.items():
            path = Path("/proc/self/ns", names.get(name, name[3:].lower()))
            if path.exists() and not refused(libc.setns, os.open(path, os.O_RDONLY), kind):
                worked.append("into " + name)
        process = os.getpid()
        if not refused(system_call, "clone", libc.NEWUSER | signal.SIGCHLD, 0, 0, 0, 0):
            worked.append("clone")
        if os.getpid() != process:
            os._exit(0)
        return worked

    # Without seccomp one may enter the cgroup namespace in which one is.
    assert set(server.value(attempt)) <= (set() if SECCOMP in held else {"into NEWCGROUP"})


def test_a_new_user_namespace_cannot_be_made_without_seccomp_either(server, held):
    """It is the door to most holes of the kernel."""
    if OWN_USER not in held:
        pytest.skip("root without user namespaces leaves that to seccomp")

    def attempt():
        raised = refused(Path("/proc/sys/user/max_user_namespaces").write_text, "9")
        return raised, refused(libc.unshare, libc.NEWUSER)

    raised, made = server.value(attempt)
    assert raised
    assert made == ("EPERM" if SECCOMP in held else "ENOSPC")


def test_what_only_root_may_do_is_refused(server):
    def attempt():
        import time

        attempts = {
            "user": (os.setuid, 0),
            "groups": (os.setgroups, [0]),
            "device": (os.mknod, "/tmp/work/sda", 0o60666, os.makedev(8, 0)),
            "host name": (socket.sethostname, "x"),
            "clock": (time.clock_settime, 0, 0.0),
            "priority": (os.nice, -5),
            "real time": (os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)),
            "be killed last": (Path("/proc/self/oom_score_adj").write_text, "0"),
        }
        return [name for name, attempt in attempts.items() if not refused(*attempt)]

    assert server.value(attempt) == []


def test_calls_that_no_exercise_needs_are_refused(server, held):
    if SECCOMP not in held:
        pytest.skip("only seccomp refuses them")

    def attempt():
        from autograder.sandbox import seccomp

        names = (*seccomp.REFUSED, *seccomp.ABSENT)
        return {name: refused(system_call, name, 0, 0, 0, 0, 0) for name in names}

    codes = server.value(attempt)
    for name, code in codes.items():
        if syscalls.number(name) is not None:
            assert code == ("ENOSYS" if name.startswith(("clone3", "io_uring", "memfd")) else "EPERM"), name


@pytest.mark.skipif(syscalls.machine() != "x86_64", reason="other processors have one kind of calls")
@pytest.mark.parametrize("code", ["b814000000cd80c3", "b8270000400f05c3"], ids=["32 bit", "x32"])
def test_calls_by_other_numbers_end_the_process(server, held, code):
    if SECCOMP not in held:
        pytest.skip("only seccomp sees them")

    def call(code):
        import mmap

        memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write(bytes.fromhex(code))
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
        return "survived"

    answer = server.run(call, code=code)
    assert (answer.value, answer.code) == (None, -signal.SIGSYS)


def test_memory_of_processes_cannot_be_traced_or_read(server, held):
    if SECCOMP not in held:
        pytest.skip("without seccomp a submission may look into its own processes, and there are no others")

    def attempt():
        child = os.fork()
        if child == 0:
            signal.pause()
        attach = refused(system_call, "ptrace", 16, child, 0, 0)
        read = refused(system_call, "process_vm_readv", child, None, 0, None, 0, 0)
        return attach, read, refused(system_call, "pidfd_getfd", os.pidfd_open(child), 0, 0)

    assert set(server.value(attempt)) == {"EPERM"}


def test_no_terminal_can_be_reached(server):
    def attempt():
        import fcntl

        calls = [call | high for call in (0x5412, 0x541C) for high in (0, 1 << 31)]  # TIOCSTI, TIOCLINUX
        put = [refused(fcntl.ioctl, 0, call, b"x") for call in calls]
        return [
            *put,
            *(refused(os.open, path, os.O_RDWR) for path in ("/dev/tty", "/dev/ptmx", "/dev/console")),
        ]

    assert all(server.value(attempt))


def test_setuid_programs_gain_nothing(server, held):
    program = Path("/usr/bin/su")
    if not (program.exists() and program.stat().st_mode & 0o4000):
        pytest.skip("this system has no setuid su")
    if OWN_PROC not in held:
        pytest.skip("without /proc nobody can tell whom a program runs as")

    def run(program):
        quiet = dict(stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with subprocess.Popen([program], **quiet) as process:
            status = Path(f"/proc/{process.pid}/status").read_text()
            process.kill()
        return [line.split()[1:] for line in status.splitlines() if line.startswith(("Uid", "CapEff"))]

    users, capabilities = server.value(run, program=str(program))
    assert "0" not in users
    assert int(capabilities[0], 16) == 0


def test_keys_of_the_person_who_grades_are_not_there(secret):
    """Without seccomp, which refuses to ask at all."""
    put = """
with __import__("contextlib").suppress(OSError):  # a container may have forbidden keys
    libc.syscall("add_key", *map(ctypes.c_char_p, [b"user", b"sandbox-test", b"key"]), 3, -3)
"""

    def ask():
        return refused(system_call, "request_key", *map(ctypes.c_char_p, [b"user", b"sandbox-test"]), None, 0)

    with Server(secret, before=put + NO_SECCOMP) as server:
        assert server.value(ask)
