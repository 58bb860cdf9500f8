"""Judge: compare an observation with the oracle's, and name the mistake.

Works on plain data only. The oracle and the misconceptions are observed here, on the same probes, so this
half needs the probe, the student's observation and nothing of the student's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from course.checks import contract
from course.checks.compare import Symptom, compare, same
from course.checks.framework import (
    Aspect,
    CallProbe,
    Exercise,
    Measure,
    Misconception,
    Probe,
    to_float64,
)
from course.checks.observe import observe
from course.checks.plain import Observation, is_timeout
from course.checks.probes.drawing import FillProbe
from course.checks.probes.sampling import SampleProbe
from course.checks.probes.train_steps import NOTHING_RETURNED


@dataclass(frozen=True)
class Finding:
    """The verdict on one aspect; right when there is no symptom."""

    aspect: Aspect
    symptom: Symptom | None = None
    misconception: Misconception | None = None
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """The verdict on one check: the findings, or a `problem` with the object as a whole.

    `delegation` repeats the problem when it is that the work is not the student's own. `measures` are for a
    leaderboard.
    """

    exercise: Exercise
    group: str | None
    hidden: bool
    findings: tuple[Finding, ...] = ()
    problem: str = ""
    delegation: str = ""
    measures: tuple[Measure, ...] = ()

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
Look = Callable[[Mapping[str, Probe]], tuple[Observation, Iterable[Observation]]]

VISIBLE_SEED = 0
"""Visible checks repeat their numbers, so that a student can follow a mistake from run to run."""


def examine(
    exercise: Exercise,
    look: Look,
    group: str | None,
    hidden: bool,
    seed: int | None,
    own_work: bool,
    diagnose: bool = True,
) -> Verdict:
    """One check: the kind of object, the aspects, and whether it is the student's own work.

    Args:
        exercise: what is checked.
        look: asked once, for all of the check's probes by name; returns what `observe.look` returns. It may
            be in another process.
        group: the test cell; None for all of them.
        hidden: whether the hidden aspects are judged too, on inputs of their own.
        seed: of the hidden inputs; None for fresh ones. Visible checks have always the same.
        own_work: whether to reject torch's own counterpart and the course's reference.
        diagnose: whether to name the mistake when something is wrong, which takes most of the time then.

    Raises:
        ValueError: the exercise has no such group.
    """
    if not hidden:
        seed = VISIBLE_SEED
    elif seed is None:
        seed = _one_fresh_seed(exercise) if exercise.evaluate else secrets.randbits(32)
    aspects = exercise.select(group, hidden)
    book = answer_book(exercise, seed)
    names = _probes_of(aspects)
    described, answers = look({name: book.probes[name] for name in names})
    problem = contract.judge_object(exercise, described)
    if problem:
        return Verdict(exercise, group, hidden, problem=problem)
    seen: dict[str, Observation] = {}
    remaining = iter(answers)

    def observer(probe: Probe) -> Observation:
        # The other process may send too few: then there is nothing, which is wrong.
        name = names[len(seen)]
        return seen.setdefault(name, next(remaining, {}))

    verdict = judge(exercise, group, hidden, seed, observer, diagnose)
    if not own_work:
        return verdict
    delegation = contract.judge_own_work(exercise, described, seen.values())
    if not delegation and _worked_out_of_sight(book, verdict.findings, seen):
        drawing = any(isinstance(book.probes[name], FillProbe | SampleProbe) for name in seen)
        delegation = contract.NOT_DRAWN if drawing else contract.OUT_OF_SIGHT
    return replace(verdict, problem=delegation, delegation=delegation)


def judge(
    exercise: Exercise, group: str | None, hidden: bool, seed: int, observer: Observer, diagnose: bool = True
) -> Verdict:
    """Judge an exercise, or one group of its aspects.

    Args:
        exercise: what is judged.
        group: the test cell; None for all of them.
        hidden: whether the hidden aspects are judged too.
        seed: where the probes come from.
        observer: returns the observation of the student's object for a probe.
        diagnose: see `examine`.

    Raises:
        ValueError: the exercise has no such group.
    """
    aspects = exercise.select(group, hidden)
    book = answer_book(exercise, seed)
    observations = _observe_until_timeout(book, _probes_of(aspects), observer)
    if exercise.evaluate:
        observations = {name: book.evaluate(seen) for name, seen in observations.items()}
    symptoms = {aspect: _symptom(book, aspect, observations[aspect.probe]) for aspect in aspects}
    measures: tuple[Measure, ...] = ()
    if exercise.evaluate:
        likely = _recognize(exercise, symptoms, observations) if diagnose else {}
        if exercise.measures:
            measures = exercise.measures(observations[aspects[0].probe])
    else:
        likely = _diagnose(book, symptoms, observations) if diagnose else {}
    findings = tuple(
        Finding(aspect, symptoms[aspect], likely.get(aspect), book.probes[aspect.probe].note)
        for aspect in aspects
    )
    return Verdict(exercise, group, hidden, findings, measures=measures)


def _symptom(book: AnswerBook, aspect: Aspect, seen: Observation) -> Symptom | None:
    if aspect.passes:
        return aspect.passes(seen)
    return compare(aspect, book.probes[aspect.probe], book.expected(aspect.probe), seen)


@cache
def _one_fresh_seed(exercise: Exercise) -> int:
    """One for all test cells of an exercise that takes long, or each of them would train anew."""
    return secrets.randbits(32)


def _probes_of(aspects: Iterable[Aspect]) -> list[str]:
    """Names of the probes that the aspects look at, in order."""
    return list(dict.fromkeys(aspect.probe for aspect in aspects))


def _observe_until_timeout(
    book: AnswerBook, names: Iterable[str], observer: Observer
) -> dict[str, Observation]:
    """Observe each probe; after a timeout the rest is not waited for."""
    observations: dict[str, Observation] = {}
    stopped: Observation = {}
    for name in names:
        observations[name] = stopped or observer(book.probes[name])
        if not stopped and is_timeout(observations[name].get("error")):
            stopped = {"error": observations[name]["error"]}
    return observations


def _worked_out_of_sight(
    book: AnswerBook, findings: Iterable[Finding], seen: Mapping[str, Observation]
) -> bool:
    """Whether numbers are right that take work, where nothing was seen to compute them."""
    unexplained = {
        name for name, observation in seen.items() if not contract.computes(observation, book.probes[name])
    }
    return any(
        finding.aspect.probe in unexplained
        and finding.aspect.passes is None
        and finding.symptom is None
        and contract.takes_work(
            finding.aspect, book.probes[finding.aspect.probe], book.expected(finding.aspect.probe)
        )
        for finding in findings
    )


# --- Naming the mistake -----------------------------------------------------------------------------------


class AnswerBook:
    """What the oracle and the misconceptions show on one seed's probes, observed when first asked for."""

    def __init__(self, exercise: Exercise, seed: int) -> None:
        self.exercise = exercise
        self.seed = seed
        self._evaluated: tuple[Observation, Observation] | None = None
        looks_at: dict[str, tuple[str, ...]] = {}
        for aspect in exercise.aspects:
            looks_at[aspect.probe] = looks_at.get(aspect.probe, ()) + aspect.looks_at
        self.probes = {
            name: replace(probe, looks_at=looks_at[name])
            for name, probe in exercise.probes(seed).items()
            if name in looks_at
        }
        # One probe is enough to see whether a function remembers something, and the first one is visible.
        first = exercise.aspects[0].probe
        if isinstance(self.probes[first], CallProbe):
            self.probes[first] = replace(self.probes[first], twice=True)
        self._seen: dict[tuple[Misconception | None, str], Observation] = {}

    def evaluate(self, seen: Observation) -> Observation:
        """What the exercise makes of an observation; all test cells ask for it, one after the other."""
        assert self.exercise.evaluate is not None
        if self._evaluated is None or self._evaluated[0] is not seen:
            self._evaluated = seen, self.exercise.evaluate(self.seed, seen)
        return self._evaluated[1]

    def expected(self, probe: str) -> Observation:
        """The oracle's observation, in float64."""
        if (None, probe) not in self._seen:
            oracle, wide = self.exercise.oracle, to_float64(self.probes[probe])
            self._seen[None, probe] = observe(oracle, wide, trusted=True)
        return self._seen[None, probe]

    def mistaken(self, misconception: Misconception, probe: str) -> Observation:
        """The observation of a wrong implementation."""
        if (misconception, probe) not in self._seen:
            mistaken = observe(misconception.implementation, self.probes[probe], trusted=True)
            self._seen[misconception, probe] = mistaken
        return self._seen[misconception, probe]


def answer_book(exercise: Exercise, seed: int) -> AnswerBook:
    """The answer book of an exercise and a seed.

    The visible ones are kept, for every student gets these probes. Of the others the last ones are: a student
    has one seed, and all test cells of an exercise ask for it.
    """
    return _visible_book(exercise) if seed == VISIBLE_SEED else _hidden_book(exercise, seed)


@cache
def _visible_book(exercise: Exercise) -> AnswerBook:
    return AnswerBook(exercise, VISIBLE_SEED)


@lru_cache(maxsize=16)  # an exercise's test cells follow each other
def _hidden_book(exercise: Exercise, seed: int) -> AnswerBook:
    return AnswerBook(exercise, seed)


NO_MISTAKE = ("unwritten", "timeout")
"""There is nothing to compare with a mistake."""

COMMON_SYMPTOMS = ("no gradient", "missing")
"""Many different mistakes show these; they point to one of them only if all else in the probe agrees."""


def _recognize(
    exercise: Exercise, symptoms: Mapping[Aspect, Symptom | None], observations: Mapping[str, Observation]
) -> dict[Aspect, Misconception]:
    """For each wrong aspect, the first misconception whose sign is there."""
    likely: dict[Aspect, Misconception] = {}
    for aspect, symptom in symptoms.items():
        if symptom is None or symptom.kind in NO_MISTAKE:
            continue
        for misconception in exercise.misconceptions:
            if misconception.sign and misconception.sign(observations[aspect.probe]):
                likely[aspect] = misconception
                break
    return likely


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
        mistaken = book.mistaken(misconception, aspect.probe)
        if NOTHING_RETURNED in observations[aspect.probe] and NOTHING_RETURNED not in mistaken:
            return False  # a network that nobody trained looks like one of which a copy was trained
        if symptom is not None and symptom.kind in COMMON_SYMPTOMS:
            alike = all(agrees(misconception, other) for other in symptoms if other.probe == aspect.probe)
        else:
            alike = agrees(misconception, aspect)
        # Where the mistake does not show, its numbers are near because the student's are nearly right.
        return alike and _symptom(book, aspect, mistaken) is not None

    nothing = [aspect for aspect in wrong if (symptom := symptoms[aspect]) and symptom.kind == "none"]
    likely: dict[Aspect, Misconception] = {}
    for aspect in wrong:
        candidates = [
            m
            for m in book.exercise.misconceptions
            if explains(m, aspect) and all(agrees(m, other) for other in nothing)  # a forgotten return
        ]
        if not candidates:
            continue
        likely[aspect] = max(candidates, key=lambda m: sum(agrees(m, other) for other in symptoms))
        if all(agrees(likely[aspect], other) for other in symptoms):
            return dict.fromkeys(wrong, likely[aspect])
    return likely
