"""Lesson 02 has the sections that its checks point to."""

from pathlib import Path

import nbformat

from course.checks.initialization import SECTIONS

HEADINGS = [
    "2.1 Why the start matters",
    "2.2 Saturating activations",
    "2.3 Rectifiers",
    "2.4 The variance of a sum",
    "2.5 Xavier, He, LeCun",
    "2.6 One rule for all",
    "2.7 Orthogonal weights",
    "2.8 Let the data decide",
    "2.9 Clip the gradient",
    "2.10 A good start, measured",
    "2.11 On the real data",
    "2.12 Why this variance?",
    "2.13 Summary",
]


def test_the_sections_are_there_in_their_order():
    path = Path(__file__).parents[1] / "source_notebooks/02_initialization/02_initialization.ipynb"
    lines = [line for cell in nbformat.read(path, as_version=4).cells for line in cell.source.splitlines()]
    assert [line for line in lines if line.startswith("## 2.")] == [f"## {heading}" for heading in HEADINGS]


def test_the_checks_name_sections_that_exist():
    assert {f"{number} {title}" for number, title in SECTIONS.items()} <= set(HEADINGS)
