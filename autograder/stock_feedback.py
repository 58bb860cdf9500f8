"""nbgrader's own feedback pages, without the hidden tests.

``nbgrader generate_feedback``, and the button for it in formgrader, write to the same files as `autograder
feedback`. nbgrader shows there every test cell as it ran, with the hidden part and its traceback.
nbgrader_config.py puts this preprocessor before nbgrader's own, so that no way gives more away than another.
"""

from __future__ import annotations

from typing import Any

from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from traitlets import Bool

from autograder.hidden import redact
from autograder.rendering import render_report
from autograder.reports import parse_report


class HideHiddenTests(Preprocessor):
    """Replaces each cell by what its student may see of it."""

    enabled = Bool(True).tag(config=True)

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """The cell without its hidden test; the verdicts of hidden checks in words."""
        seen = redact(cell)
        for output in seen.get("outputs", []):
            report = parse_report(output)
            if report is not None and report.hidden:
                output.data["text/html"] = str(render_report(report))
        return seen, resources
