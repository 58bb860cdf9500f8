"""Similar pairs of submissions, with the lines in which they agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autograder.flags.fingerprints import Fingerprints, Hashes, Runs, contained, runs
from autograder.flags.similarity import Match, matches

MOST_PAIRS = 200
"""So many pairs are kept, the most similar ones."""
MOST_LINES = 150
"""Of a longer cell only the beginning is shown."""
AGREEING = 0.4
"""A cell is shown when this part of what is the student's own in it, or in the other's, agrees."""


@dataclass(frozen=True)
class Excerpt:
    """One side of the evidence: a cell's name and text, and the numbers of the lines that agree, from 1."""

    cell: str
    text: str
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Evidence:
    """Two cells that agree."""

    first: Excerpt
    second: Excerpt


@dataclass(frozen=True)
class Pair:
    """Two submissions that agree more than is usual in this class.

    Attributes:
        first: the student who comes first in the alphabet.
        second: the other.
        similarity: what part of the own work (of the one with less of it) the other has too; 0 to 1.
        exercise: the exercise in which they agree; empty: the whole submission.
        evidence: the cells that agree, in the order of the first one's notebook.
    """

    first: str
    second: str
    similarity: float
    exercise: str = ""
    evidence: tuple[Evidence, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Pair:
        """The pair that `to_json` wrote down.

        Raises:
            KeyError, TypeError, ValueError: it is no pair.
        """
        evidence = tuple(
            Evidence(_excerpt_from_json(each["first"]), _excerpt_from_json(each["second"]))
            for each in data["evidence"]
        )
        return Pair(
            str(data["first"]),
            str(data["second"]),
            float(data["similarity"]),
            str(data["exercise"]),
            evidence,
        )


def _excerpt_from_json(data: Mapping[str, Any]) -> Excerpt:
    return Excerpt(str(data["cell"]), str(data["text"]), tuple(int(line) for line in data["lines"]))


def similar_pairs(
    fingerprints: Mapping[str, Fingerprints], cells: Callable[[str], Mapping[str, str]], known: Hashes
) -> list[Pair]:
    """The similar pairs of a class, the most similar first: whole submissions, then single exercises.

    Args:
        fingerprints: of every student.
        cells: gives a student's own cells (see `cells.own_cells`); called for the students of a pair only.
        known: what everybody has, from `fingerprints.know`.
    """
    return [_with_evidence(match, cells, known) for match in matches(fingerprints)[:MOST_PAIRS]]


def _with_evidence(match: Match, cells: Callable[[str], Mapping[str, str]], known: Hashes) -> Pair:
    first, second = cells(match.first), cells(match.second)
    if match.exercise:
        first = {name: text for name, text in first.items() if name == match.exercise}
        second = {name: text for name, text in second.items() if name == match.exercise}
    evidence = tuple(_evidence(first, second, known))
    return Pair(match.first, match.second, round(match.similarity, 3), match.exercise, evidence)


def _evidence(first: Mapping[str, str], second: Mapping[str, str], known: Hashes) -> Iterator[Evidence]:
    """For each cell of the first student the cell of the second that has most of it, if that is enough."""
    others = {name: runs(text) for name, text in second.items()}
    owned = {name: _own(found, known) for name, found in others.items()}
    for name, text in first.items():
        found = runs(text)
        own = _own(found, known)
        shared = {other: np.intersect1d(own, hashes, assume_unique=True) for other, hashes in owned.items()}
        # The cell of the same name, where several agree equally well.
        best = max(shared, key=lambda other: (len(shared[other]), other == name), default="")
        if best and len(shared[best]) >= max(1.0, AGREEING * min(len(own), len(owned[best]))):
            yield Evidence(
                _excerpt(name, text, found, shared[best]),
                _excerpt(best, second[best], others[best], shared[best]),
            )


def _own(found: Runs, known: Hashes) -> Hashes:
    return np.unique(found.structure[~contained(found.structure, known)])


def _excerpt(cell: str, text: str, found: Runs, shared: Hashes) -> Excerpt:
    agrees = np.flatnonzero(contained(found.structure, shared))
    lines = {
        line for run in agrees for line in range(int(found.first_line[run]), int(found.last_line[run]) + 1)
    }
    kept = text.split("\n")[:MOST_LINES]
    # A run spans blank lines and comments between its lines; those do not agree.
    wanted = {number for number in lines if number <= len(kept) and _is_code(kept[number - 1])}
    return Excerpt(cell, "\n".join(kept), tuple(sorted(wanted)))


def _is_code(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")
