"""Attack stock nbgrader and this grader with the same submissions, and print what each makes of them.

    python -m benchmarks.attack_table [--only NAME]... [--row N]... [--no-stock] [--no-ours] [--markdown FILE]

Every submission goes through ``nbgrader autograde`` by itself, with bounds that keep this machine alive: 6 GB
of address space, 1 GB a file, a time limit; the bombs stop by themselves at 4 GB, 300 processes and 300 MB.
That takes an hour or so; finished ones are remembered in a folder, so that it can be interrupted.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.attacks import ATTACKS, ROWS, Attack, capstone
from tests.attacks.arena import SECONDS_PER_CELL, SETTINGS, open_arena
from tests.attacks.outcome import Outcome, faults, under_autograder, under_nbgrader


def main() -> None:
    """Run what is asked for and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this attack")
    parser.add_argument("--row", action="append", default=[], type=int, help="only attacks of this row")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "attack-table")
    parser.add_argument(
        "--no-stock", action="store_true", help="do not run nbgrader; show what is remembered"
    )
    parser.add_argument("--no-ours", action="store_true", help="do not run this grader")
    parser.add_argument("--again", action="store_true", help="forget what is remembered")
    parser.add_argument("--option", action="append", default=[], help="passed to `autograder grade`")
    parser.add_argument("--markdown", type=Path, help="also write the table there")
    given = parser.parse_args()
    attacks = [
        attack
        for attack in ATTACKS
        if (not given.only or attack.name in given.only) and (not given.row or attack.row in given.row)
    ]
    stock = remembered(given.scratch, [] if given.again else attacks)
    if not given.no_stock:
        stock |= run_stock(given.scratch, [a for a in attacks if a.name not in stock and not a.inside])
    ours, deserved = ({}, {}) if given.no_ours else run_ours(attacks, given.option)
    found = (attacks, stock, ours, deserved)
    text = "\n\n".join([INTRODUCTION, summary(*found), table(*found), of_the_capstone()])
    print(text)
    if given.markdown:
        given.markdown.write_text(text + "\n", encoding="utf-8")


def run_stock(scratch: Path, attacks: Sequence[Attack]) -> dict[str, Outcome]:
    """Each attack under nbgrader, remembered as soon as it is known."""
    outcomes: dict[str, Outcome] = {}
    if not attacks:
        return outcomes
    with (
        TemporaryDirectory(prefix="stock-", ignore_cleanup_errors=True) as folder,
        open_arena(folder) as arena,
    ):
        for number, attack in enumerate(attacks, start=1):
            outcome = outcomes[attack.name] = under_nbgrader(arena, attack)
            _say(f"{number}/{len(attacks)} {attack.name}: {outcome} ({outcome.seconds:.0f} s)")
            path = _memory(scratch, attack)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(asdict(outcome)), encoding="utf-8")
        arena.reset()
    return outcomes


def run_ours(
    attacks: Sequence[Attack], options: Sequence[str]
) -> tuple[dict[str, Outcome], dict[str, float]]:
    """All attacks in one class under this grader, and the points that they deserve."""
    with (
        TemporaryDirectory(prefix="ours-", ignore_cleanup_errors=True) as folder,
        open_arena(folder, SETTINGS, SECONDS_PER_CELL) as arena,
    ):
        result = under_autograder(arena, attacks, *options, timeout=3600)
        deserved = {attack.name: attack.points(arena.released) for attack in attacks}
        arena.reset()
    run = result.run
    _say(f"autograder: exit code {run.code}, {run.seconds:.0f} s, {len(attacks) + 1} submissions")
    if not result.document["students"]:
        _say(run.stderr[-3000:])
    _say(f"left behind: {list(run.survivors + run.stowaways) or 'nothing'}; ada got {result.honest.score}")
    return result.outcomes, deserved


INTRODUCTION = """\
# Attacks and accidents

Written by `python -m benchmarks.attack_table --markdown docs/attacks.md` from the submissions in
`tests/attacks`, which `make test` grades as well. *earned* is what the honest part of a submission is worth.
nbgrader runs each submission by itself, with bounds on time, memory and files that keep the machine alive.
Where several things are named, the number is the score. `tests/attacks` says what each one does;
[grader.md](grader.md) says why it fails here."""

_PLACES = re.compile(
    r"/[\w./-]*/stock-[^/]+/(?:course/)?|/[\w./-]*/(?=(?:course|autograder|source_notebooks|\.venv)/)"
)
"""Where nbgrader ran, another folder each time, and where the project lies on the machine that measured."""


def summary(
    attacks: Sequence[Attack],
    stock: dict[str, Outcome],
    ours: dict[str, Outcome],
    deserved: dict[str, float],
) -> str:
    """What stock nbgrader and this grader made of each row, in counts, as Markdown."""
    lines = [
        "| # | what | submissions | nbgrader: too many points | too few | crashes or hangs | secrets, files, "
        "processes | this grader: as deserved | flagged only |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for number, title in ROWS.items():
        of_row = [attack for attack in attacks if attack.row == number]
        theirs = {each.name: stock[each.name] for each in of_row if each.name in stock}
        points = {name: each.score or 0.0 for name, each in theirs.items() if not each.trouble}
        counts = [
            len(of_row),
            sum(score > deserved.get(name, score) for name, score in points.items()),
            sum(score < deserved.get(name, score) for name, score in points.items()),
            sum(bool(each.trouble) for each in theirs.values()),
            sum(bool(each.loot or each.left or each.page_is_live) for each in theirs.values()),
            sum(_as_deserved(each, ours, deserved) and not each.gap for each in of_row),
            sum(each.gap for each in of_row),
        ]
        if of_row:
            lines.append(f"| {number} | {title} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def _as_deserved(attack: Attack, ours: dict[str, Outcome], deserved: dict[str, float]) -> bool:
    return attack.name in ours and not faults(attack, ours[attack.name], deserved[attack.name])


def table(
    attacks: Sequence[Attack],
    stock: dict[str, Outcome],
    ours: dict[str, Outcome],
    deserved: dict[str, float],
) -> str:
    """The table as Markdown, one row of the list of attacks after the other, and the counts."""
    lines = ["| # | attack | earned | stock nbgrader | this grader |", "|---|---|---|---|---|"]
    wrong = 0
    for attack in attacks:
        mine = ours.get(attack.name)
        problems = faults(attack, mine, deserved[attack.name]) if mine else []
        wrong += bool(problems)
        verdict = "" if mine is None else "✗ " + "; ".join(problems) if problems else f"✓ {mine}"
        verdict += " (flagged only)" if mine and attack.gap else ""
        cells = (
            str(attack.row),
            f"{attack.name}: {attack.story}",
            f"{deserved[attack.name]:g}" if mine else "",
            "(has no such part)" if attack.inside else _shown(stock.get(attack.name)),
            verdict,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    rows = ", ".join(str(row) for row in ROWS if any(attack.row == row for attack in attacks))
    lines += ["", f"{len(attacks)} submissions of rows {rows}."]
    if ours:
        flagged = sum(bool(attack.gap) for attack in attacks)
        deserving = len(attacks) - wrong - flagged
        lines.append(f"This grader: {deserving} as deserved, {flagged} flagged only, {wrong} neither.")
    return "\n".join(lines)


def of_the_capstone() -> str:
    """The attacks on lesson 8, which nbgrader alone cannot grade, as Markdown."""
    lines = [
        "## Lesson 8: a network is judged on pictures that it has never seen",
        "",
        "`tests/test_capstone_attacks.py` expects what stands here. nbgrader alone has no such part.",
        "",
        "| attack | passes | flagged as |",
        "|---|---|---|",
    ]
    for each in capstone.attacks():
        passes = ", ".join(f"`{name}`" for name in each.earns) or "nothing"
        lines.append(f"| {each.name}: {each.story} | {passes} | {each.flag} |")
    return "\n".join(lines)


def _shown(outcome: Outcome | None) -> str:
    """What nbgrader made of a submission, without where it ran and without a log line that says nothing."""
    if outcome is None:
        return "not run"
    text = re.sub(r"crashes \(\[\w+ \| \w+\][^)]*\)", "crashes", str(outcome))
    return _PLACES.sub("", text)


def remembered(scratch: Path, attacks: Sequence[Attack]) -> dict[str, Outcome]:
    """What earlier runs of these attacks gave."""
    found = {}
    for attack in attacks:
        path = _memory(scratch, attack)
        if path.is_file():
            known = json.loads(path.read_text(encoding="utf-8"))
            found[attack.name] = Outcome(
                **{**known, **{k: tuple(known[k]) for k in ("loot", "left", "said")}}
            )
    return found


def _memory(scratch: Path, attack: Attack) -> Path:
    """Where the outcome of an attack is remembered; a changed attack has another place."""
    parts = [attack.first, attack.last, attack.answers, attack.before, attack.files, attack.solves]
    parts += [_function(each) for each in (attack.spoil, attack.damage) if each]
    key = hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return scratch / f"{attack.name}-{key}.json"


def _function(value: object) -> object:
    """What a function does, wherever it stands: its code and constants, and those of functions it holds."""
    if not inspect.isfunction(value):
        return value if isinstance(value, str | bytes | int | float | tuple) else None
    constants = [each for each in value.__code__.co_consts if not inspect.iscode(each)]
    held = [_function(cell.cell_contents) for cell in value.__closure__ or ()]
    return value.__code__.co_code, value.__code__.co_names, constants, held


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    os.nice(5)
    main()
