"""``python -m course.results``: do the lessons' experiments on the real data, or print them as tables."""

import argparse
import sys

from course.data import LOADERS, DataUnavailable
from course.results import batch_norm, initialization, path_of, regularization, residual, tables, transfer
from course.results.runner import Record, complete

LESSONS = {
    "02_initialization": initialization,
    "03_batch_norm": batch_norm,
    "04_resnet": residual,
    "05_regularization": regularization,
    "06_transfer_learning": transfer,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 2 a data set is missing, 130 interrupted."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.epochs is not None and (options.epochs < 1 or not options.only):
        parser.error("--epochs takes 1 or more, together with --only.")
    if options.table:
        print(tables.page(), end="")
        return 0
    for lesson, experiments in LESSONS.items():
        on_request = getattr(experiments, "ON_REQUEST", frozenset())
        chosen = options.only or experiments.DATASET.keys() - on_request
        specs = [spec for spec in experiments.specifications() if spec["experiment"] in chosen]
        if options.epochs is not None:
            specs = [{**spec, "epochs": options.epochs} for spec in specs if "epochs" in spec]
        if not specs:
            continue
        record = Record(path_of(lesson))
        missing = record.missing(specs)
        print(f"{lesson}: {len(specs) - len(missing)} of {len(specs)} runs are recorded.", flush=True)
        try:
            for dataset in sorted({experiments.DATASET[spec["experiment"]] for spec in missing} - {None}):
                LOADERS[dataset]()
            complete(record, specs, experiments.execute, workers=options.workers)
        except DataUnavailable as problem:
            print(problem, file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print(
                "\nInterrupted. Finished runs are recorded; the same command does the rest.", file=sys.stderr
            )
            return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    names = sorted({name for experiments in LESSONS.values() for name in experiments.DATASET})
    parser = argparse.ArgumentParser(prog="python -m course.results", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, help="only this experiment (repeatable)")
    parser.add_argument("--table", action="store_true", help="print what is recorded as Markdown, do no run")
    parser.add_argument("--workers", type=int, metavar="N", help="runs at the same time (default: all cores)")
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="record runs of N epochs, where the whole number takes too long (needs --only)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
