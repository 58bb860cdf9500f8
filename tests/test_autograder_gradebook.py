"""A batch in the gradebook: the rows that nbgrader writes, all or none, and nothing that a person entered."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import tiny_course as tiny
from graded_course import (
    DUE,
    comments,
    configure,
    copy_course,
    entries,
    export,
    fill,
    gives,
    graded,
    grades,
    make_course,
    nbgraders,
    penalty,
    quick_new_databases,
    rows,
    use_plugin,
)
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution, is_task
from sqlalchemy import event
from sqlalchemy.engine import Engine

from autograder.bridge import nbgrader_config
from autograder.config import Course
from autograder.errors import ConfigError
from autograder.gradebook import CellGrade, Graded, SourceCell, kernelspec, source_cells, write, write_zero
from autograder.release import release
from autograder.rules import name_fault


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Iterator[Course]:
    with quick_new_databases():
        yield make_course(tmp_path_factory.mktemp("model"))


@pytest.fixture
def course(model, tmp_path) -> Course:
    return copy_course(model, tmp_path)


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


@pytest.mark.parametrize("name", ["Gr\udcfc\udcdfe", "a" * 129], ids=["no UTF-8", "too long"])
def test_a_name_that_the_gradebook_cannot_hold_is_a_sentence(course, name):
    assert name_fault(name)
    assert not name_fault("Grüße 1")
    with pytest.raises(
        ConfigError, match=r"cannot hold the student '.*': the name (is not UTF-8|has more than)"
    ):
        write_zero(course, tiny.NAME, ["ada", name])
    assert entries(course) == {"students": []}


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
from graded_course import graded
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
