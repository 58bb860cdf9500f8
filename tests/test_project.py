"""The project as a whole: one way of imports, pins that hold, pages that are not stale."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from course.checks.__main__ import catalogue

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


def exercise_table() -> str:
    """The exercises and points of every lesson, in Markdown, from the notebooks themselves."""
    rows = ["| lesson | exercises (points) |", "|---|---|"]
    for path in sorted((ROOT / "source_notebooks").glob("*/*.ipynb")):
        settings = [cell["metadata"].get("nbgrader", {}) for cell in json.loads(path.read_text())["cells"]]
        points: dict[str, int] = {each["grade_id"]: 0 for each in settings if each.get("solution")}
        for each in settings:
            if each.get("grade"):
                points[each["grade_id"].split("-")[0]] += each["points"]
        rows.append(f"| {path.stem} | {', '.join(f'`{name}` {value}' for name, value in points.items())} |")
    return "\n".join(rows)


def test_the_readme_lists_the_exercises() -> None:
    table = exercise_table()
    assert table in (ROOT / "README.md").read_text(), f"put this table into README.md:\n{table}"


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
