"""The solved notebooks: executed, without markers and hidden tests, the same file each time, never stale."""

import json

import pytest
import tiny_course as tiny

from autograder.config import find_course
from autograder.errors import SolveError
from autograder.solve import is_stale, solution_path, solve, unsolved

pytestmark = pytest.mark.notebook


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """A course whose experiment does not raise, with its solved notebook."""
    source = tiny.source_notebook()
    next(cell for cell in source.cells if cell["id"] == "try").source = "print('experiments are run here')"
    course = tiny.make_course(tmp_path_factory.mktemp("solved"), source)
    return course, solve(course, tiny.NAME)


def test_everything_was_executed_and_passed(solved):
    notebook = tiny.read(solved[1])
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert tiny.cell(notebook, "double-small").outputs[0].data["text/plain"] == "ok"
    assert "experiments are run here" in json.dumps(notebook)


def test_solutions_stay_and_markers_and_hidden_tests_go(solved):
    notebook = tiny.read(solved[1])
    text = json.dumps(notebook)
    assert "twice_the_number" in text
    assert "Because addition" in tiny.cell(notebook, "why").source
    for gone in ("BEGIN", "END", tiny.HIDDEN_PROBE, "hidden=True"):
        assert gone not in text


def test_nothing_in_the_file_depends_on_when_and_where_it_was_made(solved):
    course, path = solved
    before = path.read_bytes()
    solve(course, tiny.NAME)
    assert path.read_bytes() == before
    notebook = tiny.read(path)
    assert notebook.metadata.language_info == {"name": "python"}
    assert all("execution" not in cell.metadata for cell in notebook.cells)


def test_what_is_printed_piece_by_piece_is_one_text_up_to_the_next_figure(tmp_path):
    source = tiny.source_notebook()
    print_slowly = "import sys; [(print(i), sys.stdout.flush()) for i in range(3)]"
    cell = next(cell for cell in source.cells if cell["id"] == "try")
    cell.source = f"{print_slowly}; display('a figure'); print('after it')"
    notebook = tiny.read(solve(tiny.make_course(tmp_path, source), tiny.NAME))
    outputs = next(cell for cell in notebook.cells if cell["id"] == "try").outputs
    texts = [output.get("text") or output.data["text/plain"] for output in outputs]
    assert texts == ["0\n1\n2\n", "'a figure'", "after it\n"]


def test_it_can_be_handed_in_because_nbgraders_metadata_is_there(solved):
    solved_notebook, source = tiny.read(solved[1]), tiny.source_notebook()
    for cell, original in zip(solved_notebook.cells, source.cells, strict=True):
        assert cell.metadata.get("nbgrader") == original.metadata.get("nbgrader")


def test_staleness_is_about_the_sources_and_not_about_the_outputs(solved):
    course, path = solved
    assert not is_stale(course, tiny.NAME)
    notebook = tiny.read(path)
    notebook.cells[1].execution_count = 77
    tiny.write(path, notebook)
    assert not is_stale(course, tiny.NAME)
    tiny.cell(notebook, "double").source += "\n# edited by hand"
    tiny.write(path, notebook)
    assert is_stale(course, tiny.NAME)


def test_a_missing_solution_is_stale(tmp_path):
    assert is_stale(tiny.make_course(tmp_path), tiny.NAME)


def test_a_raising_cell_is_an_error_that_names_cell_and_error(tmp_path):
    source = tiny.source_notebook()
    tiny.cell(source, "double").source += "\ndouble(None)"
    course = tiny.make_course(tmp_path, source)
    with pytest.raises(
        SolveError, match=r"solution of tiny .* Cell 3 \(double\) raised TypeError: unsupported"
    ):
        solve(course, tiny.NAME)
    assert not solution_path(course, tiny.NAME).exists()


def test_mark_schemes_do_not_reach_the_solution():
    source = tiny.source_notebook()
    tiny.cell(source, "why").source += "\n### BEGIN MARK SCHEME\n2 points for addition\n### END MARK SCHEME"
    assert "2 points" not in json.dumps(unsolved(source))


def test_the_committed_solutions_are_up_to_date():
    course = find_course(tiny.PROJECT)
    assert [name for name in course.assignments() if is_stale(course, name)] == []
