"""Mistakes."""

from course.checks.collect import Mistakes

ADAM = Mistakes()
