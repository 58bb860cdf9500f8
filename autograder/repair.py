"""Put a tampered submission back into the form of the release, and say what was changed.

Students copy test cells, delete them, move them or edit their points, mostly by accident. nbgrader 0.9.6 ends
the run of the whole class at some of these. Here the released cells come back in their order, with the
student's own text in the cells that were theirs to write; a notebook in which nothing of this happened is
left exactly as it is.
"""

from __future__ import annotations

from copy import deepcopy

from nbformat import NotebookNode

from autograder.notebooks import facts, grade_id, is_solution

_FIXED = ("grade", "solution", "locked", "task", "points", "schema_version")


def repair(submission: NotebookNode, release: NotebookNode) -> list[str]:
    """Restore the release's nbgrader cells in `submission`, in place.

    Returns:
        One sentence for each kind of change that was undone; none for an honest notebook.
    """
    released = {name: cell for cell in release.cells if (name := grade_id(cell))}
    notes = _forget_unknown_and_copied(submission, released)
    notes += _restore_facts(submission, released)
    notes += _restore_missing(submission, released)
    notes += _restore_order(submission, list(released))
    return notes


def _forget_unknown_and_copied(submission: NotebookNode, released: dict[str, NotebookNode]) -> list[str]:
    """Make unknown cells ordinary ones, and all but the last of several copies (as nbgrader does)."""
    copied, unknown = set(), False
    seen: set[str] = set()
    for cell in reversed(submission.cells):
        if "nbgrader" not in cell["metadata"]:
            continue
        name = grade_id(cell)
        if name in released and name not in seen:
            seen.add(name)
            continue
        if name in seen:
            copied.add(str(name))
        elif facts(cell).get("grade") or facts(cell).get("solution"):
            unknown = True
        del cell["metadata"]["nbgrader"]
    notes = [f"There was more than one cell {name}; the last one was graded." for name in sorted(copied)]
    if unknown:
        notes.append("Cells that look like graded cells but are not part of the assignment were ignored.")
    return notes


def _restore_facts(submission: NotebookNode, released: dict[str, NotebookNode]) -> list[str]:
    """Points, locks and cell types as released."""
    edited = []
    for index, cell in enumerate(submission.cells):
        name = grade_id(cell)
        if name is None:
            continue
        original = released[name]
        if cell["cell_type"] == original["cell_type"] and _fixed(cell) == _fixed(original):
            continue
        edited.append(name)
        restored = deepcopy(original)
        if is_solution(original):
            restored.source = cell.source
        submission.cells[index] = restored
    return [
        f"The settings of the cell {name} were changed (points, lock or type); they were restored."
        for name in edited
    ]


def _fixed(cell: NotebookNode) -> list[object]:
    found = facts(cell)
    return [found.get(key) for key in _FIXED]


def _restore_missing(submission: NotebookNode, released: dict[str, NotebookNode]) -> list[str]:
    """Deleted cells, back behind the released cell that they followed."""
    missing = []
    position = -1
    places = _places(submission)
    for name, original in released.items():
        if name in places:
            position = places[name]
        else:
            position += 1
            submission.cells.insert(position, deepcopy(original))
            missing.append(name)
            places = _places(submission)
    return [f"The cell {name} was missing; it was put back as released." for name in missing]


def _places(notebook: NotebookNode) -> dict[str, int]:
    """Where nbgrader's cells stand."""
    return {name: index for index, cell in enumerate(notebook.cells) if (name := grade_id(cell))}


def _restore_order(submission: NotebookNode, order: list[str]) -> list[str]:
    """Released cells in their order; each takes along the student's own cells that stand before it."""
    if [name for cell in submission.cells if (name := grade_id(cell))] == order:
        return []
    blocks: dict[str, list[NotebookNode]] = {}
    block: list[NotebookNode] = []
    for cell in submission.cells:
        block.append(cell)
        if name := grade_id(cell):
            blocks[name] = block
            block = []
    submission.cells = [cell for name in order for cell in blocks[name]] + block
    return ["Cells of the assignment were moved; they were put back into their order."]
