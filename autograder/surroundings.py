"""What the process that runs submissions is made of, by the course's settings.

A module of its own, because it is needed before anything slow is imported (see `executors.head_start`).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from autograder.config import Course
from autograder.observing.client import Surroundings
from autograder.sandbox import Limits


def surroundings(course: Course, sandboxed: bool, assignment: str = "") -> Surroundings:
    """The surroundings of a course's submissions, or of those of one assignment."""
    settings = course.settings.of(assignment)
    return Surroundings(
        preload=settings.preload,
        observe=settings.observe,
        visible=settings.visible,
        hidden=tuple(str(path) for path in (course.workspace, course.source, course.solutions)),
        masked=tuple(str(path) for name in settings.masked for path in _files_of_package(name)),
        sandboxed=sandboxed,
        limits=Limits(
            memory_megabytes=settings.memory_megabytes,
            processes=settings.max_processes,
            disk_megabytes=settings.disk_megabytes,
        ),
        output_limit=settings.output_kilobytes * 1000,
    )


def _files_of_package(name: str) -> list[Path]:
    """A file of an installed package, given as "package/path/in/it", wherever the package lies."""
    package, _, path = name.partition("/")
    spec = importlib.util.find_spec(package)
    places = (spec.submodule_search_locations if spec else None) or []
    return [file for place in places if (file := Path(place) / path).exists()]
