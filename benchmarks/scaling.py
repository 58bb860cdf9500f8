"""Large classes: does the time grow in a straight line, and does the memory stay flat?

    python -m benchmarks.scaling [--sizes 250 500 1000 2000] [--resume]

Each size is graded from the beginning on a fresh workspace, and then counted: every student once, every
grade once, equal scores for equal answers. A size that is done is written down at once; after Ctrl-C,
``--resume`` goes on with the next.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.classes import LESSON, Member, fill
from benchmarks.figures import Unfinished, fit_line, save, shown, table
from benchmarks.gradebooks import read_grades
from benchmarks.processes import Sample, Watch
from benchmarks.sites import (
    BenchmarkError,
    Site,
    cores,
    environment,
    grade_command,
    machine,
    new_site,
    scratch,
)

SIZES = (250, 500, 1000, 2000)
MEGABYTE = 1e6
SECONDS_BETWEEN_LINES = 10


def measure_size(site: Site, members: Sequence[Member], options: argparse.Namespace) -> dict[str, Any]:
    """Grade a filled site while its memory is watched, and check the gradebook."""
    command = grade_command(options.jobs, sandbox=not options.no_sandbox)
    out, log = site.root / "grades.json", site.root / "grade.log"
    begin = time.perf_counter()
    with (
        out.open("w") as stdout,
        log.open("w") as stderr,
        subprocess.Popen(command, cwd=site.root, env=environment(), stdout=stdout, stderr=stderr) as process,
    ):
        watch = Watch(process.pid)
        watch.start()
        try:
            _wait(process, site, len(members), watch, begin)
        except BaseException:
            process.terminate()
            raise
        finally:
            samples = watch.stop()
    wall = time.perf_counter() - begin
    if process.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BenchmarkError(f"{' '.join(command)} ended with {process.returncode}:\n{last}")
    return {
        "submissions": len(members),
        "wall": round(wall, 2),
        "per_second": round(len(members) / wall, 3),
        "wrong": count_grades(site, members, out),
        **memory(samples),
        "unreadable": sorted(watch.unreadable),
    }


def _wait(process: subprocess.Popen[bytes], site: Site, count: int, watch: Watch, begin: float) -> None:
    """Say from time to time how far the grader is."""
    while True:
        try:
            process.wait(SECONDS_BETWEEN_LINES)
        except subprocess.TimeoutExpired:
            folder = site.workspace / "autograded"
            done = len(os.listdir(folder)) if folder.is_dir() else 0
            seconds = time.perf_counter() - begin
            now = watch.samples[-1].total / MEGABYTE if watch.samples else 0
            left = f", {(count - done) * seconds / done:.0f} s left" if done else ""
            line = f"{count} submissions: {done} graded after {seconds:.0f} s, {now:.0f} MB{left}"
            print(line, file=sys.stderr, flush=True)
        else:
            return


def memory(samples: Sequence[Sample]) -> dict[str, Any]:
    """Peak and trend of the memory in MB; the trend is that of the middle of the run, for the whole run.

    At the beginning processes start and at the end they are fewer, so the first fifth and the last tenth say
    nothing about growth.
    """
    if not samples:
        return {"samples": 0}
    end = samples[-1].seconds
    middle = [each for each in samples if 0.2 * end <= each.seconds <= 0.9 * end]
    result: dict[str, Any] = {"samples": len(samples)}
    for name in ("total", "grader"):
        values = [getattr(each, name) / MEGABYTE for each in samples]
        result[f"{name}_peak"] = round(max(values), 1)
        steady = [getattr(each, name) / MEGABYTE for each in middle]
        result[f"{name}_median"] = round(statistics.median(steady or values), 1)
        if len({each.seconds for each in middle}) > 1:
            line = fit_line([each.seconds for each in middle], steady)
            result[f"{name}_growth"] = round(line.slope * end, 1)
    names = sorted({role for each in samples for role in each.memory})
    result["roles"] = {
        role: {
            "peak": round(max(each.memory.get(role, 0) for each in samples) / MEGABYTE, 1),
            "processes": max(each.processes.get(role, 0) for each in samples),
        }
        for role in names
    }
    return result


def count_grades(site: Site, members: Sequence[Member], printed: Path) -> list[str]:
    """What is wrong with the gradebook of a class; nothing, if no grade was lost or doubled."""
    grades = read_grades(site.gradebook, LESSON)
    names = {member.name for member in members}
    wrong = [f"{each} is there twice" for each in grades.doubled]
    for what, found in (
        ("students", set(grades.students)),
        ("submissions", set(grades.submissions)),
        ("executed notebooks", {name for name in names if site.executed(name).is_file()}),
        ("printed results", {each["student"] for each in json.loads(printed.read_text())["students"]}),
    ):
        if found != names:
            wrong.append(
                f"{what}: {len(names - found)} lost, {len(found - names)} too many, "
                f"such as {sorted(found ^ names)[0]}"
            )
    cells: dict[str, set[str]] = defaultdict(set)
    for student, cell in grades.cells:
        cells[student].add(cell)
    every = set().union(*cells.values())
    wrong += [
        f"{name} has {len(cells[name])} of {len(every)} grades" for name in names if cells[name] != every
    ]
    return wrong + unequal_scores(members, grades.scores())


def unequal_scores(members: Sequence[Member], scores: dict[str, float]) -> list[str]:
    """Students who wrote the same and did not get the same."""
    by_story: dict[str, dict[float, str]] = defaultdict(dict)
    for member in members:
        by_story[member.story][scores.get(member.name, -1.0)] = member.name
    return [
        f"{story}: " + " and ".join(f"{name} has {score:g}" for score, name in sorted(found.items()))
        for story, found in sorted(by_story.items())
        if len(found) > 1
    ]


def summarize(runs: Sequence[dict[str, Any]], options: argparse.Namespace) -> dict[str, Any]:
    """All sizes, and the line through their times."""
    result: dict[str, Any] = {
        "machine": machine(),
        "jobs": options.jobs,
        "sandbox": not options.no_sandbox,
        "runs": list(runs),
    }
    if len(runs) > 1:
        line = fit_line([each["submissions"] for each in runs], [each["wall"] for each in runs])
        result["line"] = {
            "seconds_a_submission": round(line.slope, 4),
            "start": round(line.start, 2),
            "straightness": round(line.straightness, 6),
            "bend": round(line.bend, 4),
        }
    return result


def report(result: dict[str, Any]) -> str:
    """The sizes as a table."""
    head = ["submissions", "wall s", "per s", "PSS peak MB", "grader's peak", "median", "growth", "wrong"]
    rows = [
        [
            each["submissions"],
            shown(each["wall"]),
            each["per_second"],
            *(each.get(f"{name}", "–") for name in ("total_peak", "grader_peak")),
            *(each.get(f"grader_{name}", "–") for name in ("median", "growth")),
            len(each["wrong"]),
        ]
        for each in result["runs"]
    ]
    lines = [
        f"Scaling: --jobs {result['jobs']}, {'sandboxed' if result['sandbox'] else 'NOT sandboxed'}",
        "",
        table(head, rows),
    ]
    if line := result.get("line"):
        lines.append(
            f"\nA straight line: {line['start']} s + {line['seconds_a_submission']} s a submission, "
            f"R² {line['straightness']}, at most {100 * line['bend']:.1f} % beside it"
        )
    last = result["runs"][-1]
    lines += [
        f"Peak of {last['submissions']} submissions by role: "
        + ", ".join(
            f"{name} {role['peak']:.0f} MB in {role['processes']}" for name, role in last["roles"].items()
        )
    ]
    lines += [f"  {each['submissions']}: {wrong}" for each in result["runs"] for wrong in each["wrong"][:20]]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The options of this benchmark."""
    options = argparse.ArgumentParser(description="Time and memory of large classes.")
    options.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="such as 250 500 1000 10000")
    options.add_argument("--jobs", type=int, default=cores(), help="of `autograder grade`")
    options.add_argument("--no-sandbox", action="store_true", help="grade without the sandbox")
    options.add_argument("--resume", action="store_true", help="keep the sizes that are done")
    options.add_argument("--scratch", type=Path, help="folder for everything, which stays")
    options.add_argument("--save", default="scaling", help="name of the result in benchmarks/results/")
    return options


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Grade a class of each size that is not done yet."""
    unfinished = Unfinished(options.save)
    runs = {each["submissions"]: each for each in unfinished.read()} if options.resume else {}
    with scratch(options.scratch) as place:
        shutil.rmtree(place / "scaling", ignore_errors=True)
        template = new_site(place / "scaling" / "template")
        for size in sorted(options.sizes):
            if size in runs:
                continue
            site = template.copy_to(place / "scaling" / "class")
            members = fill(site.lesson(), site.submitted, size)
            runs[size] = measure_size(site, members, options)
            unfinished.keep([runs[each] for each in sorted(runs)])
            shutil.rmtree(site.root)
    unfinished.forget()
    return summarize([runs[each] for each in sorted(runs)], options)


def main() -> None:
    """Measure, print and keep the result."""
    options = parser().parse_args()
    try:
        result = measure(options)
    except KeyboardInterrupt:
        print("\nStopped. Sizes that are done are kept; go on with --resume.", file=sys.stderr)
        sys.exit(130)
    print(report(result))
    print(f"\nkept in benchmarks/results/{save(options.save, result).name}")


if __name__ == "__main__":
    main()
