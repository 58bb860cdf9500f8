"""What became of an attack: under stock nbgrader, and under this grader, compared with what it deserves."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from .arena import HONEST, PROJECT, Arena, Run, program
from .attack import ALL, LESSON, Attack


@dataclass(frozen=True)
class Outcome:
    """What a grader made of one submission.

    Attributes:
        score: points in the gradebook; None when there is no entry.
        trouble: how the run went wrong, if it did: "hangs", "crashes: ...".
        loot: what the attack got hold of.
        left: processes and files that it left behind.
        page_is_live: the page for the student runs the attack's script.
        said: sentences about the submission: problems, verdicts and messages.
    """

    score: float | None
    trouble: str = ""
    loot: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    page_is_live: bool = False
    said: tuple[str, ...] = ()
    seconds: float = 0.0
    verdicts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [self.trouble] if self.trouble else []
        if self.score is not None:
            parts.append(f"{self.score:g}")
        if self.loot:
            parts.append(
                f"gets {self.loot[0]}" + (f" and {len(self.loot) - 1} more" if self.loot[1:] else "")
            )
        if self.left:
            parts.append(
                f"leaves {self.left[0]}" + (f" and {len(self.left) - 1} more" if self.left[1:] else "")
            )
        if self.page_is_live:
            parts.append("its script runs on the feedback page")
        return "; ".join(parts)


def faults(attack: Attack, outcome: Outcome, deserved: float) -> list[str]:
    """What is wrong with an outcome; nothing when the attack got what it deserves."""
    found = []
    if outcome.trouble:
        found.append(outcome.trouble)
    low = 0.0 if attack.at_most else deserved
    if attack.gap:
        if not any(sentence.startswith("tampering: ") for sentence in outcome.said):
            found.append("not even flagged")
    elif outcome.score is None or not low - 1e-6 <= outcome.score <= deserved + 1e-6:
        found.append(f"{outcome.score} points instead of {deserved:g}")
    if outcome.loot:
        found.append(f"got {', '.join(outcome.loot[:3])}")
    if outcome.left:
        found.append(f"left {', '.join(outcome.left[:3])}")
    if outcome.page_is_live:
        found.append("its script runs on the feedback page")
    if attack.refused != ("not graded" in outcome.verdicts.values()):
        found.append("was not graded" if not attack.refused else "was graded")
    for exercise, verdict in attack.verdicts.items():
        if outcome.verdicts.get(exercise) != verdict:
            found.append(f"{exercise}: {outcome.verdicts.get(exercise)} instead of {verdict}")
    if (
        attack.says
        and not attack.gap
        and not any(re.search(attack.says, sentence) for sentence in outcome.said)
    ):
        found.append(f"nothing says {attack.says!r}, only: {'; '.join(outcome.said)[:300]}")
    return found


# --- Stock nbgrader -----------------------------------------------------------------------------------------

STOCK_SECONDS = 90.0


def under_nbgrader(arena: Arena, attack: Attack) -> Outcome:
    """Run `nbgrader autograde` on one submission, beside ada's, with bounds for the machine's sake."""
    arena.reset()
    arena.hand_in([attack])
    command = [sys.executable, "-m", "nbgrader", "autograde", LESSON]
    run = arena.run(*command, "--student", attack.name, timeout=STOCK_SECONDS, bounded=True)
    trouble = "" if run.code == 0 else f"hangs (stopped after {STOCK_SECONDS:.0f} s)"
    if run.code not in (0, None):
        trouble = f"crashes ({_last_error(run.stderr)})"
        if not _next_is_graded(arena, attack):
            trouble += ", and the students after it are not graded"
    return Outcome(
        score=arena.scores().get(attack.name),
        trouble=trouble,
        loot=tuple(_short(arena, text) for text in arena.loot(attack.name)),
        left=tuple(_short(arena, text) for text in _left(run)),
        page_is_live=attack.for_the_reader and _page_is_live(arena, attack, "nbgrader", "generate_feedback"),
        seconds=run.seconds,
    )


def _next_is_graded(arena: Arena, attack: Attack) -> bool:
    """Whether nbgrader goes on with the class after this submission."""
    later = Attack("zzz", 22, "comes last")
    arena.reset()
    arena.hand_in([attack, later])
    arena.run(sys.executable, "-m", "nbgrader", "autograde", LESSON, timeout=2 * STOCK_SECONDS, bounded=True)
    return later.name in arena.scores()


def _last_error(log: str) -> str:
    """The error in nbgrader's log that says most."""
    found = re.findall(r"^ *([A-Za-z_.]*(?:Error|Exception|Kernel|Entry|Died)\w*\b.*)$", log, re.MULTILINE)
    return found[-1][:90] if found else log.strip().rpartition("\n")[2][:90]


# --- This grader --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassOutcome:
    """What `autograder grade` made of a class."""

    run: Run
    document: dict[str, Any]
    outcomes: dict[str, Outcome]
    honest: Outcome


def under_autograder(
    arena: Arena, attacks: Iterable[Attack], *options: str, timeout: float = 600.0
) -> ClassOutcome:
    """Grade a class of attacks, and ada, in one run; what is left behind is told by the `run`."""
    attacks = list(attacks)
    arena.reset()
    arena.hand_in(attacks)
    run = arena.run(program("autograder"), "grade", LESSON, "--json", *options, timeout=timeout)
    document = json.loads(run.stdout) if run.stdout.strip() else {"students": []}
    pages = any(attack.for_the_reader for attack in attacks)
    if pages:
        arena.run(program("autograder"), "feedback", LESSON, timeout=timeout)
    students = {student["student"]: student for student in document["students"]}
    outcomes = {attack.name: _ours(arena, attack, students.get(attack.name)) for attack in (HONEST, *attacks)}
    return ClassOutcome(run, document, outcomes, outcomes.pop(HONEST.name))


def _ours(arena: Arena, attack: Attack, student: dict[str, Any] | None) -> Outcome:
    if student is None:
        return Outcome(None, "not in the results")
    in_gradebook = arena.scores().get(attack.name)
    exercises = student["exercises"]
    said = [*student["problems"], *(each["message"] for each in exercises.values() if each["message"])]
    said += [f"{flag.get('kind')}: {flag.get('sentence')}" for flag in student.get("flags", [])]
    differs = in_gradebook is not None and abs(in_gradebook - student["score"]) > 1e-6
    return Outcome(
        score=student["score"],
        trouble=f"the gradebook says {in_gradebook}, the results {student['score']}" if differs else "",
        loot=tuple(arena.loot(attack.name)),
        page_is_live=attack.for_the_reader and _page(arena, attack),
        said=tuple(map(str, said)),
        verdicts={name: exercises[name]["verdict"] for name in ALL},
    )


def _left(run: Run) -> tuple[str, ...]:
    return (
        *(f"a process ({name[:40]})" for name in run.survivors if run.code is not None),
        *(f"a file ({name})" for name in run.stowaways),
    )


def _short(arena: Arena, text: str) -> str:
    """Without the names of folders that are this machine's."""
    for folder in (arena.folder, PROJECT, sys.prefix):
        text = text.replace(f"{folder}/", "")
    return text


def _page_is_live(arena: Arena, attack: Attack, module: str, command: str) -> bool:
    arena.run(sys.executable, "-m", module, command, LESSON, "--student", attack.name, timeout=STOCK_SECONDS)
    return _page(arena, attack)


def _page(arena: Arena, attack: Attack) -> bool:
    """Whether the page for the student would call ``steal()`` in a browser."""
    path = arena.course.feedback / attack.name / LESSON / f"{LESSON}.html"
    reader = _Browser()
    if path.is_file():
        reader.feed(path.read_text(encoding="utf-8"))
    return reader.would_steal


class _Browser(HTMLParser):
    """Notes whether a page runs the script: in a script, a handler, an address, a page in the page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.would_steal = False
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag == "script"
        for name, value in attrs:
            text = "".join((value or "").lower().split())
            runs = name.startswith("on") or text.startswith(("javascript:", "vbscript:", "data:text/html"))
            self.would_steal |= (runs or name == "srcdoc") and "steal" in text

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        self.would_steal |= self._in_script and "steal()" in data
