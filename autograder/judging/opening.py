"""From the bytes that were handed in to a notebook that can be run and written.

The text is read as JSON and every cell is built anew from the few fields that a notebook needs, so whatever
a submission holds, the executed notebook is well formed. Then the released cells come back as the gradebook
has them, with their hidden tests.
"""

from __future__ import annotations

import json
import re
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.notebooks import facts, grade_id, is_solution
from autograder.repair import repair
from autograder.task import SourceCell

_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Unreadable(Exception):
    """A submission cannot be graded; the text says why, in one sentence."""


def open_notebook(content: bytes, name: str) -> NotebookNode:
    """The notebook in a file's content, in nbformat 4.5, without outputs.

    Raises:
        Unreadable: it is not a notebook of nbformat 4.
    """
    data = _parse(content, name)
    seen: set[str] = set()
    cells = [_clean_cell(cell, number, seen) for number, cell in enumerate(data["cells"])]
    metadata = data.get("metadata")
    kept = {
        key: value
        for key, value in (metadata if isinstance(metadata, dict) else {}).items()
        if key in ("kernelspec", "language_info") and isinstance(value, dict)
    }
    return NotebookNode(cells=cells, metadata=nbformat.from_dict(kept), nbformat=4, nbformat_minor=5)


def restore(
    notebook: NotebookNode,
    release: NotebookNode,
    sources: dict[str, SourceCell],
    kernelspec: dict[str, Any] | None,
    name: str,
) -> list[str]:
    """Bring the released cells back, in place, as nbgrader's OverwriteCells does.

    Returns:
        One sentence for each kind of change that was undone.

    Raises:
        Unreadable: none of the assignment's exercises is in the notebook.
    """
    exercises = {grade_id(cell) for cell in release.cells if is_solution(cell)}
    if not any(is_solution(cell) and grade_id(cell) in exercises for cell in notebook.cells):
        raise Unreadable(
            f"{name} has no exercise cell of {name.removesuffix('.ipynb')}; is it another notebook?"
        )
    notes = repair(notebook, release)
    for cell in notebook.cells:
        source = sources.get(grade_id(cell) or "")
        if source is None:
            continue
        own = facts(cell)
        own["checksum"] = source.checksum
        if source.points is not None:
            own["points"] = source.points
        if source.locked:
            cell["source"] = source.source
        if cell["cell_type"] == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)
    if kernelspec:
        notebook.metadata["kernelspec"] = kernelspec
    return notes


def _parse(content: bytes, name: str) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")  # some editors put a byte order mark before the text
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"{name} is not UTF-8 text (byte {error.start}); it is not a Jupyter notebook."
        ) from error
    if not text.strip():
        raise Unreadable(f"{name} is empty.")
    try:
        data = json.loads(text, parse_constant=lambda _: None)  # NaN is no JSON for a browser
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated"):
            raise Unreadable(
                f"{name} is cut off at line {error.lineno}: the end of the file is missing."
            ) from error
        raise Unreadable(
            f"{name} is not a notebook: its JSON has an error in line {error.lineno}."
        ) from error
    except RecursionError as error:
        raise Unreadable(f"{name} is not a notebook: its JSON is nested too deeply.") from error
    version = data.get("nbformat") if isinstance(data, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise Unreadable(f"{name} is not a notebook: it is JSON, but has no nbformat version.")
    if version != 4:
        raise Unreadable(
            f"{name} is in the notebook format {version}; open it in JupyterLab and save it as format 4."
        )
    if fault := _fault(data):
        raise Unreadable(f"{name} is damaged: {fault}.")
    return dict(data)


def _fault(data: dict[str, Any]) -> str:
    """What is wrong with the notebook's structure, or nothing."""
    cells = data.get("cells")
    if not isinstance(cells, list):
        return "it has no list of cells"
    for number, cell in enumerate(cells, start=1):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            return f"cell {number} has no known cell type"
        source = cell.get("source")
        lines = source if isinstance(source, list) else [source]
        if not {*map(type, lines)} <= {str}:
            return f"cell {number} has no text"
        if not isinstance(cell.get("metadata"), dict):
            return f"cell {number} has no metadata"
    return ""


def _clean_cell(cell: dict[str, Any], number: int, seen: set[str]) -> NotebookNode:
    """A cell of nbformat 4.5 with the same text; its id is made anew where it is missing or taken."""
    source = cell["source"]
    name = cell.get("id")
    if not isinstance(name, str) or not _CELL_ID.fullmatch(name) or name in seen:
        name = f"cell-{number}"
    seen.add(name)
    text = "".join(source)
    if not text.isascii():
        # A lone surrogate ("\ud800") is JSON, but no text that can be written to a file.
        text = text.encode("utf-8", "replace").decode("utf-8")
    clean: dict[str, Any] = {
        "cell_type": cell["cell_type"],
        "id": name,
        "metadata": nbformat.from_dict(_clean_metadata(cell["metadata"])),
        "source": text,
    }
    if cell["cell_type"] == "code":
        clean |= {"outputs": [], "execution_count": None}
    elif isinstance(cell.get("attachments"), dict):
        clean["attachments"] = nbformat.from_dict(cell["attachments"])
    return NotebookNode(clean)


def _clean_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in metadata.items() if key != "execution"}
    if "tags" in kept and not isinstance(kept["tags"], list):
        del kept["tags"]
    return kept
