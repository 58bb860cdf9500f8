"""Settings of single lessons, and files that are masked."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.config import find_course
from autograder.errors import ConfigError
from autograder.surroundings import surroundings

PROJECT = Path(__file__).parents[1]


def course(folder: Path, table: str):
    (folder / "pyproject.toml").write_text(f"[tool.autograder]\ncheck_timeout = 7\n{table}\n")
    (folder / "nbgrader_config.py").touch()
    return find_course(folder)


def test_a_lesson_overrides_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    settings = course(tmp_path, "[tool.autograder.lessons.08_long]\ncheck_timeout = 90").settings
    assert settings.of("08_long").check_timeout == 90
    assert settings.of("08_long").notebook_timeout == settings.notebook_timeout
    assert settings.of("another").check_timeout == settings.check_timeout == 7


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("lessons = 3", "a table for each lesson"),
        ("[tool.autograder.lessons]\na = 3", "a table for each lesson"),
        ("[tool.autograder.lessons.a]\nchek_timeout = 3", "lessons.a.*unknown key 'chek_timeout'"),
        ("[tool.autograder.lessons.a]\npreload = []", "unknown key 'preload'"),
        ("[tool.autograder.lessons.a]\ncheck_timeout = 0", "greater than 0"),
        ('[tool.autograder.lessons.a]\nmasked = "x"', "a list of texts"),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, table: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        course(tmp_path, table)


def test_a_masked_file_is_found_in_its_package(tmp_path: Path) -> None:
    table = '[tool.autograder.lessons.a]\nmasked = ["sklearn/datasets/data/digits.csv.gz", "nothing/at/all"]'
    here = course(tmp_path, table)
    (masked,) = surroundings(here, True, "a").masked
    assert Path(masked).is_file()
    assert surroundings(here, True, "b").masked == ()


def test_the_capstone_has_time_to_train_and_no_file_of_digits() -> None:
    capstone = surroundings(find_course(PROJECT), True, "08_capstone")
    assert [Path(path).name for path in capstone.masked] == ["digits.csv.gz"]
    assert find_course(PROJECT).settings.of("08_capstone").check_timeout > 120
