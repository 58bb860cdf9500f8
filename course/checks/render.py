"""Show a verdict: as text, as an HTML table, and as data for the grader."""

from __future__ import annotations

import html
from typing import Any

from course.checks.judge import Finding, Verdict

MIME_TYPE = "application/vnd.autograder.check+json"
"""The machine-readable verdict in a cell's output; the grader reads it from there."""

NOT_ACCEPTED = "not accepted"
"""Stands in the table when there is a problem with the object as a whole; the sentence comes below it."""

_UNKNOWN = "These numbers fit none of the known mistakes. Compare your code with the formula, line by line."

# Okabe-Ito green and vermilion: different for colour-blind eyes too, and the signs say the same.
_RIGHT = "#009E73"
_WRONG = "#D55E00"


def title(verdict: Verdict) -> str:
    """First line: "BatchNorm2d · running-stats"; hidden checks say so."""
    parts = [verdict.exercise.name, verdict.group, "more inputs" if verdict.hidden else None]
    return " · ".join(part for part in parts if part)


def as_text(verdict: Verdict) -> str:
    """The table as plain text, one line per aspect."""
    if verdict.problem:
        return f"{title(verdict)}\n  ✗ {NOT_ACCEPTED}"
    width = max(len(finding.aspect.label) for finding in verdict.findings)
    lines = [title(verdict)]
    for finding in verdict.findings:
        sign = "✓" if finding.symptom is None else "✗"
        lines.append(f"  {sign} {finding.aspect.label:<{width}}  {_detail(finding, verdict.hidden)}".rstrip())
    return "\n".join(lines)


def as_html(verdict: Verdict) -> str:
    """The table as HTML; every text that may come from the student is escaped."""
    rows = [
        _row(finding.symptom is None, finding.aspect.label, _detail(finding, verdict.hidden))
        for finding in verdict.findings
    ]
    if verdict.problem:
        rows = [_row(False, NOT_ACCEPTED, "")]
    return (
        f'<div style="margin:.3em 0"><b>{html.escape(title(verdict))}</b>'
        f'<table style="margin:.2em 0 0 0; border-collapse:collapse">{"".join(rows)}</table></div>'
    )


def _row(right: bool, label: str, detail: str) -> str:
    sign, colour = ("✓", _RIGHT) if right else ("✗", _WRONG)
    cell = "text-align:left; padding:.1em .8em .1em 0; border:none"
    return (
        f'<tr style="background:none"><td style="{cell}; color:{colour}; font-weight:bold">{sign}</td>'
        f'<td style="{cell}">{html.escape(label)}</td><td style="{cell}">{html.escape(detail)}</td></tr>'
    )


def _detail(finding: Finding, hidden: bool) -> str:
    """What was seen. A hidden check names the kind of difference and keeps its numbers to itself."""
    if finding.symptom is None:
        return ""
    if hidden and finding.symptom.kind in ("value", "modified"):
        return "other values than expected"
    note = f"   ({finding.note})" if finding.note and finding.symptom.kind == "value" else ""
    return finding.symptom.text + note


def advice(verdict: Verdict) -> str:
    """Under the table, when something is wrong: what is likely, and where to read again."""
    if verdict.problem:
        return verdict.problem
    lines = [f"{len(verdict.wrong)} of {len(verdict.findings)} aspects not right yet."]
    said: list[str] = []
    for finding in verdict.wrong:
        assert finding.symptom is not None
        # Every named mistake is told. Of the symptoms only the first: the others are often its consequences,
        # as no gradient arrives from an output of None.
        sentence = f"Likely: {finding.misconception.message}" if finding.misconception else ""
        if finding.symptom.kind == "accuracy":  # what was reached is worth knowing with and without a reason
            said.append(finding.symptom.advice)
        if not said:
            sentence = sentence or finding.symptom.advice
        if sentence and sentence not in said:
            said.append(sentence)
    if not said:
        said.append(verdict.exercise.unknown or _UNKNOWN)
    return "\n".join([*lines, *(f"  {sentence}" for sentence in said)])


def as_data(verdict: Verdict, section: str) -> dict[str, Any]:
    """The verdict for the grader: see `MIME_TYPE`."""
    return {
        "exercise": verdict.exercise.name,
        "group": verdict.group,
        "hidden": verdict.hidden,
        "passed": verdict.passed,
        "aspects": [{"name": f.aspect.label, "passed": f.symptom is None} for f in verdict.findings],
        "symptom": verdict.symptom.kind if verdict.symptom else None,
        "misconception": verdict.misconception.name if verdict.misconception else None,
        "message": verdict.message,
        "section": section,
        # Those of a visible check are practice; and seconds would change the solved notebook each time.
        **(
            {"measures": [vars(each) for each in verdict.measures]}
            if verdict.hidden and verdict.measures
            else {}
        ),
    }
