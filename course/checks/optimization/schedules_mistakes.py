"""Mistakes."""

from course.checks.collect import Mistakes

STEP = Mistakes()
COSINE = Mistakes()
WARMUP = Mistakes()
