"""The other side: stock ``nbgrader autograde``, one submission after the other, as it comes.

It reads the course's own nbgrader_config.py, which spares it the experiments and the slow end of a kernel:
what nbgrader does by default takes longer. Its log says when each submission begins, so the time of one
submission is known without the time of starting; `where` says what that time is made of.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from types import MappingProxyType
from typing import Any

from benchmarks.classes import LESSON
from benchmarks.sites import PROJECT, BenchmarkError, Cost, Site, children_cpu, environment, run

DEFAULTS = """
c.Execute.skip_cells_with_tag = "skip-execution"
c.Execute.shutdown_kernel = "graceful"
c.Execute.record_timing = True
c.Execute.timeout = 600
"""
"""nbgrader's own settings again, but for its time limit of 30 s: some experiments take longer."""

_BEGINS = "Converting notebook"
"""nbgrader logs this twice for a submission: for the copy without outputs, and for the run."""


@dataclass(frozen=True)
class StockRun:
    """One run of ``nbgrader autograde``.

    Attributes:
        start: seconds until the first submission begins.
        each: seconds of each submission, in order.
        cost: of the whole command.
    """

    start: float
    each: tuple[float, ...]
    cost: Cost


def autograde(site: Site, extra: Mapping[str, str] = MappingProxyType({})) -> StockRun:
    """Grade all submissions of a site with stock nbgrader.

    Args:
        site: with the submissions.
        extra: environment variables.

    Raises:
        BenchmarkError: it failed.
    """
    before = children_cpu()
    begin = time.perf_counter()
    command = [sys.executable, "-m", "nbgrader", "autograde", LESSON]
    begins, log = [], []
    with subprocess.Popen(
        command,
        cwd=site.root,
        env=environment(**extra),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            if _BEGINS in line:
                begins.append(time.perf_counter() - begin)
    wall = time.perf_counter() - begin
    if process.returncode or not begins:
        raise BenchmarkError(f"nbgrader ended with {process.returncode}:\n{''.join(log[-15:])}")
    starts = begins[::2]
    ends = [*starts[1:], wall]
    each = tuple(end - start for start, end in zip(starts, ends, strict=True))
    return StockRun(starts[0], each, Cost(wall, children_cpu() - before))


def where(site: Site, student: str) -> dict[str, float]:
    """Seconds of one submission by what nbgrader does; in a process of its own, on a warm second pass."""
    output, _ = run([sys.executable, "-m", "benchmarks.stock", str(site.root), student], PROJECT)
    seconds: dict[str, float] = json.loads(output)
    return seconds


class _Clock:
    """Adds up the time spent in functions, by label; what is watched must not call another that is."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def watch(self, owner: type, function: str, label: Callable[..., str] | str) -> None:
        """Replace a method by one that is timed; `label` may depend on the arguments."""
        original = getattr(owner, function)

        @wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                name = label if isinstance(label, str) else label(*args)
                self.seconds[name] += time.perf_counter() - begin

        setattr(owner, function, timed)


def _kind_of_cell(_client: object, cell: Any, *_rest: object) -> str:
    """Which of a notebook's cells this one is, for the clock."""
    if cell.metadata.get("nbgrader", {}).get("grade"):
        return "test cells"
    return "the cell of imports" if "import torch" in cell.source else "other cells"


def main() -> None:
    """Grade a submission with nbgrader's own classes and print the seconds of each part as JSON."""
    from nbgrader.converters import Autograde
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import AssignLatePenalties, Execute, OverwriteCells, SaveAutoGrades
    from traitlets.config.loader import PyFileConfigLoader

    root, student = sys.argv[1:]
    os.chdir(root)
    config = PyFileConfigLoader("nbgrader_config.py", path=root).load_config()
    config.CourseDirectory.assignment_id = LESSON

    def grade() -> None:
        converter = Autograde(coursedir=CourseDirectory(config=config), config=config)
        converter.coursedir.student_id = student
        converter.force = True
        converter.start()

    with contextlib.redirect_stdout(sys.stderr):
        grade()  # the first pass imports what nbgrader imports late
        clock = _Clock()
        clock.watch(Execute, "start_new_kernel", "start of the kernel")
        clock.watch(Execute, "start_new_kernel_client", "start of the kernel")
        clock.watch(Execute, "_cleanup_kernel", "end of the kernel")
        clock.watch(Execute, "preprocess_cell", _kind_of_cell)
        clock.watch(Autograde, "init_assignment", "gradebook")
        for preprocessor in (OverwriteCells, SaveAutoGrades, AssignLatePenalties):
            clock.watch(preprocessor, "preprocess", "gradebook")
        begin = time.perf_counter()
        grade()
        whole = time.perf_counter() - begin
    rest = whole - sum(clock.seconds.values())
    print(json.dumps({**clock.seconds, "reading, checking, writing notebooks": rest, "whole": whole}))


if __name__ == "__main__":
    main()
