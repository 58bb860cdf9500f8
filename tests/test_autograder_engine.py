"""Each submission runs for itself: it can be stopped, killed, graded again, and have an odd name."""

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path

import nbformat
import psutil
import pytest
import tiny_course as tiny
from waiting import wait_until

from autograder import engine, recorder
from autograder.assignment import load_assignment
from autograder.bridge import open_gradebook
from autograder.config import find_course
from autograder.errors import NotGradedYet
from autograder.executors import LocalExecutor, head_start
from autograder.grade import grade
from autograder.lock import workspace_lock
from autograder.release import release
from autograder.results import collect
from autograder.task import Task
from autograder.terms import make_terms

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


@pytest.mark.parametrize("killed_at", ["write_folder_atomically", "flush"])
def test_work_handed_in_again_asks_for_a_second_look_even_if_the_run_is_killed(
    tmp_path, monkeypatch, killed_at
):
    """The executed notebook is written before the gradebook: then nothing else tells that the work is new."""

    def needs_a_look() -> bool:
        with open_gradebook(course) as gradebook:
            return gradebook.find_grade("why", tiny.NAME, tiny.NAME, "ada").needs_manual_grade

    def killed(*_):
        raise KeyboardInterrupt

    course = class_of_one(tmp_path)
    tiny.hand_in(course, "ada", tiny.answer(tiny.released(course), **tiny.RIGHT, why="Some words."))
    grade(course, tiny.NAME)
    with open_gradebook(course) as gradebook:
        cell = gradebook.find_grade("why", tiny.NAME, tiny.NAME, "ada")
        cell.manual_score, cell.needs_manual_grade = 3, False
        gradebook.db.commit()
    tiny.hand_in(course, "ada", tiny.answer(tiny.released(course), **tiny.RIGHT, why="Other words."))
    with monkeypatch.context() as patch:
        patch.setattr(recorder.Recorder if killed_at == "flush" else recorder, killed_at, killed)
        with pytest.raises(KeyboardInterrupt):
            grade(course, tiny.NAME)
    assert not needs_a_look()
    grade(course, tiny.NAME)
    assert needs_a_look()
    with open_gradebook(course) as gradebook:
        gradebook.find_grade("why", tiny.NAME, tiny.NAME, "ada").needs_manual_grade = False
        gradebook.db.commit()
    grade(course, tiny.NAME)
    assert not needs_a_look()


def test_a_workspace_that_was_moved_is_not_graded_again(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    course = class_of_one(tmp_path / "here")
    grade(course, tiny.NAME)
    course.root.rename(tmp_path / "there")
    monkeypatch.setattr(engine, "run", None)  # is not called
    (student,) = grade(find_course(tmp_path / "there"), tiny.NAME).students
    assert student.score == 6


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


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux counts how long a process waits")
def test_nobody_loses_points_because_others_have_the_processor(tmp_path):
    """A second of work, on a processor shared with three others, in a course that allows three seconds."""
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    processor = min(os.sched_getaffinity(0))
    patient = f"""
import os, time
os.sched_setaffinity(0, {{{processor}}})
while time.thread_time() < 1:
    pass
def double(x):
    return x + x
"""
    tiny.hand_in(course, "ada", tiny.answer(tiny.released(course), double=patient))
    pinned = f"import os; os.sched_setaffinity(0, {{{processor}}})\nwhile True: pass"
    others = [subprocess.Popen([sys.executable, "-c", pinned], start_new_session=True) for _ in range(3)]
    try:
        run = tiny.autograder(course, "grade", tiny.NAME, "--json")
    finally:
        for other in others:
            other.kill()
            other.wait()
    (student,) = json.loads(run.stdout)["students"]
    assert student["exercises"]["double"]["verdict"] == "right", student


def test_small_processes_that_are_too_large_together_are_stopped(tmp_path, monkeypatch):
    """The kernel limits each by itself."""
    monkeypatch.setattr(tiny, "SECONDS_PER_CELL", 60)  # on a busy machine it takes them long to become large
    course = tiny.make_course(tmp_path, settings="memory_megabytes = 500\ncheck_timeout = 60")
    release(course, tiny.NAME)
    crowd = """
import os, time
def double(x):
    for _ in range(20):
        if os.fork() == 0:
            hoard = b"x" * 100_000_000
            time.sleep(60)
            os._exit(0)
    time.sleep(60)
"""
    tiny.hand_in(course, "crowd", tiny.answer(tiny.released(course), **{**tiny.RIGHT, "double": crowd}))
    run = tiny.autograder(course, "grade", tiny.NAME, "--json")
    (student,) = json.loads(run.stdout)["students"]
    assert "more memory than a submission may have" in student["exercises"]["double"]["message"]


def test_a_killed_run_leaves_nothing_running_and_the_next_one_makes_it_good(tmp_path, monkeypatch):
    course = tiny.make_course(tmp_path)
    temporary = Path(tempfile.mkdtemp())  # sockets need a short name, and tmp_path is a long one
    monkeypatch.setenv("TMPDIR", str(temporary))
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
    assert [str(each.relative_to(temporary)) for each in temporary.rglob("*")] == []
    temporary.rmdir()


def test_a_fork_server_that_is_killed_costs_no_points(tmp_path):
    """What it takes along starts again: a check that ends with its process would score 0."""
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    slow = "import time\ntime.sleep(1.5)\n" + tiny.RIGHT["double"]
    tiny.hand_in(course, "ada", tiny.answer(tiny.released(course), **{**tiny.RIGHT, "double": slow}))
    command = [Path(sys.executable).parent / "autograder", "grade", tiny.NAME, "--jobs", "1", "--json"]
    with subprocess.Popen(command, cwd=course.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        wait_until(lambda: len(servers_and_children(run.pid)) >= 3)
        time.sleep(0.5)
        for process in servers_and_children(run.pid)[:2]:
            process.kill()
        (student,) = json.loads(run.stdout.read())["students"]
    assert (student["score"], student["problems"]) == (6, [])


def test_a_worker_that_is_killed_while_it_sends_its_outcome_is_noticed(tmp_path):
    """The pool then waits for the rest of the message, for ever: seen in one of a hundred killed runs."""
    course = class_of_one(tmp_path)
    assignment = load_assignment(course, tiny.NAME)
    slow = tiny.answer(tiny.released(course), **{**tiny.RIGHT, "double": "import time\ntime.sleep(2)"})
    task = Task("ada", nbformat.writes(slow).encode(), {}, 1)
    with closing(LocalExecutor(make_terms(course, assignment, True), jobs=1)) as executor:
        future = executor.submit(task)
        os.write(executor._pool._result_queue._writer.fileno(), struct.pack("!i", 1000))  # and no more
        (worker,) = executor._processes()
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        with pytest.raises(TimeoutError):
            future.exception(timeout=1)
        executor.unblock()
        assert isinstance(future.exception(timeout=20), BrokenProcessPool)


def servers_and_children(pid: int) -> list[psutil.Process]:
    """The fork server that was started, its copy inside the sandbox, and what they forked."""
    for process in psutil.Process(pid).children():
        if "autograder.observing.fork_server" in command_of(process):
            return [process, *process.children(recursive=True)]
    return []


def class_of_one(folder, notebook=None):
    course = tiny.make_course(folder)
    release(course, tiny.NAME)
    tiny.hand_in(course, "ada", notebook or tiny.answer(tiny.released(course), **tiny.RIGHT))
    return course


def own_children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def are_gone(processes) -> bool:
    return not psutil.wait_procs(processes, timeout=20)[1]


@pytest.mark.parametrize("sandbox", [True, False])
def test_servers_that_were_started_early_end_with_whatever_goes_wrong(tmp_path, sandbox):
    def fail():
        with head_start(course, tiny.NAME, sandbox) as servers:
            found.extend(own_children() - before)
            found_folders.append(Path(servers.fork_server.address).parent)
            raise ZeroDivisionError

    course = class_of_one(tmp_path)
    before, found, found_folders = own_children(), [], []
    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(found) >= 2
    # multiprocessing keeps its resource tracker for the next pool.
    assert are_gone([each for each in found if "resource_tracker" not in command_of(each)])
    assert not found_folders[0].exists()


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def test_there_is_no_head_start_where_nothing_is_to_be_run(tmp_path):
    course = tiny.make_course(tmp_path)

    def begins() -> bool:
        with head_start(course, tiny.NAME, True) as servers:
            return servers is not None

    assert not begins()  # not released
    release(course, tiny.NAME)
    assert not begins()  # nobody has handed in anything
    tiny.hand_in(course, "cut", b"{")
    assert begins()
    grade(course, tiny.NAME)
    assert not begins()  # it could not be graded, and it is known
    tiny.hand_in(course, "ada", tiny.answer(tiny.released(course), **tiny.RIGHT))
    assert begins()
    grade(course, tiny.NAME)
    assert not begins()
    course.last_run(tiny.NAME).write_text("[]")
    assert begins()  # nothing is noted of the one that could not be graded


def test_an_executor_takes_servers_that_are_still_starting_and_ends_them(tmp_path):
    course = class_of_one(tmp_path)
    before = own_children()
    with head_start(course, tiny.NAME, True) as servers:
        executor = LocalExecutor(make_terms(course, load_assignment(course, tiny.NAME), True), 1, servers)
        assert executor.failed_imports == []
        family = own_children() - before
        executor.close()
        assert are_gone([each for each in family if "resource_tracker" not in command_of(each)])


def watched(course, *arguments):
    """A command's exit code and errors, and all processes that it had."""
    command = [Path(sys.executable).parent / "autograder", *arguments]
    family: set[psutil.Process] = set()
    with subprocess.Popen(command, cwd=course.root, stderr=subprocess.PIPE, text=True) as run:
        whole = psutil.Process(run.pid)
        while run.poll() is None:
            family |= set(whole.children(recursive=True)) if whole.is_running() else set()
            time.sleep(0.01)
        return run.returncode, run.stderr.read(), family


def test_a_busy_workspace_is_named_and_no_server_stays_behind(tmp_path):
    course = class_of_one(tmp_path)
    with workspace_lock(course, "autograder release"):
        code, errors, family = watched(course, "grade", tiny.NAME)
    assert (code, errors.count("\n")) == (2, 2)  # the first is the progress bar's
    assert "`autograder release` is working on" in errors
    assert len(family) >= 2
    assert are_gone(family)


def test_a_gradebook_that_cannot_be_used_is_named_and_no_server_stays_behind(tmp_path):
    course = class_of_one(tmp_path)
    (course.workspace / "gradebook.db").write_text("this is not a database, " * 100)
    code, errors, family = watched(course, "grade", tiny.NAME)
    assert code == 2
    assert "is damaged or no database" in errors
    assert len(family) >= 2
    assert are_gone(family)


def test_a_student_id_may_have_spaces_signs_and_markup(tmp_path):
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    names = ["Ada Lovelace & <b>co", "josé+1", "o'neill (2)"]
    for name in names:
        tiny.hand_in(course, name, tiny.answer(tiny.released(course), **tiny.RIGHT))
    run = tiny.autograder(course, "grade", tiny.NAME, "--json")
    assert {s["student"]: s["score"] for s in json.loads(run.stdout)["students"]} == dict.fromkeys(names, 6)
