"""Checks of lesson 04, residual networks."""

from course.checks.residual.blocks import BASIC_BLOCK, BOTTLENECK_BLOCK

EXERCISES = (BASIC_BLOCK, BOTTLENECK_BLOCK)

SECTIONS = {
    "4.1": "Deeper is not always better",
    "4.2": "The residual block",
    "4.3": "Bottleneck",
    "4.4": "A stage of blocks",
    "4.5": "The whole network",
    "4.6": "Start as the identity",
}
