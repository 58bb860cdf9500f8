"""Each submission runs for itself: it can be stopped, killed, graded again, and have an odd name."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import tiny_course as tiny

from autograder import engine
from autograder.assignment import load_assignment
from autograder.bridge import open_gradebook
from autograder.errors import NotGradedYet
from autograder.grade import grade
from autograder.release import release
from autograder.results import collect

pytestmark = pytest.mark.notebook


def test_a_person_grade_counts_and_stays_when_the_class_is_graded_again(tmp_path):
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    tiny.hand_in(course, "ada", tiny.answer(tiny.released(course), **tiny.RIGHT, why="They are the same."))
    assert tiny.autograder(course, "grade", tiny.NAME).returncode == 0
    with open_gradebook(course) as gradebook:
        cell = gradebook.find_grade("why", tiny.NAME, tiny.NAME, "ada")
        cell.manual_score, cell.needs_manual_grade = 3, False
        gradebook.db.commit()
    run = tiny.autograder(course, "grade", tiny.NAME, "--json", "--jobs", "1")
    (student,) = json.loads(run.stdout)["students"]
    assert [student["exercises"]["why"][key] for key in ("score", "verdict")] == [3, "partly"]
    assert student["score"] == 9


def test_after_a_run_that_was_stopped_there_are_no_half_old_results(tmp_path, monkeypatch):
    def stopped_by_hand(*_):
        raise KeyboardInterrupt

    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    tiny.hand_in(course, "ada", b"")
    grade(course, tiny.NAME)
    tiny.hand_in(course, "bob", tiny.released(course))
    monkeypatch.setattr(engine, "run", stopped_by_hand)
    with pytest.raises(KeyboardInterrupt):
        grade(course, tiny.NAME)
    with pytest.raises(NotGradedYet, match="or grading was stopped"):
        collect(course, load_assignment(course, tiny.NAME))


def test_a_notebook_that_takes_too_long_altogether_is_stopped(tmp_path):
    course = tiny.make_course(tmp_path, settings="notebook_timeout = 4")
    release(course, tiny.NAME)
    stubborn = (
        "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException:\n        pass"
    )
    tiny.hand_in(course, "mule", tiny.answer(tiny.released(course), double=stubborn, last=stubborn))
    run = tiny.autograder(course, "grade", tiny.NAME, "--json")
    (student,) = json.loads(run.stdout)["students"]
    assert {each["verdict"] for each in student["exercises"].values()} == {"timed out", "not attempted"}
    (sentence,) = student["problems"]
    assert sentence.endswith("The notebook ran longer than 4 s.")
    assert run.returncode == 0


def test_a_killed_run_leaves_nothing_running_and_the_next_one_makes_it_good(tmp_path):
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    for name in ("ada", "bob", "cleo"):
        tiny.hand_in(course, name, tiny.answer(tiny.released(course), **tiny.RIGHT))
    command = [Path(sys.executable).parent / "autograder", "grade", tiny.NAME, "--jobs", "1"]
    with subprocess.Popen(command, cwd=course.root, stderr=subprocess.DEVNULL) as run:
        wait_until(lambda: (course.autograded / "bob").exists())
        family = psutil.Process(run.pid).children(recursive=True)
        run.kill()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    again = tiny.autograder(course, "grade", tiny.NAME, "--json")
    scores = {each["student"]: each["score"] for each in json.loads(again.stdout)["students"]}
    assert scores == {"ada": 6, "bob": 6, "cleo": 6}


def wait_until(happened, seconds=60):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_student_id_may_have_spaces_signs_and_markup(tmp_path):
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    names = ["Ada Lovelace & <b>co", "josé+1", "o'neill (2)"]
    for name in names:
        tiny.hand_in(course, name, tiny.answer(tiny.released(course), **tiny.RIGHT))
    run = tiny.autograder(course, "grade", tiny.NAME, "--json")
    assert {s["student"]: s["score"] for s in json.loads(run.stdout)["students"]} == dict.fromkeys(names, 6)
