"""Every broken submission becomes one plain sentence, and tampered notebooks become the release again."""

import json
from copy import deepcopy

import pytest
import tiny_course as tiny
from nbformat.v4 import new_code_cell

from autograder.assignment import Assignment, find_exercises
from autograder.config import Course
from autograder.errors import AssignmentError
from autograder.intake import read_folder, take_in
from autograder.notebooks import grade_id
from autograder.repair import repair


@pytest.fixture
def course(tmp_path) -> Course:
    return tiny.make_course(tmp_path)


@pytest.fixture
def assignment() -> Assignment:
    """The tiny assignment, with its source in place of a release: intake only compares cells."""
    source = tiny.source_notebook()
    return Assignment(tiny.NAME, "A tiny lesson", find_exercises(source), source)


def problem(course, assignment) -> str:
    (submission,) = take_in(course, assignment)
    assert not submission.gradable
    (sentence,) = submission.problems
    assert sentence.endswith((".", "?"))
    return sentence


HONEST = tiny.as_json(tiny.source_notebook())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (HONEST[: len(HONEST) // 2], "is cut off"),
        (HONEST.decode().encode("utf-16"), "not UTF-8"),
        (b"\x80\x81\x82", "not UTF-8"),
        (b"%PDF-1.7 homework", "not a notebook: its JSON has an error in line 1"),
        (b"[1, 2, 3]", "no nbformat version"),
        (b'{"nbformat": 3, "nbformat_minor": 0, "worksheets": [], "metadata": {}}', "notebook format 3"),
        (b'{"nbformat": 5, "nbformat_minor": 0, "cells": [], "metadata": {}}', "notebook format 5"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "no list of cells"),
        (
            b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1]}',
            "cell 1 has no known cell type",
        ),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_file_is_named(course, assignment, content, says):
    tiny.hand_in(course, "ada", content)
    assert says in problem(course, assignment)


def test_a_missing_notebook_is_named(course, assignment):
    (course.submitted / "ada" / tiny.NAME).mkdir(parents=True)
    assert "There is no tiny.ipynb" in problem(course, assignment)


def test_a_missing_assignment_is_named(course, assignment):
    (course.submitted / "ada").mkdir(parents=True)
    assert problem(course, assignment) == "Nothing was handed in for tiny."


def test_whoever_handed_in_another_lesson_only_is_not_in_this_one(course, assignment):
    other = course.source / "other"
    other.mkdir()
    (other / "other.ipynb").write_bytes(HONEST)
    (course.submitted / "ada" / "other").mkdir(parents=True)
    tiny.hand_in(course, "bob", HONEST)
    assert [each.student for each in take_in(course, assignment)] == ["bob"]


def test_a_folder_with_a_misspelt_name_is_looked_at(course, assignment):
    (course.submitted / "ada" / "tinny").mkdir(parents=True)
    assert problem(course, assignment) == "Nothing was handed in for tiny."


def test_a_wrong_file_name_is_named(course, assignment):
    tiny.hand_in(course, "ada", HONEST, file="tiny (1).ipynb")
    assert "only tiny (1).ipynb" in problem(course, assignment)


def test_a_notebook_of_another_assignment_is_named(course, assignment):
    other = tiny.source_notebook()
    other.cells = [new_code_cell("1 + 1")]
    tiny.hand_in(course, "ada", other)
    assert "no exercise cell of tiny" in problem(course, assignment)


def test_a_huge_notebook_is_not_opened(tmp_path, assignment):
    course = tiny.make_course(tmp_path, settings="max_notebook_megabytes = 0.001")
    tiny.hand_in(course, "ada", HONEST)
    assert "the limit is 0 MB" in problem(course, assignment)


@pytest.mark.parametrize("link", ["notebook", "assignment", "student"])
def test_symbolic_links_are_refused(course, assignment, tmp_path, link):
    secret = tmp_path / "elsewhere" / tiny.NAME / f"{tiny.NAME}.ipynb"
    secret.parent.mkdir(parents=True)
    secret.write_bytes(HONEST)
    folder = course.submitted / "ada"
    place, target = {
        "notebook": (folder / tiny.NAME / secret.name, secret),
        "assignment": (folder / tiny.NAME, secret.parent),
        "student": (folder, secret.parent.parent),
    }[link]
    place.parent.mkdir(parents=True)
    place.symlink_to(target)
    assert "symbolic link" in problem(course, assignment)


def test_an_honest_submission_is_read_byte_for_byte_with_its_files(course, assignment):
    path = tiny.hand_in(course, "ada", HONEST)
    (path.parent / "data.csv").write_text("1,2")
    (path.parent / "timestamp.txt").write_text("2026-11-20 12:00:00 UTC")
    (submission,) = take_in(course, assignment)
    assert (submission.gradable, submission.problems) == (True, [])
    handed_in = read_folder(course, tiny.NAME, course.submitted / "ada")
    assert handed_in.notebook == HONEST
    assert set(handed_in.files) == {"data.csv", "timestamp.txt"}
    assert str(handed_in.timestamp) == "2026-11-20 12:00:00"


def test_linked_helpers_and_senseless_timestamps_are_left_out_and_noted(course, assignment, tmp_path):
    path = tiny.hand_in(course, "ada", HONEST)
    (tmp_path / "secret.py").write_text("answer = 42")
    (path.parent / "helper.py").symlink_to(tmp_path / "secret.py")
    (path.parent / "timestamp.txt").write_text("yesterday evening, I think")
    (submission,) = take_in(course, assignment)
    assert submission.gradable
    assert submission.problems == [
        "helper.py is a symbolic link; it was left out.",
        "timestamp.txt does not hold a time; the submission counts as in time.",
    ]
    handed_in = read_folder(course, tiny.NAME, course.submitted / "ada")
    assert (handed_in.files, handed_in.timestamp) == ({}, None)


@pytest.mark.parametrize("name", ["ada[1]", "ada*", " ada", "=cmd()", "@ada", "ada,,,,100", "ada\n"])
def test_a_folder_name_that_nbgrader_would_misread_is_named(course, assignment, name):
    tiny.hand_in(course, name, HONEST)
    assert "give the folder another name" in problem(course, assignment)


def test_one_broken_submission_does_not_hide_the_others(course, assignment):
    tiny.hand_in(course, "ada", HONEST)
    tiny.hand_in(course, "bob", b"")
    tiny.hand_in(course, "cleo", HONEST)
    assert [each.gradable for each in take_in(course, assignment)] == [True, False, True]


def test_an_empty_class_is_an_error_of_the_command(course, assignment):
    with pytest.raises(AssignmentError, match=r"nobody in .* handed in tiny"):
        take_in(course, assignment)


# --- Tampering ------------------------------------------------------------------------------------------


@pytest.fixture
def released():
    return tiny.source_notebook()


def ids(notebook) -> list[str]:
    return [name for cell in notebook.cells if (name := grade_id(cell))]


def test_an_honest_notebook_is_not_touched(released):
    submission = tiny.answer(deepcopy(released), **tiny.RIGHT)
    submission.cells.insert(3, new_code_cell("print('my own cell')"))
    before = deepcopy(submission)
    assert repair(submission, released) == []
    assert submission == before


def test_of_a_copied_cell_the_last_one_counts(released):
    submission = deepcopy(released)
    copied = deepcopy(tiny.cell(submission, "double-small"))
    submission.cells.insert(0, copied)
    assert repair(submission, released) == [
        "There was more than one cell double-small; the last one was graded."
    ]
    assert ids(submission) == ids(released)
    assert "nbgrader" not in copied.metadata


def test_unknown_graded_cells_are_ignored(released):
    submission = deepcopy(released)
    forged = deepcopy(tiny.cell(submission, "double-small"))
    forged.metadata.nbgrader.grade_id = "bonus"
    submission.cells.append(forged)
    (note,) = repair(submission, released)
    assert "not part of the assignment" in note
    assert ids(submission) == ids(released)


@pytest.mark.parametrize(
    "edit", [{"points": 99}, {"locked": False}, {"solution": True}, {"schema_version": 1}, {"grade": False}]
)
def test_edited_settings_are_restored(released, edit):
    submission = deepcopy(released)
    tiny.cell(submission, "double-small").metadata.nbgrader.update(edit)
    (note,) = repair(submission, released)
    assert "settings of the cell double-small were changed" in note
    assert submission == released


def test_a_students_text_survives_the_repair_of_its_cell(released):
    submission = tiny.answer(deepcopy(released), double="def double(x): return 2 * x")
    tiny.cell(submission, "double").metadata.nbgrader.points = 3
    repair(submission, released)
    assert tiny.cell(submission, "double").source == "def double(x): return 2 * x"


def test_deleted_cells_come_back_where_they_were(released):
    submission = deepcopy(released)
    submission.cells = [cell for cell in submission.cells if grade_id(cell) not in ("double-small", "last")]
    notes = repair(submission, released)
    assert notes == [
        "The cell double-small was missing; it was put back as released.",
        "The cell last was missing; it was put back as released.",
    ]
    assert ids(submission) == ids(released)


def test_moved_cells_go_back_with_the_students_own_cells_before_them(released):
    submission = deepcopy(released)
    own = new_code_cell("helper = 1")
    last = tiny.cell(submission, "last")
    submission.cells.remove(last)
    submission.cells[:0] = [own, last]
    (note,) = repair(submission, released)
    assert "were moved" in note
    assert ids(submission) == ids(released)
    assert submission.cells[submission.cells.index(last) - 1] == own


def test_metadata_of_any_shape_does_not_stop_the_repair(released):
    submission = deepcopy(released)
    for cell, value in zip(submission.cells, ["text", 7, None, {"grade_id": 5}, ["x"]] * 3, strict=False):
        cell.metadata.nbgrader = value
    repair(submission, released)
    assert ids(submission) == ids(released)
    json.dumps(submission)
