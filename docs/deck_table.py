"""Write docs/decks.md, where the course has what the lecture decks hold: `python docs/deck_table.py`.

The rows are in docs/decks.toml. Titles of sections, and the lessons of exercises, come from the notebooks.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("topic", "formula", "figure", "experiment")


@dataclass
class Places:
    """What a row may point to.

    Attributes:
        sections: number → title.
        exercises: name → lesson.
        cells: "07/compare-run", for all cells with code.
    """

    sections: dict[str, str] = field(default_factory=dict)
    exercises: dict[str, str] = field(default_factory=dict)
    cells: set[str] = field(default_factory=set)

    def __contains__(self, place: str) -> bool:
        return place in self.sections or place in self.exercises or place in self.cells


@dataclass(frozen=True)
class Row:
    """Something in a deck, and where the course has it."""

    heading: str
    kind: str
    what: str
    at: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Deck:
    """A deck and all that is in it."""

    short: str
    title: str
    rows: tuple[Row, ...]


def decks() -> list[Deck]:
    """Read docs/decks.toml."""
    content = tomllib.loads((ROOT / "docs/decks.toml").read_text(encoding="utf-8"))
    return [
        Deck(
            deck["short"],
            deck["title"],
            tuple(Row(*row[:3], tuple(row[3]), *row[4:]) for row in deck["rows"]),
        )
        for deck in content["decks"]
    ]


def places() -> Places:
    """Read what there is from the notebooks."""
    found = Places()
    for path in sorted((ROOT / "source_notebooks").glob("*/*.ipynb")):
        lesson = path.stem[:2]
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                found.sections.update(re.findall(r"^## (\d+\.\d+) (.+)$", source, re.M))
                continue
            found.cells.add(f"{lesson}/{cell['id']}")
            settings: dict[str, Any] = cell["metadata"].get("nbgrader", {})
            if settings.get("solution"):
                found.exercises[settings["grade_id"]] = lesson
    return found


def missing() -> list[str]:
    """Rows that point to something that is not there, with what it is."""
    there = places()
    return [
        f"{deck.short} {row.heading}: {place}"
        for deck in decks()
        for row in deck.rows
        for place in row.at
        if place not in there
    ]


def page() -> str:
    """The page, in Markdown."""
    return "\n".join(_lines(decks(), places()))


def _lines(all_decks: list[Deck], there: Places) -> Iterator[str]:
    yield "# The decks, and where the course has them"
    yield ""
    yield (
        "Made by `python docs/deck_table.py` from `docs/decks.toml`. Headings in italics are the decks' own. "
        "`code` is an exercise, or a cell of a lesson (01/walk-plot: cell walk-plot of lesson 1)."
    )
    for deck in all_decks:
        open_rows = sum(not row.at for row in deck.rows)
        yield ""
        yield f"## {deck.short}: {deck.title}"
        yield ""
        yield f"{len(deck.rows)} rows; {open_rows or 'none'} without a place in the course."
        yield ""
        yield "| heading | what | kind | in the course |"
        yield "|---|---|---|---|"
        for row in deck.rows:
            yield f"| *{row.heading}* | {row.what} | {row.kind} | {_where(row, there)} |"
    yield ""


def _where(row: Row, there: Places) -> str:
    named = [f"{place} {there.sections[place]}" for place in row.at if place in there.sections]
    code = [f"`{place}`" for place in row.at if place not in there.sections]
    text = "; ".join([", ".join(part) for part in (named, code) if part])
    if not row.at:
        return f"not covered: {row.note}"
    return f"{text} ({row.note})" if row.note else text


if __name__ == "__main__":
    (ROOT / "docs/decks.md").write_text(page(), encoding="utf-8")
