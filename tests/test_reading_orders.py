"""Prerequisites: what a lesson names comes before it, and no lesson needs another one's notebook."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
LESSONS = {int(path.stem[:2]): path for path in sorted(ROOT.glob("source_notebooks/*/*.ipynb"))}
LIBRARIES = {"torch", "torchvision", "numpy", "matplotlib", "sklearn", "PIL", "IPython", "course"}
NUMBERS = r"\d(?:(?:, | and | to )\d)*"


def numbers(text: str) -> set[int]:
    """The lessons that a text names: "lessons 1 and 2", "lesson 3", "lessons 1 to 6"."""
    found: set[int] = set()
    for names in re.findall(rf"[Ll]essons? ({NUMBERS})", text):
        for first, last in re.findall(r"(\d)(?: to (\d))?", names):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def needs(lesson: int) -> set[int]:
    """The lessons that a lesson names where it says what one needs."""
    title = nbformat.read(LESSONS[lesson], as_version=4).cells[0].source
    paragraph = re.search(r"\*\*You need:\*\*(.+?)(?:\n\n|\Z)", title, re.DOTALL)
    assert paragraph, f"lesson {lesson} does not say what one needs"
    return numbers(paragraph[1])


def orders() -> dict[str, list[int]]:
    """README's reading orders: for whom, and the lessons in order."""
    rows = re.findall(r"^\| ([^|]+) \| (\d(?: → \d)+) \|", (ROOT / "README.md").read_text(), re.M)
    return {who: [int(number) for number in order.split(" → ")] for who, order in rows}


def code(lesson: int) -> list[str]:
    cells = nbformat.read(LESSONS[lesson], as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("batch norm (lesson 3). Lessons 1 and 2 help.", {1, 2, 3}),
        ("the ideas of lessons 1 to 6", {1, 2, 3, 4, 5, 6}),
        ("lessons 1, 2 and 4", {1, 2, 4}),
        ("no other one", set()),
    ],
)
def test_named_lessons_are_found_in_prose(text: str, named: set[int]) -> None:
    assert numbers(text) == named


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_names_lessons_that_come_before_it(lesson: int) -> None:
    assert needs(lesson) <= set(range(1, lesson))


def test_there_is_an_order_for_three_kinds_of_readers_and_one_has_all_lessons() -> None:
    assert len(orders()) == 3
    for order in orders().values():
        assert len(order) == len(set(order))
    assert set(LESSONS) <= set().union(*orders().values())


@pytest.mark.parametrize("who", orders())
def test_in_every_reading_order_a_lesson_follows_those_that_it_names(who: str) -> None:
    order = orders()[who]
    for position, lesson in enumerate(order):
        if lesson in LESSONS:
            later = set(order[position:]) & needs(lesson)
            assert not later, f"lesson {lesson} names lesson {min(later)}, which comes later for {who}"


def imported(lesson: int) -> set[str]:
    """Names of the modules that the cells import; `from course import data` names course and course.data."""
    names = set()
    for source in code(lesson):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                assert node.module
                names.add(node.module)
                if node.module == "course":
                    names |= {f"course.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_imports_libraries_and_the_course_and_nothing_else(lesson: int) -> None:
    """So it runs where none of the other lessons was done: the course's own code stands in for them."""
    for name in imported(lesson):
        assert name.split(".")[0] in LIBRARIES | sys.stdlib_module_names, name
        if name.startswith("course"):
            assert importlib.util.find_spec(name), name


@pytest.mark.parametrize("lesson", LESSONS)
def test_what_a_lesson_imports_of_the_course_is_imported_before_a_process_is_forked(lesson: int) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["autograder"]
    parents = {"course", "course.results"}  # come with what is in them
    checks = {"course.checks"}  # the judge's; what a student's process needs of them is `observe`
    needed = {name for name in imported(lesson) if name.startswith("course")} - parents - checks
    assert needed <= set(settings["preload"])
    assert len(settings["preload"]) == len(set(settings["preload"]))


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_reads_no_notebook(lesson: int) -> None:
    for source in code(lesson):
        assert ".ipynb" not in source
        assert "%run" not in source
