"""The doctor finds what would go wrong and changes nothing; bad input ends in a sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_course as tiny
import tiny_judged

from autograder.lock import workspace_lock
from autograder.release import release

pytestmark = pytest.mark.notebook


def command(course, *arguments):
    program = Path(sys.executable).parent / "autograder"
    environment = {**os.environ, "PYTHONPATH": str(course.root)}
    return subprocess.run(
        [program, *arguments], cwd=course.root, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def examined(tmp_path_factory):
    course = tiny_judged.make_course(tmp_path_factory.mktemp("doctor"))
    release(course, tiny.NAME)
    tiny.hand_in(course, "ada", tiny.released(course))
    tiny.hand_in(course, "cut", tiny.as_json(tiny.released(course))[:300])
    tiny.hand_in(course, "named", tiny.as_json(tiny.released(course)), "homework.ipynb")
    before = {path: path.stat().st_mtime_ns for path in course.workspace.rglob("*") if path.is_file()}
    run = command(course, "doctor", tiny.NAME, "--no-sandbox", "--json")
    after = {path: path.stat().st_mtime_ns for path in course.workspace.rglob("*") if path.is_file()}
    return run, {finding["sentence"]: finding for finding in json.loads(run.stdout)}, before == after


def sentence(examined, part):
    (found,) = (text for text in examined[1] if part in text)
    return examined[1][found]


def test_it_tells_what_the_machine_can_do(examined):
    assert sentence(examined, "cores")["state"] == "good"
    assert sum(text.startswith("sandbox, ") for text in examined[1]) >= 8


def test_it_tells_whether_the_course_is_consistent(examined):
    assert sentence(examined, "tiny_checks:check can be imported")["state"] == "good"
    assert sentence(examined, "The process that runs submissions starts")["state"] == "good"
    assert sentence(examined, "is released as it stands")["state"] == "good"


def test_it_names_tests_that_run_beside_the_students_code(examined):
    finding = sentence(examined, "3 test cells, 2 judged")
    assert (finding["state"], "last-item" in finding["sentence"]) == ("warning", True)


def test_it_names_broken_submissions_before_anything_runs(examined):
    assert sentence(examined, "3 submissions, 2 that cannot be graded")["state"] == "warning"
    assert "cut off" in sentence(examined, "cut: ")["sentence"]
    assert "original name" in sentence(examined, "named: ")["sentence"]


def test_it_changes_nothing(examined):
    assert examined[2]


def test_the_exit_code_says_that_something_is_bad(examined):
    run, findings, _ = examined
    bad = [text for text, finding in findings.items() if finding["state"] == "bad"]
    assert bad == ["The module tiny_course_package of pyproject.toml cannot be found."]
    assert run.returncode == 1


def test_what_would_keep_grading_from_working_is_bad(tmp_path):
    course = tiny.make_course(tmp_path, settings='preload = ["no_such_module"]\ncheck = "tiny:nothing"')
    run = command(course, "doctor", tiny.NAME)
    assert run.returncode == 1
    said = " ".join(run.stderr.split())
    for part in ("no_such_module", "tiny:nothing", "must name both check and observe", "not released yet"):
        assert part in said


def test_a_changed_source_is_noticed(tmp_path):
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    notebook = tiny.source_notebook()
    tiny.cell(notebook, "last-item").source = "assert last([1]) == 1"
    tiny.write(course.source_notebook(tiny.NAME), notebook)
    assert "1 cells of tiny have changed since it was released (last-item)" in " ".join(
        command(course, "doctor", tiny.NAME).stderr.split()
    )


def test_a_second_grader_refuses_and_names_the_first(tmp_path):
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    tiny.hand_in(course, "ada", tiny.released(course))
    with workspace_lock(course, "autograder grade tiny"):
        run = command(course, "grade", tiny.NAME, "--no-sandbox")
    assert run.returncode == 2
    assert "autograder grade tiny" in run.stderr
    assert str(os.getpid()) in run.stderr


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('preload = "torch"', "must be a list of texts"),
        ("memory_megabytes = 0", "must be greater than 0"),
        ("max_processes = true", "must be of type int"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, settings, says):
    (tmp_path / "nbgrader_config.py").write_text("")
    (tmp_path / "pyproject.toml").write_text(f"[tool.autograder]\n{settings}\n")
    run = subprocess.run(
        [Path(sys.executable).parent / "autograder", "grade", "x"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, says in run.stderr) == (2, True), run.stderr
