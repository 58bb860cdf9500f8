"""Write README's table of lessons from the notebooks: `python docs/lesson_table.py`.

Topic: the lesson's title. Minutes: the sum of its plan. Points: those of its test cells and written
answers. Decks: what the table of sources says in italics.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- lessons: python docs/lesson_table.py -->\n", "<!-- end of lessons -->"

Cell = dict[str, Any]


def lesson_table() -> str:
    """One row a lesson, in Markdown."""
    rows = ["| lesson | you build (points) | minutes | decks |", "|---|---|---:|---|"]
    rows += [_row(path) for path in sorted((ROOT / "source_notebooks").glob("*/*.ipynb"))]
    return "\n".join(rows) + "\n"


def _row(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (title,) = re.findall(r"^# \d+ (.+)$", _prose(cells), re.M)
    exercises = ", ".join(f"`{name}` {points}" for name, points in _points(cells).items())
    return f"| **{path.stem}** {title} | {exercises} | {_minutes(cells)} | {'; '.join(_decks(cells))} |"


def _prose(cells: list[Cell]) -> str:
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def _points(cells: list[Cell]) -> dict[str, int]:
    """Exercise → points, in the order of the lesson."""
    settings = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    points = {each["grade_id"]: 0 for each in settings if each.get("solution")}
    for each in settings:
        if each.get("grade"):
            points[each["grade_id"].split("-")[0]] += each["points"]
    return points


def _minutes(cells: list[Cell]) -> int:
    """The sum of the plan's last column."""
    return sum(int(minutes) for minutes in re.findall(r"^\| \d+\.\d+ .*\| (\d+) \|$", _prose(cells), re.M))


def _decks(cells: list[Cell]) -> Iterator[str]:
    """The decks and the parts of them that the lesson follows: "D0 Batch normalization"."""
    for deck, parts in re.findall(r"^\| \*\*(D\d)\*\* \|[^|]*\|([^|]*)\|$", _prose(cells), re.M):
        yield f"{deck} {', '.join(re.findall(r'[*]([^*]+)[*]', parts))}"


def with_table(readme: str) -> str:
    """README with the table between its two marks."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{lesson_table()}{END}{after}"


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
