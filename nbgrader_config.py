"""nbgrader's settings for this course; `autograder`, `nbgrader`, formgrader, validate and export read them.

Run nbgrader's own commands from this folder, e.g. ``nbgrader autograde 03_batch_norm``.
"""

from pathlib import Path

from autograder.stock_feedback import HideHiddenTests

c = get_config()  # noqa: F821 — traitlets gives this file get_config and __file__
root = Path(__file__).resolve().parent

# nbgrader does not make the folder of its database, so a fresh clone would fail at the first command.
(root / "workspace").mkdir(exist_ok=True)

# --- Where things are ---------------------------------------------------------------------------------------
# The name under which the exchange, the gradebook and exported grades know the course.
c.CourseDirectory.course_id = "training-deep-networks"
# All nbgrader commands work from any folder, because the paths start here and not where the command runs.
c.CourseDirectory.root = str(root)
# The instructor's notebooks are part of the repository; everything that grading makes lies in the ignored
# workspace.
c.CourseDirectory.source_directory = "source_notebooks"
c.CourseDirectory.release_directory = "workspace/release"
c.CourseDirectory.submitted_directory = "workspace/submitted"
c.CourseDirectory.autograded_directory = "workspace/autograded"
c.CourseDirectory.feedback_directory = "workspace/feedback"
# nbgrader's generate_solution is not used (`autograder solve` makes solutions/), but it must not write
# beside them.
c.CourseDirectory.solution_directory = "workspace/solution"
# One database for the grades; put a PostgreSQL URL here for a large class.
c.CourseDirectory.db_url = f"sqlite:///{root / 'workspace' / 'gradebook.db'}"

# --- What students get --------------------------------------------------------------------------------------
# The stub says what to do, and deleting it is the sign that the exercise was attempted. nbgrader keeps the
# indentation.
c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("Write your code here, then delete this line.")'
}
c.ClearSolutions.text_stub = "*Write your answer here, then delete this line.*"
# Explicit, because autograder/notebooks.py and the lessons use the same markers.
c.ClearSolutions.begin_solution_delimeter = "BEGIN SOLUTION"
c.ClearSolutions.end_solution_delimeter = "END SOLUTION"
c.ClearHiddenTests.begin_test_delimeter = "BEGIN HIDDEN TESTS"
c.ClearHiddenTests.end_test_delimeter = "END HIDDEN TESTS"
c.ClearMarkScheme.begin_mark_scheme_delimeter = "BEGIN MARK SCHEME"
c.ClearMarkScheme.end_mark_scheme_delimeter = "END MARK SCHEME"

# --- How notebooks are run for grading ----------------------------------------------------------------------
# Seconds per cell. The slowest honest cell imports torch (some seconds on a cold disk); the rest take well
# under one.
c.Execute.timeout = 20
# Experiments train networks for minutes; no test needs them.
c.Execute.skip_cells_with_tag = "experiment"
# Nothing of the kernel is needed after the last cell, and a graceful end costs each submission up to a
# second.
c.Execute.shutdown_kernel = "immediate"
# No timestamps in the graded notebooks: grading the same work twice gives the same file.
c.Execute.record_timing = False
# A deleted test cell comes back, so that deleting a test cannot be worth anything.
c.OverwriteCells.add_missing_cells = True

# --- What students get back ---------------------------------------------------------------------------------
# nbgrader's feedback pages would show the hidden tests.
c.GenerateFeedback.preprocessors.prepend([HideHiddenTests])
