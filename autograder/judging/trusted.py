"""Test cells that are judged here: the course's check makes probes, the student's process observes.

The course's entry point ``check`` (configured by name) is called as

    check(ask, exercise, student, group=None, *, hidden=False, seed=None, diagnose=True, memory=None)

with the arguments of the test cell. ``student`` is a `plan.Proxy`; ``ask(name, request)`` sends a request to
the student's process and returns the answer. The result is a mapping with the keys "data" (a display bundle),
"error" (None, or "ename", "evalue" and "traceback") and "delegation" (empty, or a sentence: the work was left
to the very function that the exercise asks for). With ``diagnose=False`` it only matters whether it passes.
``memory`` is a dict that the check may keep in it what it saw of the student's objects: it is the same from
test cell to test cell, and empty after a cell of the student's has run.

A call with ``hidden=True`` must look at everything that the same call without it looks at, on inputs of its
own. So where a cell has both, the hidden one goes first, and when it passes, the visible one has nothing to
add. When it fails, the visible one tells the student what is wrong, on numbers that the student can see.
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


@dataclass
class _Result:
    """What one call gave; `ended` when it ended the student's process or had to be stopped."""

    data: Output | None
    error: Output | None
    delegation: str = ""
    ended: bool = False


def judge_cell(calls: tuple[CheckCall, ...], check: Check, session: Session, test: str, seed: int) -> Judged:
    """Make the calls of a test cell, in their order but for hidden twins, up to the first that fails."""
    runner = _Runner(check, session, test, seed)
    judged = Judged()
    for index, call in enumerate(calls):
        twin = _hidden_twin(calls, index)
        if twin is not None:
            early = runner.run(twin, diagnose=False)
            if early.error is None:
                continue
            if early.ended:
                _add(judged, early)
                break
        result = runner.run(call, diagnose=True)
        _add(judged, result)
        if not judged.passed:
            break
    return judged


class _Runner:
    """Makes calls, and no call that passed a second time."""

    def __init__(self, check: Check, session: Session, test: str, seed: int) -> None:
        self._check = check
        self._session = session
        self._test = test
        self._seed = seed
        self._passed: dict[str, _Result] = {}

    def run(self, call: CheckCall, diagnose: bool) -> _Result:
        """Make a call."""
        known = self._passed.get(repr(call))
        if known is not None:
            return known
        own = {"seed": self._seed, "diagnose": diagnose, "memory": self._session.memory}
        keywords = {**own, **dict(call.keywords)}
        try:
            result = self._check(self._ask, *call.arguments, **keywords)
        except Ended as ended:
            return _Result(None, _error(ended.name, str(ended)), ended=True)
        except LookupError as problem:
            return _Result(None, _error(*(str(text) for text in problem.args[:2])))
        except ValueError as mistake:  # in the test cell: there is no exercise or group of that name
            return _Result(None, _error("ValueError", str(mistake)), ended=True)
        error = {"output_type": "error", **result["error"]} if result["error"] else None
        data = {"output_type": "display_data", "data": dict(result["data"]), "metadata": {}}
        found = _Result(data, error, str(result["delegation"]))
        if error is None:
            self._passed[repr(call)] = found
        return found

    def _ask(self, name: str, request: tuple[Any, list[bytes]]) -> tuple[Any, list[bytes]]:
        return self._session.observe(self._test, name, request)


def _hidden_twin(calls: tuple[CheckCall, ...], index: int) -> CheckCall | None:
    """The later call that is the same but hidden; None where there is none."""
    keywords = dict(calls[index].keywords)
    if keywords.get("hidden"):
        return None
    for call in calls[index + 1 :]:
        others = dict(call.keywords)
        if call.arguments == calls[index].arguments and others == {**keywords, "hidden": True}:
            return call
    return None


def _add(judged: Judged, result: _Result) -> None:
    """Add what a call gave to the cell's outcome."""
    if result.data is not None:
        judged.outputs.append(result.data)
    judged.delegation = judged.delegation or result.delegation
    if result.error is not None:
        judged.outputs.append(result.error)
        judged.passed = False


def _error(name: str, value: str = "") -> Output:
    return {
        "output_type": "error",
        "ename": name,
        "evalue": value,
        "traceback": [f"{name}: {value}" if value else name],
    }
