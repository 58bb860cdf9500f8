"""What runs in the process of one submission: nbgrader's autograde, with its output in a log file.

The process ends with the submission, so nothing that one submission changes reaches the next.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import warnings
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
from nbclient.exceptions import DeadKernelError

from autograder.bridge import autograde
from autograder.config import Course


def grade_one(course: Course, assignment: str, student: str, log: Path, answer: Connection) -> None:
    """Autograde one staged submission; send "" when it went well, otherwise one sentence for the student."""
    _write_output_to(log)
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    # One thread a kernel: with a kernel on every core, more of them only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    warnings.simplefilter("ignore")
    try:
        autograde(course, assignment, student)
    except DeadKernelError:
        answer.send("The notebook ended its own Python process (os._exit, a crash or too little memory).")
    except Exception as error:
        logging.getLogger("traitlets").exception("autograde failed")
        answer.send(f"nbgrader could not grade it ({type(error).__name__}: {error}); the log is {log.name}.")
    else:
        answer.send("")


def kill_family(pid: int | None) -> None:
    """End a process and all that it started; a notebook's kernel is in a process group of its own."""
    if pid is None:
        return
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(pid)
        for member in (*family.children(recursive=True), family):
            with suppress(psutil.NoSuchProcess):
                member.kill()


def _end_with_the_run() -> None:
    """Wait until the run that started this process is killed, and end as well: the next run grades anew."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    kill_family(os.getpid())


def _write_output_to(log: Path) -> None:
    """Send this process's stdout and stderr, and those of the kernel that it starts, to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s", force=True)
    logging.getLogger("traitlets").setLevel(logging.INFO)
