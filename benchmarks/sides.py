"""The sides of the throughput benchmark: nbgrader, otter, the bare cells and the grader, on one class."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import otter as other
from benchmarks import stock
from benchmarks.classes import LESSON, Member, fill, notebook_of
from benchmarks.gradebooks import Grades, read_grades
from benchmarks.processes import left_over
from benchmarks.sites import (
    PROJECT,
    BenchmarkError,
    Cost,
    Site,
    children_cpu,
    cores,
    environment,
    grade_command,
    new_site,
    run,
)

PATIENCE = 10.0
"""Seconds after which a process that outlived its grader counts as left over."""


@dataclass
class Round:
    """What one round measured; seconds."""

    stock: stock.StockRun
    ours: Cost
    again: Cost
    bare: dict[str, dict[str, Any]]
    bare_wall_on_all_cores: float
    otter: list[Cost] = field(default_factory=list)

    @property
    def stock_each(self) -> float:
        """Seconds of nbgrader for one submission, its start not counted."""
        return statistics.fmean(self.stock.each)

    @property
    def bare_wall(self) -> float:
        """Seconds of the bare cells of all submissions, one after the other."""
        return sum(each["wall"] for each in self.bare.values())

    @property
    def bare_cpu(self) -> float:
        """CPU seconds of the bare cells of all submissions."""
        return sum(each["cpu"] for each in self.bare.values())


class Bench:
    """The sites of the sides, and what runs on them."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self._options = options
        self._template = new_site(folder / "template")
        self.lesson = self._template.lesson()
        self.members: list[Member] = fill(self.lesson, self._template.submitted, options.count)
        self.sample = [member.name for member in self.members[: options.stock]]
        self._source = json.loads(
            (self._template.root / "source_notebooks" / LESSON / f"{LESSON}.ipynb").read_text("utf-8")
        )
        self.otter: other.Otter | None = None
        self.no_otter = "not asked for" if not options.otter else ""
        self.scores: dict[str, Grades] = {}
        self.otter_scores: dict[tuple[str, str], float] = {}
        self.left_over: list[str] = []

    def prepare_otter(self) -> None:
        """Install otter, or note why not."""
        if not self._options.otter:
            return
        try:
            self.otter = other.install(self.folder / "otter")
            self.otter.prepare(self._source)
        except (other.OtterMissing, BenchmarkError) as error:
            self.otter, self.no_otter = None, str(error)

    def round(self) -> Round:
        """All sides once."""
        stock_run = self._stock()
        ours, again = self._ours()
        walls, on_all_cores = self._bare()
        return Round(stock_run, ours, again, walls, on_all_cores, self._otter())

    def _stock(self) -> stock.StockRun:
        site = self._fresh("stock")
        for folder in site.submitted.iterdir():
            if folder.name not in self.sample:
                shutil.rmtree(folder)
        measured = stock.autograde(site)
        self.scores["stock"] = read_grades(site.gradebook, LESSON)
        return measured

    def stock_by_its_defaults(self) -> stock.StockRun:
        """nbgrader without this course's settings: the experiments run, and the kernel ends slowly."""
        site = self._fresh("defaults")
        for member in self.members[self._options.defaults :]:
            shutil.rmtree(site.submitted / member.name)
        with (site.root / "nbgrader_config.py").open("a", encoding="utf-8") as file:
            file.write(stock.DEFAULTS)
        return stock.autograde(site)

    def _ours(self) -> tuple[Cost, Cost]:
        site = self._fresh("ours")
        command = grade_command(self._options.jobs, sandbox=not self._options.no_sandbox)
        before = children_cpu()
        output, cost = run(command, site.root)
        # Its helpers are this process's children now that it is gone; with them their CPU time comes here.
        self.left_over += [each.command for each in left_over(PATIENCE)]
        cost = Cost(cost.wall, children_cpu() - before)
        if len(json.loads(output)["students"]) != len(self.members):
            raise BenchmarkError("autograder grade did not grade the whole class")
        self.scores["ours"] = read_grades(site.gradebook, LESSON)
        _, again = run(command, site.root)
        return cost, again

    def _bare(self) -> tuple[dict[str, dict[str, Any]], float]:
        """The bare run in one process, and the wall time of one process a core."""
        names = [member.name for member in self.members]
        one = json.loads(self._bare_process(names).communicate()[0])
        parts = [names[start :: cores()] for start in range(cores())]
        processes = [self._bare_process(part) for part in parts]
        outputs = [json.loads(process.communicate()[0]) for process in processes]
        return one, max(sum(each["wall"] for each in output.values()) for output in outputs)

    def _bare_process(self, names: Sequence[str]) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "benchmarks.bare", str(self._template.root), *names]
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def _otter(self) -> list[Cost]:
        costs = []
        for member in self.members[: self._options.otter if self.otter else 0]:
            assert self.otter is not None
            scores, cost = self.otter.grade(notebook_of(self.lesson, member))
            costs.append(cost)
            self.otter_scores |= {(member.name, name): score for name, score in scores.items()}
        return costs

    def _fresh(self, name: str) -> Site:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return self._template.copy_to(self.folder / name)
