"""What several test files share."""

from collections.abc import Iterator
from typing import Any

import pytest

from autograder.confinement import sandbox_problem


@pytest.fixture(scope="session")
def sandbox_option() -> list[str]:
    """What `autograder grade` needs on this machine: nothing, or --no-sandbox where it cannot confine."""
    return ["--no-sandbox"] if sandbox_problem() else []


@pytest.fixture
def closed_figures() -> Iterator[None]:
    """No figure of the test stays open."""
    import matplotlib.pyplot as plt  # half a second that most test files need not spend

    yield
    plt.close("all")


@pytest.fixture
def ax(closed_figures: None) -> Any:
    """Axes of a new figure."""
    import matplotlib.pyplot as plt

    return plt.subplots()[1]
