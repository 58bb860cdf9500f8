"""The figures of the reports: medians with their range, straight lines, plain tables."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Spread:
    """Several measurements of one thing."""

    median: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{shown(self.median)} ({shown(self.low)}–{shown(self.high)})"

    def per(self, number: float) -> Spread:
        """The same, divided by a number."""
        return Spread(self.median / number, self.low / number, self.high / number, self.count)


def spread(values: Sequence[float]) -> Spread:
    """Median and range of measurements."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


@dataclass(frozen=True)
class Line:
    """A straight line through points, fitted by least squares.

    Attributes:
        slope: how much y grows with x.
        start: y at x = 0.
        straightness: R², the part of the variation of y that the line explains; 1 for a straight line.
        bend: the largest distance of a point from the line, as a part of the point's y.
    """

    slope: float
    start: float
    straightness: float
    bend: float


def fit_line(x: Sequence[float], y: Sequence[float]) -> Line:
    """The line through (x, y).

    Raises:
        ValueError: fewer than two different x.
    """
    if len(set(x)) < 2:
        raise ValueError("a line needs two different x")
    slope, start = statistics.linear_regression(x, y)
    fitted = [start + slope * each for each in x]
    mean = statistics.fmean(y)
    total = sum((each - mean) ** 2 for each in y)
    rest = sum((each - line) ** 2 for each, line in zip(y, fitted, strict=True))
    bend = max((abs(a - b) / abs(a) for a, b in zip(y, fitted, strict=True) if a), default=0.0)
    return Line(slope, start, 1 - rest / total if total else 1.0, bend)


def shown(value: float) -> str:
    """A number with three figures that count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in plain text; the first column is flush left."""
    cells = [[str(each) for each in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["  ".join(_set(each, widths, column) for column, each in enumerate(row)) for row in cells]
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _set(text: str, widths: Sequence[int], column: int) -> str:
    return text.ljust(widths[column]) if column == 0 else text.rjust(widths[column])


def save(name: str, result: Any, folder: Path = RESULTS) -> Path:
    """Write a result as JSON, one line an entry."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


class Unfinished:
    """What is done of a long benchmark, for `--resume`; a file beside the results until it is all done."""

    def __init__(self, name: str, folder: Path = RESULTS) -> None:
        self._name = f".{name}-unfinished"
        self._folder = folder

    def read(self) -> list[dict[str, Any]]:
        """The parts that are done."""
        path = self._folder / f"{self._name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []

    def keep(self, parts: Sequence[dict[str, Any]]) -> None:
        """Remember these parts."""
        save(self._name, list(parts), self._folder)

    def forget(self) -> None:
        """All is done."""
        (self._folder / f"{self._name}.json").unlink(missing_ok=True)
