"""What becomes of a verdict: the bundle that a notebook displays, and the failure with its advice."""

from __future__ import annotations

from typing import Any

from course.checks import CheckFailed, render
from course.checks.catalogue import SECTIONS
from course.checks.judge import Verdict


def bundle(verdict: Verdict) -> dict[str, Any]:
    """The verdict as a display bundle: the table as text and as HTML, and the data for the grader."""
    return {
        "text/plain": render.as_text(verdict),
        "text/html": render.as_html(verdict),
        render.MIME_TYPE: render.as_data(verdict, f"{verdict.section} {SECTIONS[verdict.section]}"),
    }


def failure(verdict: Verdict) -> CheckFailed | None:
    """What a check raises; None when it passed."""
    if verdict.passed:
        return None
    where = f'{verdict.section} "{SECTIONS[verdict.section]}"'
    return CheckFailed(f"{render.title(verdict)}: {render.advice(verdict)}\n  Look again at {where}.")
