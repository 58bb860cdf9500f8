"""The database below the gradebook: SQLite and PostgreSQL, used by others at the same time, or unusable."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import tiny_course as tiny
from graded_course import (
    DUE,
    between_reading_and_writing,
    configure,
    copy_course,
    entries,
    export,
    fill,
    gives,
    graded,
    grades,
    in_thread,
    make_course,
    nbgraders,
    person,
    quick_new_databases,
    rows,
    use_plugin,
)
from nbgrader.dbutil import ALEMBIC_DIR
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine
from waiting import wait_until

from autograder.bridge import nbgrader_config, open_gradebook
from autograder.config import Course
from autograder.database import check_version
from autograder.errors import ConfigError
from autograder.gradebook import CellGrade, Graded, kernelspec, source_cells, write, write_zero
from autograder.release import release


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Iterator[Course]:
    with quick_new_databases():
        yield make_course(tmp_path_factory.mktemp("model"))


@pytest.fixture
def course(model, tmp_path) -> Course:
    return copy_course(model, tmp_path)


# --- Formgrader at the same time ----------------------------------------------------------------------------
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
    check_version(nbgrader_config(course).CourseDirectory.db_url, Path(ALEMBIC_DIR), patience=1)
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
    address = nbgrader_config(course).CourseDirectory.db_url
    for call in (
        lambda: source_cells(course, tiny.NAME),
        lambda: write(course, tiny.NAME, [graded()]),
        lambda: check_version(address, Path(ALEMBIC_DIR), patience=1),
    ):
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
