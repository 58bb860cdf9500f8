"""The project as a whole: one way of imports, pins that hold, pages that are not stale."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from course.checks.__main__ import catalogue
from docs import lesson_table

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# The one package that conda-forge knows by another name, and one that it splits.
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def imported(path: Path) -> set[str]:
    """Absolute names that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def belongs(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("path", modules("autograder"), ids=lambda p: p.name)
def test_the_grader_knows_neither_torch_nor_the_course(path: Path) -> None:
    assert not [name for name in imported(path) if belongs(name, "torch") or belongs(name, "course")]


@pytest.mark.parametrize("path", modules("course"), ids=lambda p: p.name)
def test_the_course_does_not_know_the_grader(path: Path) -> None:
    assert not [name for name in imported(path) if belongs(name, "autograder") or belongs(name, "nbgrader")]


@pytest.mark.parametrize("leaf", ["device", "plotting", "normalization"])
def test_leaves_import_nothing_of_the_course_but_leaves(leaf: str) -> None:
    allowed = {"course.preprocessing", "course.batch_norm"}
    names = {name for name in imported(ROOT / f"course/{leaf}.py") if belongs(name, "course")}
    assert names <= allowed


def requirement(line: str) -> tuple[str, str]:
    name, bound = re.fullmatch(r"([\w.-]+)(>=[\d.]+)", line.strip()).groups()  # type: ignore[union-attr]
    return name.lower(), bound


def test_conda_installs_what_pip_installs() -> None:
    project = PYPROJECT["project"]
    wanted = dict(map(requirement, [*project["dependencies"], *project["optional-dependencies"]["dev"]]))
    lines = re.findall(r"^  - ([\w.-]+>=[\d.]+)$", (ROOT / "environment.yml").read_text(), re.M)
    conda = dict(map(requirement, lines))
    assert conda.pop("python") == PYPROJECT["project"]["requires-python"]
    assert conda == {CONDA_NAMES.get(name, name): bound for name, bound in wanted.items()}


def test_every_dependency_is_pinned() -> None:
    pins = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    project = PYPROJECT["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        assert requirement(line)[0].replace("_", "-") in pins


def test_every_package_is_listed() -> None:
    packages = {
        str(init.parent.relative_to(ROOT)).replace("/", ".")
        for package in ("course", "autograder")
        for init in (ROOT / package).rglob("__init__.py")
    }
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == packages


def test_readme_is_short_and_its_commands_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 120
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", readme, re.M)) <= targets
    for link in re.findall(r"\]\(([^)#]+)\)", readme):
        if not link.startswith("http"):
            assert (ROOT / link).exists(), link


def test_the_list_of_mistakes_is_not_stale() -> None:
    assert (ROOT / "docs/common-mistakes.md").read_text() == catalogue(), (
        "run `python -m course.checks > docs/common-mistakes.md`"
    )


def test_the_table_of_lessons_is_not_stale() -> None:
    readme = (ROOT / "README.md").read_text()
    assert lesson_table.with_table(readme) == readme, "run `python docs/lesson_table.py`"


def test_the_table_of_lessons_tells_topic_points_minutes_and_decks(tmp_path: Path, monkeypatch) -> None:
    prose = (
        "# 3 Batch normalization",
        "| 3.1 Why | – | – | 10 |\n| 3.2 How | `f` | 4 | 25 |",
        "| **D0** | INF-0618 | *Normalização*: and *BN* |",
    )
    settings = (
        {"grade_id": "f", "solution": True},
        {"grade_id": "f-a", "grade": True, "points": 3},
        {"grade_id": "f-b", "grade": True, "points": 1},
    )
    cells = [{"cell_type": "markdown", "metadata": {}, "source": text} for text in prose]
    cells += [{"cell_type": "code", "metadata": {"nbgrader": each}, "source": ""} for each in settings]
    folder = tmp_path / "source_notebooks" / "03_norm"
    folder.mkdir(parents=True)
    (folder / "03_norm.ipynb").write_text(json.dumps({"cells": cells}))
    monkeypatch.setattr(lesson_table, "ROOT", tmp_path)
    row = "| **03_norm** Batch normalization | `f` 4 | 35 | D0 Normalização, BN |"
    assert lesson_table.lesson_table().splitlines()[2:] == [row]


def test_make_works_in_a_folder_with_a_space(tmp_path: Path) -> None:
    folder = tmp_path / "my course"
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    for name in ("autograder", "jupyter"):
        (programs / name).write_text('#!/bin/sh\nprintf "[%s]" "$@"\n')
        (programs / name).chmod(0o755)
    (folder / "my class" / "release" / "03_batch_norm").mkdir(parents=True)
    (folder / ".venv" / ".installed").touch()
    run = subprocess.run(
        ["make", "lab", "WORKSPACE=my class"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "[lab][--notebook-dir=my class/lab]" in run.stdout


def test_what_is_pinned_installs_on_the_oldest_python_that_the_readme_promises() -> None:
    """Debian 12 has Python 3.11.2; a package that asks for 3.11.5 once made `make install` fail there."""
    needs = {each.metadata["Name"]: each.metadata.get("Requires-Python") or "" for each in distributions()}
    assert [name for name, versions in needs.items() if "3.11.0" not in SpecifierSet(versions)] == []
