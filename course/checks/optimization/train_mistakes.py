"""Mistakes."""

from course.checks.collect import Mistakes

TRAIN = Mistakes()
