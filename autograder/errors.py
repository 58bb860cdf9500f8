"""What can go wrong, as one small tree.

::

    AutograderError            anything that the command line reports as one sentence
    ├── ConfigError            pyproject.toml, nbgrader_config.py, a path or an option is wrong
    ├── AssignmentError        the instructor's own notebook is missing or not usable
    │   ├── ReleaseError       the student version could not be made, or would give something away
    │   └── SolveError         a cell of the solution raised, or could not run
    └── NotGradedYet           feedback or a report was asked for before grading

A student's broken notebook is never an exception: it becomes a sentence in that student's `problems`, and the
run goes on with the next student.
"""


class AutograderError(Exception):
    """Base of all errors that end a command. Its text is a full sentence for the instructor."""


class ConfigError(AutograderError):
    """A setting, a path or an option is wrong."""


class AssignmentError(AutograderError):
    """The instructor's notebook is missing or not usable."""


class ReleaseError(AssignmentError):
    """The student version could not be made, or it would give a solution or a hidden test away."""


class SolveError(AssignmentError):
    """The solution notebook could not be executed from top to bottom."""


class NotGradedYet(AutograderError):
    """There are no grades yet for what was asked."""
