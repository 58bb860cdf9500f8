"""Results on disk, by what they are results of, so that a run that was killed goes on where it stopped.

A record's name is the hash of everything that it depends on; a change of any of it asks for another name.
Files appear whole or not at all (written beside their place, then renamed), and a record carries the hash of
its own text: what is damaged all the same counts as absent and is made again.

The same holds for folders of several files, with one difference: a folder cannot be renamed over one that has
files, so for an instant between two renames there is neither; `recover` then brings the old one back.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from autograder.errors import AutograderError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_RECORD = re.compile(r"[0-9a-f]{64}")
_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{16}")
_NEW, _OLD = ".autograder-new", ".autograder-old"


class StoreError(AutograderError):
    """Results cannot be kept on disk."""


def key(*parts: str | bytes) -> str:
    """Name of the result that depends on exactly these parts, in this order.

    Each part goes in with its length, so that ("ab", "c") and ("a", "bc") differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


class Store:
    """A folder of records. Several processes may read and write it at once.

    Args:
        folder: where the records are; made at the first `put`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> dict[str, Any] | None:
        """The record of that name, or None. A damaged one is removed.

        Raises:
            StoreError: the folder cannot be read.
        """
        path = self._path(key)
        with _sentences(path):
            try:
                digest, _, text = path.read_bytes().partition(b"\n")
            except (FileNotFoundError, NotADirectoryError):
                return None
            if digest == _digest(text):
                record: dict[str, Any] = json.loads(text)
                return record
            path.unlink(missing_ok=True)
            return None

    def put(self, key: str, record: Mapping[str, Any], *, fsync: bool = False) -> None:
        """Keep a record, whole or not at all; another one of that name is replaced.

        Args:
            key: its name.
            record: what JSON can hold.
            fsync: also survive a power cut (milliseconds), not only the death of this process.

        Raises:
            StoreError: the disk is full or cannot be written; nothing of the record stays behind.
        """
        path = self._path(key)
        # ASCII, because half of a surrogate pair, which a student can print, is no UTF-8.
        text = json.dumps(dict(record), ensure_ascii=True, separators=(",", ":")).encode("ascii")
        new = path.with_name(f".{key}.{secrets.token_hex(8)}")
        with _sentences(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                _write(new, _digest(text) + b"\n" + text, fsync)
                os.replace(new, path)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
            if fsync:
                _fsync_folder(path.parent)

    def remove(self, key: str) -> None:
        """Forget a record, if there is one of that name.

        Raises:
            StoreError: the folder cannot be written.
        """
        path = self._path(key)
        with _sentences(path):
            path.unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove what killed writers left behind; only while nobody writes. Returns how many files."""
        with _sentences(self.folder):
            leftovers = [path for path in self.folder.glob("*/.*") if _HALF_WRITTEN.fullmatch(path.name)]
            for path in leftovers:
                path.unlink(missing_ok=True)
        return len(leftovers)

    def prune(self, keep: set[str]) -> int:
        """Remove all records but these. Returns how many."""
        with _sentences(self.folder):
            gone = [
                path
                for path in self.folder.glob("*/*")
                if _RECORD.fullmatch(path.name) and path.name not in keep
            ]
            for path in gone:
                path.unlink(missing_ok=True)
        return len(gone)

    def _path(self, key: str) -> Path:
        if not _RECORD.fullmatch(key):
            raise ValueError(f"not a key: {key!r}")
        return self.folder / key[:2] / key


def write_folder_atomically(target: Path, files: Mapping[str, bytes], *, fsync: bool = False) -> None:
    """Put a folder with exactly these files in the place of `target`.

    At any moment a reader, and a run after this process was killed, finds the old folder, the new one, or
    (between the two renames) none until `recover` is called on the parent or the folder is written again.
    Only one process may write a folder at a time.

    Args:
        target: the folder; it may exist.
        files: content by path below `target`, with ``/``.
        fsync: also survive a power cut.

    Raises:
        StoreError: the disk is full or cannot be written; the old folder is then still there.
        ValueError: a path leads out of the folder.
    """
    for name in files:
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts or not inside.parts:
            raise ValueError(f"not a path inside the folder: {name!r}")
    new, old = _beside(target, _NEW), _beside(target, _OLD)
    with _sentences(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _clean_up(target)
        try:
            new.mkdir()
            for name, content in files.items():
                path = new / name
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(path, content, fsync)
            if fsync:
                for folder, _, _ in os.walk(new):
                    _fsync_folder(Path(folder))
            with suppress(FileNotFoundError):
                os.rename(target, old)
            os.rename(new, target)
        except BaseException:
            with suppress(OSError):
                _clean_up(target)
            raise
        if fsync:
            _fsync_folder(target.parent)
        _clean_up(target)


def recover(parent: Path) -> None:
    """Bring back the folders that a killed `write_folder_atomically` took away, and remove its leftovers.

    Call it only while nobody writes there.

    Args:
        parent: the folder that the targets are in; it need not exist.
    """
    with _sentences(parent):
        for leftover in [*parent.glob(f".*{_NEW}"), *parent.glob(f".*{_OLD}")]:
            _clean_up(parent / leftover.stem[1:])


def _clean_up(target: Path) -> None:
    """Remove what lies beside a folder, but bring the old one back where it is missing.

    The old one is never touched while it is the only one: it is in pieces only when `target` is there.
    """
    new, old = _beside(target, _NEW), _beside(target, _OLD)
    if os.path.lexists(old) and not os.path.lexists(target):
        os.rename(old, target)
    _remove(old)
    _remove(new)


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}{suffix}")


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


def _write(path: Path, content: bytes, fsync: bool) -> None:
    with path.open("xb") as file:
        file.write(content)
        if fsync:
            file.flush()
            os.fsync(file.fileno())


def _fsync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Say what a failure of the file system means, where, and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreError(
                f"The disk is full: {path} could not be written. Nothing that was graded is lost; make room "
                "and run the same command again."
            ) from error
        raise StoreError(f"{path} cannot be read or written: {error.strerror or error}.") from error
