"""The attacks of `tests/attacks`, each class of them graded in one run beside an honest student.

None wins a point that it did not earn, none stops the run or costs another student a point, and none leaves a
process, a file or a changed gradebook behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacks import GROUPS, ROWS, Attack
from attacks.arena import HONEST, SECONDS_PER_CELL, SETTINGS, Arena, open_arena
from attacks.outcome import ClassOutcome, faults, under_autograder

from autograder import sandbox

SECONDS_PER_CLASS = 480.0
"""A minute or three on an idle machine."""

CLASSES = {
    "answers and tests": ("lying", "rewriting", "peeking", "hard_coding", "tampering", "forging"),
    "surroundings": ("gradebook", "reading", "links", "network", "shadowing", "lingering", "broken_files"),
    "limits": ("dying", "wasting_time", "exhausting"),
    "messages": ("channel", "strange_answers", "showing", "archives"),
    "whose work": ("delegating", "hidden_work", "reference", "honest", "unusual"),
}
"""Groups that are graded together: a run takes some seconds to start."""

layers = sandbox.probe()
needs_sandbox = pytest.mark.skipif(
    not sandbox.usable(layers),
    reason="no sandbox here: " + "; ".join(layer.sentence for layer in layers if not layer.available),
)


@pytest.fixture
def arena() -> Iterator[Arena]:
    # Not pytest's folder: it holds the run's TMPDIR, where a socket's whole path has 107 letters.
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        open_arena(Path(folder), SETTINGS, SECONDS_PER_CELL) as arena,
    ):
        yield arena
        arena.reset()


def test_every_attack_has_a_name_of_its_own_and_is_in_a_class() -> None:
    names = [attack.name for group in GROUPS.values() for attack in group]
    assert len(names) == len(set(names))
    assert HONEST.name not in names
    assert sorted(group for groups in CLASSES.values() for group in groups) == sorted(GROUPS)


def test_every_row_of_the_list_has_an_attack() -> None:
    """Row 23, the grader killed or short of disk, is no submission: `test_autograder_engine` and `_store`."""
    rows = {attack.row for group in GROUPS.values() for attack in group}
    assert rows == set(ROWS)


@needs_sandbox
@pytest.mark.notebook
@pytest.mark.parametrize("name", CLASSES)
def test_no_attack_wins_what_it_did_not_earn(arena: Arena, name: str) -> None:
    attacks = [attack for group in CLASSES[name] for attack in GROUPS[group]]
    result = under_autograder(arena, attacks, "--jobs", "4", timeout=SECONDS_PER_CLASS)
    the_run_went_well(arena, attacks, result)
    assert wrong(arena, attacks, result) == {}


@pytest.mark.notebook
def test_tests_cannot_be_reached_even_without_a_sandbox(arena: Arena) -> None:
    groups = ("lying", "rewriting", "peeking", "hard_coding", "tampering", "broken_files")
    attacks = [attack for group in groups for attack in GROUPS[group] if not attack.sandbox]
    result = under_autograder(arena, attacks, "--no-sandbox", "--jobs", "4", timeout=SECONDS_PER_CLASS)
    the_run_went_well(arena, attacks, result)
    assert wrong(arena, attacks, result) == {}


def the_run_went_well(arena: Arena, attacks: list[Attack], result: ClassOutcome) -> None:
    """It came to its end in time, everybody is in its results, and nothing is left of it."""
    run = result.run
    assert run.code is not None, f"not through after {SECONDS_PER_CLASS:g} s: {run.stderr[-2000:]}"
    assert run.code == (1 if any(attack.refused for attack in attacks) else 0), run.stderr[-2000:]
    assert run.survivors == ()
    assert run.stowaways == ()
    assert faults(HONEST, result.honest, HONEST.points(arena.released)) == []
    assert set(arena.scores()) == {HONEST.name, *(attack.name for attack in attacks)}
    assert sorted(path.name for path in arena.course.root.iterdir()) == [
        "nbgrader_config.py",
        "pyproject.toml",
        "source_notebooks",
        "workspace",
    ]


def wrong(arena: Arena, attacks: list[Attack], result: ClassOutcome) -> dict[str, list[str]]:
    """Attacks that did not get what they deserve, and how."""
    found = {
        attack.name: faults(attack, result.outcomes[attack.name], attack.points(arena.released))
        for attack in attacks
    }
    return {name: problems for name, problems in found.items() if problems}
