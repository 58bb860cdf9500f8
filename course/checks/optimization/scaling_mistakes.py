"""Mistakes."""

from course.checks.collect import Mistakes

STANDARDIZE = Mistakes()
MIN_MAX = Mistakes()
