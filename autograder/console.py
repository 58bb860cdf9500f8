"""What the instructor sees in the terminal; all of it on stderr, so that stdout stays free for ``--json``.

Everything that a student can choose is printed as plain text: no console markup, no control characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as ProgressBar
from rich.table import Table
from rich.text import Text

from autograder.grade import Progress
from autograder.results import ClassResult
from autograder.verdicts import Verdict

if TYPE_CHECKING:  # each command imports what it needs
    from autograder.doctor import Finding
    from autograder.replay import Replay

BAR_WIDTH = 14

_SHORT = {
    Verdict.RIGHT: "right",
    Verdict.PARTLY: "partly",
    Verdict.WRONG: "wrong",
    Verdict.NOT_ATTEMPTED: "empty",
    Verdict.CRASHED: "crash",
    Verdict.TIMED_OUT: "time",
    Verdict.DELEGATED: "not own",
    Verdict.AWAITING: "manual",
}


@contextmanager
def grading_progress(console: Console) -> Iterator[Progress]:
    """A progress bar with counts and time left; yields what `grade` reports to."""
    columns = (
        TextColumn("Grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("[dim]{task.fields[failed]} could not be graded"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with ProgressBar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("grading", total=None, failed=0)
        failed = 0

        def on_start(number: int) -> None:
            bar.update(task, total=number)

        def on_done(graded: bool) -> None:
            nonlocal failed
            failed += not graded
            bar.update(task, advance=1, failed=failed)

        yield Progress(on_start, on_done, lambda sentence: console.print(_safe(sentence)))


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


MOST_LINES = 40
"""More lines than this about single students scroll the totals away; the class report has them all."""


def notes(result: ClassResult) -> Iterator[Text]:
    """Under the table: problems with files, flags, similar pairs, and how far the scores can be trusted."""
    lines = [*_problem_lines(result), *_flag_lines(result)]
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield _safe(f"  ... and {len(lines) - MOST_LINES} more lines in the class report")
    if not result.sandboxed:
        yield Text("  Graded WITHOUT a sandbox: submissions ran with your rights.", style="bold yellow")


def _problem_lines(result: ClassResult) -> Iterator[Text]:
    """What was wrong with submissions as files, one line a student."""
    for student in result.students:
        if student.problems:
            line = _safe(f"  {student.student}: ")
            line.append(_plain(" ".join(student.problems)), style="" if student.graded else "red")
            yield line


def _flag_lines(result: ClassResult) -> Iterator[Text]:
    """What an instructor should look at, one line a student or pair."""
    for student in result.flagged:
        line = _safe(f"  {student.student}: ")
        sentences = list(dict.fromkeys(flag.sentence for flag in student.flags))
        more = f" (and {len(sentences) - 2} more)" if len(sentences) > 2 else ""
        line.append("flagged: " + _plain(" ".join(sentences[:2])) + more, style="magenta")
        yield line
    for pair in result.pairs:
        yield _safe(f"  {pair.first} and {pair.second} are similar ({pair.similarity:.0%}).")


_SIGNS = {"good": ("✓", "green"), "warning": ("!", "yellow"), "bad": ("✗", "bold red")}  # by State


def finding_row(finding: Finding) -> Table:
    """One finding of the doctor; long sentences stay in their column."""
    sign, style = _SIGNS[finding.state]
    row = Table.grid(padding=(0, 1))
    row.add_column(width=1)
    row.add_column(width=7)
    row.add_column()
    row.add_row(Text(sign, style=style), Text(finding.topic, style="dim"), _safe(finding.sentence))
    return row


def replay_lines(again: Replay) -> Iterator[Text]:
    """Every test cell of a replay: what it gave now and then, and what the checks said."""
    yield _safe(f"{again.student}, {again.assignment}: seed {again.seed}")
    for test in again.tests:
        sign, style = ("✓", "green") if test.score == test.points else ("✗", "red")
        line = Text(f"  {sign} ", style=style) + _safe(f"{test.name}  {test.score:g} of {test.points:g}")
        if test.recorded is not None and test.recorded != test.score:
            line.append(f"  (the gradebook has {test.recorded:g})", style="bold yellow")
        yield line
        for text in test.lines:
            yield _safe(f"      {text}")
    verdict = "the same as in the gradebook" if again.same else "NOT the same as in the gradebook"
    yield Text(f"{again.score:g} points by the tests, {verdict}", style="green" if again.same else "bold red")


def totals(result: ClassResult) -> Text:
    """The last line of a run."""
    graded = len(result.students) - len(result.failed)
    line = Text(f"{graded} graded", style="green")
    if result.failed:
        line.append(f", {len(result.failed)} could not be graded", style="bold red")
    if result.flagged:
        line.append(f", {len(result.flagged)} flagged", style="magenta")
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
