"""The student version gives nothing away, says how to set Colab up, and can be made again at any time."""

import json
from copy import deepcopy

import pytest
import tiny_course as tiny
from nbformat.v4 import new_markdown_cell, new_output

from autograder.bridge import open_gradebook
from autograder.errors import AssignmentError, ReleaseError
from autograder.release import find_leaks, release

STUB = "*Write your answer here, then delete this line.*"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A released course."""
    course = tiny.make_course(tmp_path_factory.mktemp("released"))
    release(course, tiny.NAME)
    return course


def test_there_is_no_solution_and_no_hidden_test(course):
    text = json.dumps(tiny.released(course))
    for secret in (
        "twice_the_number",
        "len(items) - 1",
        "Because addition",
        tiny.HIDDEN_PROBE,
        "hidden=True",
    ):
        assert secret in json.dumps(tiny.source_notebook())
        assert secret not in text
    assert "BEGIN" not in text


def test_the_stub_says_what_to_do_at_the_right_indentation(course):
    lines = tiny.cell(tiny.released(course), "double").source.split("\n")
    assert lines[-1] == '    raise NotImplementedError("Write your code here, then delete this line.")'
    assert tiny.cell(tiny.released(course), "why").source == STUB


def test_visible_tests_stay(course):
    source = tiny.cell(tiny.released(course), "double-small").source
    assert source == 'check("double", double, "small", [(1, 2), (3, 6)])'


def test_the_first_code_cell_installs_the_course_on_colab_only(course):
    first = next(cell for cell in tiny.released(course).cells if cell.cell_type == "code")
    assert '%pip install --quiet "tiny-course @ https://example.org/tiny.zip"' in first.source
    assert 'find_spec("tiny_course_package")' in first.source
    assert "nbgrader" not in first.metadata


def test_without_a_requirement_the_colab_cell_says_what_to_set(tmp_path):
    course = tiny.make_course(tmp_path)
    settings = (
        (course.root / "pyproject.toml").read_text().replace("colab_requirement", "# colab_requirement")
    )
    (course.root / "pyproject.toml").write_text(settings)
    course = tiny.find_course(course.root)
    release(course, tiny.NAME)
    first = next(cell for cell in tiny.released(course).cells if cell.cell_type == "code")
    assert "the instructor must set colab_requirement" in first.source
    assert max(map(len, first.source.splitlines())) <= 100
    compile(first.source, "cell", "exec")


def test_releasing_again_gives_the_same_file_and_keeps_grades(course):
    path = course.release / tiny.NAME / f"{tiny.NAME}.ipynb"
    before = path.read_bytes()
    with open_gradebook(course) as gradebook:
        gradebook.add_student("ada")
        submission = gradebook.add_submission(tiny.NAME, "ada")
        grade = next(each for each in submission.notebooks[0].grades if each.name == "double-small")
        grade.manual_score = 2.5
        gradebook.db.commit()
    release(course, tiny.NAME)
    assert path.read_bytes() == before
    with open_gradebook(course) as gradebook:
        assert gradebook.find_submission(tiny.NAME, "ada").score == 2.5


def test_unknown_assignments_are_named_with_the_known_ones(course):
    with pytest.raises(AssignmentError, match=r"no assignment 'tinny'.* Known: tiny\."):
        release(course, "tinny")


def test_a_solution_that_stands_a_second_time_in_the_open_is_an_error(tmp_path):
    source = tiny.source_notebook()
    source.cells.append(
        new_markdown_cell("```python\ntwice_the_number = x + x\nreturn twice_the_number\n```")
    )
    course = tiny.make_course(tmp_path, source)
    with pytest.raises(ReleaseError, match="has the solution of double"):
        release(course, tiny.NAME)
    assert not (course.release / tiny.NAME / f"{tiny.NAME}.ipynb").exists()


@pytest.mark.parametrize("marker", ["### END SOLUTION", "### END HIDDEN TESTS"])
def test_a_marker_without_its_partner_is_an_error_before_anything_is_written(tmp_path, marker):
    source = tiny.source_notebook()
    for cell in source.cells:
        cell.source = cell.source.replace(marker, "")
    course = tiny.make_course(tmp_path, source)
    with pytest.raises(ReleaseError, match="do not come in pairs"):
        release(course, tiny.NAME)
    assert not course.release.exists()


def test_nbgraders_own_complaints_arrive_as_a_sentence(tmp_path):
    source = tiny.source_notebook()
    tiny.cell(source, "last").metadata.nbgrader.grade_id = "double"
    with pytest.raises(ReleaseError, match=r"nbgrader cannot release tiny: .*Duplicate grade id"):
        release(tiny.make_course(tmp_path, source), tiny.NAME)


def test_every_kind_of_leak_is_found(course):
    source, clean = tiny.source_notebook(), tiny.released(course)
    assert list(find_leaks(source, clean, STUB)) == []

    def leaks(change) -> str:
        notebook = deepcopy(clean)
        change(notebook)
        return " ".join(find_leaks(source, notebook, STUB))

    def put(name, text):
        return lambda notebook: tiny.answer(notebook, **{name: text})

    assert "marker 'BEGIN SOLUTION'" in leaks(put("double", "### BEGIN SOLUTION"))
    assert "solution of last" in leaks(put("double", "return list(items)[len(items) - 1]"))
    assert "hidden test of last-item" in leaks(put("last", "assert last([424242]) == 424242"))
    assert "solution of why" in leaks(put("double", "# Because addition and doubling are the same here."))
    assert "has a written answer" in leaks(put("why", "They are the same."))
    output = new_output("stream", text="4")
    assert "has outputs" in leaks(lambda notebook: tiny.cell(notebook, "double-small").outputs.append(output))
