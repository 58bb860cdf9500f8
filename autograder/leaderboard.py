"""A ranking of the class by what the checks measured: accuracy, size, time, whatever the course names.

Exercises whose checks report no measures have no leaderboard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autograder.reports import Measure
from autograder.results import StudentResult


@dataclass(frozen=True)
class Row:
    """One student in a leaderboard; students with equal measures share a place."""

    place: int
    student: str
    measures: tuple[Measure, ...]
    points: float
    share: float
    """Of the first measure, between the least (0) and the greatest (1) in the class, for a bar."""


@dataclass(frozen=True)
class Leaderboard:
    """The ranking in one exercise, the best first."""

    exercise: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    without: tuple[str, ...]
    """Students of whom nothing could be measured."""


def leaderboards(students: Sequence[StudentResult]) -> list[Leaderboard]:
    """A leaderboard for each exercise that was measured, ranked by the first measure, then the next, ..."""
    names = dict.fromkeys(
        name for student in students for name, each in student.exercises.items() if each.measures
    )
    return [_leaderboard(name, students) for name in names]


def _leaderboard(exercise: str, students: Sequence[StudentResult]) -> Leaderboard:
    measured = {
        student.student: student.exercises[exercise]
        for student in students
        if exercise in student.exercises and student.exercises[exercise].measures
    }
    columns = tuple(each.name for each in next(iter(measured.values())).measures)
    # Another number of measures would be from an older check: it is not compared.
    names = [name for name, each in measured.items() if tuple(m.name for m in each.measures) == columns]
    ranked = sorted(names, key=lambda name: (*_rank(measured[name].measures), name))
    firsts = [measured[name].measures[0].value for name in ranked]
    least, most = min(firsts), max(firsts)
    rows: list[Row] = []
    for position, name in enumerate(ranked, 1):
        result = measured[name]
        tied = rows and _rank(rows[-1].measures) == _rank(result.measures)
        share = (result.measures[0].value - least) / (most - least) if most > least else 1.0
        rows.append(Row(rows[-1].place if tied else position, name, result.measures, result.score, share))
    without = tuple(student.student for student in students if student.student not in names)
    return Leaderboard(exercise, columns, tuple(rows), without)


def _rank(measures: Sequence[Measure]) -> tuple[float, ...]:
    return tuple(-each.value if each.better == "higher" else each.value for each in measures)
