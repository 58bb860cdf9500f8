"""A check in two processes: `observe` where the student's code is, `check` where the score is made.

One question and one answer cross over per check, as messages without code in them (`wire.py`):

    check ── all probes of the check ──► observe(the student's object)
          ◄── what kind of object, one observation per probe ──

The answer comes from a process that the student's code may have taken over. Whatever is in it, `check` ends
in a verdict, and none but the right numbers pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from course.checks import wire
from course.checks.framework import Probe
from course.checks.observe import look
from course.checks.plain import Observation, is_observation, is_timeout
from course.checks.surroundings import alarm_handled
from course.checks.wire import Message, WireError

if TYPE_CHECKING:
    from course.checks.judge import Verdict

Ask = Callable[[str, Message], Message]
"""Sends a request about the object of a name to the student's process and returns its answer. May raise."""


class Proxy(Protocol):
    """Stands for an object of the student's in the process that judges."""

    @property
    def name(self) -> str:
        """The name of the object where the student's code is."""
        ...


def check(
    ask: Ask,
    exercise: str,
    student: Proxy,
    group: str | None = None,
    *,
    hidden: bool = False,
    seed: int | None = None,
    diagnose: bool = True,
    memory: dict[Any, Any] | None = None,
) -> dict[str, Any]:
    """What `course.checks.check` shows and raises, for a student's object in another process.

    Args:
        ask: carries the question to the other process; what it raises passes through.
        exercise: see `course.checks.check`.
        student: names the object.
        group: see `course.checks.check`.
        hidden: see `course.checks.check`.
        seed: of the hidden checks' inputs, the student's secret; visible checks have always the same inputs.
        diagnose: False when it only matters whether the check passes: no mistake is named then.
        memory: kept by the caller from check to check, and emptied when the student's code has run in
            between. The groups of an exercise share probes; each is then observed once.

    Returns:
        "data": the display bundle. "error": None, or "ename", "evalue" and "traceback" as a notebook keeps
        them. "delegation": empty, or the sentence that says whose work it is.

    Raises:
        ValueError: there is no such exercise or group.
    """
    from course.checks import catalogue, judge, report

    fresh = hidden and seed is None  # then each check has inputs of its own
    kept = {} if memory is None or fresh else memory
    seen: _Seen = kept.setdefault((exercise, student.name, hidden, seed), _Seen())

    def look(probes: Mapping[str, Probe]) -> tuple[Observation, Iterable[Observation]]:
        missing = seen.missing(probes)
        if missing:
            request = wire.pack([*missing.values()]) if hidden else _visible_request(exercise, missing)
            seen.described, answers = _read_answer(ask(student.name, request))
            # After a timeout there are fewer.
            seen.observations.update(zip(missing, answers, strict=False))
        return seen.described, [seen.observations.get(name, {}) for name in probes]

    verdict: Verdict = judge.examine(catalogue.find(exercise), look, group, hidden, seed, True, diagnose)
    failure = report.failure(verdict)
    return {
        "data": report.bundle(verdict),
        "error": failure
        and {
            "ename": type(failure).__name__,
            "evalue": str(failure),
            "traceback": failure._render_traceback_(),
        },
        "delegation": verdict.delegation,
    }


def counterparts() -> dict[str, tuple[str, ...]]:
    """Exercise → parts of names that do its whole work, for a look at what a submission says."""
    from course.checks import catalogue

    return {name: exercise.shortcuts for name, exercise in catalogue.EXERCISES.items()}


@dataclass
class _Seen:
    """What an object of the student's showed on the probes of one seed."""

    described: Observation = field(default_factory=dict)
    observations: dict[str, Observation] = field(default_factory=dict)

    def missing(self, probes: Mapping[str, Probe]) -> dict[str, Probe]:
        """The probes that are still to be observed. Where one ran out of time, nobody waits for others."""
        if any(is_timeout(self.observations.get(name, {}).get("error")) for name in probes):
            return {}
        return {name: probe for name, probe in probes.items() if name not in self.observations}


_VISIBLE: dict[tuple[str, ...], Message] = {}


def _visible_request(exercise: str, probes: Mapping[str, Probe]) -> Message:
    """Visible probes are the same for every student: they are packed once."""
    key = (exercise, *probes)
    if key not in _VISIBLE:
        _VISIBLE[key] = wire.pack([*probes.values()])
    return _VISIBLE[key]


def _read_answer(answer: object) -> tuple[Observation, list[Observation]]:
    """What kind of object it is, and the observations; nothing when the answer cannot be read."""
    try:
        seen = wire.unpack(answer)
    except WireError:
        return {}, []
    if not isinstance(seen, list) or not seen or not all(is_observation(each) for each in seen):
        return {}, []
    return seen[0], seen[1:]


def observe(student: object, request: Message) -> Message:
    """Look at a student's object as a check asks, in the student's process.

    Raises:
        WireError: the request is not one of `check`'s.
    """
    probes = wire.unpack(request)
    if not isinstance(probes, list) or not all(isinstance(each, Probe) for each in probes):
        raise WireError("a request is a list of probes")
    described, observations = look(student, probes)
    seen = [described]
    if described["kind"] in ("function", "class"):  # anything else is refused, whatever it does
        with alarm_handled():
            seen += observations
    return wire.pack(seen)
