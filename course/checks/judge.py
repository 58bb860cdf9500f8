"""Judge: compare an observation with the oracle's, and name the mistake.

Works on plain data only. The oracle and the misconceptions are observed here, on the same probes, so this
half needs the probe, the student's observation and nothing of the student's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from course.checks.compare import Symptom, compare, same
from course.checks.framework import Aspect, Exercise, Misconception, Probe, to_float64
from course.checks.observe import observe
from course.checks.plain import Observation


@dataclass(frozen=True)
class Finding:
    """The verdict on one aspect; right when there is no symptom."""

    aspect: Aspect
    symptom: Symptom | None = None
    misconception: Misconception | None = None
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """The verdict on one check: the findings, or a `problem` with the object as a whole."""

    exercise: Exercise
    group: str | None
    hidden: bool
    findings: tuple[Finding, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether every aspect is right."""
        return not self.problem and all(finding.symptom is None for finding in self.findings)

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings with a symptom."""
        return tuple(finding for finding in self.findings if finding.symptom is not None)

    @property
    def symptom(self) -> Symptom | None:
        """What was seen in the first wrong aspect; None when nothing is wrong or there is a `problem`."""
        return self.wrong[0].symptom if self.wrong else None

    @property
    def misconception(self) -> Misconception | None:
        """The first mistake that has a name."""
        return next((f.misconception for f in self.wrong if f.misconception is not None), None)

    @property
    def message(self) -> str:
        """What the student should know: the problem, the likely mistake, or the first symptom."""
        if self.problem or self.passed:
            return self.problem
        if self.misconception is not None:
            return self.misconception.message
        finding = self.wrong[0]
        assert finding.symptom is not None
        return finding.symptom.advice or f"{finding.aspect.label}: {finding.symptom.text}"

    @property
    def section(self) -> str:
        """Number of the section to read again."""
        return (self.misconception and self.misconception.section) or self.exercise.section


Observer = Callable[[Probe], Observation]


def judge(exercise: Exercise, group: str | None, hidden: bool, seed: int, observer: Observer) -> Verdict:
    """Judge an exercise, or one group of its aspects.

    Args:
        exercise: what is judged.
        group: the test cell; None for all of them.
        hidden: whether the hidden aspects are judged too.
        seed: where the probes come from.
        observer: returns the observation of the student's object for a probe; it may be in another process.

    Raises:
        ValueError: the exercise has no such group.
    """
    aspects = exercise.select(group, hidden)
    book = answer_book(exercise, seed)
    names = list(dict.fromkeys(aspect.probe for aspect in aspects))
    observations = dict(
        zip(names, _observe_until_timeout([book.probes[n] for n in names], observer), strict=True)
    )
    symptoms = {
        aspect: compare(
            aspect, book.probes[aspect.probe], book.expected(aspect.probe), observations[aspect.probe]
        )
        for aspect in aspects
    }
    likely = _diagnose(book, symptoms, observations)
    findings = tuple(
        Finding(aspect, symptoms[aspect], likely.get(aspect), book.probes[aspect.probe].note)
        for aspect in aspects
    )
    return Verdict(exercise, group, hidden, findings)


def _observe_until_timeout(probes: list[Probe], observer: Observer) -> list[Observation]:
    """Observe each probe; after a timeout the rest is not waited for."""
    observations: list[Observation] = []
    for probe in probes:
        last = observations[-1].get("error") if observations else None
        if isinstance(last, dict) and last["trouble"] == "timeout":
            observations.append(observations[-1])
        else:
            observations.append(observer(probe))
    return observations


# --- Naming the mistake -----------------------------------------------------------------------------------


class AnswerBook:
    """What the oracle and the misconceptions show on one seed's probes, observed when first asked for."""

    def __init__(self, exercise: Exercise, seed: int) -> None:
        self.exercise = exercise
        self.probes = exercise.probes(seed)
        self._seen: dict[tuple[Misconception | None, str], Observation] = {}

    def expected(self, probe: str) -> Observation:
        """The oracle's observation, in float64."""
        if (None, probe) not in self._seen:
            self._seen[None, probe] = observe(self.exercise.oracle, to_float64(self.probes[probe]))
        return self._seen[None, probe]

    def mistaken(self, misconception: Misconception, probe: str) -> Observation:
        """The observation of a wrong implementation."""
        if (misconception, probe) not in self._seen:
            self._seen[misconception, probe] = observe(misconception.implementation, self.probes[probe])
        return self._seen[misconception, probe]


@lru_cache(maxsize=8)
def answer_book(exercise: Exercise, seed: int) -> AnswerBook:
    """The answer book of an exercise and a seed; the last few are kept, as check cells ask for the same."""
    return AnswerBook(exercise, seed)


NO_MISTAKE = ("unwritten", "timeout")
"""There is nothing to compare with a mistake."""

COMMON_SYMPTOMS = ("no gradient", "missing")
"""Many different mistakes show these; they point to one of them only if all else in the probe agrees."""


def _diagnose(
    book: AnswerBook, symptoms: Mapping[Aspect, Symptom | None], observations: Mapping[str, Observation]
) -> dict[Aspect, Misconception]:
    """For each wrong aspect, the misconception that gives the student's numbers there.

    Most students make one mistake: then a misconception that explains the first wrong aspect agrees with all
    the others, and only the few that explain it need to be observed on every probe. A solution may hold two
    mistakes, though, so otherwise each aspect is explained by itself, by the one that agrees most elsewhere.
    """
    wrong = [aspect for aspect, symptom in symptoms.items() if symptom and symptom.kind not in NO_MISTAKE]

    @cache
    def agrees(misconception: Misconception, aspect: Aspect) -> bool:
        mistaken = book.mistaken(misconception, aspect.probe)
        return same(aspect, book.expected(aspect.probe), mistaken, observations[aspect.probe])

    def explains(misconception: Misconception, aspect: Aspect) -> bool:
        symptom = symptoms[aspect]
        if symptom is not None and symptom.kind in COMMON_SYMPTOMS:
            return all(agrees(misconception, other) for other in symptoms if other.probe == aspect.probe)
        return agrees(misconception, aspect)

    likely: dict[Aspect, Misconception] = {}
    for aspect in wrong:
        candidates = [m for m in book.exercise.misconceptions if explains(m, aspect)]
        if not candidates:
            continue
        likely[aspect] = max(candidates, key=lambda m: sum(agrees(m, other) for other in symptoms))
        if all(agrees(likely[aspect], other) for other in symptoms):
            return dict.fromkeys(wrong, likely[aspect])
    return likely
