"""Grades a class of notebooks: release, solve, grade, feedback, report.

It stands on nbgrader and keeps nbgrader's directories, metadata and gradebook, so that formgrader, the
validate button and the export plugins go on working. It imports neither torch nor the course that it grades.

Reading order: `config` (where things are), `notebooks` and `assignment` (what a lesson consists of),
`release` and `solve` (what is made from a source notebook), then the way of a submission: `intake` → `repair`
→ `engine` → `verdicts` → `results`, and what is shown of it: `feedback` and `report`.
"""

import sys

# jsonschema (below nbformat) imports this package to check web addresses of a kind that no notebook has, and
# building its grammar takes a second, more than all other imports of a command. None makes that import fail,
# which jsonschema expects where the package is not installed.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
