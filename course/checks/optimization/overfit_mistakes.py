"""Mistakes."""

from course.checks.collect import Mistakes

OVERFIT = Mistakes()
