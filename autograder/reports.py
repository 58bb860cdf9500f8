"""What a course's checks report, read from an executed notebook.

A check leaves one machine-readable output a call, under the key `CHECK_MIME`. Nothing here is trusted to be
well formed: a student's code ran in the same kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from autograder.notebooks import one_line

CHECK_MIME = "application/vnd.autograder.check+json"
"""Key of a check's result in an output's data; the course has its own copy of this constant."""


@dataclass(frozen=True)
class CheckReport:
    """What one call of a check reported.

    Attributes:
        hidden: it was a hidden test.
        passed: all aspects passed.
        aspects: (name, passed) of each aspect.
        symptom: what kind of difference was seen first, such as "timeout", "error" or "value".
        misconception: short name of the recognised mistake.
        message: what the student should read; empty when passed.
        section: where to read again.
    """

    hidden: bool
    passed: bool
    aspects: tuple[tuple[str, bool], ...]
    symptom: str | None
    misconception: str | None
    message: str
    section: str | None


def check_reports(cell: NotebookNode) -> list[CheckReport]:
    """All check results among a cell's outputs."""
    return [report for output in cell.get("outputs", []) if (report := parse_report(output))]


def parse_report(output: NotebookNode) -> CheckReport | None:
    """The check result in an output, or None when there is none or it is not well formed."""
    data: Any = output.get("data", {}).get(CHECK_MIME)
    if not isinstance(data, dict):
        return None
    aspects = data.get("aspects")
    return CheckReport(
        hidden=bool(data.get("hidden")),
        passed=data.get("passed") is True,
        aspects=tuple(
            (one_line(str(aspect.get("name", "")), 80), aspect.get("passed") is True)
            for aspect in (aspects if isinstance(aspects, list) else [])
            if isinstance(aspect, dict)
        ),
        symptom=_text(data.get("symptom"), 40) or None,
        misconception=_text(data.get("misconception"), 80) or None,
        message=_text(data.get("message"), 600),
        section=_text(data.get("section"), 120) or None,
    )


def _text(value: object, limit: int) -> str:
    return one_line(value, limit) if isinstance(value, str) else ""
