"""Tests that are judged out of reach of a submission: what they survive, and how they are replayed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import tiny_course as tiny
import tiny_judged

from autograder.release import release

pytestmark = pytest.mark.notebook

ANSWERS = {
    "right": "def double(x):\n    return x + x",
    "wrong": "def double(x):\n    return x * x",
    "memorized": "def double(x):\n    return {1: 2, 3: 6}[x]",
    "patches": "def double(x):\n    return 0\ndef check(*_, **__): pass\nimport tiny_checks\n"
    "tiny_checks.check = tiny_checks.observe = check",
    "equal": "class Yes:\n    def __eq__(self, other): return True\n    __ne__ = lambda *_: False\n"
    "def double(x):\n    return Yes()",
    "library": "import operator\ndef double(x):\n    return operator.mul(2, x)",
    "exits": "import os\ndef double(x):\n    os._exit(0)",
    "raises": "def double(x):\n    raise SystemExit",
    "loops": "def double(x):\n    while True:\n        try:\n            while True: pass\n"
    "        except BaseException: pass",
    "eats": "def double(x):\n    return [bytes(100_000_000) for _ in range(100)]",
    "prints": "import sys\nprint('x' * 50_000_000)\nsys.stderr.write('beware')\n"
    "def double(x):\n    sys.stderr.write('warning')\n    print('hello')\n    return 2 * x",
}


def command(course, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(course.root)}
    program = Path(sys.executable).parent / "autograder"
    return subprocess.run(
        [program, *arguments], cwd=course.root, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def graded(tmp_path_factory, sandbox_option):
    course = tiny_judged.make_course(tmp_path_factory.mktemp("judged"))
    release(course, tiny.NAME)
    for student, source in ANSWERS.items():
        answers = {**tiny.RIGHT, "double": source}
        tiny.hand_in(course, student, tiny.answer(tiny.released(course), **answers))
    run = command(course, "grade", tiny.NAME, "--json", *sandbox_option)
    assert run.returncode == 0, run.stderr
    return course, {each["student"]: each for each in json.loads(run.stdout)["students"]}


@pytest.mark.parametrize(
    ("student", "points", "verdict"),
    [
        ("right", 4, "right"),
        ("wrong", 0, "wrong"),
        ("memorized", 1, "partly"),
        ("patches", 0, "wrong"),
        ("equal", 0, "crashed"),
        ("library", 0, "not own work"),
        ("exits", 0, "crashed"),
        ("raises", 0, "crashed"),
        ("loops", 0, "timed out"),
        ("eats", 0, "crashed"),
        ("prints", 4, "right"),
    ],
)
def test_only_the_right_numbers_are_worth_points(graded, student, points, verdict):
    found = graded[1][student]["exercises"]["double"]
    assert (found["score"], found["verdict"]) == (points, verdict), found


def test_whatever_one_exercise_does_the_other_is_graded(graded):
    assert {each["exercises"]["last"]["score"] for each in graded[1].values()} == {2}


def test_the_tests_that_ran_beside_the_students_code_are_named(graded):
    assert {tuple(each["lower_trust"]) for each in graded[1].values()} == {("last-item",)}


def test_work_that_was_left_to_a_library_is_flagged(graded):
    flags = [flag for flag in graded[1]["library"]["flags"] if flag["kind"] == "delegation"]
    assert [(flag["exercise"], flag["sentence"]) for flag in flags] == [("double", "This is operator.mul.")]


def test_the_executed_notebook_is_one_that_formgrader_shows(graded):
    course, _ = graded
    notebook = tiny.read(course.autograded / "memorized" / tiny.NAME / f"{tiny.NAME}.ipynb")
    outputs = tiny.cell(notebook, "double-small").outputs
    assert [each.output_type for each in outputs] == ["display_data", "error"]
    assert outputs[-1].ename == "KeyError"
    assert "hidden=True" in tiny.cell(notebook, "double-small").source


def test_long_output_is_cut_and_says_so(graded):
    course, _ = graded
    notebook = tiny.read(course.autograded / "prints" / tiny.NAME / f"{tiny.NAME}.ipynb")
    text = "".join(each.text for each in tiny.cell(notebook, "double").outputs)
    assert len(text) < 1_100_000
    assert "was cut after 1,000,000 characters" in text


def test_nothing_is_left_running(graded):
    course, _ = graded
    left = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline"])
        if str(course.root) in " ".join(process.info["cmdline"] or [])
    ]
    assert left == []


def test_grading_again_runs_nothing_and_changes_nothing(graded, sandbox_option):
    course, before = graded
    notebooks = {path: path.stat().st_mtime_ns for path in course.autograded.rglob("*.ipynb")}
    run = command(course, "grade", tiny.NAME, "--json", *sandbox_option)
    assert {each["student"]: each for each in json.loads(run.stdout)["students"]} == before
    assert {path: path.stat().st_mtime_ns for path in course.autograded.rglob("*.ipynb")} == notebooks


def test_a_replay_asks_the_same_again_and_changes_nothing(graded, sandbox_option):
    course, _ = graded
    database = (course.workspace / "gradebook.db").read_bytes()
    runs = [command(course, "replay", "memorized", tiny.NAME, *sandbox_option) for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    assert runs[0].stderr == runs[1].stderr
    assert "double-text  1 of 1" in runs[0].stderr
    assert "KeyError" in runs[0].stderr
    assert (course.workspace / "gradebook.db").read_bytes() == database


def test_a_replay_of_nobody_is_a_sentence(graded):
    run = command(graded[0], "replay", "nobody", tiny.NAME)
    assert (run.returncode, "There is no submission of 'nobody'" in run.stderr) == (2, True)


def test_a_mended_test_is_judged_again_and_the_others_are_taken_over(tmp_path, sandbox_option):
    course = tiny_judged.make_course(tmp_path)
    release(course, tiny.NAME)
    for student in ("right", "memorized"):
        answers = {**tiny.RIGHT, "double": ANSWERS[student]}
        tiny.hand_in(course, student, tiny.answer(tiny.released(course), **answers))
    assert command(course, "grade", tiny.NAME, *sandbox_option).returncode == 0
    source = course.source_notebook(tiny.NAME)
    notebook = tiny.read(source)
    tiny.cell(notebook, "last-item").source = "assert last([1, 2]) == 1"
    tiny.write(source, notebook)
    release(course, tiny.NAME)
    run = command(course, "grade", tiny.NAME, "--json", *sandbox_option)
    scores = {
        each["student"]: [each["exercises"][name]["score"] for name in ("double", "last")]
        for each in json.loads(run.stdout)["students"]
    }
    assert scores == {"right": [4, 0], "memorized": [1, 0]}


def test_without_a_sandbox_every_report_says_so(tmp_path):
    course = tiny_judged.make_course(tmp_path)
    release(course, tiny.NAME)
    tiny.hand_in(course, "ada", tiny.answer(tiny.released(course), **tiny.RIGHT))
    run = command(course, "grade", tiny.NAME, "--no-sandbox")
    assert "WITHOUT a sandbox" in run.stderr
    assert (
        json.loads(command(course, "grade", tiny.NAME, "--no-sandbox", "--json").stdout)["sandboxed"] is False
    )
    assert command(course, "report", tiny.NAME).returncode == 0
    for page in ("report.html", f"reports/{tiny.NAME}.html"):
        assert "without a sandbox" in (course.workspace / page).read_text(encoding="utf-8").lower()
