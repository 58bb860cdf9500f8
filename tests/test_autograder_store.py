"""What grading keeps on disk is whole at any moment, and one grader at a time works on a workspace."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import lock, store
from autograder.config import Course, Settings
from autograder.errors import ConfigError
from autograder.lock import WorkspaceBusy, workspace_lock
from autograder.store import Store, StoreError, key, recover, write_folder_atomically

RECORD = {"score": 2.5, "outputs": ["γ", "half a pair: \ud83d"], "cells": {"BatchNorm2d": None}}


# --- Records ------------------------------------------------------------------------------------------------
def test_a_key_depends_on_every_part_and_on_where_it_ends():
    keys = [key("ab", "c"), key("a", "bc"), key("abc"), key("c", "ab"), key("ab", "c", ""), key()]
    assert len(set(keys)) == len(keys)
    assert key("γ", b"\xff\x00") == key("γ".encode(), b"\xff\x00")
    assert key("printed \ud83d") != key("printed \ud83e")


def test_what_was_put_is_got_again_also_by_another_process(tmp_path):
    kept = Store(tmp_path / "results")
    assert kept.get(key("a")) is None
    kept.put(key("a"), RECORD)
    kept.put(key("b"), {}, fsync=True)
    kept.put(key("a"), RECORD | {"score": 3})
    again = Store(tmp_path / "results")
    assert again.get(key("a")) == RECORD | {"score": 3}
    assert again.get(key("b")) == {}
    assert again.sweep() == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-1],
        lambda whole: b"\0" * len(whole),
        lambda whole: whole.replace(b"2.5", b"9.5"),
        lambda whole: b"{}",
    ],
    ids=["empty", "half", "one byte short", "zeros", "another score", "another format"],
)
def test_a_damaged_record_counts_as_absent_and_goes_away(tmp_path, damage):
    kept = Store(tmp_path)
    kept.put(key("a"), RECORD)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(damage(file.read_bytes()))
    assert kept.get(key("a")) is None
    assert not file.exists()


def test_sweep_removes_what_killed_writers_left_and_prune_what_is_not_needed(tmp_path):
    kept = Store(tmp_path)
    for name in "abc":
        kept.put(key(name), RECORD)
    (tmp_path / key("a")[:2] / f".{key('a')}.{'0' * 16}").write_bytes(b"half")
    assert kept.sweep() == 1
    assert kept.prune({key("b")}) == 2
    assert [kept.get(key(name)) for name in "abc"] == [None, RECORD, None]
    assert Store(tmp_path / "none").sweep() == Store(tmp_path / "none").prune(set()) == 0


def test_a_key_is_no_path(tmp_path):
    with pytest.raises(ValueError, match="not a key"):
        Store(tmp_path).put("../" + "a" * 64, RECORD)


@pytest.mark.parametrize("step", ["write", "rename"])
def test_a_full_disk_is_a_sentence_and_leaves_no_half_record(tmp_path, monkeypatch, step):
    kept = Store(tmp_path)
    kept.put(key("a"), RECORD)
    break_step(monkeypatch, step, errno.ENOSPC)
    with pytest.raises(StoreError, match=r"The disk is full: .* Nothing that was graded is lost; make room"):
        kept.put(key("a"), {"score": 0})
    monkeypatch.undo()
    assert kept.get(key("a")) == RECORD
    assert kept.sweep() == 0


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/.* cannot be read or written: "):
        Store(tmp_path / "file").put(key("a"), RECORD)
    assert Store(tmp_path / "file").get(key("a")) is None


def break_step(monkeypatch, step, number):
    """Let one step of writing fail with this errno, after it has done half of its work."""

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    def write_half(path, content, fsync):
        path.write_bytes(content[: len(content) // 2])
        fail()

    if step == "write":
        monkeypatch.setattr(store, "_write", write_half)
    else:
        monkeypatch.setattr(os, "replace", fail)
        monkeypatch.setattr(os, "rename", fail)


# --- Folders ------------------------------------------------------------------------------------------------
def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def version(number: int) -> dict[str, bytes]:
    """Files that all say the same number, one in a folder and one of some size."""
    text = str(number).encode()
    return {"03.ipynb": text * 20_000, "data/points.csv": text, "Grüße 1.txt": text}


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "ada" / "03"
    write_folder_atomically(target, version(1) | {"old.txt": b"1"})
    write_folder_atomically(target, version(2), fsync=True)
    assert content(target) == version(2)
    assert [path.name for path in target.parent.iterdir()] == ["03"]


@pytest.mark.parametrize("name", ["../other/file", "/etc/file", "a/../../file", "", "."])
def test_no_file_is_written_outside_the_folder(tmp_path, name):
    with pytest.raises(ValueError, match="not a path inside the folder"):
        write_folder_atomically(tmp_path / "03", {name: b""})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["write", "rename"])
def test_a_full_disk_leaves_the_old_folder(tmp_path, monkeypatch, step):
    write_folder_atomically(tmp_path / "03", version(1))
    break_step(monkeypatch, step, errno.ENOSPC)
    with pytest.raises(StoreError, match="The disk is full"):
        write_folder_atomically(tmp_path / "03", version(2))
    monkeypatch.undo()
    assert content(tmp_path / "03") == version(1)
    assert [path.name for path in tmp_path.iterdir()] == ["03"]


def test_a_link_in_the_folders_place_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.txt").write_bytes(b"1")
    (tmp_path / "03").symlink_to("elsewhere")
    write_folder_atomically(tmp_path / "03", version(1))
    assert content(tmp_path / "03") == version(1)
    assert content(tmp_path / "elsewhere") == {"mine.txt": b"1"}


# --- Killed -------------------------------------------------------------------------------------------------
WRITER = """
import os, sys
from itertools import count
from pathlib import Path
from autograder.store import Store, key, write_folder_atomically

kept, target = Store(Path(sys.argv[1]) / "results"), Path(sys.argv[1]) / "03"
os.write(1, b".")
for number in count(2):
    text = str(number).encode()
    write_folder_atomically(target, {"03.ipynb": text * 20_000, "data/points.csv": text, "Grüße 1.txt": text})
    kept.put(key("a"), {"numbers": [number] * 20_000})
"""


def test_killed_at_any_moment_there_is_the_old_or_the_new(tmp_path):
    moments = random.Random(0)
    kept, target = Store(tmp_path / "results"), tmp_path / "03"
    write_folder_atomically(target, version(1))
    kept.put(key("a"), {"numbers": [1] * 20_000})
    reached = 1
    for _ in range(50):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE) as writer:
            assert writer.stdout.read(1) == b"."
            with suppress(subprocess.TimeoutExpired):
                writer.wait(timeout=moments.uniform(0, 0.02))
            writer.kill()
        recover(tmp_path)
        kept.sweep()
        written = content(target)
        number = int(written["data/points.csv"])
        assert written == version(number)
        (kept_number,) = set(kept.get(key("a"))["numbers"])
        reached = max(reached, number, kept_number)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["03", "results"]
        assert len([path for path in kept.folder.rglob("*") if path.is_file()]) == 1
    assert reached > 1, "no writer was killed at work"


DYING_WRITER = """
import os, sys
from pathlib import Path
from autograder.store import write_folder_atomically

steps = iter(range(int(sys.argv[2])))

def die(event, _):
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir") and next(steps, None) is None:
        os._exit(9)

sys.addaudithook(die)
write_folder_atomically(Path(sys.argv[1]) / "03", {"03.ipynb": b"2" * 20_000, "data/points.csv": b"2"})
"""


def test_killed_before_any_step_there_is_the_old_or_the_new(tmp_path):
    """The moment between the two renames is too short to be hit by chance: die before each system call."""
    target = tmp_path / "03"
    old, new = ({"03.ipynb": digit * 20_000, "data/points.csv": digit} for digit in (b"1", b"2"))
    seen = set()
    for step in range(50):
        write_folder_atomically(target, old)
        status = subprocess.run(
            [sys.executable, "-c", DYING_WRITER, tmp_path, str(step)], check=False
        ).returncode
        seen.add((target.exists(), status))
        recover(tmp_path)
        assert content(target) in (old, new)
        assert [path.name for path in tmp_path.iterdir()] == ["03"]
        if status == 0:
            assert content(target) == new
            break
    assert seen == {(True, 9), (False, 9), (True, 0)}


def test_writing_again_after_a_kill_needs_no_recovery(tmp_path):
    write_folder_atomically(tmp_path / "03", version(1))
    (tmp_path / "03").rename(tmp_path / ".03.autograder-old")
    (tmp_path / ".03.autograder-new").mkdir()
    write_folder_atomically(tmp_path / "03", version(2))
    assert content(tmp_path / "03") == version(2)
    assert [path.name for path in tmp_path.iterdir()] == ["03"]


def test_recovery_touches_nothing_else(tmp_path):
    for name in (".hidden", "03.old", "notes"):
        (tmp_path / name).mkdir()
    recover(tmp_path)
    recover(tmp_path / "missing")
    assert {path.name for path in tmp_path.iterdir()} == {".hidden", "03.old", "notes"}


# --- One grader at a time -----------------------------------------------------------------------------------
@pytest.fixture
def course(tmp_path) -> Course:
    return Course(root=tmp_path, workspace=tmp_path / "workspace", settings=Settings())


HOLDER = """
import os, sys
from pathlib import Path
from autograder.config import Course, Settings
from autograder.lock import workspace_lock

root = Path(sys.argv[1])
with workspace_lock(Course(root, root / "workspace", Settings()), "autograder grade 03"):
    os.write(1, b".")
    sys.stdin.read()
"""


def hold(course: Course, first: str = "") -> subprocess.Popen[bytes]:
    """Another process that holds the workspace until its input ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER.replace("os.write", f"{first}os.write"), course.root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.read(1) == b"."
    return holder


def test_the_second_grader_refuses_and_names_the_first(course):
    with hold(course) as holder:
        since = json.loads((course.workspace / ".lock").read_text())["since"]
        with (
            pytest.raises(WorkspaceBusy, match=r"`autograder grade 03` is working on .*workspace") as error,
            workspace_lock(course, "autograder grade 04"),
        ):
            pytest.fail("two graders at once")
        for fact in (f"process {holder.pid} of ", f"on {os.uname().nodename}", f"since {since}"):
            assert fact in str(error.value)
        holder.stdin.close()
    with workspace_lock(course, "autograder grade 04") as note:
        assert note == ""
        assert json.loads((course.workspace / ".lock").read_text())["command"] == "autograder grade 04"


def test_the_lock_of_a_killed_grader_is_free_at_once(course):
    with hold(course) as holder:
        holder.kill()
        holder.wait()
        with workspace_lock(course, "autograder grade 03"):
            pass


def test_a_worker_that_outlives_a_killed_grader_does_not_keep_the_lock(course):
    # The worker says when it runs, and lives until its input ends.
    with hold(course, "os.fork(); ") as holder:
        assert holder.stdout.read(1) == b"."
        holder.kill()
        holder.wait()
        with workspace_lock(course, "autograder grade 03"):
            pass


def test_workers_that_are_forked_neither_keep_nor_free_the_lock(course):
    with hold(course, "os.fork() or os._exit(0); os.wait(); os.fork() or sys.stdin.read();") as holder:
        with pytest.raises(WorkspaceBusy), workspace_lock(course, "autograder grade 04"):
            pass
        holder.stdin.close()
        holder.wait()
    with workspace_lock(course, "autograder grade 04"):
        pass


def test_a_second_thread_is_a_second_grader(course):
    refused = []

    def second():
        with suppress(WorkspaceBusy), workspace_lock(course, "autograder grade 04"):
            return
        refused.append(True)

    with workspace_lock(course, "autograder grade 03"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert refused


def test_where_the_holder_has_not_signed_yet_the_sentence_says_so(course):
    with hold(course) as holder:
        (course.workspace / ".lock").write_text("{half")
        with pytest.raises(WorkspaceBusy, match="is just starting"), workspace_lock(course, "autograder"):
            pass
        holder.stdin.close()


def test_a_file_system_without_locks_is_a_sentence_and_no_obstacle(course, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(lock.fcntl, "flock", no_locks)
    with workspace_lock(course, "autograder grade 03") as note:
        assert "has no locks, so two graders there would not notice each other" in note


def test_a_workspace_that_cannot_be_written_is_a_sentence(course, tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigError, match=r"\.lock cannot be written: "),
        workspace_lock(replace(course, workspace=tmp_path / "file"), "autograder grade 03"),
    ):
        pass
