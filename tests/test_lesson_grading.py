"""Every lesson as a whole: solved it scores everything, untouched nothing, and nbval reads its numbers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import tiny_course as tiny

from autograder.bridge import open_gradebook
from autograder.config import Course, find_course
from autograder.release import release

LESSONS = [path.name for path in sorted((tiny.PROJECT / "source_notebooks").iterdir()) if path.is_dir()]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def graded_by_nbgrader(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A course of these lessons in which stock nbgrader has graded a solved and an untouched notebook."""
    root = tmp_path_factory.mktemp("lessons")
    shutil.copytree(tiny.PROJECT / "source_notebooks", root / "source_notebooks")
    shutil.copy(tiny.PROJECT / "nbgrader_config.py", root)
    shutil.copy(tiny.PROJECT / "pyproject.toml", root)
    course = find_course(root)
    for lesson in LESSONS:
        released = release(course, lesson)
        solved = tiny.PROJECT / "solutions" / lesson / f"{lesson}.ipynb"
        for student, notebook in {"solved": solved, "untouched": released}.items():
            folder = course.submitted / student / lesson
            folder.mkdir(parents=True)
            shutil.copy(notebook, folder / f"{lesson}.ipynb")
        command = [sys.executable, "-m", "nbgrader", "autograde", lesson]
        run = subprocess.run(
            command, cwd=root, env=ONE_THREAD, capture_output=True, text=True, check=False, timeout=300
        )
        assert run.returncode == 0, run.stderr
    return course


@pytest.mark.notebook
@pytest.mark.parametrize("lesson", LESSONS)
def test_stock_nbgrader_gives_a_solved_lesson_every_point_a_machine_can_give(
    graded_by_nbgrader: Course, lesson: str
) -> None:
    with open_gradebook(graded_by_nbgrader) as gradebook:
        solved = gradebook.find_submission(lesson, "solved")
        by_hand = sum(
            grade.max_score
            for notebook in solved.notebooks
            for grade in notebook.grades
            if grade.needs_manual_grade
        )
        assert solved.max_score == 100
        assert solved.score == solved.max_score - by_hand


@pytest.mark.notebook
@pytest.mark.parametrize("lesson", LESSONS)
def test_an_untouched_lesson_scores_nothing(graded_by_nbgrader: Course, lesson: str) -> None:
    with open_gradebook(graded_by_nbgrader) as gradebook:
        assert gradebook.find_submission(lesson, "untouched").score == 0


def nbval(notebook: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "--nbval"]
    options = ["--nbval-current-env", "--nbval-cell-timeout=120", "-c", str(notebook.with_name("pytest.ini"))]
    notebook.with_name("pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [*command, *options, str(notebook)],
        env=ONE_THREAD,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.notebook
def test_nbval_sees_a_number_that_was_changed(tmp_path: Path) -> None:
    """The first cells of a solved lesson pass as they are, and fail with one digit changed."""
    solved = nbformat.read(tiny.PROJECT / "solutions/03_batch_norm/03_batch_norm.ipynb", as_version=4)
    code = [cell for cell in solved.cells if cell.cell_type == "code"]
    end = next(i for i, cell in enumerate(code) if cell.id == "three-numbers") + 1
    solved.cells = code[:end]
    path = tmp_path / "lesson.ipynb"
    nbformat.write(solved, path)
    assert nbval(path).returncode == 0
    printed = solved.cells[-1].outputs[0]
    assert "18.667" in printed.text
    printed.text = printed.text.replace("18.667", "18.668")
    nbformat.write(solved, path)
    run = nbval(path)
    assert run.returncode == 1
    assert "18.668" in run.stdout
