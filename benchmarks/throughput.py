"""Submissions per second: nbgrader, otter, the bare cells and the grader, in one go on one machine.

    python -m benchmarks.throughput [--count 200] [--stock 12] [--otter 3] [--rounds 3]

The sides take turns, so a machine that gets slower gets slower for all. nbgrader and otter take one
submission after the other and need the same time for each, so a sample is enough; ``--stock 200`` runs them
all. The grader is started anew, on a fresh workspace, and the time is that of the whole command.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import stock
from benchmarks.classes import LESSON
from benchmarks.figures import Spread, save, spread, table
from benchmarks.gradebooks import differences
from benchmarks.processes import adopt_orphans
from benchmarks.sides import Bench, Round
from benchmarks.sites import Site, cores, machine, scratch


def equal_scores(bench: Bench, bare: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """How many cells were compared with each other side, and every difference."""
    ours, theirs = bench.scores["ours"], bench.scores["stock"]
    with_bare = []
    for student, result in bare.items():
        for cell, passed in result["passed"].items():
            auto, *_, maximum = ours.cells.get((student, cell), (None, None))
            if auto != (maximum if passed else 0):
                with_bare.append(f"{student} {cell}: {'passed' if passed else 'failed'} bare, ours {auto}")
    with_otter = [
        f"{student} {cell}: otter {score}, ours {ours.cells[student, cell][0]}"
        for (student, cell), score in bench.otter_scores.items()
        if ours.cells[student, cell][0] != score
    ]
    return {
        "nbgrader": {
            "submissions": len(theirs.submissions),
            "grades": len(theirs.cells),
            "comments": len(theirs.comments),
            "differences": differences(theirs, ours.only(theirs.submissions)),
        },
        "bare": {
            "submissions": len(bare),
            "grades": sum(len(each["passed"]) for each in bare.values()),
            "differences": with_bare,
        },
        "otter": {
            "submissions": len({student for student, _ in bench.otter_scores}),
            "grades": len(bench.otter_scores),
            "differences": with_otter,
        },
    }


def summarize(
    bench: Bench, rounds: Sequence[Round], by_defaults: Sequence[float], options: argparse.Namespace
) -> dict[str, Any]:
    """The figures of all rounds, and of nbgrader's own settings; times are seconds."""
    count, number = options.count, cores()
    bare = [each.bare_wall / number for each in rounds]
    ours = [each.ours.wall for each in rounds]
    figures: dict[str, Spread] = {
        "nbgrader, a submission": spread([each for one in rounds for each in one.stock.each]),
        "nbgrader, CPU a submission, its start too": spread(
            [one.stock.cost.cpu / len(one.stock.each) for one in rounds]
        ),
        "nbgrader, its start": spread([each.stock.start for each in rounds]),
        "ours, the class": spread(ours),
        "ours, a submission": spread(ours).per(count),
        "ours, CPU a submission": spread([each.ours.cpu for each in rounds]).per(count),
        "ours, the class again, unchanged": spread([each.again.wall for each in rounds]),
        "bare, CPU a submission": spread([each.bare_cpu for each in rounds]).per(count),
        "bare, a submission": spread([each.bare_wall for each in rounds]).per(count),
        "bare, the class / cores": spread(bare),
        "bare, the class on all cores": spread([each.bare_wall_on_all_cores for each in rounds]),
        "times nbgrader": spread([each.stock_each * count / each.ours.wall for each in rounds]),
        "multiple of bare": spread([each.ours.wall / low for each, low in zip(rounds, bare, strict=True)]),
        "multiple of bare on all cores": spread(
            [each.ours.wall / each.bare_wall_on_all_cores for each in rounds]
        ),
    }
    if by_defaults:
        figures["nbgrader by its defaults, a submission"] = spread(by_defaults)
        figures["times nbgrader by its defaults"] = spread(
            [statistics.fmean(by_defaults) * count / each for each in ours]
        )
    if bench.otter:
        costs = [cost.wall for each in rounds for cost in each.otter]
        figures["otter, a submission"] = spread(costs)
        figures["otter, CPU a submission"] = spread([cost.cpu for each in rounds for cost in each.otter])
        figures["times otter"] = spread(
            [statistics.fmean(cost.wall for cost in each.otter) * count / each.ours.wall for each in rounds]
        )
    return {
        "machine": machine(),
        "submissions": count,
        "jobs": options.jobs,
        "sandbox": not options.no_sandbox,
        "rounds": len(rounds),
        "nbgrader_sample": options.stock,
        "otter": bench.otter.version() if bench.otter else bench.no_otter,
        "figures": {name: asdict(each) for name, each in figures.items()},
        "equal": equal_scores(bench, rounds[-1].bare),
        "left_over": len(bench.left_over),
        "where nbgrader's time goes": stock.where(Site(bench.folder / "stock"), bench.members[0].name),
    }


def report(result: dict[str, Any]) -> str:
    """The figures as text."""
    rows = [
        (name, Spread(**each) if each["count"] > 1 else f"{each['median']:.3g}")
        for name, each in result["figures"].items()
    ]
    lines = [
        f"Throughput: {result['submissions']} submissions of {LESSON}, {result['machine']['cores']} cores, "
        f"--jobs {result['jobs']}, {'sandboxed' if result['sandbox'] else 'NOT sandboxed'}, "
        f"{result['rounds']} rounds, nbgrader on {result['nbgrader_sample']} of them, "
        f"otter {result['otter']}",
        "",
        table(["median (least–most)", "seconds or times"], rows),
        "",
        "Where nbgrader's time goes, one submission: "
        + ", ".join(f"{name} {part:.2f} s" for name, part in result["where nbgrader's time goes"].items()),
        "",
    ]
    for side, compared in result["equal"].items():
        found = compared["differences"]
        lines.append(
            f"Scores compared with {side}: {compared['submissions']} submissions, "
            f"{compared['grades']} grades, {len(found)} different"
        )
        lines += [f"  {each}" for each in found]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The options of this benchmark."""
    options = argparse.ArgumentParser(description="Submissions per second, against nbgrader and otter.")
    options.add_argument("--count", type=int, default=200, help="submissions of the class")
    options.add_argument("--stock", type=int, default=12, help="how many of them stock nbgrader grades")
    options.add_argument(
        "--otter", type=int, default=3, help="how many of them otter grades; 0 leaves it out"
    )
    options.add_argument(
        "--defaults",
        type=int,
        default=3,
        help="how many nbgrader grades by its defaults; 0 leaves it out",
    )
    options.add_argument("--rounds", type=int, default=3, help="how often each side runs")
    options.add_argument("--jobs", type=int, default=cores(), help="of `autograder grade`")
    options.add_argument("--no-sandbox", action="store_true", help="grade without the sandbox")
    options.add_argument("--scratch", type=Path, help="folder for everything, which stays")
    options.add_argument("--save", default="throughput", help="name of the result in benchmarks/results/")
    return options


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run all rounds."""
    adopt_orphans()
    with scratch(options.scratch) as place:
        for name in ("template", "stock", "defaults", "ours"):
            shutil.rmtree(place / name, ignore_errors=True)
        bench = Bench(place, options)
        bench.prepare_otter()
        rounds = []
        for number in range(1, options.rounds + 1):
            begin = time.perf_counter()
            rounds.append(bench.round())
            last = rounds[-1]
            print(
                f"round {number} of {options.rounds}: nbgrader {last.stock_each:.2f} s a submission, "
                f"ours {last.ours.wall / options.count:.3f} s, bare {last.bare_wall / options.count:.3f} s, "
                f"took {time.perf_counter() - begin:.0f} s",
                file=sys.stderr,
            )
        by_defaults = bench.stock_by_its_defaults().each if options.defaults else ()
        return summarize(bench, rounds, by_defaults, options)


def main() -> None:
    """Measure, print and keep the result."""
    options = parser().parse_args()
    result = measure(options)
    print(report(result))
    print(f"\nkept in benchmarks/results/{save(options.save, result).name}")


if __name__ == "__main__":
    main()
