"""What a course's checks report, read from an executed notebook.

A check leaves one machine-readable output a call, under the key `CHECK_MIME`. Nothing here is trusted to be
well formed: a student's code ran in the same kernel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import Any

from nbformat import NotebookNode

from autograder.notebooks import one_line

CHECK_MIME = "application/vnd.autograder.check+json"
"""Key of a check's result in an output's data; the course has its own copy of this constant."""


@dataclass(frozen=True)
class Measure:
    """A number by which solutions can be compared, though it is not graded.

    Attributes:
        name: what it is, such as "accuracy".
        value: the number.
        better: "higher" or "lower".
        format: how it is shown, as in an f-string; only plain formats of numbers are taken.
    """

    name: str
    value: float
    better: str
    format: str

    @property
    def text(self) -> str:
        """As it is shown."""
        return format(self.value, self.format)


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
        measures: numbers by which solutions can be compared.
    """

    hidden: bool
    passed: bool
    aspects: tuple[tuple[str, bool], ...]
    symptom: str | None
    misconception: str | None
    message: str
    section: str | None
    measures: tuple[Measure, ...] = ()


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
        measures=measures_from(data.get("measures")),
    )


_FORMAT = re.compile(r",?(\.\d)?[fg%]")
MOST_MEASURES = 8


def measures_from(data: object) -> tuple[Measure, ...]:
    """The measures that are well formed: finite numbers with a name, and which way is better."""
    found = []
    for each in data[:MOST_MEASURES] if isinstance(data, list | tuple) else []:
        if not isinstance(each, dict):
            continue
        value, better, shown = each.get("value"), each.get("better"), each.get("format")
        if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
            continue
        if better not in ("higher", "lower") or not isinstance(shown, str) or not _FORMAT.fullmatch(shown):
            continue
        found.append(Measure(_text(each.get("name"), 40), float(value), better, shown))
    return tuple(found)


def _text(value: object, limit: int) -> str:
    return one_line(value, limit) if isinstance(value, str) else ""
