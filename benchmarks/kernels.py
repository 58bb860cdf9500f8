"""What warm kernels save: nbclient, nbgrader and nbval with and without them.

    python -m benchmarks.kernels [--rounds 3]

Cold and warm runs take turns. The fork server is started before the clock runs, in a folder of its own, and
stopped at the end; a round's ratio is that of neighbours in time, so a machine that gets slower changes it
little.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import stock
from benchmarks.classes import LESSON, fill
from benchmarks.figures import Spread, save, shown, spread, table
from benchmarks.gradebooks import differences, read_grades
from benchmarks.sites import PROJECT, Site, environment, machine, new_site, run, scratch

IMPORTS = "import torch"
SOLVED = PROJECT / "solutions" / LESSON
NBVAL = ("--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", "-q", "-p", "no:xdist")

Workload = Callable[[Mapping[str, str]], float]
"""Runs something in an environment and returns its seconds."""


def one_notebook(extra: Mapping[str, str]) -> float:
    """nbclient on a notebook of one cell, `IMPORTS`: the middle of five, in a process that has nbclient."""
    output, _ = run(
        [sys.executable, "-m", "benchmarks.kernels", "--notebook"], PROJECT, env=environment(**extra)
    )
    return statistics.median(json.loads(output))


def nbval(extra: Mapping[str, str]) -> float:
    """nbval on the solved lesson, as `make test` runs it."""
    _, cost = run([sys.executable, "-m", "pytest", *NBVAL, str(SOLVED)], PROJECT, env=environment(**extra))
    return cost.wall


class Nbgrader:
    """`nbgrader autograde` on some submissions; the scores of both sides stay, to be compared."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._template = new_site(folder / "template")
        fill(self._template.lesson(), self._template.submitted, count)
        self.scores: dict[bool, Any] = {}

    def __call__(self, extra: Mapping[str, str]) -> float:
        """Grade all; returns the seconds of the middle submission."""
        shutil.rmtree(self._folder / "site", ignore_errors=True)
        site: Site = self._template.copy_to(self._folder / "site")
        measured = stock.autograde(site, extra)
        self.scores[len(extra) > 1] = read_grades(site.gradebook, LESSON)
        return statistics.median(measured.each)

    def differences(self) -> list[str]:
        """Where the scores of cold and warm kernels differ."""
        return differences(self.scores[False], self.scores[True])


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run all rounds."""
    with scratch(options.scratch) as place:
        shutil.rmtree(place / "kernels", ignore_errors=True)
        own = place / "kernels"
        (own / "run").mkdir(parents=True, mode=0o700)
        cold = {"XDG_RUNTIME_DIR": str(own / "run")}
        warm = {**cold, "JUPYTER_DEFAULT_PROVISIONER_NAME": "warm-provisioner"}
        nbgrader = Nbgrader(own, options.count)
        workloads: dict[str, Workload] = {
            "nbclient, a notebook that imports torch": one_notebook,
            "nbgrader autograde, a submission": nbgrader,
            "nbval, the solved lesson": nbval,
        }
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in workloads}
        try:
            for name, workload in workloads.items():
                workload(warm)  # starts the fork server for this environment
                for number in range(1, options.rounds + 1):
                    seconds[name].append((workload(cold), workload(warm)))
                    before, after = seconds[name][-1]
                    print(
                        f"{name}, {number} of {options.rounds}: {before:.2f} s, {after:.2f} s",
                        file=sys.stderr,
                    )
        finally:
            run([sys.executable, "-m", "autograder.kernels", "stop"], PROJECT, env=environment(**warm))
        return {
            "machine": machine(),
            "rounds": options.rounds,
            "submissions": options.count,
            "figures": {
                name: {
                    "cold": asdict(spread([each for each, _ in pairs])),
                    "warm": asdict(spread([each for _, each in pairs])),
                    "times": asdict(spread([before / after for before, after in pairs])),
                }
                for name, pairs in seconds.items()
            },
            "differences": nbgrader.differences(),
        }


def report(result: dict[str, Any]) -> str:
    """The figures as text."""
    rows = [
        (name, *(Spread(**figures[side]) for side in ("cold", "warm", "times")))
        for name, figures in result["figures"].items()
    ]
    different = result["differences"]
    return "\n".join(
        [
            f"Warm kernels, {result['rounds']} rounds; median (least–most)",
            "",
            table(["what", "cold, seconds", "warm, seconds", "cold / warm"], rows),
            "",
            f"Scores of nbgrader with cold and with warm kernels: {result['submissions']} submissions, "
            f"{shown(len(different))} different",
            *(f"  {each}" for each in different),
        ]
    )


def parser() -> argparse.ArgumentParser:
    """The options of this benchmark."""
    options = argparse.ArgumentParser(description="Cold and warm kernels.")
    options.add_argument("--rounds", type=int, default=3, help="how often each side runs")
    options.add_argument("--count", type=int, default=4, help="submissions that nbgrader grades")
    options.add_argument("--scratch", type=Path, help="folder for everything, which stays")
    options.add_argument("--save", default="kernels", help="name of the result in benchmarks/results/")
    options.add_argument("--no-sandbox", action="store_true", help="means nothing here: kernels have none")
    options.add_argument("--notebook", action="store_true", help=argparse.SUPPRESS)
    return options


def _time_notebooks() -> list[float]:
    """Seconds of nbclient on five notebooks, one after the other, after one that is not counted."""
    import nbformat
    from nbclient import NotebookClient

    seconds = []
    for _ in range(6):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(IMPORTS)])
        begin = time.perf_counter()
        NotebookClient(notebook, kernel_name="python3").execute()
        seconds.append(time.perf_counter() - begin)
    return seconds[1:]


def main() -> None:
    """Measure, print and keep the result."""
    options = parser().parse_args()
    if options.notebook:
        print(json.dumps(_time_notebooks()))
        return
    result = measure(options)
    print(report(result))
    print(f"\nkept in benchmarks/results/{save(options.save, result).name}")


if __name__ == "__main__":
    main()
