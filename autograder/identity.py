"""What a result depends on, as hashes, so that unchanged work is not done again.

A submission's key is made of everything but its tests: the files, the student's seed, the settings, the
course's code, the versions of the packages. Each test cell has a key of its own, so that a mended test
regrades only what it touches.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.metadata
import importlib.util
import json
import os
import platform
import secrets
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from autograder.config import Course
from autograder.store import key
from autograder.task import Task, Terms

_SECRET = ".secret"


def student_seed(course: Course, assignment: str, student: str, notebook: bytes) -> int:
    """The seed of a student's hidden tests: the same each time, and nobody can guess it.

    It is an HMAC of the names and the submitted notebook with a key that is made once for a workspace
    (``.secret``). The notebook is in it because a submission could note its hidden inputs and print them;
    the next one then meets others.
    """
    text = json.dumps([assignment, student, hashlib.sha256(notebook).hexdigest()]).encode()
    return int.from_bytes(hmac.digest(_secret(course.workspace / _SECRET), text, hashlib.sha256)[:4], "big")


def submission_key(conditions: str, task: Task) -> str:
    """Key of all that a submission's result depends on, but for the tests.

    Args:
        conditions: from `conditions_key`.
        task: the submission.
    """
    contents = [part for name in sorted(task.files) for part in (name, task.files[name])]
    return key(conditions, str(task.seed), task.notebook, *contents)


def test_keys(terms: Terms) -> dict[str, str]:
    """A key for each test cell, by ``grade_id``."""
    return {
        name: key(cell.source, str(cell.points))
        for name, cell in terms.sources.items()
        if cell.grade and not cell.solution
    }


def conditions_key(terms: Terms) -> str:
    """Key of what all submissions have in common: the terms but for the tests, and the code that runs."""
    own = [part for name in sorted(terms.own_files) for part in (name, terms.own_files[name])]
    return key(_environment_key(terms), _without_tests(terms), *own)


def _environment_key(terms: Terms) -> str:
    """Key of the code that runs: this grader, the course, Python and the packages that are preloaded."""
    modules = (*terms.surroundings.preload, terms.check.partition(":")[0], "autograder", "IPython")
    names = sorted({name.partition(".")[0] for name in modules if name})
    return key(platform.python_version(), platform.machine(), *(_package_key(name) for name in names))


def _without_tests(terms: Terms) -> str:
    """The terms as text, with the names of the tests and without what they say."""
    tests = test_keys(terms)
    release = json.loads(terms.release)
    for cell in release["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") in tests:
            cell["source"] = ""
            cell["metadata"]["nbgrader"] = {"grade_id": cell["metadata"]["nbgrader"]["grade_id"]}
    sources = {name: asdict(cell) for name, cell in terms.sources.items() if name not in tests}
    # Where the workspace lies changes no result.
    surroundings = replace(terms.surroundings, hidden=())
    rest = asdict(replace(terms, release="", sources={}, own_files={}, surroundings=surroundings))
    return json.dumps([release, sources, rest], sort_keys=True, default=str)


@cache
def _package_key(name: str) -> str:
    """The version of an installed package; the content of one that lies in a working folder."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return f"{name}: absent"
    for place in spec.submodule_search_locations or []:
        folder = Path(place)
        if "site-packages" not in folder.parts:
            files = sorted(folder.rglob("*.py"))
            return key(
                name, *(part for path in files for part in (str(path.relative_to(folder)), path.read_bytes()))
            )
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return (
            key(name, Path(spec.origin).read_bytes()) if spec.origin and Path(spec.origin).is_file() else name
        )


def _secret(path: Path) -> bytes:
    """The workspace's key, made when missing. Two processes that make it at once end with the same."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
    return path.read_bytes()
