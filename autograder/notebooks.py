"""Notebook files: reading, writing, and the marked regions that students must not see.

Cells are plain dictionaries in nbformat's layout; nbgrader's own facts about a cell are in
``cell.metadata.nbgrader``.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

BEGIN_SOLUTION = "BEGIN SOLUTION"
END_SOLUTION = "END SOLUTION"
BEGIN_HIDDEN = "BEGIN HIDDEN TESTS"
END_HIDDEN = "END HIDDEN TESTS"
BEGIN_MARKING = "BEGIN MARK SCHEME"
END_MARKING = "END MARK SCHEME"

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def read_notebook(path: Path) -> NotebookNode:
    """A notebook in nbformat 4, without nbformat's warnings (missing cell ids and the like)."""
    return parse_notebook(path.read_text(encoding="utf-8"))


def parse_notebook(text: str) -> NotebookNode:
    """A notebook in nbformat 4 from its JSON text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        notebook: NotebookNode = nbformat.reads(text, as_version=4)
    return notebook


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook the way Jupyter does (one space of indentation, a newline at the end)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = nbformat.writes(notebook, version=4)
    path.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")


def facts(cell: NotebookNode) -> dict[str, Any]:
    """nbgrader's metadata of a cell; empty where there is none or where it is not a table."""
    found = cell["metadata"].get("nbgrader")
    return found if isinstance(found, dict) else {}


def grade_id(cell: NotebookNode) -> str | None:
    """The name under which nbgrader knows a cell, or None for a cell that it does not know."""
    if "nbgrader" not in cell["metadata"]:
        return None
    name = facts(cell).get("grade_id")
    return name if isinstance(name, str) and name else None


def is_solution(cell: NotebookNode) -> bool:
    """Whether a student writes the answer in this cell."""
    return bool(facts(cell).get("solution"))


def is_graded(cell: NotebookNode) -> bool:
    """Whether the cell is worth points."""
    return bool(facts(cell).get("grade"))


def outside(source: str, begin: str, end: str) -> str:
    """The lines of a cell that are not in a region from `begin` to `end`; the marker lines go as well."""
    return "\n".join(line for line, inside in _regions(source, begin, end) if not inside)


def inside(source: str, begin: str, end: str) -> str:
    """The lines of a cell that are in a region from `begin` to `end`, without the marker lines."""
    lines = [line for line, is_inside in _regions(source, begin, end) if is_inside]
    return "\n".join(line for line in lines if begin not in line and end not in line)


def without_markers(source: str, begin: str, end: str) -> str:
    """All lines of a cell but the marker lines."""
    return "\n".join(line for line in source.split("\n") if begin not in line and end not in line)


def _regions(source: str, begin: str, end: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it belongs to a marked region (the marker lines do)."""
    is_inside = False
    for line in source.split("\n"):
        if begin in line:
            is_inside = True
        yield line, is_inside
        if end in line:
            is_inside = False


def clear_outputs(notebook: NotebookNode) -> None:
    """Remove outputs, execution counts and timings, in place."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None


def plain(text: str) -> str:
    """Text without terminal colours."""
    return _ANSI.sub("", text) if "\x1b" in text else text


def one_line(text: str, limit: int = 300) -> str:
    """Text as a single line of at most `limit` characters, without terminal colours."""
    line = " ".join(plain(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
