"""What the instructor sees in the terminal; all of it on stderr, so that stdout stays free for ``--json``.

Everything that a student can choose is printed as plain text: no console markup, no control characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from autograder.intake import Submission
from autograder.results import ClassResult, StudentResult
from autograder.verdicts import Verdict

BAR_WIDTH = 20

_SHORT = {
    Verdict.RIGHT: "✓ right",
    Verdict.PARTLY: "◐ partly",
    Verdict.WRONG: "✗ wrong",
    Verdict.NOT_ATTEMPTED: "– empty",
    Verdict.CRASHED: "! crash",
    Verdict.TIMED_OUT: "◷ time",
    Verdict.AWAITING: "✎ manual",
}


@contextmanager
def grading_progress(
    console: Console,
) -> Iterator[tuple[Callable[[list[Submission]], None], Callable[[Submission], None]]]:
    """A progress bar with counts and time left; yields the callbacks `on_start` and `on_done` for `grade`."""
    columns = (
        TextColumn("Grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("[dim]{task.fields[failed]} could not be graded"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("grading", total=None, failed=0)
        failed = 0

        def on_start(submissions: list[Submission]) -> None:
            progress.update(task, total=len(submissions))

        def on_done(submission: Submission) -> None:
            nonlocal failed
            failed += not submission.gradable
            progress.update(task, advance=1, failed=failed)

        yield on_start, on_done


def class_table(result: ClassResult) -> Table:
    """One row a student: score, verdict counts, problems; totals in the footer."""
    verdicts = [verdict for verdict in _SHORT if result.verdicts[verdict]]
    scores = [student.score for student in result.students]
    table = Table(
        title=f"{result.assignment}: {len(scores)} students", title_justify="left", show_footer=True
    )
    table.add_column("Student", footer="all", no_wrap=True)
    table.add_column("Score", justify="right", footer=f"⌀ {sum(scores) / len(scores):.1f}" if scores else "")
    table.add_column(
        "", footer=_bar(sum(student.fraction for student in result.students) / max(1, len(scores)))
    )
    for verdict in verdicts:
        table.add_column(_SHORT[verdict], justify="right", footer=str(result.verdicts[verdict]))
    noted = sum(bool(student.problems) for student in result.students)
    table.add_column("Problems", footer=f"{noted} students" if noted else "", overflow="fold", max_width=60)
    for student in result.students:
        counts = [str(student.count(verdict) or "") for verdict in verdicts]
        table.add_row(
            _safe(student.student), _score(student), _bar(student.fraction), *counts, _problems(student)
        )
    return table


def totals(result: ClassResult) -> Text:
    """The last line of a run."""
    graded = len(result.students) - len(result.failed)
    line = Text(f"{graded} graded", style="green")
    if result.failed:
        line.append(f", {len(result.failed)} could not be graded", style="bold red")
    if waiting := result.verdicts[Verdict.AWAITING]:
        line.append(f", {waiting} answers wait for a person (formgrader in JupyterLab)", style="yellow")
    return line


def _score(student: StudentResult) -> str:
    return f"{student.score:g}/{student.max_score:g}"


def _bar(fraction: float) -> Text:
    full = round(BAR_WIDTH * min(1.0, max(0.0, fraction)))
    return Text("█" * full, style="green") + Text("░" * (BAR_WIDTH - full), style="dim")


def _problems(student: StudentResult) -> Text:
    return Text(_plain(" ".join(student.problems)), style="" if student.graded else "red")


def _safe(text: str) -> Text:
    return Text(_plain(text))


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)
