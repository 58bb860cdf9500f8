"""All benchmarks, one after the other: ``python -m benchmarks [--quick]``.

The report goes to stdout, progress to stderr, the figures to ``benchmarks/results/`` and from there to
``docs/benchmarks.md``. The whole takes most of an hour on two cores; ``--quick`` takes some minutes, says the
same about less, and keeps nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import kernels, kill, page, scaling, throughput
from benchmarks.figures import save
from benchmarks.sites import machine

QUICK = {
    "throughput": ["--count", "20", "--stock", "3", "--otter", "1", "--rounds", "1", "--defaults", "1"],
    "scaling": ["--sizes", "10", "20", "40"],
    "kill": ["--runs", "4"],
    "kernels": ["--rounds", "1", "--count", "2"],
}
BENCHMARKS: dict[str, Any] = {
    "throughput": throughput,
    "scaling": scaling,
    "kill": kill,
    "kernels": kernels,
}
RESUMED = ("scaling", "kill")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the grader.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small classes; nothing is kept")
    parser.add_argument("--no-sandbox", action="store_true", help="grade without the sandbox")
    parser.add_argument("--resume", action="store_true", help="keep what is done of scaling and kill")
    parser.add_argument("--scratch", type=Path, help="folder for everything, which stays")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - BENCHMARKS.keys()):
        parser.error(f"no benchmark is called {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    print("Machine: " + ", ".join(f"{name} {fact}" for name, fact in machine().items()), flush=True)
    for name in options.names or BENCHMARKS:
        benchmark = BENCHMARKS[name]
        arguments = [*(QUICK[name] if options.quick else []), *_passed_on(options, name)]
        print(f"\n=== {name} ===", flush=True)
        begin = time.perf_counter()
        try:
            result = benchmark.measure(benchmark.parser().parse_args(arguments))
        except KeyboardInterrupt:
            print("\nStopped. What is done of scaling and kill is kept: --resume.", file=sys.stderr)
            sys.exit(130)
        print(benchmark.report(result))
        print(f"({name} took {time.perf_counter() - begin:.0f} s)", flush=True)
        if not options.quick:
            save(name, result)
            page.PAGE.write_text(page.page(), encoding="utf-8")


def _passed_on(options: argparse.Namespace, name: str) -> list[str]:
    """The options that a benchmark gets from this command."""
    arguments = ["--no-sandbox"] if options.no_sandbox else []
    arguments += ["--scratch", str(options.scratch)] if options.scratch else []
    arguments += ["--save", f"quick-{name}"] if options.quick else []
    return [*arguments, "--resume"] if options.resume and name in RESUMED else arguments


if __name__ == "__main__":
    main()
