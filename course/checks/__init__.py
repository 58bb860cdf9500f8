"""Checks that say what went wrong.

    from course.checks import check
    check("BatchNorm2d", BatchNorm2d)

prints a short table (✓ or ✗ per aspect) and raises `CheckFailed` when something is wrong, so that nbgrader
scores the cell. A mistake that the course knows is named, with the section to read again.
"""

from __future__ import annotations

import difflib
import secrets
import sys

from course.checks import batch_norm, contract, render
from course.checks.framework import Exercise
from course.checks.judge import Verdict, judge
from course.checks.observe import describe, observe
from course.checks.plain import Observation

LESSONS = (batch_norm,)
"""Each lesson has EXERCISES (a tuple) and SECTIONS (number → title)."""

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise for lesson in LESSONS for exercise in lesson.EXERCISES
}
SECTIONS: dict[str, str] = {number: title for lesson in LESSONS for number, title in lesson.SECTIONS.items()}

VISIBLE_SEED = 0
"""Visible checks repeat their numbers, so that a student can follow a mistake from run to run."""


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
        seed: repeats the inputs of an earlier run.

    Raises:
        CheckFailed: something is wrong; the message says what, what is likely, and where to read again.
        ValueError: there is no such exercise or group.
    """
    verdict = examine(find(exercise), student, group, hidden=hidden, seed=seed, own_work=True)
    _show(verdict)
    if not verdict.passed:
        raise CheckFailed(
            f"{render.title(verdict)}: {render.advice(verdict)}\n  Look again at {_where(verdict)}."
        )


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
    seen = describe(student)
    problem = contract.judge_object(exercise, seen)
    if problem:
        return Verdict(exercise, group, hidden, problem=problem)
    if seed is None:
        seed = secrets.randbits(32) if hidden else VISIBLE_SEED
    observations: list[Observation] = []

    def observer(probe: object) -> Observation:
        observations.append(observe(student, probe))  # type: ignore[arg-type]
        return observations[-1]

    verdict = judge(exercise, group, hidden, seed, observer)
    problem = contract.judge_own_work(exercise, seen, observations) if own_work else ""
    return Verdict(exercise, group, hidden, verdict.findings, problem)


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


def _where(verdict: Verdict) -> str:
    return f'{verdict.section} "{SECTIONS[verdict.section]}"'


def _show(verdict: Verdict) -> None:
    """Show the table: in a notebook as HTML with the grader's data, elsewhere as text."""
    text = render.as_text(verdict)
    data = render.as_data(verdict, f"{verdict.section} {SECTIONS[verdict.section]}")
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from IPython.display import display

        bundle = {"text/plain": text, "text/html": render.as_html(verdict), render.MIME_TYPE: data}
        display(bundle, raw=True)
    else:
        print(text)


__all__ = ["EXERCISES", "LESSONS", "SECTIONS", "CheckFailed", "check", "examine", "find"]
