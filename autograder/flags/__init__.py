"""What looks unusual, for an instructor to look at; a flag changes no score (a delegation is scored elsewhere)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("delegation", "tampering", "similar")


@dataclass(frozen=True)
class Flag:
    """One thing to look at.

    Attributes:
        kind: one of `KINDS`.
        exercise: where it was seen; None: somewhere else in the submission.
        sentence: what was seen.
        evidence: where exactly, such as the lines of code.
    """

    kind: str
    exercise: str | None
    sentence: str
    evidence: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Flag:
        """The flag of `to_json`.

        Raises:
            KeyError, TypeError: it is no flag.
        """
        exercise = data["exercise"]
        return Flag(
            kind=str(data["kind"]),
            exercise=None if exercise is None else str(exercise),
            sentence=str(data["sentence"]),
            evidence=str(data.get("evidence", "")),
        )
