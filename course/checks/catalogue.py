"""All exercises of all lessons, by name."""

from __future__ import annotations

import difflib

from course.checks import batch_norm, initialization, optimization, residual, transfer
from course.checks.framework import Exercise

LESSONS = (optimization, initialization, batch_norm, residual, transfer)
"""Each lesson has EXERCISES (a tuple) and SECTIONS (number → title)."""

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise for lesson in LESSONS for exercise in lesson.EXERCISES
}
SECTIONS: dict[str, str] = {number: title for lesson in LESSONS for number, title in lesson.SECTIONS.items()}


def find(name: str) -> Exercise:
    """The exercise of this name.

    Raises:
        ValueError: there is none; the message names the nearest.
    """
    if name in EXERCISES:
        return EXERCISES[name]
    near = difflib.get_close_matches(name, EXERCISES, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(EXERCISES)}."
    raise ValueError(f"There is no exercise called {name!r}.{hint}")
