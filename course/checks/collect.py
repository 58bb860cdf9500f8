"""Collect misconceptions where they are written: the message stands above the wrong code that it explains.

    mistakes = Mistakes()

    @mistakes.add("you divide by the variance. Divide by its root.", section="3.3")
    def no_root(x, eps=1e-5): ...

The function's name becomes the misconception's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from course.checks.framework import Misconception
from course.checks.plain import Observation


class Mistakes(list[Misconception]):
    """The misconceptions of one exercise, in the order in which they are written."""

    def add(
        self, message: str, section: str | None = None, sign: Callable[[Observation], bool] | None = None
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Collect the decorated function.

        Args:
            message: see `Misconception`.
            section: see `Misconception`.
            sign: see `Misconception`.
        """

        def collect(implementation: Callable[..., Any]) -> Callable[..., Any]:
            self.append(Misconception(implementation.__name__, implementation, message, section, sign))
            return implementation

        return collect
