"""Mistakes."""

from course.checks.collect import Mistakes

SGD = Mistakes()
