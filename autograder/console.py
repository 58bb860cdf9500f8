"""What the instructor sees in the terminal; all of it on stderr, so that stdout stays free for ``--json``.

Everything that a student can choose is printed as plain text: no console markup, no control characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
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
from autograder.results import ClassResult
from autograder.verdicts import Verdict

BAR_WIDTH = 14

_SHORT = {
    Verdict.RIGHT: "right",
    Verdict.PARTLY: "partly",
    Verdict.WRONG: "wrong",
    Verdict.NOT_ATTEMPTED: "empty",
    Verdict.CRASHED: "crash",
    Verdict.TIMED_OUT: "time",
    Verdict.AWAITING: "manual",
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
    """One row a student: score and how many exercises have which verdict.

    The footer has the mean score and the number of verdicts of the graded submissions, as the report has.
    """
    verdicts = [verdict for verdict in _SHORT if result.verdicts[verdict]]
    graded = [student for student in result.students if student.graded]
    number = max(1, len(graded))
    title = f"{result.assignment}: {len(result.students)} students"
    table = Table(
        title=title, title_justify="left", show_footer=True, box=SIMPLE_HEAD, padding=0, show_edge=False
    )
    table.add_column("student", footer="graded", no_wrap=True, min_width=8, max_width=24)
    table.add_column(
        "score",
        justify="right",
        no_wrap=True,
        min_width=5,
        footer=f"{sum(s.score for s in graded) / number:.1f}",
    )
    table.add_column("", footer=_bar(sum(s.fraction for s in graded) / number), no_wrap=True)
    for verdict in verdicts:
        header = _SHORT[verdict]
        table.add_column(header, justify="right", footer=str(result.verdicts[verdict]), min_width=len(header))
    for student in result.students:
        if student.graded:
            counts = [str(student.count(verdict) or "") for verdict in verdicts]
            table.add_row(_safe(student.student), f"{student.score:g}", _bar(student.fraction), *counts)
        else:
            table.add_row(_safe(student.student), "0", Text("not graded", style="red"))
    return table


def problem_lines(result: ClassResult) -> Iterator[Text]:
    """What was wrong with submissions as files, one line a student."""
    for student in result.students:
        if student.problems:
            line = _safe(f"  {student.student}: ")
            line.append(_plain(" ".join(student.problems)), style="" if student.graded else "red")
            yield line


def totals(result: ClassResult) -> Text:
    """The last line of a run."""
    graded = len(result.students) - len(result.failed)
    line = Text(f"{graded} graded", style="green")
    if result.failed:
        line.append(f", {len(result.failed)} could not be graded", style="bold red")
    if waiting := result.verdicts[Verdict.AWAITING]:
        answers = "1 answer waits" if waiting == 1 else f"{waiting} answers wait"
        line.append(f", {answers} for a person (formgrader)", style="yellow")
    return line


def _bar(fraction: float) -> Text:
    full = round(BAR_WIDTH * min(1.0, max(0.0, fraction)))
    return Text("█" * full, style="green") + Text("░" * (BAR_WIDTH - full), style="dim")


def _safe(text: str) -> Text:
    return Text(_plain(text))


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)
