"""A kernel that is forked warm is the kernel that Jupyter would have started, only sooner.

Most tests share one fork server, whose preload list holds torch and a module of these tests.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import nbclient
import nbformat
import psutil
import pytest
import tiny_course as tiny
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager, KernelManager
from nbformat.v4 import new_code_cell, new_notebook
from waiting import wait_until

from autograder.bridge import open_gradebook
from autograder.errors import ConfigError
from autograder.kernels import __main__ as command
from autograder.kernels import settings
from autograder.kernels.preload import preload
from autograder.kernels.provisioner import WarmProvisioner, plan
from autograder.release import release

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")

IPYKERNEL = [sys.executable, "-m", "ipykernel_launcher", "-f", "connection.json"]


# --- A place of its own: sockets, connection files, history, kernelspecs ------------------------------------


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A short folder (Unix sockets need that) for all that Jupyter and the servers write."""
    with tempfile.TemporaryDirectory(prefix="kernels-", dir="/tmp") as name:
        root = Path(name)
        for spec, provisioner in {"warm": "warm-provisioner", "cold": "local-provisioner"}.items():
            folder = root / "kernels" / spec
            folder.mkdir(parents=True)
            kernel = {
                "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": spec,
                "language": "python",
                "metadata": {"kernel_provisioner": {"provisioner_name": provisioner}},
            }
            (folder / "kernel.json").write_text(json.dumps(kernel))
        (root / "heavy.py").write_text("import os\nIMPORTED_IN = os.getpid()\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", name)
            patch.setenv("JUPYTER_RUNTIME_DIR", str(root / "runtime"))
            patch.setenv("JUPYTER_PATH", name)
            patch.setenv("IPYTHONDIR", str(root / "ipython"))
            patch.setenv("PYTHONPATH", name)
            patch.setenv("OMP_NUM_THREADS", "1")
            patch.setenv(settings.PRELOAD_VARIABLE, "heavy torch matplotlib.pyplot")
            yield root
            servers = [each["pid"] for each in command.ask_all("stop")]
            wait_until(lambda: not any(psutil.pid_exists(pid) for pid in servers))


@pytest.fixture
def other_server(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Call it to get kernels from another server: with other modules or other variables."""

    def change(preload: str = "heavy", **variables: str) -> None:
        monkeypatch.setenv(settings.PRELOAD_VARIABLE, preload)
        # A variable that nobody reads still tells one test's server from another's.
        monkeypatch.setenv("THE_TEST", os.environ["PYTEST_CURRENT_TEST"])
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return change


class Kernel:
    """A running kernel and its client."""

    def __init__(self, name: str = "warm", **launch: object) -> None:
        self.manager = KernelManager(kernel_name=name)
        self.manager.start_kernel(**launch)
        self.connect()

    def connect(self) -> None:
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=30)

    @property
    def pid(self) -> int:
        return self.manager.provisioner.pid

    @property
    def is_fork(self) -> bool:
        return psutil.Process(self.pid).ppid() != os.getpid()

    def run(self, code: str, timeout: float = 20) -> str:
        """What a cell prints; an exception there is one here."""
        printed: list[str] = []

        def collect(message: dict) -> None:
            printed.append(message["content"].get("text", ""))

        reply = self.client.execute_interactive(code, output_hook=collect, timeout=timeout)["content"]
        if reply["status"] != "ok":
            raise RuntimeError(reply)
        return "".join(printed).strip()

    def close(self) -> None:
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@contextmanager
def running(name: str = "warm", **launch: object) -> Iterator[Kernel]:
    kernel = Kernel(name, **launch)
    try:
        yield kernel
    finally:
        kernel.close()


@pytest.fixture(scope="module")
def shared(place: Path) -> Iterator[Kernel]:
    """One warm kernel for the tests that leave it as it was."""
    with running() as kernel:
        yield kernel


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def notebook(*cells: str) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_code_cell(cell, id=f"cell-{i}") for i, cell in enumerate(cells)])


def execute(
    book: nbformat.NotebookNode, kernel: str = "warm", **options: object
) -> list[list[nbformat.NotebookNode]]:
    """Run a notebook with nbclient; all outputs."""
    nbclient.NotebookClient(book, kernel_name=kernel, **options).execute()
    return [cell.outputs for cell in book.cells]


# --- It is warm ---------------------------------------------------------------------------------------------


def test_a_kernel_finds_the_preload_list_imported_by_the_process_it_was_forked_from(shared: Kernel) -> None:
    server = int(shared.run("import sys, os; print(os.getppid())"))
    assert server != os.getpid()
    assert int(shared.run("print(sys.modules['heavy'].IMPORTED_IN)")) == server
    assert shared.run("print('torch' in sys.modules)") == "True"


def test_the_next_kernel_is_forked_from_the_same_process_and_starts_with_nothing_of_the_last(
    shared: Kernel,
) -> None:
    shared.run("left_behind = 1")
    with running() as kernel:
        assert kernel.run("import os; print(os.getppid())") == shared.run("import os; print(os.getppid())")
        assert kernel.run("print('left_behind' in globals())") == "False"


# --- It is the kernel that was asked for --------------------------------------------------------------------


def test_its_folder_environment_and_output_files_are_what_the_launcher_said(place: Path) -> None:
    folder = place / "a folder"
    folder.mkdir()
    with open(place / "stdout", "w") as stdout, open(place / "stderr", "w") as stderr:
        environment = {**os.environ, "JPY_SESSION_NAME": "lesson.ipynb"}
        with running(cwd=str(folder), env=environment, stdout=stdout, stderr=stderr) as kernel:
            assert kernel.is_fork
            kernel.run("import os, sys")
            assert kernel.run("print(os.getcwd())") == str(folder)
            assert kernel.run("print(os.environ['JPY_SESSION_NAME'], os.environ['JPY_PARENT_PID'])") == (
                f"lesson.ipynb {os.getpid()}"
            )
            kernel.run("print('to the file', file=sys.__stdout__, flush=True)")
            kernel.run("print('and this', file=sys.__stderr__, flush=True)")
    assert "to the file" in (place / "stdout").read_text()
    assert "and this" in (place / "stderr").read_text()


def test_a_helper_module_beside_the_notebook_is_found(place: Path) -> None:
    (place / "beside").mkdir()
    (place / "beside" / "my_helper.py").write_text("ANSWER = 42\n")
    with running(cwd=str(place / "beside")) as kernel:
        assert kernel.run("import my_helper; print(my_helper.ANSWER)") == "42"


def test_it_has_a_session_of_its_own_and_none_of_the_server_s_files(shared: Kernel) -> None:
    shared.run("import os, socket")
    assert shared.run("print(os.getsid(0) == os.getpgid(0) == os.getpid())") == "True"
    server = psutil.Process(psutil.Process(shared.pid).ppid())
    listening = {each.fd for each in server.net_connections("unix") if each.laddr}
    assert listening
    mine = [each.laddr for each in psutil.Process(shared.pid).net_connections("unix")]
    assert not any(str(settings.socket_folder()) in str(address) for address in mine)


EVERYTHING = (
    "import os, sys, warnings, logging, signal, torch, matplotlib.pyplot as plt\nprint('text')",
    "warnings.warn('careful')",
    "print(__name__, os.path.basename(sys.argv[0]), type(get_ipython()).__name__, sys.stdin.read())",
    "print(sys.path, sys.flags, *sorted(os.environ.items()), sep='\\n')",
    "print([signal.getsignal(each) for each in signal.Signals], signal.pthread_sigmask(0, []))",
    "logging.getLogger('torch').warning('logged by a handler that torch made')",
    "torch.arange(6.0).reshape(2, 3) @ torch.eye(3)",
    "x = torch.ones(3, requires_grad=True); (x ** 2).sum().backward(); x.grad",
    "next(iter(torch.utils.data.DataLoader(torch.arange(4), num_workers=1)))",
    "plt.plot([1, 2, 3]);",
    "figure, axis = plt.subplots(figsize=(1, 1))\nplt.close(figure)\nfigure",
    "from tqdm.auto import tqdm; tqdm.__mro__[1].__module__",
    "!echo from a shell",
    "os.write(1, b'below Python\\n'); os.system('echo below it')",
    "input('name? ')",
    "undefined_name",
    "def f():\n    return 1 / 0\nf()",
)


def test_a_notebook_has_the_outputs_of_a_cold_kernel(place: Path) -> None:
    warm, cold = (execute(notebook(*EVERYTHING), kernel, allow_errors=True) for kernel in ("warm", "cold"))
    for source, ours, theirs in zip(EVERYTHING, warm, cold, strict=True):
        assert comparable(ours) == comparable(theirs), source


def comparable(outputs: list[nbformat.NotebookNode]) -> tuple[dict[str, str], str]:
    """Streams in one piece each (their pieces come as time has it), and the rest. Without what tells one
    process from another: the number in the names of cells, the time and number in torch's log."""
    streams: dict[str, str] = {}
    rest = []
    for output in outputs:
        if output.output_type == "stream":
            streams[output.name] = streams.get(output.name, "") + output.text
        else:
            rest.append(output)
    same_process = partial(re.sub, r"(?<=ipykernel_)\d+|W\d+ [\d:.]+ \d+", "")
    return {name: same_process(text) for name, text in streams.items()}, same_process(json.dumps(rest))


def test_two_kernels_draw_different_random_numbers(shared: Kernel) -> None:
    draw = "import random, numpy, torch; print(random.random(), numpy.random.rand(), torch.rand(1).item())"
    with running() as kernel:
        ours, others = shared.run(draw).split(), kernel.run(draw).split()
    assert all(one != other for one, other in zip(ours, others, strict=True))


# --- It ends as any kernel does -----------------------------------------------------------------------------


def test_an_interrupt_stops_the_cell_and_not_the_kernel(place: Path) -> None:
    with running() as kernel:
        # An error makes the kernel drop what comes right after it, unless told otherwise.
        request = kernel.client.execute("print('begun')\nwhile True: pass", stop_on_error=False)
        while kernel.client.get_iopub_msg(timeout=20)["msg_type"] != "stream":
            pass
        kernel.manager.interrupt_kernel()
        reply = kernel.client.get_shell_msg(timeout=20)
        assert reply["parent_header"]["msg_id"] == request
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert kernel.run("print(1 + 1)") == "2"


def test_a_shutdown_runs_exit_handlers_and_writes_open_files(place: Path) -> None:
    kernel = Kernel(cwd=str(place))
    kernel.run("import atexit; atexit.register(lambda: open('handler', 'w').write('ran'))")
    kernel.run("log = open('log', 'w'); log.write('not flushed')")
    kernel.run("import threading; threading.Timer(0.3, lambda: open('thread', 'w').write('waited')).start()")
    pid = kernel.pid
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel()
    assert has_ended(pid)
    assert [(place / name).read_text() for name in ("handler", "log", "thread")] == [
        "ran",
        "not flushed",
        "waited",
    ]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import os; os._exit(7)", 7),
        ("import os; os.kill(os.getpid(), 11)", -signal.SIGSEGV),
    ],
)
def test_a_kernel_that_dies_says_how(place: Path, code: str, status: int) -> None:
    kernel = Kernel()
    kernel.client.execute(code)
    wait_until(lambda: not kernel.manager.is_alive())
    assert asyncio.run(kernel.manager.provisioner.poll()) == status
    pid = kernel.pid
    kernel.close()
    wait_until(lambda: not psutil.pid_exists(pid))


def test_nbclient_notices_a_death(place: Path) -> None:
    with pytest.raises(nbclient.exceptions.DeadKernelError):
        execute(notebook("import os; os._exit(1)"))


def test_a_restart_gives_a_fresh_fork(place: Path) -> None:
    with running() as kernel:
        kernel.run("left_behind = 1")
        before = kernel.pid
        kernel.client.stop_channels()
        kernel.manager.restart_kernel(now=True)
        kernel.connect()
        assert kernel.pid != before
        assert kernel.is_fork
        assert kernel.run("print('left_behind' in globals())") == "False"


@pytest.mark.parametrize(
    "loop",
    [
        "while True: pass",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    ],
)
def test_an_endless_loop_ends_with_nbclient_s_time_limit(place: Path, loop: str) -> None:
    cell = f"import os; open('pid', 'w').write(str(os.getpid()))\n{loop}"
    with pytest.raises(nbclient.exceptions.CellTimeoutError):
        execute(notebook(cell), timeout=1, resources={"metadata": {"path": str(place)}})
    assert has_ended(int((place / "pid").read_text()))


def test_what_a_notebook_left_running_is_killed_with_its_kernel(place: Path) -> None:
    with running() as kernel:
        pid = int(kernel.run("import subprocess; print(subprocess.Popen(['sleep', '60']).pid)"))
        assert psutil.pid_exists(pid)
    wait_until(lambda: has_ended(pid))


def test_two_kernels_at_once_do_not_know_each_other(place: Path) -> None:
    async def both() -> list[str]:
        books = [notebook(f"x = {i}", "import time; time.sleep(0.3)", "print(x)") for i in range(2)]
        clients = [
            nbclient.NotebookClient(book, kernel_name="warm", kernel_manager_class=AsyncKernelManager)
            for book in books
        ]
        await asyncio.gather(*(client.async_execute() for client in clients))
        return [book.cells[-1].outputs[0].text for book in books]

    assert asyncio.run(both()) == ["0\n", "1\n"]


def test_thirty_kernels_in_a_row_leave_no_process_no_file_and_nothing_open(
    shared: Kernel, place: Path
) -> None:
    server = psutil.Process(psutil.Process(shared.pid).ppid())

    def traces() -> tuple[object, ...]:
        files = sorted(str(path) for path in place.rglob("*") if "ipython" not in str(path))
        children = sorted(child.pid for child in server.children())
        return files, children, server.num_fds(), len(os.listdir("/proc/self/fd"))

    def once(now: bool) -> None:
        manager = KernelManager(kernel_name="warm")
        manager.start_kernel()
        assert psutil.Process(manager.provisioner.pid).ppid() == server.pid
        manager.shutdown_kernel(now=now)

    once(now=True)  # what Jupyter opens once
    before = traces()
    for i in range(30):
        once(now=bool(i % 2))
    wait_until(lambda: traces() == before)


# --- Whoever goes, nothing stays ----------------------------------------------------------------------------

ENDLESS = """
import sys, nbclient
from nbformat.v4 import new_code_cell, new_notebook
write = "import os; open('loop', 'w').write(str(os.getpid())); open('begun', 'w')"
cell = new_code_cell(f"{write}\\nwhile True: pass")
nbclient.NotebookClient(
    new_notebook(cells=[cell]), kernel_name="warm", resources={"metadata": {"path": sys.argv[1]}}
).execute()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_kernel_ends_with_the_program_that_wanted_it(place: Path, tmp_path: Path, number: int) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path)], stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until((tmp_path / "begun").exists)
        pid = int((tmp_path / "loop").read_text())
        os.killpg(program.pid, number)  # as the terminal does it for Ctrl-C
        program.wait(20)
        wait_until(lambda: has_ended(pid))
    finally:
        program.kill()
        program.wait()


def test_a_server_ends_when_nobody_needed_it_for_a_while(place: Path, other_server: Callable) -> None:
    other_server(AUTOGRADER_KERNEL_IDLE="0.2")
    with running() as kernel:
        server = psutil.Process(kernel.pid).ppid()
        known = set(settings.socket_folder().iterdir())
    wait_until(lambda: has_ended(server))
    assert len(known - set(settings.socket_folder().iterdir())) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_is_killed_takes_its_kernels_along_and_is_replaced(
    place: Path, other_server: Callable, number: int
) -> None:
    other_server()
    with running() as kernel:
        server = psutil.Process(kernel.pid).ppid()
        os.kill(server, number)
        wait_until(lambda: not kernel.manager.is_alive())
        wait_until(lambda: has_ended(kernel.pid))
    with running() as kernel:
        assert kernel.is_fork
        assert psutil.Process(kernel.pid).ppid() != server


def test_the_command_lists_servers_and_stops_them_when_their_kernels_have_ended(
    place: Path,
    other_server: Callable,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (place / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place / "run"))
    other_server()
    with running() as kernel:
        server = psutil.Process(kernel.pid).ppid()
        assert command.main([]) == 0
        assert capsys.readouterr().out == f"{server}: kernels: 1; preloaded: heavy\n"
        assert command.main(["stop"]) == 0
        assert not list(settings.socket_folder().iterdir())
        assert kernel.run("print('still there')") == "still there"
    wait_until(lambda: has_ended(server))
    assert command.main(["nonsense"]) == 2


# --- Whose kernels are alike --------------------------------------------------------------------------------


def test_a_changed_file_makes_a_new_server(place: Path, other_server: Callable) -> None:
    (place / "edited.py").write_text("VERSION = 1\n")
    other_server("edited")
    with running() as old:
        (place / "edited.py").write_text("VERSION = 22\n")
        with running() as new:
            assert [each.run("import edited; print(edited.VERSION)") for each in (old, new)] == ["1", "22"]
            assert old.is_fork
            assert new.is_fork


def test_only_what_a_kernel_would_see_tells_servers_apart() -> None:
    environment = {"PATH": "/bin", "PYTEST_CURRENT_TEST": "this", "SHLVL": "1"}
    here = settings.fingerprint([sys.executable], ["torch"], environment)
    assert here == settings.fingerprint([sys.executable], ["torch"], {**environment, "SHLVL": "2"})
    others = [
        settings.fingerprint([sys.executable], ["torch"], {**environment, "OMP_NUM_THREADS": "1"}),
        settings.fingerprint([sys.executable, "-O"], ["torch"], environment),
        settings.fingerprint([sys.executable], ["numpy"], environment),
    ]
    umask = os.umask(0o077)
    try:
        others.append(settings.fingerprint([sys.executable], ["torch"], environment))
    finally:
        os.umask(umask)
    assert len({here, *others}) == 5


def test_the_preload_list_is_the_nearest_course_s(tmp_path: Path) -> None:
    course = tmp_path / "course" / "lessons"
    course.mkdir(parents=True)
    (tmp_path / "course" / "pyproject.toml").write_text(
        '[tool.autograder]\npreload = ["torch", "course.checks"]'
    )
    (course / "pyproject.toml").write_text("[project]\nname = 'another thing'")
    assert settings.read_preload([course], {}) == ("torch", "course.checks")
    assert settings.read_preload([tmp_path, course], {}) == ("torch", "course.checks")
    assert settings.read_preload([course], {settings.PRELOAD_VARIABLE: "numpy, json"}) == ("numpy", "json")
    assert settings.read_preload([course], {settings.PRELOAD_VARIABLE: ""}) == ()
    assert settings.read_preload([tmp_path], {}) == ()


@pytest.mark.parametrize("value", ['"torch"', '["-c", "x"]', "[1]"])
def test_a_preload_list_of_something_else_is_named(tmp_path: Path, value: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.autograder]\npreload = {value}")
    with pytest.raises(ConfigError, match=r"preload in \[tool.autograder\]"):
        settings.read_preload([tmp_path], {})


# --- Where it cannot be warm, it is cold, and says why ------------------------------------------------------


@contextmanager
def warnings_of(manager: KernelManager, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    said: list[str] = []
    monkeypatch.setattr(manager.log, "warning", lambda text, *rest: said.append(text % rest))
    monkeypatch.setattr(WarmProvisioner, "_warned", set())
    yield said


def start_and_listen(monkeypatch: pytest.MonkeyPatch) -> tuple[bool, list[str]]:
    """Start a kernel: whether it is a fork, and the warnings that came with it."""
    manager = KernelManager(kernel_name="warm")
    with warnings_of(manager, monkeypatch) as said:
        manager.start_kernel()
        try:
            return psutil.Process(manager.provisioner.pid).ppid() != os.getpid(), said
        finally:
            manager.shutdown_kernel(now=True)


def test_a_module_that_cannot_be_imported_is_skipped_with_a_warning(
    place: Path, other_server: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "broken.py").write_text("raise ValueError('not today')")
    (place / "leaves.py").write_text("raise SystemExit(1)")
    other_server("broken leaves heavy missing_package")
    is_fork, said = start_and_listen(monkeypatch)
    assert is_fork
    assert [sentence.split()[0] for sentence in said] == ["broken", "leaves", "missing_package"]
    assert "ValueError: not today" in said[0]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=[60], daemon=True).start()",
            "starts a thread",
        ),
        ("import os\nos._exit(3)", "did not answer"),
    ],
)
def test_a_process_that_must_not_be_forked_is_not(
    place: Path, other_server: Callable, monkeypatch: pytest.MonkeyPatch, source: str, sentence: str
) -> None:
    (place / "unfit.py").write_text(source)
    other_server("unfit")
    is_fork, said = start_and_listen(monkeypatch)
    assert not is_fork
    assert len(said) == 1
    assert "Kernels start cold" in said[0]
    assert sentence in said[0]
    assert "unfit" in said[0]


def test_a_process_that_uses_cuda_is_not_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    used = SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: True))
    monkeypatch.setitem(sys.modules, "torch", used)
    monkeypatch.setenv("MPLBACKEND", "agg")
    try:
        assert "uses CUDA" in preload([]).refusal
    finally:
        gc.unfreeze()


def test_a_folder_that_others_can_open_is_not_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not pytest's folder: its name may be too long for a socket.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        settings.socket_folder().chmod(0o755)
        is_fork, said = start_and_listen(monkeypatch)
    assert not is_fork
    assert "must be a folder of your own" in said[0]


@pytest.mark.parametrize(
    ("command_line", "asked", "reason"),
    [
        (["julia", "kernel.jl", "connection.json"], {}, "not a plain ipykernel"),
        (["/usr/bin/env", *IPYKERNEL[1:]], {}, "not a plain ipykernel"),
        ([sys.executable, "-m", "xeus", "-f", "connection.json"], {}, "not a plain ipykernel"),
        ([sys.executable, "script.py", *IPYKERNEL[1:]], {}, "not a plain ipykernel"),
        ([sys.executable, "-c", "pass", *IPYKERNEL[1:]], {}, "not a plain ipykernel"),
        (IPYKERNEL, {"independent": True}, "outlive"),
        (IPYKERNEL, {"stdin": subprocess.PIPE}, "read from it"),
        (IPYKERNEL, {"stdout": subprocess.PIPE}, "pipe"),
        (IPYKERNEL, {"preexec_fn": print}, "preexec_fn"),
        (IPYKERNEL, {"cwd": "/nonexistent"}, "does not exist"),
        (IPYKERNEL, {"env": {"PYTHONPATH": "/a:b"}}, "relative"),
    ],
)
def test_an_unusual_kernel_is_left_to_jupyter(command_line: list[str], asked: dict, reason: str) -> None:
    warm = plan(command_line, {"env": {}, **asked})
    assert isinstance(warm, str)
    assert reason in warm


def test_options_of_the_interpreter_and_arguments_of_the_kernel_are_kept() -> None:
    asked = [sys.executable, "-X", "dev", "-Wignore", *IPYKERNEL[1:], "--HistoryManager.hist_file=:memory:"]
    interpreter, arguments, outputs = plan(asked, {"env": {}})
    assert interpreter == [sys.executable, "-X", "dev", "-Wignore"]
    assert arguments == ["-f", "connection.json", "--HistoryManager.hist_file=:memory:"]
    assert outputs == (1, 2)


def test_jupyter_finds_the_provisioner_by_name() -> None:
    from jupyter_client.provisioning import KernelProvisionerFactory

    warm = {"kernel_provisioner": {"provisioner_name": "warm-provisioner"}}
    spec = KernelSpec(argv=IPYKERNEL, metadata=warm)
    made = KernelProvisionerFactory().create_provisioner_instance("id", spec, parent=None)
    assert isinstance(made, WarmProvisioner)


# --- The tools that an instructor uses ----------------------------------------------------------------------


@pytest.mark.notebook
def test_stock_nbgrader_grades_warm(place: Path, other_server: Callable, tmp_path: Path) -> None:
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    warm = "import sys\nassert 'heavy' in sys.modules\n"
    tiny.hand_in(course, "ada", tiny.answer(tiny.released(course), double=warm + tiny.RIGHT["double"]))
    other_server(JUPYTER_DEFAULT_PROVISIONER_NAME="warm-provisioner")
    run = subprocess.run(
        [sys.executable, "-m", "nbgrader", "autograde", tiny.NAME],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    with open_gradebook(course) as gradebook:
        assert gradebook.find_submission(tiny.NAME, "ada").score == 4


@pytest.mark.notebook
def test_nbval_runs_warm(place: Path, other_server: Callable, tmp_path: Path) -> None:
    book = notebook("import sys\nassert 'heavy' in sys.modules\nprint('warm')")
    book.cells[0].execution_count = 1
    book.cells[0].outputs = [nbformat.v4.new_output("stream", text="warm\n")]
    nbformat.write(book, tmp_path / "lesson.ipynb")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    other_server(JUPYTER_DEFAULT_PROVISIONER_NAME="warm-provisioner")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    run = subprocess.run(
        [*command, "--nbval", "--nbval-current-env"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout
