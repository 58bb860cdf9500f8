"""What of a submission is the student's own text: the cells of the exercises, and cells of their own."""

from __future__ import annotations

from nbformat import NotebookNode

from autograder.notebooks import grade_id, is_graded, is_solution

_OWN = "cell "


def own_cells(notebook: NotebookNode, release: NotebookNode) -> dict[str, str]:
    """Name → text of the code cells that are not as they were released, in the notebook's order.

    An exercise's cell has the exercise's name, another one its place: "cell 12", counted from 1 over all
    cells of the notebook. Test cells are not the student's and are left out.
    """
    given = {cell["source"] for cell in release.cells if cell["cell_type"] == "code"}
    found = {}
    for place, cell in enumerate(notebook.cells, start=1):
        source = cell["source"]
        if cell["cell_type"] != "code" or source in given or not source.strip():
            continue
        if is_solution(cell) or not is_graded(cell):
            name = grade_id(cell) if is_solution(cell) else None
            found[name if name and name not in found else f"{_OWN}{place}"] = source
    return found


def is_answer(name: str) -> bool:
    """Whether a cell of that name is the one of an exercise, and not one of the student's own."""
    return not name.startswith(_OWN)


def given_texts(*notebooks: NotebookNode) -> list[str]:
    """The text of all code cells, for what everybody has: of the release and of the solved notebook."""
    return [cell.source for notebook in notebooks for cell in notebook.cells if cell.cell_type == "code"]
