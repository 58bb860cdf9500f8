"""A batch in the gradebook: the rows that nbgrader writes, all or none, and nothing that a person entered."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import tiny_course as tiny
from nbgrader import api
from nbgrader.api import Base, Grade, Gradebook, SubmittedAssignment
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import CsvExportPlugin
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution, is_task
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine

from autograder import gradebook
from autograder.bridge import nbgrader_config, open_gradebook, prepare_environment
from autograder.config import Course
from autograder.errors import ConfigError
from autograder.gradebook import CellGrade, Graded, SourceCell, kernelspec, source_cells, write, write_zero
from autograder.release import release

DUE = datetime(2026, 11, 1, 12)
ALL = ("test-a", "test-b", "written", "code")

# A rule of a course: a tenth of the points for each day; one student is fined more than there is to lose, one
# less than nothing, and one is forgiven.
PLUGIN = """
from nbgrader.plugins import BasePlugin

class Tenths(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        if student_id == "broken":
            raise RuntimeError("no such student")
        odd = {"harsh": 1000, "generous": -5, "forgiven": None}
        return odd.get(student_id, score * total_seconds_late / 864000)
"""


# --- A course whose gradebook is made directly, without a notebook ------------------------------------------
@pytest.fixture(scope="module", autouse=True)
def version() -> Iterator[None]:
    """nbgrader starts a program to learn the version of a new database, which takes a second each time."""
    prepare_environment()
    newest = api.get_alembic_version()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "get_alembic_version", lambda: newest)
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Course:
    """Two tests, a written answer, a solution; due on DUE, with the plugin above."""
    course = tiny.make_course(tmp_path_factory.mktemp("model"))
    use_plugin(course)
    fill(course)
    return course


def use_plugin(course: Course, name: str = "tenths.Tenths") -> None:
    (course.root / "tenths.py").write_text(PLUGIN)
    configure(course, f"c.AssignLatePenalties.plugin_class = {name!r}")


def configure(course: Course, line: str) -> None:
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"{line}\n")


def fill(course: Course) -> None:
    with open_gradebook(course) as book:
        book.add_assignment(tiny.NAME, duedate=DUE)
        book.add_notebook(tiny.NAME, tiny.NAME, kernelspec='{"name": "python3"}')
        for name, kind, points in (("test-a", "code", 2), ("test-b", "code", 3), ("written", "markdown", 5)):
            book.add_grade_cell(name, tiny.NAME, tiny.NAME, max_score=points, cell_type=kind)
        for name in ("written", "code"):
            book.add_solution_cell(name, tiny.NAME, tiny.NAME)
        for name, kind, locked in (
            ("code", "code", False),
            ("test-a", "code", True),
            ("text", "markdown", True),
        ):
            book.add_source_cell(
                name, tiny.NAME, tiny.NAME, cell_type=kind, locked=locked, source=f"# {name}", checksum=name
            )


@pytest.fixture
def course(model, tmp_path) -> Course:
    """A copy of the model for one test."""
    shutil.copytree(model.root, tmp_path, dirs_exist_ok=True)
    return replace(model, root=tmp_path, workspace=tmp_path / "workspace")


def graded(
    student: str = "ada", a: float = 2, b: float = 0, written: float | None = None, **rest: Any
) -> Graded:
    """A submission; the written answer is there, the solution is as released."""
    cells = (
        CellGrade("code", None, True),
        CellGrade("test-a", a, False),
        CellGrade("test-b", b, False),
        CellGrade("written", written, written is not None),
    )
    return Graded(student, rest.pop("timestamp", None), cells, **rest)


@contextmanager
def nbgraders(course: Course) -> Iterator[Gradebook]:
    """The gradebook as nbgrader's own programs open it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_gradebook(course) as book:
            yield book


@contextmanager
def person(course: Course, student: str, cell: str) -> Iterator[Grade]:
    """A person changes a grade in formgrader."""
    with nbgraders(course) as book:
        yield book.find_grade(cell, tiny.NAME, tiny.NAME, student)
        book.db.commit()


def gives(course: Course, student: str, cell: str, score: float, extra: float | None = None) -> None:
    """What formgrader does when a person enters a score."""
    with person(course, student, cell) as grade:
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = score, extra, False


def entries(course: Course) -> dict[str, Any]:
    """All that the gradebook says of the students, without ids."""
    with nbgraders(course) as book:
        return {
            submission.student.id: {
                "timestamp": submission.timestamp,
                "extension": submission.extension,
                "notebooks": {
                    notebook.name: {
                        "penalty": notebook.late_submission_penalty,
                        "flagged": notebook.flagged,
                        "score": notebook.score,
                        "grades": {
                            (each.name, each.cell.type): (
                                each.auto_score,
                                each.manual_score,
                                each.extra_credit,
                                each.needs_manual_grade,
                            )
                            for each in notebook.grades
                        },
                        "comments": {
                            (each.name, each.cell.type): (each.auto_comment, each.manual_comment)
                            for each in notebook.comments
                        },
                    }
                    for notebook in submission.notebooks
                },
            }
            for submission in book.db.query(SubmittedAssignment)
        } | {"students": sorted(student.id for student in book.students)}


def grades(course: Course, student: str = "ada") -> dict[str, tuple[Any, ...]]:
    """(auto_score, manual_score, extra_credit, needs_manual_grade) by cell."""
    found = entries(course)[student]["notebooks"][tiny.NAME]["grades"]
    return {name: values for (name, _), values in found.items()}


def comments(course: Course, student: str = "ada") -> dict[str, tuple[Any, ...]]:
    found = entries(course)[student]["notebooks"][tiny.NAME]["comments"]
    return {name: values for (name, _), values in found.items()}


def penalty(course: Course, student: str = "ada") -> float | None:
    return entries(course)[student]["notebooks"][tiny.NAME]["penalty"]


def rows(course: Course) -> dict[str, set[tuple[Any, ...]]]:
    """Every row of every table."""
    engine = create_engine(nbgrader_config(course).CourseDirectory.db_url)
    with engine.connect() as connection:
        found = {
            name: {tuple(row) for row in connection.execute(table.select())}
            for name, table in Base.metadata.tables.items()
        }
    engine.dispose()
    return found


# --- What was released --------------------------------------------------------------------------------------
def test_the_cells_and_the_kernel_are_those_of_the_release(tmp_path):
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    cells = source_cells(course, tiny.NAME)
    assert set(cells) == {"double", "double-small", "double-text", "last", "last-item", "why"}
    test = cells["double-small"]
    assert tiny.HIDDEN_PROBE in test.source, "the gradebook keeps the hidden tests"
    assert test == SourceCell(
        source=test.source,
        cell_type="code",
        locked=True,
        checksum=test.checksum,
        points=3.0,
        grade=True,
        solution=False,
        task=False,
    )
    why, double = cells["why"], cells["double"]
    assert (why.cell_type, why.points, why.grade, why.solution) == ("markdown", 4.0, True, True)
    assert (double.locked, double.points, double.grade, double.solution) == (False, None, False, True)
    assert kernelspec(course, tiny.NAME)["name"] == "python3"


def test_a_locked_cell_without_points_is_neither_grade_nor_solution(course):
    text_cell = source_cells(course, tiny.NAME)["text"]
    assert (text_cell.locked, text_cell.points, text_cell.grade, text_cell.solution) == (
        True,
        None,
        False,
        False,
    )
    assert kernelspec(course, tiny.NAME) == {"name": "python3"}


# --- The same as nbgrader -----------------------------------------------------------------------------------
def stock_autograde(course: Course, student: str) -> None:
    """`nbgrader autograde --force` of one student."""
    config = nbgrader_config(course)
    config.CourseDirectory.assignment_id = tiny.NAME
    config.CourseDirectory.student_id = student
    converter = Autograde(coursedir=CourseDirectory(config=config), config=config)
    converter.force = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter.start()


def executed(course: Course, student: str, timestamp: datetime | None) -> Graded:
    """What nbgrader's rules say of an executed notebook."""
    notebook = tiny.read(course.autograded / student / tiny.NAME / f"{tiny.NAME}.ipynb")
    return Graded(
        student,
        timestamp,
        tuple(
            CellGrade(
                cell.metadata.nbgrader.grade_id,
                determine_grade(cell)[0] if is_grade(cell) else None,
                cell.metadata.nbgrader.get("checksum") == compute_checksum(cell),
            )
            for cell in notebook.cells
            if is_grade(cell) or is_solution(cell) or is_task(cell)
        ),
    )


def export(course: Course) -> str:
    """What `nbgrader export` writes."""
    with nbgraders(course) as book:
        plugin = CsvExportPlugin()
        plugin.to = str(course.root / "grades.csv")
        plugin.export(book)
    return (course.root / "grades.csv").read_text()


@pytest.mark.notebook
def test_the_gradebook_is_the_one_that_nbgrader_writes(tmp_path, monkeypatch):
    (tmp_path / "stock").mkdir()
    stock = tiny.make_course(tmp_path / "stock")
    use_plugin(stock)
    monkeypatch.syspath_prepend(stock.root)  # as nbgrader's command does with its folder
    release(stock, tiny.NAME)
    with nbgraders(stock) as book:
        book.update_or_create_assignment(tiny.NAME, duedate=DUE)
    ours = replace(stock, root=tmp_path / "ours", workspace=tmp_path / "ours" / "workspace")
    shutil.copytree(stock.root, ours.root)

    def hand_in(student: str, at: datetime | None, **answers: str) -> None:
        path = tiny.hand_in(stock, student, tiny.answer(tiny.released(stock), **answers))
        if at is not None:
            (path.parent / "timestamp.txt").write_text(f"{at} UTC")
        stock_autograde(stock, student)

    times = {"ada": DUE - timedelta(days=1), "harsh": DUE + timedelta(days=2, seconds=1), "new": None}
    hand_in("ada", times["ada"], **tiny.RIGHT, why="They are the same.")
    hand_in("harsh", times["harsh"], double="def double(x):\n    return x * x", last=tiny.RIGHT["last"])
    hand_in("new", times["new"])
    write(ours, tiny.NAME, [executed(stock, student, at) for student, at in times.items()])
    assert entries(ours) == entries(stock)
    assert export(ours) == export(stock)
    scores = [
        entry["notebooks"][tiny.NAME]["score"] for name, entry in entries(ours).items() if name != "students"
    ]
    assert sorted(scores) == [0, 2, 6]

    # A person grades, and then the student hands in other work.
    for each in (stock, ours):
        gives(each, "ada", "why", 3)
        gives(each, "ada", "double-small", 1, extra=0.5)
    times["ada"] = DUE + timedelta(days=1)
    hand_in("ada", times["ada"], double=tiny.RIGHT["double"], why="They are the same, always.")
    write(ours, tiny.NAME, [executed(stock, "ada", times["ada"])])
    assert entries(ours) == entries(stock)
    assert export(ours) == export(stock)
    assert grades(ours)["why"] == (None, 3, None, True)
    assert penalty(ours) == pytest.approx((1.5 + 1 + 3) / 10)


def test_a_submission_has_all_rows_that_nbgrader_makes_for_it(course):
    """Also those of task cells and of a second notebook, which has no points."""
    with nbgraders(course) as book:
        book.add_task_cell("task", tiny.NAME, tiny.NAME, max_score=4, cell_type="markdown")
        book.add_notebook("second", tiny.NAME)
        book.add_grade_cell("other", "second", tiny.NAME, max_score=1, cell_type="code")
        book.add_solution_cell("other-code", "second", tiny.NAME)
        book.add_student("stock")
        book.add_submission(tiny.NAME, "stock")
    write(course, tiny.NAME, [Graded("ours", None, ())])
    found = entries(course)
    assert found["ours"]["notebooks"]["second"]["grades"].pop(("other", "GradeCell")) == (
        0,
        None,
        None,
        False,
    )
    assert found["stock"]["notebooks"]["second"]["grades"].pop(("other", "GradeCell")) == (
        None,
        None,
        None,
        True,
    )
    assert found["ours"] == found["stock"]
    write(course, tiny.NAME, [Graded("ours", None, (CellGrade("task", 0.0, True),))])
    assert grades(course, "ours")["task"] == (None, None, None, True), "a task is for a person"
    assert comments(course, "ours")["task"] == (None, None)


# --- The rules, one by one ----------------------------------------------------------------------------------
def test_tests_give_scores_and_an_answer_waits_for_a_person(course):
    write(course, tiny.NAME, [graded()])
    assert grades(course) == {
        "test-a": (2, None, None, False),
        "test-b": (0, None, None, False),
        "written": (None, None, None, True),
    }


def test_an_untouched_answer_has_no_points_and_says_so(course):
    write(course, tiny.NAME, [graded(written=0.0)])
    assert grades(course)["written"] == (0, None, None, False)
    assert comments(course) == {"written": ("No response.", None), "code": ("No response.", None)}
    changed = (CellGrade("written", None, False), CellGrade("code", None, False))
    write(course, tiny.NAME, [Graded("ada", None, changed)])
    assert grades(course)["written"] == (None, None, None, True)
    assert comments(course) == {"written": (None, None), "code": (None, None)}


def test_grading_the_same_again_changes_nothing(course):
    batch = [graded("ada", timestamp=DUE + timedelta(hours=3)), graded("bob", 1, 3, 0.0)]
    write(course, tiny.NAME, batch)
    gives(course, "ada", "written", 4)
    gives(course, "ada", "test-b", 1.5, extra=1)
    with nbgraders(course) as book:
        book.find_comment("code", tiny.NAME, tiny.NAME, "ada").manual_comment = "Look at 1.1."
        book.find_submission_notebook(tiny.NAME, tiny.NAME, "ada").flagged = True
        book.db.commit()
    write(course, tiny.NAME, batch)  # what the person gave counts for the penalty
    before = rows(course)
    with sqlite3.connect(course.workspace / "gradebook.db") as connection:
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        write(course, tiny.NAME, batch)
        assert connection.execute("PRAGMA data_version").fetchone() == (version,), (
            "nothing was written at all"
        )
    connection.close()
    assert rows(course) == before
    assert grades(course)["written"] == (None, 4, None, False)


def test_another_score_asks_a_person_to_look_again_at_that_grade_only(course):
    write(course, tiny.NAME, [graded(a=2, b=0)])
    gives(course, "ada", "test-a", 1)
    gives(course, "ada", "test-b", 3, extra=1)
    gives(course, "ada", "written", 4)
    write(course, tiny.NAME, [graded(a=2, b=3)])
    assert grades(course) == {
        "test-a": (2, 1, None, False),
        "test-b": (3, 3, 1, True),
        "written": (None, 4, None, False),
    }


@pytest.mark.parametrize(
    "news",
    [{"timestamp": DUE}, {"timestamp": datetime(2026, 10, 1), "resubmitted": True}],
    ids=["later", "other"],
)
def test_new_work_asks_a_person_to_look_again_at_all_that_they_graded(course, news):
    write(course, tiny.NAME, [graded(timestamp=datetime(2026, 10, 1))])
    gives(course, "ada", "written", 4)
    gives(course, "ada", "test-b", 1)
    write(course, tiny.NAME, [graded(**news)])
    assert grades(course) == {
        "test-a": (2, None, None, False),
        "test-b": (0, 1, None, True),
        "written": (None, 4, None, True),
    }


def test_times_are_in_utc_and_an_unknown_one_keeps_the_known(course):
    there = timezone(timedelta(hours=-5))
    write(
        course,
        tiny.NAME,
        [graded(timestamp=datetime(2026, 11, 1, 8, tzinfo=there)), graded("bob", timestamp=DUE)],
    )
    write(course, tiny.NAME, [graded(), graded("bob", timestamp=DUE.replace(tzinfo=UTC))])
    assert [entries(course)[name]["timestamp"] for name in ("ada", "bob")] == [datetime(2026, 11, 1, 13), DUE]


def test_a_late_submission_loses_what_the_courses_plugin_says(course):
    late = DUE + timedelta(days=2)
    names = ("ada", "harsh", "generous", "forgiven")
    write(course, tiny.NAME, [graded(name, 2, 3, timestamp=late) for name in names])
    write(course, tiny.NAME, [graded("early", 2, 3, timestamp=DUE), graded("unknown", 2, 3)])
    penalties = [penalty(course, name) for name in (*names, "early", "unknown")]
    assert penalties == [pytest.approx(1.0), 5, 0, None, None, None]


def test_the_penalty_follows_a_persons_grade_an_extension_and_a_new_time(course):
    late = DUE + timedelta(days=2)
    write(course, tiny.NAME, [graded(a=2, b=3, timestamp=late)])
    gives(course, "ada", "written", 4, extra=1)
    write(course, tiny.NAME, [graded(a=2, b=3)])
    assert penalty(course) == pytest.approx(2.0)
    with nbgraders(course) as book:
        book.grant_extension(tiny.NAME, "ada", days=1)
    write(course, tiny.NAME, [graded(a=2, b=3)])
    assert penalty(course) == pytest.approx(1.0)
    write(course, tiny.NAME, [graded(a=2, b=3, timestamp=DUE)])
    assert penalty(course) is None


def test_a_course_without_a_due_date_or_a_plugin_has_no_penalties(tmp_path):
    course = tiny.make_course(tmp_path)
    fill(course)
    write(course, tiny.NAME, [graded(timestamp=DUE + timedelta(days=2))])
    assert penalty(course) is None
    configure(course, "c.LateSubmissionPlugin.penalty_method = 'zero'")
    write(course, tiny.NAME, [graded()])
    assert penalty(course) == 2, "nbgrader's own plugin, with its setting"
    with nbgraders(course) as book:
        book.update_or_create_assignment(tiny.NAME, duedate=None)
    write(course, tiny.NAME, [graded()])
    assert penalty(course) is None


def test_what_could_not_be_graded_has_no_points_but_those_that_a_person_gave(course):
    write(course, tiny.NAME, [graded(a=2, b=3, timestamp=DUE + timedelta(days=2))])
    gives(course, "ada", "written", 4)
    write_zero(course, tiny.NAME, ["ada", "bob"])
    zero = (0, None, None, False)
    assert grades(course, "bob") == {"test-a": zero, "test-b": zero, "written": zero}
    assert grades(course, "ada") == {"test-a": zero, "test-b": zero, "written": (0, 4, None, False)}
    assert penalty(course) == pytest.approx(0.8)
    before = rows(course)
    write_zero(course, tiny.NAME, ["ada", "bob"])
    write_zero(course, tiny.NAME, [])
    assert rows(course) == before
    write(course, tiny.NAME, [graded("bob")])
    assert grades(course, "bob")["written"] == (None, None, None, True)


def test_of_two_submissions_by_one_student_the_last_counts(course):
    write(course, tiny.NAME, [graded(a=0), graded(a=2)])
    assert grades(course)["test-a"][0] == 2


def test_students_have_the_names_that_their_folders_have(course):
    names = ["Ada Lovelace", "Grüße-蛙", "o'neil; --", "%s {x} :y", "a" * 128]
    write(course, tiny.NAME, [graded(name) for name in names])
    write(course, tiny.NAME, [graded(name, a=0) for name in names])
    assert entries(course)["students"] == sorted(names)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_no_score_is_infinite(score):
    with pytest.raises(ValueError, match=r"test-a: a score of .* cannot be entered"):
        CellGrade("test-a", score, False)


# --- Fast ---------------------------------------------------------------------------------------------------
@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """All that is sent to any database."""
    sent: list[tuple[str, Any]] = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        sent.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


# Tables that do not grow with the class.
RELEASED = {"alembic_version", "assignment", "notebook", "base_cell"}


def test_a_batch_takes_a_few_statements_and_none_reads_a_whole_table(course):
    write(course, tiny.NAME, [graded(f"old {number}") for number in range(300)])
    batch = [graded(f"old {number}", a=1) for number in range(60)] + [
        graded(f"{number}") for number in range(60)
    ]
    with statements() as sent:
        write(course, tiny.NAME, batch)
    assert len(sent) < 30
    connection = sqlite3.connect(course.workspace / "gradebook.db")
    for statement, parameters in sent:
        if statement.startswith(("SELECT", "UPDATE")):
            first = parameters[0] if parameters and isinstance(parameters, list) else parameters
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", first):
                assert not step.startswith("SCAN") or step.split()[1] in RELEASED, step
    connection.close()


# --- All or nothing -----------------------------------------------------------------------------------------
def test_when_one_submission_fails_none_of_the_batch_is_written(course):
    late = DUE + timedelta(days=2)
    write(course, tiny.NAME, [graded()])
    before = rows(course)
    with pytest.raises(ConfigError, match=r"tenths\.Tenths fails for broken: RuntimeError: no such student"):
        write(course, tiny.NAME, [graded(a=0), graded("bob"), graded("broken", timestamp=late)])
    assert rows(course) == before


def test_a_cell_that_was_not_released_is_a_sentence(course):
    before = rows(course)
    with pytest.raises(
        ConfigError, match=r"does not know the cell test-c of tiny\. Run `autograder release tiny`"
    ):
        write(course, tiny.NAME, [graded(), Graded("bob", None, (CellGrade("test-c", 1, False),))])
    assert rows(course) == before


def test_a_plugin_that_cannot_be_imported_is_a_sentence(course):
    configure(course, "c.AssignLatePenalties.plugin_class = 'missing.Late'")
    with pytest.raises(ConfigError, match=r"plugin missing\.Late cannot be loaded: No module named"):
        write(course, tiny.NAME, [graded()])


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from test_autograder_gradebook import graded
from autograder.config import find_course
from autograder.gradebook import write

course, moments = find_course(Path(sys.argv[1])), random.Random(0)
done, tell = os.pipe()
for round in range(20):
    start = time.monotonic()
    if (child := os.fork()) == 0:
        for number in range(3 * round, 100):
            write(course, "tiny", [graded(f"{number}-{each}") for each in range(20)])
            os.write(tell, b".")
        os._exit(0)
    os.read(done, 1)
    time.sleep(moments.uniform(0, time.monotonic() - start))
    os.kill(child, signal.SIGKILL)
    os.wait()
"""


def test_a_batch_is_whole_also_when_the_writer_is_killed(course):
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", KILLED, course.root], env=environment, check=True, timeout=60)
    found = rows(course)
    students = {row[0] for row in found["student"]}
    batches = {name.split("-")[0] for name in students}
    assert 0 < len(batches) < 100
    assert (
        len(students)
        == len(found["submitted_assignment"])
        == len(found["submitted_notebook"])
        == 20 * len(batches)
    )
    assert len(found["grade"]) == 3 * len(students)
    assert len(found["comment"]) == 2 * len(students)


# --- Formgrader at the same time ----------------------------------------------------------------------------
@contextmanager
def between_reading_and_writing(monkeypatch, action: Callable[[], None]) -> Iterator[None]:
    """Do something when a batch has read what there is and has not written yet."""
    plan = gradebook.plan

    def act_and_plan(*arguments: Any) -> Any:
        action()
        return plan(*arguments)

    monkeypatch.setattr(gradebook, "plan", act_and_plan)
    yield
    monkeypatch.setattr(gradebook, "plan", plan)


def in_thread(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_a_grade_that_a_person_gives_while_a_batch_is_written_is_not_lost(course, monkeypatch):
    write(course, tiny.NAME, [graded(a=2, b=0)])
    threads = []

    def edit() -> None:
        connection = sqlite3.connect(course.workspace / "gradebook.db", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connection.execute("UPDATE grade SET manual_score = 9")
        connection.close()
        threads.append(in_thread(lambda: gives(course, "ada", "test-b", 1)))

    with between_reading_and_writing(monkeypatch, edit):
        write(course, tiny.NAME, [graded(a=0, b=3)])
    threads[0].join()
    assert grades(course)["test-a"] == (0, None, None, False)
    assert grades(course)["test-b"] == (3, 1, None, False)


def test_a_batch_waits_for_a_person_and_then_knows_their_grade(course):
    write(course, tiny.NAME, [graded(a=2, b=0)])
    connection = sqlite3.connect(course.workspace / "gradebook.db")
    connection.execute("UPDATE grade SET manual_score = 1, needs_manual_grade = 0")
    writer = in_thread(lambda: write(course, tiny.NAME, [graded(a=2, b=3)]))
    connection.commit()
    connection.close()
    writer.join()
    assert grades(course)["test-a"] == (2, 1, None, False)
    assert grades(course)["test-b"] == (3, 1, None, True)


# --- What can be wrong with a database ----------------------------------------------------------------------
def test_an_assignment_that_was_never_released_is_a_sentence_and_makes_no_database(tmp_path):
    course = tiny.make_course(tmp_path)
    calls: list[Callable[[], object]] = [
        lambda: source_cells(course, tiny.NAME),
        lambda: kernelspec(course, tiny.NAME),
        lambda: write(course, tiny.NAME, [graded()]),
        lambda: write_zero(course, tiny.NAME, ["ada"]),
    ]
    for call in calls:
        with pytest.raises(
            ConfigError, match=r"does not know tiny yet\. Run `autograder release tiny` first"
        ):
            call()
    assert not (course.workspace / "gradebook.db").exists()
    with open_gradebook(course):
        pass
    for call in calls:
        with pytest.raises(
            ConfigError, match=r"does not know tiny yet\. Run `autograder release tiny` first"
        ):
            call()


def change(course: Course, statement: str) -> None:
    connection = sqlite3.connect(course.workspace / "gradebook.db")
    with connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "UPDATE alembic_version SET version_num = 'f00dfeedbeef'",
            r"is from a newer nbgrader than .*f00dfeedbeef is not known.* nothing was changed",
        ),
        (
            "UPDATE alembic_version SET version_num = '167914646830'",
            r"is from an older nbgrader\. Make a copy of it and run `nbgrader db upgrade`",
        ),
        ("DROP TABLE alembic_version", r"run `nbgrader db upgrade`"),
    ],
    ids=["newer", "older", "oldest"],
)
def test_a_database_of_another_nbgrader_is_not_touched(course, statement, sentence):
    change(course, statement)
    before = (course.workspace / "gradebook.db").read_bytes()
    for call in (lambda: source_cells(course, tiny.NAME), lambda: write(course, tiny.NAME, [graded()])):
        with pytest.raises(ConfigError, match=sentence):
            call()
    assert (course.workspace / "gradebook.db").read_bytes() == before


def test_a_database_that_stays_locked_is_a_sentence(course):
    connection = sqlite3.connect(course.workspace / "gradebook.db")
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(
        ConfigError, match=r"was locked by another program for more than 0\.05 s\. See whether form"
    ):
        write(course, tiny.NAME, [graded()], patience=0.05)
    connection.close()
    write(course, tiny.NAME, [graded()], patience=0.05)


def test_a_database_that_cannot_be_written_is_a_sentence(course):
    path = course.workspace / "gradebook.db"
    configure(course, f"c.CourseDirectory.db_url = 'sqlite:///file:{path}?mode=ro&uri=true'")
    assert source_cells(course, tiny.NAME)
    with pytest.raises(
        ConfigError, match=r"cannot be written \(attempt to write a readonly database\)\. Look at the"
    ):
        write(course, tiny.NAME, [graded()])


def test_a_full_disk_is_a_sentence_and_nothing_is_half_written(course):
    write(course, tiny.NAME, [graded()])
    before = rows(course)

    def no_more_room(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", no_more_room)
    try:
        with pytest.raises(
            ConfigError, match=r"is full \(database or disk is full\)\. Nothing half done was written"
        ):
            write(course, tiny.NAME, [graded(f"{number}") for number in range(50)])
    finally:
        event.remove(Engine, "connect", no_more_room)
    assert rows(course) == before
    write(course, tiny.NAME, [graded(f"{number}") for number in range(50)])


def test_a_damaged_database_is_a_sentence(course):
    (course.workspace / "gradebook.db").write_bytes(b"PK\3\4" + random.Random(0).randbytes(5000))
    with pytest.raises(ConfigError, match=r"is damaged or no database \(file is not a database\)"):
        write(course, tiny.NAME, [graded()])


def test_an_address_that_is_none_is_a_sentence(course):
    configure(course, "c.CourseDirectory.db_url = 'gradebook.db'")
    with pytest.raises(ConfigError, match=r"db_url in nbgrader_config\.py is wrong: Could not parse"):
        write(course, tiny.NAME, [graded()])


def test_without_the_driver_of_postgresql_a_sentence_says_what_to_install(course, monkeypatch):
    configure(course, "c.CourseDirectory.db_url = 'postgresql+psycopg://grader:secret@example.org/grades'")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        ConfigError, match=r"needs the package psycopg.*pip install '\.\[postgresql\]'"
    ) as error:
        write(course, tiny.NAME, [graded()])
    assert "secret" not in str(error.value)


# --- PostgreSQL ---------------------------------------------------------------------------------------------
PROGRAMS = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/usr/bin"))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of a PostgreSQL of our own, behind a socket in a folder of its own."""
    pytest.importorskip("psycopg", reason="the extra `postgresql` is not installed")
    if not (PROGRAMS / "initdb").exists():
        pytest.skip("no PostgreSQL server is installed")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))  # a socket's path must be short
    account: dict[str, Any] = {}
    if os.getuid() == 0:  # as root the server refuses to run
        names = {entry.pw_name for entry in pwd.getpwall()}
        name = next((each for each in ("postgres", "nobody") if each in names), None)
        if name is None:
            pytest.skip("PostgreSQL does not run as root, and there is no other user")
        entry = pwd.getpwnam(name)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def call(program: str, *arguments: object) -> None:
        command = [PROGRAMS / program, "-D", folder / "data", *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=60, **account)

    try:
        call("initdb", "-A", "trust", "-U", "grader", "--no-sync", "-E", "UTF8", "--locale=C")
        options = f"-c listen_addresses='' -c fsync=off -c unix_socket_directories={folder}"
        call("pg_ctl", "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg:///DATABASE?host={folder}&user=grader"
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def new_database(server) -> Callable[[str], str]:
    """Makes a database and returns its address."""

    def make(name: str) -> str:
        engine = create_engine(server.replace("DATABASE", "postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return server.replace("DATABASE", name)

    return make


@pytest.fixture
def on_postgresql(tmp_path, new_database, request) -> Course:
    """The course of the other tests, with its gradebook on the server."""
    course = tiny.make_course(tmp_path)
    use_plugin(course)
    name = f"grades_{abs(hash(request.node.name))}"
    configure(course, f"c.CourseDirectory.db_url = {new_database(name)!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fill(course)
    return course


def test_postgresql_from_release_to_export(tmp_path, new_database):
    course = tiny.make_course(tmp_path)
    configure(course, f"c.CourseDirectory.db_url = {new_database('whole')!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        release(course, tiny.NAME)
    assert source_cells(course, tiny.NAME)["double-small"].points == 3
    assert kernelspec(course, tiny.NAME)["name"] == "python3"
    cells = (
        CellGrade("double-small", 3.0, False),
        CellGrade("double-text", 1.0, False),
        CellGrade("last-item", 0, False),
        CellGrade("why", None, False),
    )
    students = [Graded(f"Grüße {number}", DUE, cells) for number in range(20)]
    write(course, tiny.NAME, students)
    write_zero(course, tiny.NAME, ["bob"])
    assert export(course).count(",4.0,0.0,4.0,10.0\n") == 20
    assert "tiny,,,bob,,,,0.0,0.0,0.0,10.0\n" in export(course)
    assert not (course.workspace / "gradebook.db").exists()


def test_postgresql_has_the_same_entries_as_sqlite(course, on_postgresql):
    late = DUE + timedelta(days=2)
    for each in (course, on_postgresql):
        write(
            each,
            tiny.NAME,
            [graded(timestamp=late), graded("bob", 1, 3, 0.0), graded("harsh", timestamp=late)],
        )
        gives(each, "ada", "written", 4, extra=0.5)
        gives(each, "bob", "test-a", 2)
        write(each, tiny.NAME, [graded(), graded("bob", 0, 3, 0.0), graded("cleo")])
        write_zero(each, tiny.NAME, ["cleo", "dan"])
    assert entries(on_postgresql) == entries(course)
    assert export(on_postgresql) == export(course)
    before = rows(on_postgresql)
    write(on_postgresql, tiny.NAME, [graded(), graded("bob", 0, 3, 0.0)])
    assert rows(on_postgresql) == before


def waiting(course: Course) -> Callable[[], bool]:
    """Whether a connection waits for another one's lock."""

    def look() -> bool:
        engine = create_engine(nbgrader_config(course).CourseDirectory.db_url)
        query = text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with engine.connect() as connection:
            found = connection.execute(query).scalar()
        engine.dispose()
        return bool(found)

    return look


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_postgresql_keeps_a_grade_that_a_person_gives_while_a_batch_is_written(on_postgresql, monkeypatch):
    course, threads = on_postgresql, []
    write(course, tiny.NAME, [graded(a=2, b=0)])

    def edit() -> None:
        threads.append(in_thread(lambda: gives(course, "ada", "test-b", 1)))
        wait_until(waiting(course))

    with between_reading_and_writing(monkeypatch, edit):
        write(course, tiny.NAME, [graded(a=0, b=3)])
    threads[0].join()
    assert grades(course)["test-a"] == (0, None, None, False)
    assert grades(course)["test-b"] == (3, 1, None, False)


def test_postgresql_waits_for_a_person_and_then_knows_their_grade(on_postgresql):
    course = on_postgresql
    write(course, tiny.NAME, [graded(a=2, b=0)])
    with person(course, "ada", "test-b") as grade:
        grade.manual_score, grade.needs_manual_grade = 1, False
        with suppress(AttributeError):
            grade._sa_instance_state.session.flush()
        writer = in_thread(lambda: write(course, tiny.NAME, [graded(a=2, b=3)]))
        wait_until(waiting(course))
        with pytest.raises(ConfigError, match=r"was locked by another program for more than 0\.05 s"):
            write(course, tiny.NAME, [graded(a=0, b=3)], patience=0.05)
    writer.join()
    assert grades(course)["test-b"] == (3, 1, None, True)


def test_postgresql_tries_again_when_another_program_entered_the_same_student(on_postgresql, monkeypatch):
    course, calls = on_postgresql, []

    def enter() -> None:
        if not calls:
            with nbgraders(course) as book:
                book.add_student("ada", email="ada@example.org")
        calls.append(1)

    with between_reading_and_writing(monkeypatch, enter):
        write(course, tiny.NAME, [graded(), graded("bob")])
    assert len(calls) == 2
    assert entries(course)["students"] == ["ada", "bob"]


def test_postgresql_that_cannot_be_reached_is_a_sentence_without_the_password(course, tmp_path):
    pytest.importorskip("psycopg", reason="the extra `postgresql` is not installed")
    address = f"postgresql+psycopg://grader:secret@/grades?host={tmp_path}"
    configure(course, f"c.CourseDirectory.db_url = {address!r}")
    with pytest.raises(
        ConfigError, match=r"The database server of .* cannot be reached \(.*\)\. Start it, or"
    ) as error:
        write(course, tiny.NAME, [graded()])
    assert "secret" not in str(error.value)


def test_postgresql_without_the_right_or_the_database_is_a_sentence(on_postgresql, server):
    course = on_postgresql
    write(course, tiny.NAME, [graded()])
    configure(course, "c.CourseDirectory.db_url += '&options=-c%20default_transaction_read_only%3Don'")
    assert source_cells(course, tiny.NAME)
    with pytest.raises(
        ConfigError, match=r"cannot be written \(cannot execute .* in a read-only transaction\)"
    ):
        write(course, tiny.NAME, [graded(a=0)])
    configure(course, f"c.CourseDirectory.db_url = {server.replace('DATABASE', 'missing')!r}")
    with pytest.raises(ConfigError, match=r'cannot be reached .*database "missing" does not exist'):
        write(course, tiny.NAME, [graded()])
