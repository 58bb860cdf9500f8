"""One transaction on nbgrader's database, SQLite or PostgreSQL: all of it is written, or nothing.

It waits for other programs that write (formgrader, nbgrader's own commands), and what goes wrong becomes a
sentence. A database that another version of nbgrader made is not touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from autograder.errors import ConfigError

SECONDS_TO_CONNECT = 10


class NoGradebook(ConfigError):
    """There is no database yet, or an empty one."""


class Collision(ConfigError):
    """Another program entered the same rows in this moment; a second try will see them."""


@contextmanager
def transaction(
    address: str, migrations: Path, *, write: bool = False, patience: float
) -> Iterator[Connection]:
    """A connection whose changes are committed when the body ends, and undone when it raises.

    A writer has SQLite's write lock from the beginning, so that nothing it has read can change before it
    writes; on PostgreSQL it must lock the rows that it reads (``FOR UPDATE``).

    Args:
        address: SQLAlchemy's URL of the database.
        migrations: nbgrader's folder of database versions.
        write: whether the body changes anything.
        patience: seconds to wait for another program that is writing.

    Raises:
        NoGradebook: there is no database there, or it has no tables.
        ConfigError: it cannot be used; the sentence says why. Nothing was changed.
    """
    try:
        url = make_url(address)
        if url.get_backend_name() == "sqlite" and _is_missing(url):
            raise NoGradebook(f"There is no gradebook {_place(url)}.")
        engine = _engine(url, write, patience)
    except SQLAlchemyError as error:
        # Without the address, which may hold a password.
        raise ConfigError(f"c.CourseDirectory.db_url in nbgrader_config.py is wrong: {error}.") from error
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The gradebook {_place(url)} needs the package {error.name}. Install the extra `postgresql`: "
            "pip install '.[postgresql]'."
        ) from error
    try:
        with engine.begin() as connection:
            _check_version(connection, url, migrations)
            yield connection
    except DBAPIError as error:
        kind = Collision if _kind(error) == "collision" else ConfigError
        raise kind(_sentence(url, error, patience)) from error


def check_version(address: str, migrations: Path, patience: float) -> None:
    """Look whether this nbgrader can use the database, before it adds tables to it; none yet is all right.

    Raises:
        ConfigError: it is of another version of nbgrader, or cannot be used.
    """
    with suppress(NoGradebook), transaction(address, migrations, patience=patience):
        pass


def _is_missing(url: URL) -> bool:
    """Whether the database is a file that is not there; SQLite would make it."""
    return bool(url.database) and "uri" not in url.query and not Path(str(url.database)).exists()


@lru_cache(maxsize=8)
def _engine(url: URL, write: bool, patience: float) -> Engine:
    """An engine without a pool: it holds no connection, only what it learned of the database and its queries.

    A new one would ask the database the same questions and compile the same queries for each batch.
    """
    milliseconds = int(patience * 1000)
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, poolclass=NullPool)
        # The module sqlite3 would begin at the first change, when what was read can be old already.
        event.listen(engine, "connect", _begin_by_hand)
        first = [f"PRAGMA busy_timeout = {milliseconds}", "BEGIN IMMEDIATE" if write else "BEGIN"]
    else:
        arguments = {} if "connect_timeout" in url.query else {"connect_timeout": SECONDS_TO_CONNECT}
        engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
        first = [f"SET LOCAL lock_timeout = {milliseconds}"]

    def begin(connection: Connection) -> None:
        for statement in first:
            connection.exec_driver_sql(statement)

    event.listen(engine, "begin", begin)
    return engine


def _begin_by_hand(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None


@cache
def _versions(migrations: Path) -> tuple[set[str], set[str]]:
    """The versions that this nbgrader knows, and among them the newest."""
    script = ScriptDirectory(str(migrations))
    return {each.revision for each in script.walk_revisions()}, set(script.get_heads())


def _check_version(connection: Connection, url: URL, migrations: Path) -> None:
    tables = inspect(connection)
    if not tables.has_table("assignment"):
        raise NoGradebook(f"The gradebook {_place(url)} is empty.")
    found = set()
    if tables.has_table("alembic_version"):
        found = set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
    known, newest = _versions(migrations)
    if found == newest:
        return
    if unknown := found - known:
        raise ConfigError(
            f"The gradebook {_place(url)} is from a newer nbgrader than the one installed here (its version "
            f"{', '.join(sorted(unknown))} is not known). Install that nbgrader; nothing was changed."
        )
    raise ConfigError(
        f"The gradebook {_place(url)} is from an older nbgrader. Make a copy of it and run "
        "`nbgrader db upgrade`; nothing was changed."
    )


def _place(url: URL) -> str:
    """The database in words: a file, or an address without its password."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string()


def _sentence(url: URL, error: DBAPIError, patience: float) -> str:
    place, reason = _place(url), str(error.orig).splitlines()[0].strip().rstrip(".")
    match _kind(error):
        case "locked":
            return (
                f"The gradebook {place} was locked by another program for more than {patience:g} s. See "
                "whether formgrader or an nbgrader command hangs, end it, and run the same command again."
            )
        case "full":
            return (
                f"The disk of the gradebook {place} is full ({reason}). Nothing half done was written; make "
                "room and run the same command again."
            )
        case "read-only":
            return (
                f"The gradebook {place} cannot be written ({reason}). Look at the rights of the file and its "
                "folder, or of the database's user."
            )
        case "damaged":
            return (
                f"The gradebook {place} is damaged or no database ({reason}). Put a copy of it in its place."
            )
        case "unreachable":
            return (
                f"The database server of {place} cannot be reached ({reason}). Start it, or correct "
                "c.CourseDirectory.db_url in nbgrader_config.py; then run the same command again."
            )
    return f"The gradebook {place} cannot be used ({reason}). Nothing half done was written."


_SQLITE = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_PERM: "read-only",
    sqlite3.SQLITE_CANTOPEN: "read-only",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_CONSTRAINT: "collision",
}
# SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html; shorter ones are families.
_POSTGRESQL = {
    "55P03": "locked",
    "53100": "full",
    "25006": "read-only",
    "42501": "read-only",
    "08": "unreachable",
    "28": "unreachable",
    "3D": "unreachable",
    "57P": "unreachable",
    "23505": "collision",
    "40001": "collision",
    "40P01": "collision",
}


def _kind(error: DBAPIError) -> str:
    if isinstance(error.orig, sqlite3.Error):
        return _SQLITE.get(getattr(error.orig, "sqlite_errorcode", 0) & 0xFF, "")
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    if state is None:  # it was never connected, or the connection broke
        return "unreachable"
    return next((_POSTGRESQL[state[:n]] for n in (5, 3, 2) if state[:n] in _POSTGRESQL), "")
