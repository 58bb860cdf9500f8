"""Grading on a Dask cluster: a real scheduler, two worker processes, one of which is killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import tiny_course as tiny
import tiny_judged
from waiting import wait_until

from autograder.release import release

pytestmark = pytest.mark.notebook

PROGRAMS = Path(sys.executable).parent
SLOW = "import time\ntime.sleep(0.4)\ndef double(x):\n    return 2 * x"


@pytest.fixture
def cluster(tmp_path):
    """Address of a scheduler, and the processes of its two workers."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    course = tiny_judged.make_course(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(course.root)}
    file = tmp_path / "scheduler.json"
    options = ["--host", "127.0.0.1", "--scheduler-file", str(file), "--no-dashboard"]
    log = (tmp_path / "dask.log").open("w")
    start = {"env": environment, "stdout": log, "stderr": log, "cwd": tmp_path}
    processes = [subprocess.Popen([PROGRAMS / "dask", "scheduler", "--port", "0", *options], **start)]
    wait_until(lambda: file.exists() and file.read_text().endswith("}"))
    worker = [PROGRAMS / "dask", "worker", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    for number in range(2):
        place = ["--scheduler-file", str(file), "--local-directory", str(tmp_path / f"worker-{number}")]
        processes.append(subprocess.Popen([*worker, *place], **start))
    wait_until(lambda: (tmp_path / "dask.log").read_text().count("Registered to:") == 2)
    yield course, json.loads(file.read_text())["address"], processes[1:]
    for process in processes:
        process.kill()
        process.wait()
    log.close()


def test_a_class_is_graded_although_a_worker_is_killed(cluster, sandbox_option):
    course, address, workers = cluster
    release(course, tiny.NAME)
    for number in range(12):
        answers = {**tiny.RIGHT, "double": f"# {number}\n{SLOW}"}
        tiny.hand_in(course, f"student-{number:02}", tiny.answer(tiny.released(course), **answers))
    command = [PROGRAMS / "autograder", "grade", tiny.NAME, "--json", "--executor", "dask"]
    environment = {**os.environ, "PYTHONPATH": str(course.root)}
    with subprocess.Popen(
        [*command, "--scheduler", address, *sandbox_option],
        cwd=course.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        wait_until(lambda: len(list(course.autograded.glob("*/*/*.ipynb"))) >= 2)
        family = psutil.Process(workers[0].pid).children(recursive=True)
        workers[0].kill()
        output, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    scores = {each["student"]: each["score"] for each in json.loads(output)["students"]}
    assert scores == {f"student-{number:02}": 6 for number in range(12)}
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_a_scheduler_that_is_not_there_is_a_sentence(tmp_path, sandbox_option):
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    tiny.hand_in(course, "ada", tiny.released(course))
    options = ["--executor", "dask", "--scheduler", "tcp://127.0.0.1:9", *sandbox_option]
    run = tiny.autograder(course, "grade", tiny.NAME, *options)
    assert run.returncode == 2
    assert "The Dask scheduler at tcp://127.0.0.1:9 does not answer" in run.stderr


@pytest.mark.parametrize("options", [["--executor", "dask"], ["--scheduler", "tcp://127.0.0.1:9"]])
def test_executor_and_scheduler_go_together(tmp_path, options):
    course = tiny.make_course(tmp_path)
    run = tiny.autograder(course, "grade", tiny.NAME, *options)
    assert (run.returncode, "go together" in run.stderr) == (2, True)
