"""Similar pairs of submissions in a class, with what they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from autograder.assignment import Assignment
from autograder.config import Course


@dataclass(frozen=True)
class Pair:
    """Two submissions that agree more than this class usually does.

    Attributes:
        first: a student.
        second: another.
        similarity: part of what is the students' own that both have; 0 to 1.
        evidence: what they share, by exercise: "exercise", "first" and "second" (text with line numbers).
    """

    first: str
    second: str
    similarity: float
    evidence: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Pair:
        """The pair of `to_json`."""
        return Pair(**{**data, "evidence": tuple(data["evidence"])})


def find(course: Course, assignment: Assignment, students: Sequence[str]) -> list[Pair]:
    """The similar pairs among the graded submissions of an assignment."""
    return []
