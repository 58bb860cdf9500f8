"""Pairs of submissions that agree more than two students of this class do who never met.

Students of one lesson write alike: they call the same functions in the same order, and a short exercise has
one natural answer. Agreement by itself says little, so three things are taken off before a pair is named:
what everybody was given (see `fingerprints`), what half of the class wrote, and the agreement that is usual.

A fingerprint weighs more the fewer students have it (the squared logarithm of their part of the class, as in
a product of two tf-idf vectors). The *similarity* of two students is the weight of what they share, divided
by the weight of all that the one with less of their own has. It is measured twice:

- over the whole submission without regard to names. Renaming, reordering and other comments do not help, but
  students of a small lesson come near to each other by chance;
- for each longer exercise with its names. This finds the one answer that was handed on as it was.

A pair is named when its similarity lies far above the usual one, which is taken from random pairs of the
same class. How far follows from the number of pairs: the most similar of 50 million chance pairs is more
similar than that of 45. Pairs are found by way of rare fingerprints, so that the work grows with the class
and not with its square.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autograder.flags.fingerprints import Fingerprints, Hashes

RARE = 0.1
"""Pairs are looked for among fingerprints that at most this part of the class has."""
RARE_AT_MOST = 500
"""And at most so many students, so that the work stays in proportion to a very large class."""
COMMON = 0.5
"""A fingerprint of more than this part of the class weighs nothing."""
RARE_AT_LEAST, COMMON_AT_LEAST = 10, 3
"""So many students may share a fingerprint in a small class before it is no more rare, and before it is
common."""
ABSENT = 10
"""Students added in thought, with other answers: in a class of two all that is shared is also common."""
SAMPLE = 4000
"""Random pairs from which the usual similarity is taken."""


@dataclass(frozen=True)
class Strictness:
    """From when on a pair is named.

    Attributes:
        similarity: the least similarity, however unusual it is in this class.
        own: fingerprints of their own that both must have; less can agree by chance.
        own_per_bit: so many more for every doubling of the number of pairs.
    """

    similarity: float
    own: int
    own_per_bit: float = 0.0


WHOLE = Strictness(similarity=0.6, own=20)
"""20 fingerprints are about 60 tokens."""
ONE_EXERCISE = Strictness(similarity=0.8, own=25, own_per_bit=2.5)
"""47 fingerprints in a class of 30, 89 in one of 10,000: there only a long exercise says something."""


@dataclass(frozen=True)
class Match:
    """Two students whose submissions agree.

    Attributes:
        first: the one who comes first in the alphabet.
        second: the other.
        similarity: what part of the own work (of the one with less of it) the other has too; 0 to 1.
        shared: how many fingerprints both have.
        exercise: the exercise in which they agree; empty: the whole submission.
    """

    first: str
    second: str
    similarity: float
    shared: int
    exercise: str = ""


def matches(fingerprints: Mapping[str, Fingerprints]) -> list[Match]:
    """The pairs that stand out: those of whole submissions, then those of one exercise; most similar first.

    There are fewer of them than students: of a group that copied from one another, everyone is named with the
    one who is nearest.
    """
    students = sorted(fingerprints)
    structure = {student: fingerprints[student].structure for student in students}
    wording: defaultdict[str, dict[str, Hashes]] = defaultdict(dict)
    for student in students:
        for exercise, hashes in fingerprints[student].wording.items():
            wording[exercise][student] = hashes
    found = list(_Part(structure, len(students), WHOLE).matches())
    for exercise in sorted(wording):
        found += _Part(wording[exercise], len(students), ONE_EXERCISE).matches(exercise)
    return _nearest(sorted(found, key=_rank))


def _rank(match: Match) -> tuple[bool, float, int, str, str]:
    return bool(match.exercise), -match.similarity, -match.shared, match.first, match.second


def _nearest(found: Sequence[Match]) -> list[Match]:
    """Of sorted matches those that connect two groups of students which none before has connected."""
    member_of: dict[str, str] = {}

    def group(student: str) -> str:
        while (above := member_of.setdefault(student, student)) != student:
            member_of[student] = member_of[above]
            student = above
        return student

    kept = []
    for match in found:
        first, second = group(match.first), group(match.second)
        if first != second:
            member_of[second] = first
            kept.append(match)
    return kept


class _Part:
    """What a class has in one place: its whole submissions, or its answers to one exercise.

    Students are numbers here, and so are fingerprints.
    """

    def __init__(self, own: Mapping[str, Hashes], students: int, strictness: Strictness) -> None:
        """Args: what each student has; how many students there are, also without any; when a pair counts."""
        least = strictness.own + strictness.own_per_bit * math.log2(max(1, students * (students - 1) / 2))
        self._names = [name for name, hashes in own.items() if len(hashes) >= least]
        self._strictness = strictness
        if len(self._names) < 2:
            self._names = []
            return
        values, had_by = np.unique(np.concatenate(list(own.values())), return_counts=True)
        # What one student has weighs as if two had it: a copy must not hide behind lines that were put in.
        self._weights = np.log2((students + ABSENT) / np.maximum(2, had_by)) ** 2
        self._weights[had_by > max(COMMON_AT_LEAST, COMMON * students)] = 0
        rare_up_to = min(max(RARE_AT_LEAST, RARE * students), RARE_AT_MOST)
        rare = (had_by > 1) & (had_by <= rare_up_to)
        self._own = [np.searchsorted(values, own[name]) for name in self._names]
        self._rare = [codes[rare[codes]] for codes in self._own]
        self._weight = [float(self._weights[codes].sum()) for codes in self._own]

    def matches(self, exercise: str = "") -> Iterator[Match]:
        """The pairs that stand out."""
        limit = self._limit() if self._names else math.inf
        for i, j in self._candidates() if limit <= 1 else ():
            similarity, shared = self._similarity(i, j)
            if similarity >= limit:
                first, second = sorted((self._names[i], self._names[j]))
                yield Match(first, second, similarity, shared, exercise)

    def _similarity(self, i: int, j: int) -> tuple[float, int]:
        """Similarity of two students, and how many fingerprints that say something they share."""
        shared = np.intersect1d(self._own[i], self._own[j], assume_unique=True)
        weights = self._weights[shared]
        whole = min(self._weight[i], self._weight[j])
        return (float(weights.sum()) / whole if whole else 0.0), int((weights > 0).sum())

    def _limit(self) -> float:
        """The similarity from which on a pair stands out in this class."""
        number = len(self._names)
        usual = np.array([self._similarity(i, j)[0] for i, j in _some_pairs(number)])
        median, high = np.quantile(usual, (0.5, 0.9))
        # Twice the spread, because a class may fall into two ways of writing: then many pairs are very alike.
        spread = max(1.4826 * np.median(np.abs(usual - median)), (high - median) / 1.2816)
        most_by_chance = median + math.sqrt(2 * math.log(max(2, number * (number - 1) / 2))) * spread
        return max(self._strictness.similarity, float(most_by_chance))

    def _candidates(self) -> Iterator[tuple[int, int]]:
        """Pairs that share a good part of their rare fingerprints."""
        number = np.array([len(codes) for codes in self._rare])
        owners = np.repeat(np.arange(len(number)), number)
        codes = np.concatenate(self._rare)
        order = np.argsort(codes, kind="stable")
        codes, owners = codes[order], owners[order]  # for each fingerprint, who has it
        for i in np.flatnonzero(number):
            places = zip(
                np.searchsorted(codes, self._rare[i], "left"),
                np.searchsorted(codes, self._rare[i], "right"),
                strict=True,
            )
            shared = np.bincount(np.concatenate([owners[a:b] for a, b in places]), minlength=len(number))
            enough = shared >= np.maximum(3, 0.4 * np.minimum(number[i], number))
            yield from ((int(i), int(j)) for j in np.flatnonzero(enough) if j > i)


def _some_pairs(number: int) -> NDArray[np.int64]:
    """All pairs of a small class; random ones, always the same, of a large one."""
    if number * (number - 1) // 2 <= SAMPLE:
        return np.stack(np.triu_indices(number, k=1), axis=1)
    drawn: NDArray[np.int64] = np.random.default_rng(0).integers(0, number, (SAMPLE, 2))
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    return drawn
