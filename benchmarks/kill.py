"""Is anything lost when the grader is killed? ``python -m benchmarks.kill [--runs 100] [--resume]``.

Each run grades a small class, is killed with SIGKILL at a random moment, and is started again until it ends.
Then its gradebook and its executed notebooks must be those of a run that nobody disturbed. Some of the class
were graded before: they have scores and comments of a person, and half of them handed in again.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.classes import LESSON
from benchmarks.figures import Unfinished, save, shown, table
from benchmarks.gradebooks import Grades, differences, notebook_differences, read_grades
from benchmarks.marked_class import prepare
from benchmarks.processes import Process, adopt_orphans, kill, left_over, roles, tree
from benchmarks.sites import (
    BenchmarkError,
    Site,
    cores,
    environment,
    grade_command,
    machine,
    scratch,
)

TARGETS = ("main", "group", "main", "group", "worker", "main", "group", "main", "group", "fork server")
"""Whom the runs kill, in turn: the command alone, its whole process group, one of its helpers."""

KILLED_AGAIN = 1 / 3
"""How often the second attempt is killed as well."""
COMPARED = ("grades", "notebooks", "files", "temporary files")
TEMPORARY = "tmp/"
"""Folder of a site that the grader gets as TMPDIR."""
PATIENCE = 15.0
"""Seconds after which a process that outlived its grader counts as left over."""


@dataclass(frozen=True)
class Reference:
    """What an undisturbed run leaves, and how long it takes."""

    site: Site
    grades: Grades
    files: frozenset[str]
    seconds: float


class Grader:
    """Starts the command, kills it, and waits for it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._command = grade_command(options.jobs, sandbox=not options.no_sandbox)

    def run(self, site: Site, target: str = "", moment: float = 0.0) -> tuple[int, bool]:
        """Run the command in a site; kill `target` after `moment` seconds, if one is given.

        Returns:
            How the command ended, and whether something was killed before.
        """
        temporary = site.root / TEMPORARY
        temporary.mkdir(exist_ok=True)
        with (site.root / "grade.log").open("ab") as log:
            process = subprocess.Popen(
                self._command,
                cwd=site.root,
                env=environment(TMPDIR=str(temporary)),
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
            try:
                killed = bool(target) and self._kill(process, target, moment)
                return process.wait(600), killed
            except BaseException:
                kill(tree(process.pid))
                raise

    def _kill(self, process: subprocess.Popen[bytes], target: str, moment: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment)
            return False
        if target == "main":
            process.kill()
        elif target == "group":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            return self._kill_helper(process, target)
        return True

    def _kill_helper(self, process: subprocess.Popen[bytes], target: str) -> bool:
        """Kill a helper, as soon as there is one."""
        while process.poll() is None:
            processes = tree(process.pid)
            role = roles(processes)
            helpers = [each for each in processes if role[each.pid] == target]
            if helpers:
                kill(helpers[:1])
                return True
            time.sleep(0.02)
        return False


def files_of(site: Site) -> frozenset[str]:
    """All files of a workspace and of its temporary folder."""
    places = (site.workspace, site.root / TEMPORARY)
    return frozenset(
        str(path.relative_to(site.root)) for place in places for path in place.rglob("*") if not path.is_dir()
    )


def undisturbed(site: Site, folder: Path, grader: Grader) -> Reference:
    """Run once without a disturbance."""
    copy = site.copy_to(folder)
    begin = time.perf_counter()
    code, _ = grader.run(copy)
    seconds = time.perf_counter() - begin
    if code:
        raise BenchmarkError(f"the undisturbed run ended with {code}: {copy.root / 'grade.log'}")
    return Reference(copy, read_grades(copy.gradebook, LESSON), files_of(copy), seconds)


def compare(reference: Reference, site: Site) -> dict[str, list[str]]:
    """Where a site differs from the reference."""
    grades = differences(reference.grades, read_grades(site.gradebook, LESSON))
    notebooks = []
    for student in sorted(reference.grades.students):
        found = notebook_differences(reference.site.executed(student), site.executed(student))
        notebooks += [f"{student}: {each}" for each in found]
    files = files_of(site)
    changed = [f"{name} is missing" for name in sorted(reference.files - files)]
    changed += [f"{name} is left over" for name in sorted(files - reference.files)]
    return {
        "grades": grades,
        "notebooks": notebooks,
        "files": [each for each in changed if not each.startswith(TEMPORARY)],
        "temporary files": [each for each in changed if each.startswith(TEMPORARY)],
    }


def one_run(base: Site, folder: Path, reference: Reference, grader: Grader, number: int) -> dict[str, Any]:
    """Grade a copy, kill it, start it again until it ends, and compare."""
    draw = random.Random(f"kill {number}")
    site = base.copy_to(folder)
    target = TARGETS[number % len(TARGETS)]
    moment = draw.uniform(0.02, 0.98) * reference.seconds
    code, killed = grader.run(site, target, moment)
    kills = int(killed)
    left = _names(left_over(PATIENCE))
    kill(left_over(0))
    if killed and draw.random() < KILLED_AGAIN:
        again, killed = grader.run(site, draw.choice(("main", "group")), draw.uniform(0.02, 0.98) * moment)
        kills += killed
        left += _names(left_over(PATIENCE))
        kill(left_over(0))
        code = again
    attempts = 0
    while code and attempts < 5:
        attempts += 1
        code, _ = grader.run(site)
        left += _names(left_over(PATIENCE))
        kill(left_over(0))
    result = {
        "run": number,
        "target": target,
        "after": round(moment, 2),
        "kills": kills,
        "ended": code,
        "attempts": attempts,
        "left over": left,
        **compare(reference, site),
    }
    shutil.rmtree(site.root)
    return result


def _names(processes: Sequence[Process]) -> list[str]:
    """What processes are, without where they run."""
    return [" ".join(Path(word).name for word in each.command.split()[:4]) for each in processes]


def faults(run: dict[str, Any]) -> list[str]:
    """What is wrong with a run; nothing, if it ended as if nobody had killed it."""
    found = [f"{kind}: {each}" for kind in COMPARED for each in run[kind]]
    found += [f"process left over: {each}" for each in run["left over"]]
    return [*found, f"the last attempt ended with {run['ended']}"] if run["ended"] else found


def summarize(runs: Sequence[dict[str, Any]], seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    """All runs; those with a fault in full."""
    return {
        "machine": machine(),
        "submissions": options.count,
        "jobs": options.jobs,
        "sandbox": not options.no_sandbox,
        "undisturbed_seconds": round(seconds, 2),
        "runs": len(runs),
        "equal": sum(not (each["grades"] or each["notebooks"] or each["ended"]) for each in runs),
        "no_process_left": sum(not each["left over"] for each in runs),
        "no_file_left": sum(not (each["files"] or each["temporary files"]) for each in runs),
        "kills": sum(each["kills"] for each in runs),
        "by_target": {
            target: {
                "runs": sum(each["target"] == target for each in runs),
                "killed": sum(each["target"] == target and bool(each["kills"]) for each in runs),
                "equal": sum(
                    each["target"] == target and not (each["grades"] or each["notebooks"] or each["ended"])
                    for each in runs
                ),
            }
            for target in dict.fromkeys(TARGETS)
        },
        "moments": [each["after"] for each in runs],
        "faults": [
            {"run": each["run"], "target": each["target"], "faults": faults(each)}
            for each in runs
            if faults(each)
        ],
    }


def report(result: dict[str, Any]) -> str:
    """The runs as text."""
    rows = [[name, each["runs"], each["killed"], each["equal"]] for name, each in result["by_target"].items()]
    lines = [
        f"Killed runs: {result['equal']} of {result['runs']} ended equal to an undisturbed run "
        f"({result['submissions']} submissions in {shown(result['undisturbed_seconds'])} s, "
        f"{result['kills']} kills); "
        f"{result['no_process_left']} left no process behind, {result['no_file_left']} no file",
        "",
        table(["killed", "runs", "killed in time", "equal"], rows),
    ]
    kinds = Counter(each.split(":")[0] for one in result["faults"] for each in one["faults"])
    if kinds:
        lines.append("\n" + ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common()))
    for one in result["faults"][:20]:
        lines += [f"  run {one['run']} ({one['target']}): {each}" for each in one["faults"][:8]]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The options of this benchmark."""
    options = argparse.ArgumentParser(description="Kill the grader at random moments and compare.")
    options.add_argument("--runs", type=int, default=100, help="how many runs")
    options.add_argument("--count", type=int, default=12, help="submissions of the class")
    options.add_argument("--jobs", type=int, default=cores(), help="of `autograder grade`")
    options.add_argument("--no-sandbox", action="store_true", help="grade without the sandbox")
    options.add_argument("--resume", action="store_true", help="keep the runs that are done")
    options.add_argument("--scratch", type=Path, help="folder for everything, which stays")
    options.add_argument("--save", default="kill", help="name of the result in benchmarks/results/")
    return options


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All runs that are not done yet."""
    adopt_orphans()
    unfinished = Unfinished(options.save)
    runs = unfinished.read() if options.resume else []
    grader = Grader(options)
    with scratch(options.scratch) as place:
        shutil.rmtree(place / "kill", ignore_errors=True)
        base = prepare(place / "kill" / "base", options.count, lambda site: grader.run(site)[0])
        first = undisturbed(base, place / "kill" / "first", grader)
        reference = undisturbed(base, place / "kill" / "reference", grader)
        unstable = [each for found in compare(first, reference.site).values() for each in found]
        if unstable:
            print("Two undisturbed runs differ:", *unstable[:20], sep="\n  ", file=sys.stderr)
        for number in range(len(runs), options.runs):
            runs.append(one_run(base, place / "kill" / "run", reference, grader, number))
            unfinished.keep(runs)
            wrong = faults(runs[-1])
            print(
                f"run {number + 1} of {options.runs}: {runs[-1]['target']} after {runs[-1]['after']} s, "
                + (f"DIFFERENT: {wrong[0]}" if wrong else "equal"),
                file=sys.stderr,
                flush=True,
            )
    unfinished.forget()
    return {**summarize(runs, reference.seconds, options), "undisturbed_runs_differ": unstable}


def main() -> None:
    """Measure, print and keep the result."""
    options = parser().parse_args()
    try:
        result = measure(options)
    except KeyboardInterrupt:
        print("\nStopped. Runs that are done are kept; go on with --resume.", file=sys.stderr)
        sys.exit(130)
    print(report(result))
    print(f"\nkept in benchmarks/results/{save(options.save, result).name}")


if __name__ == "__main__":
    main()
