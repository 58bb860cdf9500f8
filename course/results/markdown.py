"""What the pages of results are made of: tables, and cells with a median and a range."""

from collections.abc import Iterable, Sequence

from course.results import Run, Summary

__all__ = ["accuracy", "cell", "epochs", "seeds", "table"]


def cell(summary: Summary | None, target: float | None = None) -> str:
    """Median and range of accuracies; bold where the median reaches the target."""
    if summary is None:
        return "–"
    median = accuracy(summary.median)
    if target is not None and summary.median >= target:
        median = f"**{median}**"
    if summary.n == 1:
        return f"{median} (1 seed)"
    return f"{median} [{accuracy(summary.min)}, {accuracy(summary.max)}]"


def accuracy(value: float) -> str:
    """Four decimals: one picture of 10,000."""
    return f"{value:.4f}"


def epochs(runs: Sequence[Run]) -> str:
    """How many epochs the runs took; several numbers where they differ."""
    return "/".join(map(str, sorted({run["epochs"] for run in runs})))


def seeds(runs: Sequence[Run]) -> int:
    """How many seeds the runs had."""
    return len({run["seed"] for run in runs})


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
