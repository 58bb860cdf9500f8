"""What several test files share."""

import pytest

from autograder.confinement import sandbox_problem


@pytest.fixture(scope="session")
def sandbox_option() -> list[str]:
    """What `autograder grade` needs on this machine: nothing, or --no-sandbox where it cannot confine."""
    return ["--no-sandbox"] if sandbox_problem() else []
