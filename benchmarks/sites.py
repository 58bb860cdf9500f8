"""Courses in a scratch folder, and commands that are timed in them.

A *site* is a copy of what grading needs (source notebooks, settings) with a workspace of its own. The scratch
folder is new for every run and removed at the end, unless one is given.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.classes import LESSON, Lesson, read_lesson

PROJECT = Path(__file__).resolve().parent.parent
NEEDED = ("source_notebooks", "nbgrader_config.py", "pyproject.toml")


class BenchmarkError(Exception):
    """A command of a benchmark did not do what it should; the message holds its last lines."""


@dataclass(frozen=True)
class Site:
    """A copy of the course, in which commands run."""

    root: Path

    @property
    def workspace(self) -> Path:
        """Folder of release, submissions and grades."""
        return self.root / "workspace"

    @property
    def submitted(self) -> Path:
        """Folder of the submissions."""
        return self.workspace / "submitted"

    @property
    def gradebook(self) -> Path:
        """nbgrader's database."""
        return self.workspace / "gradebook.db"

    def executed(self, student: str) -> Path:
        """A student's executed notebook."""
        return self.workspace / "autograded" / student / LESSON / f"{LESSON}.ipynb"

    def lesson(self) -> Lesson:
        """The lesson of this site."""
        release = self.workspace / "release" / LESSON / f"{LESSON}.ipynb"
        return read_lesson(release, self.root / "source_notebooks" / LESSON / f"{LESSON}.ipynb")

    def copy_to(self, root: Path) -> Site:
        """A second site with the same files."""
        shutil.copytree(self.root, root, symlinks=True)
        return Site(root)


@dataclass(frozen=True)
class Cost:
    """What a command cost: wall time, and CPU time of it and all that it started and waited for."""

    wall: float
    cpu: float


def new_site(root: Path) -> Site:
    """A copy of the course with the lesson released."""
    root.mkdir(parents=True)
    for name in NEEDED:
        source = PROJECT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)
    run([*autograder_command(), "release", LESSON], root)
    return Site(root)


def autograder_command() -> list[str]:
    """The command `autograder` of this Python's environment."""
    return [str(Path(sys.executable).with_name("autograder"))]


def grade_command(jobs: int, *, sandbox: bool = True) -> list[str]:
    """The command that grades the lesson of a site."""
    options = [] if sandbox else ["--no-sandbox"]
    command = [*autograder_command(), "grade", LESSON, "--workspace", "workspace"]
    return [*command, "--jobs", str(jobs), "--json", *options]


def environment(**more: str) -> dict[str, str]:
    """This environment, with the programs of this Python first on PATH (nbgrader calls alembic by name)."""
    programs = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([programs, os.environ.get("PATH", "")]), **more}


def run(
    command: Sequence[str],
    folder: Path,
    *,
    accept: Sequence[int] = (0,),
    timeout: float = 7200,
    env: Mapping[str, str] | None = None,
) -> tuple[str, Cost]:
    """Run a command to its end.

    Returns:
        Its standard output, and what it cost.

    Raises:
        BenchmarkError: it ended with another code than those in `accept`.
    """
    before = children_cpu()
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=env or environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    cost = Cost(time.perf_counter() - start, children_cpu() - before)
    if done.returncode not in accept:
        last = "\n".join((done.stderr or done.stdout).splitlines()[-15:])
        raise BenchmarkError(f"{' '.join(command)} ended with {done.returncode}:\n{last}")
    return done.stdout, cost


def children_cpu() -> float:
    """CPU seconds of all ended and reaped children, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def scratch(folder: Path | None) -> Iterator[Path]:
    """A folder for everything that a benchmark writes: `folder`, which stays, or a temporary one."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as temporary:
        yield Path(temporary).resolve()


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """Facts of this machine and its software that a figure depends on; nothing that names it."""
    packages = ("torch", "nbgrader", "nbclient", "ipykernel", "sqlalchemy")
    return {
        "cores": cores(),
        "processor": _processor(),
        "memory_gigabytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "date": time.strftime("%Y-%m-%d"),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    """Model of the processor, where the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
