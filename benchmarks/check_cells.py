"""What the checks of the solved lesson cost: ``python -m benchmarks.check_cells``.

Every test cell of the lesson, visible and hidden half, for the solution in its notebook, as the grader checks
it: `remote.observe` is the half in the student's process, `remote.check` without it the half that judges. The
visible answers stay from submission to submission; each submission has a hidden seed of its own. Seconds of
one core, without imports and without the way between the processes. The header of each message goes through
JSON, as on the way, but off the clock.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts its threads

import torch

from benchmarks.figures import spread
from course.checks import remote
from course.checks.wire import Message

LESSON = "03_batch_norm"
NOTEBOOK = Path(__file__).resolve().parent.parent / "source_notebooks" / LESSON / f"{LESSON}.ipynb"
SUBMISSIONS = 15


class Stopwatch:
    """Adds up the processor's seconds between `start` and `stop`."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def start(self) -> None:
        """Let the time run."""
        self._since = time.process_time()

    def stop(self) -> None:
        """Hold it."""
        self.seconds += time.process_time() - self._since


def solved_lesson() -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The names that the notebook's solutions define, and (exercise, group) of its test cells."""
    names: dict[str, Any] = {"torch": torch, "nn": torch.nn}
    tests = []
    for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
        task = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code" and task.get("solution"):
            exec("".join(cell["source"]), names)
        elif cell["cell_type"] == "code" and task.get("grade"):
            exercise, _, group = task["grade_id"].partition("-")
            tests.append((exercise, group))
    return names, tests


def grade(names: dict[str, Any], tests: list[tuple[str, str]], seed: int) -> tuple[float, float]:
    """Check every test cell of one submission. Returns the seconds of observing and of judging."""
    observing, judging = Stopwatch(), Stopwatch()

    def ask(name: str, request: Message) -> Message:
        judging.stop()
        request = _through_json(request)
        observing.start()
        answer = remote.observe(names[name], request)
        observing.stop()
        answer = _through_json(answer)
        judging.start()
        return answer

    for exercise, group in tests:
        for hidden in (False, True):
            student = SimpleNamespace(name=exercise)
            judging.start()
            result = remote.check(ask, exercise, student, group, hidden=hidden, seed=seed)
            judging.stop()
            assert result["error"] is None, result["error"]["evalue"]
    return observing.seconds, judging.seconds


def _through_json(message: Message) -> Message:
    header, buffers = message
    return json.loads(json.dumps(header)), buffers


def main(show: Callable[[str], None] = print) -> None:
    """Grade some submissions and show what one costs."""
    torch.set_num_threads(1)
    names, tests = solved_lesson()
    grade(names, tests, seed=1)  # to warm up; it makes the visible answers
    halves = [grade(names, tests, seed) for seed in range(2, 2 + SUBMISSIONS)]
    observing, judging = zip(*halves, strict=True)
    show(
        f"{len(tests)} test cells, visible and hidden half; {SUBMISSIONS} submissions, each with its own seed"
    )
    show("seconds of one core per submission: median (lowest–highest)")
    for label, seconds in (
        ("observe", observing),
        ("judge", judging),
        ("together", [sum(each) for each in halves]),
    ):
        show(f"  {label:<9} {spread(seconds)}")


if __name__ == "__main__":
    main()
