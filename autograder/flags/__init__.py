"""What looks unusual in a class, with evidence that an instructor can look at.

A flag changes no score. (Where the work of an exercise was left to a library, the grader scores that, and
flags it as well.) Flags come from two sides: the grader notes what a submission does while it runs, and this
package reads what it says.

- `source`: names in the text that no exercise needs: the grader's surroundings, a library's own counterpart.
- `tokens` → `fingerprints` → `similarity` → `pairs`: submissions that agree more than is usual.
- `page`: both as an instructor sees them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("delegation", "tampering", "data", "similar")
"""The work was left to a library; the code reaches for the grader; data was pasted; two submissions agree."""


@dataclass(frozen=True)
class Flag:
    """One thing for an instructor to look at.

    Attributes:
        kind: one of `KINDS`.
        exercise: where it was seen; None: somewhere else in the submission.
        sentence: what was seen.
        evidence: where exactly, such as the lines of code; empty: there is nothing more to see.
    """

    kind: str
    exercise: str | None
    sentence: str
    evidence: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Flag:
        """The flag that `to_json` wrote down.

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
