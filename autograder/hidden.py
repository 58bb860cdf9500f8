"""Keep hidden tests hidden: what of a test cell a student may see after grading.

A hidden test calls the student's own code, which can print its inputs; an ordinary traceback shows the lines
around the failing one. So of a cell with a hidden region only three things are kept: its visible source, the
reports of visible checks, and of hidden checks which aspects passed and the sentence about a recognised
mistake.
"""

from __future__ import annotations

import re
from copy import deepcopy

from nbformat import NotebookNode

from autograder.notebooks import BEGIN_HIDDEN, END_HIDDEN, inside, outside, plain
from autograder.reports import CHECK_MIME, CheckReport, parse_report

_FAILING_LINE = re.compile(r"^-+>\s*\d+\s(.*)$", re.MULTILINE)


def redact(cell: NotebookNode) -> NotebookNode:
    """A copy of an executed cell as its student may see it; a cell without a hidden region stays as it is."""
    region = inside(cell.source, BEGIN_HIDDEN, END_HIDDEN)
    if not region.strip():
        return cell
    seen = deepcopy(cell)
    seen.source = outside(cell.source, BEGIN_HIDDEN, END_HIDDEN).rstrip()
    seen.outputs = []
    visible_failed = False
    for output in cell.get("outputs", []):
        report = parse_report(output)
        if report is not None:
            visible_failed |= not (report.hidden or report.passed)
            seen.outputs.append(_redact_report(output, report) if report.hidden else output)
        elif output.output_type == "error":
            shown = visible_failed or _failed_outside(output, region)
            seen.outputs.append(_without_traceback(output, keep_value=shown))
    return seen


def _redact_report(output: NotebookNode, report: CheckReport) -> NotebookNode:
    """Only what the course's check says by name; a message without a name may quote the hidden inputs."""
    kept = deepcopy(output.data[CHECK_MIME])
    kept["message"] = report.message if report.misconception else ""
    return NotebookNode(output_type="display_data", metadata={}, data={CHECK_MIME: kept})


def _failed_outside(output: NotebookNode, region: str) -> bool:
    """Whether the traceback points at a visible line of the test cell (where it points first)."""
    lines = _FAILING_LINE.findall(plain("\n".join(output.get("traceback", []))))
    return bool(lines) and lines[0].strip() not in {line.strip() for line in region.split("\n")}


def _without_traceback(output: NotebookNode, keep_value: bool) -> NotebookNode:
    """An error without its traceback, and where it came from a hidden test without its text."""
    value = (
        output.get("evalue", "")
        if keep_value
        else "in a hidden test, which uses other inputs than the test you see"
    )
    return NotebookNode(output_type="error", ename=output.get("ename", ""), evalue=value, traceback=[])
