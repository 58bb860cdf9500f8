"""What the lessons' experiments gave on the real data: recorded once, shown where the data is not to be had.

One JSON file per lesson holds every single run, so that a figure is never one lucky seed: a lesson shows the
median and the range over the seeds. ``python -m course.results`` (``make results``) does the missing ones.
"""

import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Summary", "load", "path_of", "select", "summarize"]

Run = dict[str, Any]


class Summary(NamedTuple):
    """Median, smallest and largest value over ``n`` runs."""

    median: float
    min: float
    max: float
    n: int


def path_of(lesson: str) -> Path:
    """Return where the results of ``lesson`` are kept, such as ``course/results/03_batch_norm.json``."""
    return Path(__file__).with_name(f"{lesson}.json")


def load(lesson: str) -> dict[str, Any]:
    """Return the recorded results of ``lesson``: ``"runs"`` (a flat list of dicts) and ``"environment"``.

    Raises:
        FileNotFoundError: nothing is recorded for this lesson.
    """
    path = path_of(lesson)
    if not path.exists():
        recorded = ", ".join(sorted(file.stem for file in path.parent.glob("*.json"))) or "none"
        raise FileNotFoundError(f"No results are recorded for {lesson!r}; recorded: {recorded}.")
    return json.loads(path.read_text(encoding="utf-8"))


def select(runs: Iterable[Run], **values: Any) -> list[Run]:
    """Return the runs that have all of ``values``: ``select(runs, setting="large_lr", batch_norm=True)``."""
    return [run for run in runs if all(run.get(name) == value for name, value in values.items())]


def summarize(
    runs: Iterable[Mapping[str, Any]], by: tuple[str, ...], value: str = "test_accuracy"
) -> dict[tuple[Any, ...], Summary]:
    """Group ``runs`` by the fields ``by`` and summarize ``value`` in each group, in the order of appearance.

    Runs without a field of ``by`` belong to another experiment and raise KeyError: select first.
    """
    groups: dict[tuple[Any, ...], list[float]] = {}
    for run in runs:
        groups.setdefault(tuple(run[name] for name in by), []).append(run[value])
    return {
        key: Summary(statistics.median(values), min(values), max(values), len(values))
        for key, values in groups.items()
    }
