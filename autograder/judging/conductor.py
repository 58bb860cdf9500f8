"""One submission, from the file that was handed in to its outcome.

Student cells run in the student's process, test cells are judged here where they can be, and the executed
notebook is put together from both, in the form in which nbgrader's formgrader and feedback expect it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.assignment import Exercise, find_exercises
from autograder.findings import DELEGATED, find
from autograder.flags import Flag
from autograder.flags.cells import own_cells
from autograder.judging.opening import Unreadable, open_notebook, restore
from autograder.judging.own_work import fingerprints_of, suspicions
from autograder.judging.plan import check_calls, ends_with_value, is_skipped, is_test
from autograder.judging.session import Ended, Session, outputs_until
from autograder.judging.trusted import Check, judge_cell
from autograder.notebooks import facts, grade_id, is_graded, is_solution
from autograder.observing.audit import NOTED
from autograder.observing.client import PREFIX, Child
from autograder.observing.student import entry_point
from autograder.plain_json import jsonable
from autograder.task import CellOutcome, KnownTest, Outcome, Task, Terms, Trust

StartChild = Callable[[int, str], Child]
"""Forks a child, given a seed for its random generators and a working folder for where it is not confined."""


def conduct(terms: Terms, task: Task, start_child: StartChild, forgiving: bool = False) -> Outcome:
    """Grade one submission. Whatever it holds, the answer is an outcome.

    Raises:
        ServerLost: the fork server ended in between, and `forgiving` says not to blame the submission.
    """
    began = time.monotonic()
    name = f"{terms.assignment}.ipynb"
    try:
        notebook = open_notebook(task.notebook, name)
        problems = restore(notebook, _release(terms.release), terms.sources, terms.kernelspec, name)
    except Unreadable as reason:
        return Outcome(task.student, refused=str(reason))
    own = own_cells(notebook, _release(terms.release))
    with _working_folder(terms) as folder:
        randomness = int.from_bytes(hashlib.sha256(f"cells {task.seed}".encode()).digest()[:4], "big")
        session = Session(
            lambda: start_child(randomness, folder),
            terms.cell_timeout,
            terms.check_timeout,
            terms.notebook_timeout,
            {**task.files, **terms.own_files},
            forgiving,
        )
        grading = _Grading(terms, task, session)
        try:
            grading.go_through(notebook)
        finally:
            session.close()
    cells = grading.cells(notebook, _release(terms.release))
    unchanged = [name for name, cell in cells.items() if cell.unchanged]
    return Outcome(
        student=task.student,
        problems=(*problems, *grading.ends()),
        cells=cells,
        findings=find(_exercises(terms.release), notebook, unchanged),
        notebook=json.dumps(notebook, sort_keys=True) + "\n",
        flags=(*grading.flags(), *suspicions(own, task.files, terms)),
        fingerprints=fingerprints_of(own, terms),
        seconds=round(time.monotonic() - began, 3),
        sandboxed=terms.surroundings.sandboxed,
    )


def _working_folder(terms: Terms) -> AbstractContextManager[str]:
    """Where a child works that is not confined; in the sandbox each has a /tmp of its own."""
    if terms.surroundings.sandboxed:
        return nullcontext("/")
    return tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", ignore_cleanup_errors=True)


class _Grading:
    """The state of one submission on its way."""

    def __init__(self, terms: Terms, task: Task, session: Session) -> None:
        self._terms = terms
        self._seed = task.seed
        self._known = task.known
        self._session = session
        self._check: Check | None = entry_point(terms.check) if terms.check else None
        self._check_name = terms.check.rpartition(":")[2]
        self._count = 0
        self._scores: dict[str, float] = {}
        self._judged: dict[str, float] = {}
        self._trust: dict[str, str] = {}
        self._delegated: dict[str, str] = {}

    def go_through(self, notebook: NotebookNode) -> None:
        """Run or judge every cell, in order, and fill in its outputs."""
        for cell in notebook.cells:
            if cell["cell_type"] != "code" or not cell["source"].strip():
                continue
            if is_test(cell):
                self._test(cell)
            elif not is_skipped(cell, self._terms.skip_tag):
                self._run(cell)
        self._judged = dict(self._scores)
        for exercise, sentence in self._delegations().items():
            _take_points(notebook, exercise, sentence, self._scores)

    def cells(self, notebook: NotebookNode, release: NotebookNode) -> dict[str, CellOutcome]:
        """The outcome of all cells that are graded or the student's to write."""
        released = {grade_id(cell): cell["source"] for cell in release.cells}
        outcomes = {}
        for cell in notebook.cells:
            name = grade_id(cell)
            if name is None or not (is_graded(cell) or is_solution(cell)):
                continue
            unchanged = is_solution(cell) and cell["source"] == released.get(name)
            score: float | None = self._scores.get(name)
            if is_graded(cell) and not is_test(cell) and unchanged:
                score = 0.0
            trust = self._trust.get(name, Trust.MANUAL)
            delegation = self._delegated.get(name, "")
            outcomes[name] = CellOutcome(score, unchanged, trust, delegation, self._judged.get(name))
        return outcomes

    def ends(self) -> list[str]:
        """Where the student's process ended."""
        sentences = [f"Cell {name}: {sentence}" for name, sentence in self._session.ends]
        more = [f"This happened in {len(sentences) - 3} more cells."] if len(sentences) > 3 else []
        return [*sentences[:3], *more]

    def flags(self) -> list[Flag]:
        """What an instructor should look at."""
        flags = [
            Flag("delegation", exercise, sentence, "seen while the checks called it")
            for exercise, sentence in self._delegations().items()
        ]
        seen = set()
        for note in self._session.notes:
            what, function = NOTED.get(str(note.get("event"))), str(note.get("function", ""))[:60]
            place = f"{note.get('cell')}, line {note.get('line')} of {function}"
            if what and (what, place) not in seen:
                seen.add((what, place))
                flags.append(Flag("tampering", None, f"The code {what}.", place))
        return flags

    def _delegations(self) -> dict[str, str]:
        """What was left to a library, by exercise."""
        found: dict[str, str] = {}
        for test, sentence in self._delegated.items():
            found.setdefault(_exercise_of(test, self._terms), sentence)
        return found

    def _run(self, cell: NotebookNode) -> None:
        """Run a cell in the student's process."""
        name = grade_id(cell) or cell.id
        self._count += 1
        try:
            answer = self._session.run(name, cell.source)
        except Ended as ended:
            outputs = [*self._clean(outputs_until(ended)), _error(ended.name, str(ended))]
        else:
            outputs = self._clean(answer.get("outputs"))
        self._show(cell, outputs)

    def _test(self, cell: NotebookNode) -> None:
        """Judge a test cell here if it is made of checks, otherwise run it over there."""
        name = str(grade_id(cell))
        points = float(facts(cell)["points"])
        self._count += 1
        if name in self._known:
            self._take_over(name, self._known[name], cell)
            return
        calls = check_calls(cell.source, self._check_name) if self._check else None
        if calls is None or self._check is None:
            self._trust[name] = Trust.ASSERTED
            self._scores[name] = self._run_asserts(cell, points)
            return
        self._trust[name] = Trust.JUDGED
        judged = judge_cell(calls, self._check, self._session, name, self._seed)
        if judged.delegation:
            self._delegated[name] = judged.delegation
        self._scores[name] = points if judged.passed else 0.0
        self._show(cell, judged.outputs)

    def _take_over(self, name: str, known: KnownTest, cell: NotebookNode) -> None:
        """Fill in what an earlier run found."""
        self._scores[name], self._trust[name] = known.score, known.trust
        if known.delegation:
            self._delegated[name] = known.delegation
        outputs = [output for output in known.outputs if output.get("ename") != DELEGATED]
        self._show(cell, outputs)

    def _run_asserts(self, cell: NotebookNode, points: float) -> float:
        """Run an ordinary test cell in the student's process and score it by nbgrader's rules.

        One rule differs: text on stderr, such as a library's warning, does not cost the points.
        """
        try:
            answer = self._session.run(str(grade_id(cell)), cell.source, keep=False)
        except Ended as ended:
            self._show(cell, [*self._clean(outputs_until(ended)), _error(ended.name, str(ended))])
            return 0.0
        outputs = self._clean(answer.get("outputs"))
        for output in outputs:
            if output["output_type"] == "stream":
                output["name"] = "stdout"
        outputs = [
            each
            for each in outputs
            if each["output_type"] != "execute_result" or ends_with_value(cell.source)
        ]
        self._show(cell, outputs)
        if any(output["output_type"] == "error" for output in outputs):
            return 0.0
        results = [each for each in outputs if each["output_type"] == "execute_result"]
        return _partial_score(results[0]["data"].get("text/plain", ""), points) if results else points

    def _clean(self, outputs: Any) -> list[dict[str, Any]]:
        """Outputs that can be kept. The child cuts what is too long; this holds when it does not."""
        room, kept = 2 * self._terms.surroundings.output_limit, []
        for output in _clean(outputs):
            room -= len(json.dumps(output))
            if room < 0:
                break
            kept.append(output)
        return kept

    def _show(self, cell: NotebookNode, outputs: list[dict[str, Any]]) -> None:
        for output in outputs:
            if output["output_type"] == "execute_result":
                output["execution_count"] = self._count
        cell["outputs"] = [NotebookNode(output) for output in outputs]
        cell["execution_count"] = self._count


@lru_cache(maxsize=4)
def _release(text: str) -> NotebookNode:
    release: NotebookNode = nbformat.from_dict(json.loads(text))
    return release


@lru_cache(maxsize=4)
def _exercises(release: str) -> tuple[Exercise, ...]:
    return find_exercises(_release(release))


def _exercise_of(test: str, terms: Terms) -> str:
    """The exercise that a test cell belongs to: the longest solution name that its name starts with."""
    names = [
        name
        for name, source in terms.sources.items()
        if source.solution and (test == name or test.startswith(f"{name}-"))
    ]
    return max(names, key=len, default=test)


def _take_points(notebook: NotebookNode, exercise: str, sentence: str, scores: dict[str, float]) -> None:
    """An exercise that was left to the library scores 0 in all its test cells; each says why."""
    for cell in notebook.cells:
        name = grade_id(cell) or ""
        if scores.get(name) and (name == exercise or name.startswith(f"{exercise}-")):
            scores[name] = 0.0
            cell.outputs.append(nbformat.from_dict(_error(DELEGATED, sentence)))


def _partial_score(text: object, points: float) -> float:
    """As nbgrader scores a cell whose last value is a number; anything else is full marks."""
    try:
        value = float(str(text))
    except ValueError:
        return points
    return min(max(value, 0.0), points) if value == value else 0.0


def _error(name: str, value: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": [f"{name}: {value}"]}


def _clean(outputs: Any) -> list[dict[str, Any]]:
    """Outputs from the student's process, built anew: only what nbformat knows, of the right types."""
    cleaned: list[dict[str, Any]] = []
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            continue
        match output.get("output_type"):
            case "stream":
                name = "stderr" if output.get("name") == "stderr" else "stdout"
                cleaned.append({"output_type": "stream", "name": name, "text": str(output.get("text", ""))})
            case "display_data" | "execute_result" as kind:
                data = output.get("data")
                known = jsonable(data) if isinstance(data, dict) else {}
                cleaned.append({"output_type": kind, "data": known, "metadata": {}})
                if kind == "execute_result":
                    cleaned[-1]["execution_count"] = None
            case "error":
                lines = output.get("traceback")
                cleaned.append(
                    {
                        "output_type": "error",
                        "ename": str(output.get("ename", "")),
                        "evalue": str(output.get("evalue", "")),
                        "traceback": [str(line) for line in lines] if isinstance(lines, list) else [],
                    }
                )
    return cleaned
