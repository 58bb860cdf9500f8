"""Limits of the sandbox: each bounds one kind of greed, and nothing is left when the submission ends."""

import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_server import (
    KINDS,
    ROOT,
    Server,
    file_for_everybody,
    kinds,
    needs_sandbox,
    nothing_left_behind,
    refused,
)

from autograder import sandbox
from autograder.sandbox import limits
from autograder.sandbox.usage import family

pytestmark = needs_sandbox
PEOPLE = kinds("this user", "ordinary user")


@pytest.fixture(scope="module")
def secret():
    with file_for_everybody() as path:
        yield path


@pytest.fixture(scope="module", params=PEOPLE)
def any_server(request, secret):
    with Server(secret, **KINDS[request.param]) as server:
        yield server


@pytest.fixture
def server(any_server):
    with nothing_left_behind(any_server):
        yield any_server


@pytest.mark.parametrize("way", ["at once", "bit by bit", "mapped", "shared", "in threads"])
def test_too_much_memory_is_an_error_and_not_the_end(server, way):
    def eat(way):
        import mmap
        import threading

        ways = {
            "at once": lambda: bytearray(1 << 40),
            "mapped": lambda: mmap.mmap(-1, 1 << 24, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
            "shared": lambda: mmap.mmap(-1, 1 << 24),
        }
        found = []

        def more():
            kept = []
            try:
                while True:
                    kept.append(ways.get(way, lambda: bytearray(1 << 20))())
            except (MemoryError, OSError) as error:
                found.append([type(error).__name__, sum(map(len, kept)) >> 20])

        threads = [threading.Thread(target=more) for _ in range(3 if way == "in threads" else 1)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return found

    for name, size in server.value(eat, way=way, limits=dict(memory_megabytes=256)):
        assert name in ("MemoryError", "OSError")
        assert size <= 256


def test_memory_of_all_processes_can_be_summed_up_from_outside(server):
    def eat():
        for _ in range(4):
            if os.fork() == 0:
                kept = bytearray(os.urandom(1 << 20)) * 30
                signal.pause()
        signal.pause()
        return len(kept)

    server.start(eat, seconds=3)
    most = 0.0
    while not select.select([server.process.stdout], [], [], 0.05)[0]:
        _, _, *children = family(server.process.pid)
        if children:
            most = max(most, sandbox.memory_megabytes(children[0]))
            assert sandbox.memory_megabytes(children[0], enough=40) < 100  # counts no further
    server.answer()
    assert 115 < most < 200
    assert sandbox.memory_megabytes(2**22 + 1) == 0  # a process that is gone


def test_processes_and_threads_are_counted(server):
    if not limits.counts_by_namespace():
        pytest.skip("before Linux 5.14, all processes of a user count together")

    def bomb():
        import threading

        children = 0
        try:
            while children < 1000:
                if os.fork() == 0:
                    signal.pause()
                children += 1
        except BlockingIOError:
            pass
        try:
            threading.Thread(target=signal.pause).start()
        except RuntimeError:
            return children
        return "one more thread"

    for _ in range(2):  # those of the first child do not count for the second
        assert server.value(bomb, limits=dict(processes=20)) == 19


def test_what_it_started_ends_with_it(server):
    def start():
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                if os.fork():
                    os._exit(0)
                for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                    signal.signal(each, signal.SIG_IGN)
                os.closerange(0, 100)
                while True:
                    signal.pause()
        return "done"

    assert server.value(start) == "done"


def test_an_endless_loop_is_killed_with_all_that_it_started(server):
    def loop():
        for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
            signal.signal(each, signal.SIG_IGN)
        os.fork()
        while True:
            pass

    assert server.run(loop, seconds=0.3).code == -signal.SIGKILL


def test_processor_time_can_be_limited(server):
    def loop():
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        while True:
            pass

    assert server.run(loop, limits=dict(cpu_seconds=1)).code == -signal.SIGKILL


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_the_disk_is_full_at_its_limit(server, folder):
    def fill(folder):
        def write(path):
            with open(path, "wb") as file:
                file.write(bytes(1 << 19))

        ways = dict(
            bytes=write,
            empty=lambda path: os.close(os.open(path, os.O_CREAT)),
            folders=os.mkdir,
            links=lambda path: os.symlink("x" * 1000, path),
            hard=lambda path: os.link(f"{folder}/bytes0", path),
        )
        made, codes = {}, []
        for name, way in ways.items():
            made[name], code = 0, ""
            while made[name] < 100_000 and not code:
                code = refused(way, f"{folder}/{name}{made[name]}")
                made[name] += not code
            codes.append(code)
        return made, codes

    made, codes = server.value(fill, folder=folder, limits=dict(disk_megabytes=8, shared_memory_megabytes=8))
    assert 14 <= made["bytes"] <= 16
    assert sum(made.values()) <= 8 * 64
    assert set(codes) == {"ENOSPC"}


def test_files_are_bounded_in_size_and_number(server):
    def grow():
        with open("big", "wb") as file:
            big = refused(file.truncate, 9 << 20)
        return big, refused(lambda: [os.dup(0) for _ in range(100)])

    assert server.value(grow, limits=dict(disk_megabytes=8, open_files=50)) == ["EFBIG", "EMFILE"]


def test_limits_cannot_be_raised(server):
    def lift():
        import resource

        lifted = []
        for name in ("AS", "FSIZE", "NOFILE", "NPROC", "CORE", "MSGQUEUE", "RTPRIO", "MEMLOCK", "SIGPENDING"):
            kind = getattr(resource, "RLIMIT_" + name)
            hard = resource.getrlimit(kind)[1] + 1
            try:
                resource.setrlimit(kind, (hard, hard))
                lifted.append(name)
            except ValueError:
                continue
        return lifted

    assert server.value(lift) == []


def test_a_crash_leaves_no_core_and_starts_no_handler(server):
    def crash():
        ctypes.string_at(0)

    def core():
        import resource

        return resource.getrlimit(resource.RLIMIT_CORE)

    assert server.run(crash).code == -signal.SIGSEGV
    assert server.value(core) == [1, 1]


def test_hundreds_of_children_leave_nothing(server):
    def number():
        return os.getpid()

    for _ in range(200):
        assert server.value(number) == 1


@pytest.mark.parametrize("kind", PEOPLE)
def test_torch_works_in_it(secret, kind):
    """Imported in the base, used in a child: gradients, processes, plots, and not a word on stderr."""

    def compute():
        import matplotlib.pyplot as plt
        import torch

        x = torch.randn(64, 3, 8, 8, requires_grad=True)
        layer = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
        layer(x).square().mean().backward()
        torch.save(layer.state_dict(), "weights.pt")
        layer.load_state_dict(torch.load("weights.pt"))
        loader = torch.utils.data.DataLoader(list(range(4)), num_workers=2, batch_size=2)
        plt.plot([1, 2])
        plt.savefig("plot.png")
        return x.grad.shape, [batch.tolist() for batch in loader], os.path.getsize("plot.png") > 1000

    preload = "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot, torch, torch.utils.data"
    server = Server(secret, after=preload, **KINDS[kind])
    shape, batches, plotted = server.value(compute)
    assert server.close() == ""
    assert (shape, batches, plotted) == ([64, 3, 8, 8], [[0, 1], [2, 3]], True)


def test_without_isolation_there_are_still_limits():
    code = """
import os, resource
from autograder import sandbox
sandbox.limit_only(sandbox.Limits(memory_megabytes=100, disk_megabytes=1, cpu_seconds=50))
try:
    bytes(200 << 20)
except MemoryError:
    print(os.getsid(0) == os.getpid(), resource.getrlimit(resource.RLIMIT_CPU))
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert run.stdout == "True (50, 50)\n"
    assert resource.getrlimit(resource.RLIMIT_CPU) != (50, 50)
    assert Path("/proc").exists()
