"""The sample class of `make demo`: its answers fit the lesson, and each is what its story says."""

import ast
import contextlib
import io
import warnings

import pytest
import torch
from torch import nn

from autograder.assignment import load_assignment
from autograder.config import find_course
from autograder.intake import take_in
from autograder.release import release
from autograder.reports import CHECK_MIME
from course.checks import CheckFailed, check
from course.checks.render import MIME_TYPE
from demo import sample_class
from demo.sample_class import ANSWERS, CLASS, LESSON, PROJECT, own_answers

FILES = sorted(path.stem for path in ANSWERS.glob("[a-z]*.py"))
RIGHT = {"other_functions", "other_routes", "talkative"}
DO_NOT_RUN = {"crash", "endless_loop"}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The project's own lesson, released into an empty workspace."""
    course = find_course(PROJECT, tmp_path_factory.mktemp("workspace"))
    release(course, LESSON)
    return course


def test_the_grader_and_the_checks_speak_of_the_same_output():
    assert CHECK_MIME == MIME_TYPE


def test_the_class_is_large_enough_and_uses_every_file():
    assert len(CLASS) >= 16
    assert len({student.name for student in CLASS}) == len(CLASS)
    assert sorted({file for student in CLASS for file in student.own}) == FILES


@pytest.mark.parametrize("file", FILES)
def test_answers_are_to_exercises_of_the_lesson(course, file):
    answers = own_answers(file)
    assert answers
    assert set(answers) <= set(sample_class.solution_texts(course))
    for text in answers.values():
        ast.parse(text)


@pytest.mark.parametrize("file", [file for file in FILES if file not in DO_NOT_RUN])
def test_each_answer_is_as_right_or_wrong_as_its_story_says(file):
    names = {"torch": torch, "nn": nn}
    for exercise, text in own_answers(file).items():
        exec(compile(text, file, "exec"), names)
        wanted = contextlib.nullcontext() if file in RIGHT else pytest.raises(CheckFailed)
        with wanted, contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(exercise, names[exercise])


def test_the_class_arrives_with_the_problems_it_was_given(course):
    sample_class.fill(course)
    submissions = {each.student: each for each in take_in(course, load_assignment(course, LESSON))}
    assert set(submissions) == {student.name for student in CLASS}
    assert {name for name, each in submissions.items() if not each.gradable} == {"nora", "olga"}
    assert {name for name, each in submissions.items() if each.problems} == {"nora", "olga", "rosa"}


def test_filling_again_changes_nothing(course):
    sample_class.fill(course)
    before = {path: path.read_bytes() for path in course.submitted.rglob("*.ipynb")}
    sample_class.fill(course)
    assert {path: path.read_bytes() for path in course.submitted.rglob("*.ipynb")} == before


def test_a_real_class_is_not_mixed_with_the_made_up_one(tmp_path, monkeypatch, capsys):
    handed_in = tmp_path / "submitted" / "a-real-student" / LESSON
    handed_in.mkdir(parents=True)
    monkeypatch.setattr("sys.argv", ["sample_class", "--workspace", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        sample_class.main()
    assert stop.value.code == 2
    assert "a-real-student" in capsys.readouterr().err
    assert [folder.name for folder in handed_in.parents[1].iterdir()] == ["a-real-student"]
