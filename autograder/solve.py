"""Build the solved notebooks from the sources: executed, with outputs, without markers and hidden tests.

The result is the same file for the same source, so that it can live in the repository: no timestamps, no
kernel version, no widget state. nbgrader's metadata stays; a solved notebook can be handed in and gets full
marks.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from autograder.config import Course
from autograder.errors import SolveError
from autograder.notebooks import (
    BEGIN_HIDDEN,
    BEGIN_MARKING,
    BEGIN_SOLUTION,
    END_HIDDEN,
    END_MARKING,
    END_SOLUTION,
    clear_outputs,
    grade_id,
    one_line,
    outside,
    plain,
    read_notebook,
    without_markers,
    write_notebook,
)

CELL_TIMEOUT = 600
"""Seconds per cell: experiments train networks."""

_LANGUAGE = {"name": "python"}
_WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


def solution_path(course: Course, name: str) -> Path:
    """Where an assignment's solved notebook lies."""
    return course.solutions / name / f"{name}.ipynb"


def unsolved(source: NotebookNode) -> NotebookNode:
    """The solved notebook before it is executed: without markers, hidden tests, mark schemes, outputs."""
    notebook = deepcopy(source)
    clear_outputs(notebook)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = dict(_LANGUAGE)
    for cell in notebook.cells:
        text = outside(outside(cell.source, BEGIN_HIDDEN, END_HIDDEN), BEGIN_MARKING, END_MARKING)
        cell.source = without_markers(text, BEGIN_SOLUTION, END_SOLUTION).rstrip()
    return notebook


def solve(course: Course, name: str) -> Path:
    """Execute the solution of one assignment and write it to the solutions folder.

    Returns:
        Path of the solved notebook.

    Raises:
        AssignmentError: there is no such assignment.
        SolveError: a cell raised, took too long, or ended the kernel; the error names the cell.
    """
    notebook = unsolved(read_notebook(course.source_notebook(name)))
    path = solution_path(course, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        record_timing=False,
        store_widget_state=False,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise SolveError(f"The solution of {name} does not run. {_explain(notebook, error)}") from error
    _normalise(notebook)
    write_notebook(notebook, path)
    return path


def is_stale(course: Course, name: str) -> bool:
    """Whether the solved notebook is missing or differs from its source (outputs are not compared)."""
    path = solution_path(course, name)
    if not path.is_file():
        return True
    written = read_notebook(path)
    return unsolved(written) != unsolved(read_notebook(course.source_notebook(name)))


def _explain(notebook: NotebookNode, error: Exception) -> str:
    """Which cell failed, and how."""
    for number, cell in enumerate(notebook.cells, start=1):
        label = f"Cell {number}" + (f" ({name})" if (name := grade_id(cell)) else "")
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return f"{label} raised {output.ename}: {one_line(output.evalue)}"
    return one_line(plain(str(error)), 600)


def _normalise(notebook: NotebookNode) -> None:
    """Remove what differs from run to run or from machine to machine."""
    notebook.metadata["language_info"] = dict(_LANGUAGE)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            # A progress bar's widget cannot be shown without its kernel, and its text holds timings.
            kept = [output for output in cell.outputs if _WIDGET_MIME not in output.get("data", {})]
            cell.outputs = _with_whole_texts(kept)


def _with_whole_texts(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join texts that follow each other: where the kernel cuts what is printed depends on the moment.

    `NotebookClient.coalesce_streams` would also join across a figure that stands between two texts.
    """
    whole: list[NotebookNode] = []
    for output in outputs:
        before = whole[-1] if whole else NotebookNode(output_type="")
        if output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            whole.append(output)
    return whole
