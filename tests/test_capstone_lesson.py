"""Lesson 8's notebook: its sections are those that the checks point to, its rules those of the checks."""

import re
from pathlib import Path

import nbformat

from course.checks.capstone import SECTIONS
from course.checks.capstone.bands import BANDS, PARAMETER_BUDGET, SECONDS

SOURCE = Path(__file__).parents[1] / "source_notebooks/08_capstone/08_capstone.ipynb"
TEXT = "\n".join(cell.source for cell in nbformat.read(SOURCE, as_version=4).cells)


def test_the_sections_that_the_checks_point_to_are_there():
    headings = dict(re.findall(r"^## (8\.\d+) (.+)$", TEXT, re.M))
    assert {number: headings[number] for number in SECTIONS} == SECTIONS


def test_the_rules_in_the_text_are_those_of_the_checks():
    assert f"at most {PARAMETER_BUDGET:,} numbers" in TEXT
    assert f"at most {SECONDS:.0f} seconds of CPU time" in TEXT
    assert (
        "There are four bands, each with its own points: 80 %, 90 %, 94 % and 95.5 % right answers." in TEXT
    )
    assert BANDS == (0.80, 0.90, 0.94, 0.955)
