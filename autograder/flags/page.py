"""Flags and similar pairs as the class report shows them: plain view objects, which the template escapes.

The template is ``templates/flags.html.j2``; its style is ``templates/flags.css``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.flags import KINDS, Flag
from autograder.flags.pairs import Evidence, Excerpt, Pair

MOST_STUDENTS = 200
"""So many flagged students are shown; `autograder grade --json` has them all."""
CONTEXT = 2
"""Lines around those that agree."""

_SYMBOLS = {"tampering": "!", "delegation": "⇄", "data": "▦", "similar": "≈"}


@dataclass(frozen=True)
class FlagView:
    """One flag: its kind and the kind's symbol, the sentence, and the lines that show it."""

    kind: str
    symbol: str
    sentence: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class FlaggedView:
    """A student with the flags, those of tampering first."""

    student: str
    flags: tuple[FlagView, ...]

    @property
    def kinds(self) -> list[tuple[str, str, int]]:
        """Kind, symbol and number of the flags of each kind."""
        kinds = [(flag.kind, flag.symbol) for flag in self.flags]
        return [(kind, symbol, kinds.count((kind, symbol))) for kind, symbol in dict.fromkeys(kinds)]


@dataclass(frozen=True)
class LineView:
    """A line of code; `number` is 0 where lines are left out."""

    number: int
    text: str
    agrees: bool


@dataclass(frozen=True)
class SideView:
    """One side of a comparison: whose it is, the cell, and its lines."""

    student: str
    cell: str
    lines: tuple[LineView, ...]


@dataclass(frozen=True)
class PairView:
    """A similar pair.

    Attributes:
        first: a student.
        second: another.
        percent: similarity in percent.
        where: in what they agree, in words.
        agreeing: lines of the first that agree.
        sides: for each cell that agrees, both sides.
    """

    first: str
    second: str
    percent: int
    where: str
    agreeing: int
    sides: tuple[tuple[SideView, SideView], ...]


def flagged_views(flags: Mapping[str, Sequence[Flag]]) -> list[FlaggedView]:
    """The flagged students: first those whose code reaches for the grader, then in alphabetical order.

    Args:
        flags: of each student.
    """
    views = [
        FlaggedView(student, tuple(_flag_view(flag) for flag in sorted(found, key=_importance)))
        for student, found in flags.items()
        if found
    ]
    views.sort(key=lambda view: (view.flags[0].kind != "tampering", view.student))
    return views


def pair_views(pairs: Sequence[Pair]) -> list[PairView]:
    """The similar pairs, in the order in which they come."""
    return [
        PairView(
            first=pair.first,
            second=pair.second,
            percent=round(100 * pair.similarity),
            where=_where(pair),
            agreeing=sum(len(each.first.lines) for each in pair.evidence),
            sides=tuple(_sides(pair, each) for each in pair.evidence),
        )
        for pair in pairs
    ]


def _importance(flag: Flag) -> int:
    order = ("tampering", *(kind for kind in KINDS if kind != "tampering"))
    return order.index(flag.kind) if flag.kind in order else len(order)


def _flag_view(flag: Flag) -> FlagView:
    lines = tuple(line for line in flag.evidence.split("\n") if line.strip())
    return FlagView(flag.kind, _SYMBOLS.get(flag.kind, "?"), flag.sentence, lines)


def _where(pair: Pair) -> str:
    if pair.exercise:
        return f"{pair.exercise}, with the same names"
    cells = list(dict.fromkeys(each.first.cell for each in pair.evidence))
    return ", ".join(cells) or "the whole submission"


def _sides(pair: Pair, evidence: Evidence) -> tuple[SideView, SideView]:
    return _side(pair.first, evidence.first), _side(pair.second, evidence.second)


def _side(student: str, excerpt: Excerpt) -> SideView:
    return SideView(student, excerpt.cell, tuple(_lines(excerpt)))


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _lines(excerpt: Excerpt) -> Iterator[LineView]:
    """The lines that agree, with a little around them."""
    lines = excerpt.text.expandtabs(4).split("\n")
    agreeing = set(excerpt.lines)
    shown = {near for line in agreeing for near in range(line - CONTEXT, line + CONTEXT + 1)}
    numbers = sorted(shown & set(range(1, len(lines) + 1)))
    # Two columns are narrow: what all lines are indented by is left out.
    left_out = min(
        (_indentation(lines[number - 1]) for number in numbers if lines[number - 1].strip()), default=0
    )
    before = 0
    for number in numbers:
        if number > before + 1:
            yield LineView(0, "…", False)
        yield LineView(number, lines[number - 1][left_out:], number in agreeing)
        before = number
    if before < len(lines):
        yield LineView(0, "…", False)
