"""docs/decks.md: every row points to something that is in a lesson, and the page is not stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import deck_table

ROOT = Path(__file__).parents[1]
DECKS = deck_table.decks()


def test_every_row_points_to_a_section_an_exercise_or_a_cell_that_is_there() -> None:
    assert deck_table.missing() == []


def test_the_page_is_not_stale() -> None:
    assert (ROOT / "docs/decks.md").read_text() == deck_table.page(), "run `python docs/deck_table.py`"


@pytest.mark.parametrize("deck", DECKS, ids=lambda deck: deck.short)
def test_a_row_has_a_kind_and_a_place_or_a_reason(deck: deck_table.Deck) -> None:
    assert len(deck.rows) >= 28
    for row in deck.rows:
        assert row.kind in deck_table.KINDS, row
        assert row.at or row.note, f"{row.heading}: neither a place nor a reason"
        assert row.heading
        assert row.what


def test_every_lesson_is_somewhere_in_the_table() -> None:
    there = deck_table.places()
    used = {place for deck in DECKS for row in deck.rows for place in row.at}
    for lesson in sorted({cell[:2] for cell in there.cells}):
        assert any(place.startswith(f"{lesson}/") for place in used), lesson


def test_a_row_that_points_nowhere_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    row = deck_table.Row("Batch", "topic", "what", ("3.1", "99.1", "03/no-such-cell", "NoSuchExercise"))
    monkeypatch.setattr(deck_table, "decks", lambda: [deck_table.Deck("D9", "a deck", (row,))])
    assert deck_table.missing() == [
        "D9 Batch: 99.1",
        "D9 Batch: 03/no-such-cell",
        "D9 Batch: NoSuchExercise",
    ]
