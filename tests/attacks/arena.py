"""Where the attacks take place: a course in a folder of its own, with things worth stealing around it.

Whatever a grader starts there carries a token in its environment, and whatever an attack leaves behind has it
in its name; so both can be found and removed afterwards, also where a grader has no sandbox.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from nbformat import NotebookNode

from autograder.config import Course, find_course
from autograder.notebooks import read_notebook
from autograder.release import release
from demo.sample_class import solution_texts

from .attack import ALL, LESSON, LOOT, Attack

PROJECT = Path(__file__).resolve().parents[2]
TOKEN = "ATTACK_TOKEN"
SECONDS_TO_END = 10.0
SECRET = "correct-horse-battery-staple"
HONEST = Attack("ada", 22, "everything is right", solves=ALL, earns=ALL)
"""Is in every class: an attack must not cost her a point, and her work is worth stealing."""


@dataclass(frozen=True)
class Run:
    """How a grader's command went.

    Attributes:
        code: its exit code; None when it did not end in time and was killed.
        survivors: processes that it left behind; all are ended afterwards.
        stowaways: files that attacks left outside the workspace; all are removed afterwards.
    """

    code: int | None
    stdout: str
    stderr: str
    seconds: float
    survivors: tuple[str, ...]
    stowaways: tuple[str, ...]


@dataclass(frozen=True)
class Arena:
    """A released course, and what surrounds it."""

    course: Course
    folder: Path
    token: str
    places: Mapping[str, str]
    released: NotebookNode
    solutions: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """What a grader's command runs in: its own home and temporary folder, a password, the token."""
        own = {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "IPYTHONDIR": str(self.folder / "home" / ".ipython"),
            "OMP_NUM_THREADS": "1",
            "DATABASE_PASSWORD": SECRET,
            TOKEN: self.token,
        }
        return {**os.environ, **own}

    def reset(self) -> None:
        """As after the release: no submissions, no grades, nothing at home and in the temporary folder."""
        for folder in (self.course.submitted, self.course.autograded, self.course.feedback):
            _remove(folder)
        for name in ("gradebook.db-journal", "gradebook.db-wal", "gradebook.db-shm"):
            (self.course.workspace / name).unlink(missing_ok=True)
        shutil.copy(self.folder / "gradebook.db", self.course.workspace / "gradebook.db")
        for folder in (self.folder / "home", self.folder / "tmp"):
            for path in folder.iterdir():
                if path.name not in ("private.txt", "service"):
                    _remove(path)

    def hand_in(self, attacks: Iterable[Attack]) -> None:
        """Write submissions; ada's is always among them."""
        for attack in (HONEST, *attacks):
            folder = self.course.submitted / attack.name / LESSON
            attack.hand_in(folder, self.released, self.solutions, self.places)

    def run(self, *command: str | Path, timeout: float, bounded: bool = False) -> Run:
        """Run a command in the course's folder; end whatever it leaves behind.

        Args:
            command: program and arguments.
            timeout: seconds after which it and its children are killed.
            bounded: with limits that keep the machine alive, for a grader that has none itself.
        """
        log = self.folder / "stdout", self.folder / "stderr"
        start = time.monotonic()
        with log[0].open("wb") as out, log[1].open("wb") as err:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=self.course.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=_bound if bounded else None,
            )
            try:
                code: int | None = process.wait(timeout)
            except subprocess.TimeoutExpired:
                code = None
        seconds = time.monotonic() - start
        survivors = self.end_survivors(grace=0.0 if code is None else SECONDS_TO_END)
        process.wait()
        texts = (path.read_text(errors="replace") for path in log)
        return Run(code, *texts, seconds, tuple(survivors), tuple(self.remove_stowaways()))

    def end_survivors(self, grace: float) -> list[str]:
        """Processes that carry the token, after some seconds of grace; they are killed."""
        end = time.monotonic() + grace
        while (left := list(self._own_processes())) and time.monotonic() < end:
            time.sleep(0.2)
        names = []
        # Again and again: a process that is about to be killed may just have forked.
        while left:
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    names.append(" ".join(process.cmdline()[:6]) or process.name())
                    process.kill()
            psutil.wait_procs(left, timeout=5)
            left = list(self._own_processes())
        return names

    def _own_processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get(TOKEN) == self.token and process.status() != psutil.STATUS_ZOMBIE:
                    yield process

    def remove_stowaways(self) -> list[str]:
        """Files with the token in their name, outside the workspace's own copies of submissions; removed."""
        found = []
        for folder in {"/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir(), str(Path.home())}:
            found += Path(folder).glob(f"*{self.token}*")
        for root, _, files in os.walk(self.folder):
            inside = Path(root).is_relative_to(self.course.autograded)
            found += [Path(root) / name for name in files if self.token in name and not inside]
        for path in found:
            path.unlink(missing_ok=True)
        return sorted({str(path) for path in found})

    def scores(self) -> dict[str, float]:
        """Student → score, as nbgrader counts it: by hand, else by machine, and extra credit."""
        with sqlite3.connect(f"file:{self.course.workspace / 'gradebook.db'}?mode=ro", uri=True) as database:
            rows = database.execute(
                "SELECT s.student_id, "
                "SUM(COALESCE(g.manual_score, g.auto_score, 0) + COALESCE(g.extra_credit, 0)) "
                "FROM grade g JOIN submitted_notebook n ON g.notebook_id = n.id "
                "JOIN submitted_assignment s ON n.assignment_id = s.id GROUP BY s.student_id"
            ).fetchall()
        return dict(rows)

    def loot(self, student: str) -> list[str]:
        """What an attack says that it got hold of, from the executed notebook."""
        path = self.course.autograded / student / LESSON / f"{LESSON}.ipynb"
        if not path.is_file():
            return []
        outputs = [output for cell in read_notebook(path).cells for output in cell.get("outputs", [])]
        text = "\n".join(str(output.get("text", "")) + str(output.get("evalue", "")) for output in outputs)
        return [line.removeprefix(LOOT)[:100] for line in text.splitlines() if line.startswith(LOOT)]


def _remove(path: Path) -> None:
    """Remove a file or a folder, also one that a submission has locked or nested deeply."""
    if path.is_dir() and not path.is_symlink():
        subprocess.run(["chmod", "-R", "u+rwX", path], check=False, capture_output=True)
        subprocess.run(["rm", "-rf", path], check=True)
    else:
        path.unlink(missing_ok=True)


def _bound() -> None:
    """Limits for a grader that sets none, so that the machine survives it."""
    gigabyte = 1 << 30
    resource.setrlimit(resource.RLIMIT_AS, (6 * gigabyte, 6 * gigabyte))
    resource.setrlimit(resource.RLIMIT_FSIZE, (gigabyte, gigabyte))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


SETTINGS = {
    "check_timeout": 3.0,
    "notebook_timeout": 15.0,
    "memory_megabytes": 1000,
    "disk_megabytes": 64,
    "max_processes": 48,
}
"""Limits under which the attacks are graded: low ones, because many of them run into one."""
SECONDS_PER_CELL = 3.0


@contextmanager
def open_arena(
    folder: str | Path, settings: Mapping[str, Any] | None = None, cell_seconds: float | None = None
) -> Iterator[Arena]:
    """A released course in a folder, with a service on this machine that must not be reached.

    Args:
        folder: a new or empty one.
        settings: keys of ``[tool.autograder]`` that differ from the project's.
        cell_seconds: another limit for a cell than the project's.
    """
    folder = Path(folder)
    root = folder / "course"
    for name in ("home", "tmp", "course"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    shutil.copytree(PROJECT / "source_notebooks" / LESSON, root / "source_notebooks" / LESSON)
    config = (PROJECT / "nbgrader_config.py").read_text(encoding="utf-8")
    if cell_seconds is not None:
        config += f"\nc.Execute.timeout = {cell_seconds}\n"
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    table = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["autograder"]
    (root / "pyproject.toml").write_text(_toml("tool.autograder", {**table, **(settings or {})}))
    (folder / "home" / "private.txt").write_text(SECRET)
    course = find_course(root)
    release(course, LESSON)
    shutil.copy(course.workspace / "gradebook.db", folder / "gradebook.db")
    package = importlib.util.find_spec("course")
    assert package is not None
    assert package.origin is not None
    address = folder / "tmp" / "service"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(address))
        unix.listen()
        token = f"stowaway-{secrets.token_hex(6)}"
        places = {
            "WORKSPACE": str(course.workspace),
            "COURSE": str(root),
            "PACKAGE": str(Path(package.origin).parent),
            "HOME": str(folder / "home"),
            "PORT": str(tcp.getsockname()[1]),
            "SOCKET": str(address),
            "TOKEN": token,
        }
        released = read_notebook(course.release_notebook(LESSON))
        yield Arena(course, folder, token, places, released, solution_texts(course, LESSON))


def _toml(name: str, table: Mapping[str, Any]) -> str:
    """A table of plain values and of further tables; JSON's values are TOML's."""
    values = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    nested = [_toml(f"{name}.{key}", value) for key, value in table.items() if isinstance(value, dict)]
    return "\n".join([f"[{name}]", *values, *nested, ""])


def program(name: str) -> Path:
    """A command of this Python's environment."""
    return Path(sys.executable).parent / name
