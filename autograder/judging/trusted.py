"""Test cells that are judged here: the course's check makes probes, the student's process observes.

The course's entry point ``check`` (configured by name) is called as

    check(ask, exercise, student, group=None, *, hidden=False, seed=None)

with the arguments of the test cell. ``student`` is a `plan.Proxy`; ``ask(name, request)`` sends a request to
the student's process and returns the answer. The result is a mapping with the keys "data" (a display bundle),
"error" (None, or "ename", "evalue" and "traceback") and "delegation" (empty, or a sentence: the work was left
to the very function that the exercise asks for).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autograder.judging.plan import CheckCall
from autograder.judging.session import Ended, Session

Check = Callable[..., Mapping[str, Any]]
Output = dict[str, Any]


@dataclass
class Judged:
    """What became of a test cell."""

    outputs: list[Output] = field(default_factory=list)
    passed: bool = True
    delegation: str = ""


def judge_cell(calls: tuple[CheckCall, ...], check: Check, session: Session, test: str, seed: int) -> Judged:
    """Make the calls of a test cell, one after the other, up to the first that fails."""
    judged = Judged()

    def ask(name: str, request: tuple[Any, list[bytes]]) -> tuple[Any, list[bytes]]:
        return session.observe(test, name, request)

    for call in calls:
        error: Output | None
        try:
            result = check(ask, *call.arguments, **{"seed": seed, **dict(call.keywords)})
        except Ended as ended:
            error = _error(ended.name, str(ended))
        except LookupError as problem:
            error = _error(*(str(text) for text in problem.args[:2]))
        else:
            judged.outputs.append(
                {"output_type": "display_data", "data": dict(result["data"]), "metadata": {}}
            )
            judged.delegation = judged.delegation or str(result["delegation"])
            error = {"output_type": "error", **result["error"]} if result["error"] else None
        if error is not None:
            judged.outputs.append(error)
            judged.passed = False
            break
    return judged


def _error(name: str, value: str = "") -> Output:
    return {
        "output_type": "error",
        "ename": name,
        "evalue": value,
        "traceback": [f"{name}: {value}" if value else name],
    }
