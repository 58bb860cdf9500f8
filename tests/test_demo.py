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
from course.optimization import Optimizer
from course.schedules import Schedule
from demo import sample_class
from demo.classes import CLASSES, WRITTEN
from demo.sample_class import ANSWERS, PROJECT, own_answers

FILES = [(path.parent.name, path.stem) for path in sorted(ANSWERS.glob("*/*.py"))]
RIGHT = {
    ("03_batch_norm", "other_functions"),
    ("03_batch_norm", "other_routes"),
    ("03_batch_norm", "talkative"),
}
DO_NOT_RUN = {("03_batch_norm", "crash"), ("03_batch_norm", "endless_loop")}
LESSON = "03_batch_norm"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The project's own lessons, released into an empty workspace."""
    course = find_course(PROJECT, tmp_path_factory.mktemp("workspace"))
    for lesson in CLASSES:
        release(course, lesson)
    return course


def test_the_grader_and_the_checks_speak_of_the_same_output():
    assert CHECK_MIME == MIME_TYPE


def test_every_lesson_has_a_class(course):
    assert list(CLASSES) == course.assignments()
    assert set(WRITTEN) == set(CLASSES)


@pytest.mark.parametrize("lesson", CLASSES)
def test_the_class_is_large_enough_and_uses_every_file(lesson):
    students = CLASSES[lesson]
    assert len(students) >= (16 if lesson == LESSON else 6)
    assert len({student.name for student in students}) == len(students)
    used = {(lesson, file) for student in students for file in student.own}
    assert used == {(folder, file) for folder, file in FILES if folder == lesson}


@pytest.mark.parametrize(("lesson", "file"), FILES)
def test_answers_are_to_exercises_of_the_lesson(course, lesson, file):
    answers = own_answers(lesson, file)
    assert answers
    assert set(answers) <= set(sample_class.solution_texts(course, lesson))
    for text in answers.values():
        ast.parse(text)


@pytest.mark.parametrize(("lesson", "file"), [each for each in FILES if each not in DO_NOT_RUN])
def test_each_answer_is_as_right_or_wrong_as_its_story_says(lesson, file):
    names = {"torch": torch, "nn": nn, "Optimizer": Optimizer, "Schedule": Schedule}  # as in the lesson
    for exercise, text in own_answers(lesson, file).items():
        exec(compile(text, file, "exec"), names)
        wanted = contextlib.nullcontext() if (lesson, file) in RIGHT else pytest.raises(CheckFailed)
        with wanted, contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(exercise, names[exercise])


def test_the_class_arrives_with_the_problems_it_was_given(course):
    sample_class.fill(course, LESSON)
    submissions = {each.student: each for each in take_in(course, load_assignment(course, LESSON))}
    assert set(submissions) == {student.name for student in CLASSES[LESSON]}
    assert {name for name, each in submissions.items() if not each.gradable} == {"nora", "olga"}
    assert {name for name, each in submissions.items() if each.problems} == {"nora", "olga", "rosa"}


@pytest.mark.parametrize("lesson", CLASSES)
def test_filling_again_changes_nothing(course, lesson):
    sample_class.fill(course, lesson)
    before = {path: path.read_bytes() for path in course.submitted.rglob("*.ipynb")}
    sample_class.fill(course, lesson)
    assert {path: path.read_bytes() for path in course.submitted.rglob("*.ipynb")} == before


def test_a_lesson_without_a_class_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["sample_class", "99_nothing", "--workspace", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        sample_class.main()
    assert stop.value.code == 2
    assert "no made-up class for 99_nothing" in capsys.readouterr().err


def test_a_real_class_is_not_mixed_with_the_made_up_one(tmp_path, monkeypatch, capsys):
    handed_in = tmp_path / "submitted" / "a-real-student" / LESSON
    handed_in.mkdir(parents=True)
    monkeypatch.setattr("sys.argv", ["sample_class", "--workspace", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        sample_class.main()
    assert stop.value.code == 2
    assert "a-real-student" in capsys.readouterr().err
    assert [folder.name for folder in handed_in.parents[1].iterdir()] == ["a-real-student"]
