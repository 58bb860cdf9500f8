"""A whole class is graded: each gets what it earned, and none stops the others.

One class is graded once for most of these tests; running notebooks is what takes the time.
"""

import json
import shutil
import subprocess
import sys
from copy import deepcopy

import pytest
import tiny_course as tiny

from autograder.bridge import open_gradebook
from autograder.cli import main
from autograder.release import release

pytestmark = pytest.mark.notebook

SQUARE = "def double(x):\n    print(f'called with {x}')\n    return x * x"
SWAPPED = "def double(x):\n    return x + x if isinstance(x, int) else ''"
LOOP = "def last(items):\n    while True:\n        pass"
HONEST = ("right", "blank", "half", "squares")
"""Students whose notebooks stock nbgrader can grade as well."""


def hand_in_class(course) -> None:
    """A small class with every kind of submission."""

    def released():
        return deepcopy(student_version)

    student_version = tiny.released(course)
    tiny.hand_in(course, "right", tiny.answer(released(), **tiny.RIGHT, why="They are the same."))
    tiny.hand_in(course, "blank", released())
    tiny.hand_in(course, "half", tiny.answer(released(), double=SWAPPED))
    tiny.hand_in(course, "squares", tiny.answer(released(), double=SQUARE, last=tiny.RIGHT["last"]))
    tiny.hand_in(course, "loops", tiny.answer(released(), double=tiny.RIGHT["double"], last=LOOP))
    tiny.hand_in(
        course, "crashes", tiny.answer(released(), double="def double(x) 2 * x", last="last = None.x")
    )
    tiny.hand_in(course, "dies", tiny.answer(released(), double="import os\nos._exit(1)"))
    tiny.hand_in(course, "cut", tiny.as_json(released())[:800])
    tampered = tiny.answer(released(), **tiny.RIGHT)
    tampered.cells.append(deepcopy(tiny.cell(tampered, "double-small")))
    tampered.cells[-1]["id"] = "pasted"
    tampered.cells.remove(tiny.cell(tampered, "double-text"))
    tiny.cell(tampered, "last-item").metadata.nbgrader.points = 50
    tiny.hand_in(course, "tampers", tampered)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The course after `autograder grade --json`, and what the command printed."""
    course = tiny.make_course(tmp_path_factory.mktemp("graded"))
    release(course, tiny.NAME)
    hand_in_class(course)
    # What a killed run leaves behind: a folder that nbgrader takes for a graded submission.
    leftover = course.autograded / "right" / tiny.NAME
    leftover.mkdir(parents=True)
    shutil.copy(course.release / tiny.NAME / f"{tiny.NAME}.ipynb", leftover)
    return course, tiny.autograder(course, "grade", tiny.NAME, "--json")


@pytest.fixture(scope="module")
def students(graded) -> dict[str, dict]:
    """Student → entry of the JSON document."""
    return {entry["student"]: entry for entry in json.loads(graded[1].stdout)["students"]}


def test_standard_output_is_the_json_document_and_nothing_else(graded):
    document = json.loads(graded[1].stdout)
    assert list(document) == ["assignment", "sandboxed", "students", "similar"]
    assert document["assignment"] == tiny.NAME
    for student in document["students"]:
        assert list(student) == [
            *("student", "score", "max_score", "exercises", "problems", "flags", "lower_trust", "seconds")
        ]
        assert list(student["exercises"]) == ["double", "last", "why"]
        assert student["max_score"] == 10
        for result in student["exercises"].values():
            assert list(result) == ["score", "max_score", "verdict", "misconception", "message"]


def test_the_exit_code_says_that_some_could_not_be_graded(graded):
    assert graded[1].returncode == 1, graded[1].stderr


def verdicts(student: dict) -> dict[str, tuple[float, str]]:
    return {name: (each["score"], each["verdict"]) for name, each in student["exercises"].items()}


@pytest.mark.parametrize(
    ("student", "expected"),
    [
        ("right", {"double": (4, "right"), "last": (2, "right"), "why": (0, "awaiting manual grading")}),
        (
            "blank",
            {"double": (0, "not attempted"), "last": (0, "not attempted"), "why": (0, "not attempted")},
        ),
        ("half", {"double": (3, "partly"), "last": (0, "not attempted"), "why": (0, "not attempted")}),
        ("squares", {"double": (0, "wrong"), "last": (2, "right"), "why": (0, "not attempted")}),
        ("loops", {"double": (4, "right"), "last": (0, "timed out"), "why": (0, "not attempted")}),
        ("crashes", {"double": (0, "crashed"), "last": (0, "crashed"), "why": (0, "not attempted")}),
        ("dies", {"double": (0, "crashed"), "last": (0, "not attempted"), "why": (0, "not attempted")}),
        ("cut", {"double": (0, "not graded"), "last": (0, "not graded"), "why": (0, "not graded")}),
        ("tampers", {"double": (4, "right"), "last": (2, "right"), "why": (0, "not attempted")}),
    ],
)
def test_each_exercise_gets_its_verdict(students, student, expected):
    assert verdicts(students[student]) == expected
    assert students[student]["score"] == sum(score for score, _ in expected.values())


def test_the_misconception_and_its_sentence_come_from_the_check(students):
    double = students["squares"]["exercises"]["double"]
    assert (double["misconception"], double["message"]) == ("squares", "You square the number.")


def test_without_a_report_the_error_is_the_message(students):
    crashed = students["crashes"]["exercises"]
    assert crashed["double"]["message"] == "SyntaxError: expected ':' (line 1)"
    assert crashed["last"]["message"] == "AttributeError: 'NoneType' object has no attribute 'x'"
    assert "never ends" in students["loops"]["exercises"]["last"]["message"]


def test_problems_are_plain_sentences(students):
    assert students["right"]["problems"] == []
    assert students["dies"]["problems"] == [
        "Cell double: The Python process ended itself (exit code 1) while this ran."
    ]
    assert "cut off" in students["cut"]["problems"][0]
    assert len(students["tampers"]["problems"]) == 4


def test_the_gradebook_knows_everybody_also_the_broken(graded):
    with open_gradebook(graded[0]) as gradebook:
        scores = {each.student.id: each.score for each in gradebook.assignment_submissions(tiny.NAME)}
    assert scores == {
        **{"right": 6, "half": 3, "squares": 2, "loops": 4, "tampers": 6},
        **dict.fromkeys(("blank", "crashes", "dies", "cut"), 0),
    }


def test_students_files_are_left_as_they_were_and_nothing_lies_about(graded):
    course, _ = graded
    notebook = tiny.read(course.submitted / "right" / tiny.NAME / f"{tiny.NAME}.ipynb")
    assert all(not cell.get("outputs") for cell in notebook.cells)
    assert not (course.autograded / "cut" / tiny.NAME).exists()
    assert not [path for path in course.autograded.rglob(".*")]


def test_stock_nbgrader_gives_honest_submissions_the_same_scores(graded, tmp_path_factory):
    ours, _ = graded
    course = tiny.make_course(tmp_path_factory.mktemp("stock"))
    release(course, tiny.NAME)
    for student in HONEST:
        shutil.copytree(ours.submitted / student, course.submitted / student)
    nbgrader = [sys.executable, "-m", "nbgrader", "autograde", tiny.NAME]
    run = subprocess.run(nbgrader, cwd=course.root, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    with open_gradebook(ours) as gradebook:
        expected = {s: gradebook.find_submission(tiny.NAME, s).score for s in HONEST}
    with open_gradebook(course) as gradebook:
        assert {s: gradebook.find_submission(tiny.NAME, s).score for s in HONEST} == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["grade", "nonsense"], "There is no assignment 'nonsense'"),
        (["grade", tiny.NAME], "is not released yet"),
        (["feedback", tiny.NAME], "is not released yet"),
        (["report", tiny.NAME], "is not released yet"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(tmp_path, called, arguments, says):
    tiny.make_course(tmp_path)
    code, output, errors = called(tmp_path, *arguments)
    assert (code, output) == (2, "")
    assert says in errors
    assert "Traceback" not in errors


@pytest.fixture
def called(monkeypatch, capsys):
    """The command in this process: (exit code, stdout, stderr)."""

    def call(folder, *arguments):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["autograder", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("colour = 1", "unknown key 'colour'"),
        ("notebook_timeout = 'long'", "must be of type float, got 'long'"),
    ],
)
def test_wrong_settings_are_named(tmp_path, called, settings, says):
    (tmp_path / "pyproject.toml").write_text(f"[tool.autograder]\n{settings}\n")
    (tmp_path / "nbgrader_config.py").write_text("")
    code, _, errors = called(tmp_path, "release")
    assert code == 2
    assert says in errors


def test_a_folder_without_a_course_is_named(tmp_path, called):
    code, _, errors = called(tmp_path, "grade", "tiny")
    assert code == 2
    assert "No course here" in errors


def test_a_database_that_is_none_is_named(tmp_path, called):
    course = tiny.make_course(tmp_path)
    course.workspace.mkdir(exist_ok=True)
    (course.workspace / "gradebook.db").write_text("this is not a database, " * 100)
    code, _, errors = called(tmp_path, "release")
    assert code == 2
    assert "gradebook.db is damaged or no database" in errors
    assert "not a database" in errors


def test_a_workspace_that_cannot_be_written_is_named(tmp_path, called):
    tiny.make_course(tmp_path)
    (tmp_path / "file").write_text("not a folder")
    code, output, errors = called(tmp_path, "release", "--workspace", str(tmp_path / "file" / "workspace"))
    assert (code, output) == (2, "")
    assert f"autograder: {tmp_path / 'file' / 'workspace'}: Not a directory." in errors


def test_ctrl_c_says_how_to_go_on_and_has_its_own_exit_code(tmp_path, called, monkeypatch):
    def stopped_by_hand(*_):
        raise KeyboardInterrupt

    tiny.make_course(tmp_path)
    monkeypatch.setattr("autograder.grade.grade", stopped_by_hand)
    code, output, errors = called(tmp_path, "grade", tiny.NAME)
    assert (code, output) == (130, "")
    assert "autograder: Stopped. Run the same command again" in errors


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "No such command"),
        (["grade"], "Missing argument"),
        (["grade", "a", "--jobs", "0"], "0"),
    ],
)
def test_wrong_usage_is_exit_code_2(tmp_path, called, arguments, says):
    code, output, errors = called(tmp_path, *arguments)
    assert (code, output) == (2, "")
    assert says in errors


def test_help_documents_the_exit_codes(tmp_path, called):
    code, output, _ = called(tmp_path, "grade", "--help")
    assert code == 0
    assert "Exit codes:" in output
