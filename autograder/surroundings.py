"""What the process that runs submissions is made of, by the course's settings.

A module of its own, because it is needed before anything slow is imported (see `executors.head_start`).
"""

from __future__ import annotations

from autograder.config import Course
from autograder.observing.client import Surroundings
from autograder.sandbox import Limits


def surroundings(course: Course, sandboxed: bool) -> Surroundings:
    """The surroundings of a course's submissions."""
    settings = course.settings
    return Surroundings(
        preload=settings.preload,
        observe=settings.observe,
        visible=settings.visible,
        hidden=tuple(str(path) for path in (course.workspace, course.source, course.solutions)),
        sandboxed=sandboxed,
        limits=Limits(
            memory_megabytes=settings.memory_megabytes,
            processes=settings.max_processes,
            disk_megabytes=settings.disk_megabytes,
        ),
        output_limit=settings.output_kilobytes * 1000,
    )
