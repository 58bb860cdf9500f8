"""Lesson 8 under attack: no network that did not learn from its pictures gets a band."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
from attacks.capstone import Attack, attacks

from autograder.config import find_course
from autograder.notebooks import facts, grade_id, is_graded, is_solution, read_notebook, write_notebook
from autograder.release import release

PROJECT = Path(__file__).parents[1]
LESSON = "08_capstone"


@pytest.fixture(scope="module")
def graded(
    tmp_path_factory: pytest.TempPathFactory, sandbox_option: list[str]
) -> dict[str, dict[str, object]]:
    """Student → what the grader says, for all attacks, in the real sandbox where there is one."""
    if sandbox_option:
        pytest.skip("without a sandbox no file is masked")
    root = tmp_path_factory.mktemp("capstone")
    shutil.copytree(PROJECT / "source_notebooks" / LESSON, root / "source_notebooks" / LESSON)
    for name in ("nbgrader_config.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, root)
    course = find_course(root)
    released = read_notebook(release(course, LESSON))
    for each in attacks():
        notebook = deepcopy(released)
        for cell in notebook.cells:
            if grade_id(cell) == "train_network":
                cell.source = each.text
        path = course.submitted / each.name / LESSON / f"{LESSON}.ipynb"
        path.parent.mkdir(parents=True)
        write_notebook(notebook, path)
    program = Path(sys.executable).with_name("autograder")
    run = subprocess.run(
        [program, "grade", LESSON, "--json"], cwd=root, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return {each["student"]: each for each in json.loads(run.stdout)["students"]}


def worth(names: tuple[str, ...]) -> float:
    notebook = read_notebook(PROJECT / "source_notebooks" / LESSON / f"{LESSON}.ipynb")
    tests = {
        str(grade_id(cell)): cell for cell in notebook.cells if is_graded(cell) and not is_solution(cell)
    }
    return sum(float(facts(tests[name])["points"]) for name in names)


@pytest.mark.notebook
@pytest.mark.parametrize("each", attacks(), ids=lambda each: each.name)
def test_an_attack_gets_what_it_earned(each: Attack, graded: dict[str, dict[str, object]]) -> None:
    assert graded[each.name]["score"] == worth(each.earns), graded[each.name]["exercises"]
    if each.flag:
        assert each.flag in [flag["kind"] for flag in graded[each.name]["flags"]]  # type: ignore[attr-defined]
