"""Checks that say what went wrong.

    from course.checks import check
    check("BatchNorm2d", BatchNorm2d)

prints a short table (✓ or ✗ per aspect) and raises `CheckFailed` when something is wrong, so that nbgrader
scores the cell. A mistake that the course knows is named, with the section to read again.

Under `autograder grade` a check is split between two processes (`remote.py`). The one with the student's code
has no use for the catalogue of mistakes, so that is loaded by the first check, or by the first use of its
names.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course.checks.catalogue import EXERCISES, LESSONS, SECTIONS, find
    from course.checks.framework import Exercise
    from course.checks.judge import VISIBLE_SEED, Verdict

_LATER = {
    **dict.fromkeys(("EXERCISES", "LESSONS", "SECTIONS", "find"), "course.checks.catalogue"),
    "VISIBLE_SEED": "course.checks.judge",
}


class CheckFailed(AssertionError):
    """A check found something wrong. Shows its sentences and no traceback."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks the exception itself; the frames of the checks would tell a student nothing.
        first, *rest = str(self).splitlines()
        return [f"\x1b[0;31mCheckFailed\x1b[0m: {first}", *rest]


def check(
    exercise: str, student: object, group: str | None = None, *, hidden: bool = False, seed: int | None = None
) -> None:
    """Check a student's function or class and show what is right and what is not.

    Args:
        exercise: the exercise's name, such as "BatchNorm2d".
        student: the function or the class itself (not an instance).
        group: one test cell's part, such as "running-stats"; None for all parts.
        hidden: fresh random inputs and the aspects that only grading looks at.
        seed: repeats the inputs of an earlier hidden check. Those of a visible one are always the same.

    Raises:
        CheckFailed: something is wrong; the message says what, what is likely, and where to read again.
        ValueError: there is no such exercise or group.
    """
    from course.checks import catalogue, report

    verdict = examine(catalogue.find(exercise), student, group, hidden=hidden, seed=seed, own_work=True)
    _show(report.bundle(verdict))
    failure = report.failure(verdict)
    if failure is not None:
        raise failure


def examine(
    exercise: Exercise,
    student: object,
    group: str | None = None,
    *,
    hidden: bool = False,
    seed: int | None = None,
    own_work: bool = False,
) -> Verdict:
    """Observe and judge in one process; `check` without showing anything.

    Args:
        exercise: what is checked.
        student: the function or class.
        group: see `check`.
        hidden: see `check`.
        seed: see `check`.
        own_work: whether to reject torch's own counterpart and the course's reference.
    """
    from course.checks import judge, observe

    return judge.examine(
        exercise, lambda probes: observe.look(student, probes.values()), group, hidden, seed, own_work
    )


def _show(bundle: dict[str, Any]) -> None:
    """Show the table: in a notebook as HTML with the grader's data, elsewhere as text."""
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from IPython.display import display

        display(bundle, raw=True)
    else:
        print(bundle["text/plain"])


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)


__all__ = ["EXERCISES", "LESSONS", "SECTIONS", "VISIBLE_SEED", "CheckFailed", "check", "examine", "find"]
