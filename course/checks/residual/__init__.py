"""Checks of lesson 04, residual networks."""

from course.checks.residual.blocks import BASIC_BLOCK, BOTTLENECK_BLOCK
from course.checks.residual.networks import RESNET, RESNET_18
from course.checks.residual.stages import MAKE_LAYER
from course.checks.residual.zero_init import ZERO_INIT_RESIDUAL

EXERCISES = (BASIC_BLOCK, BOTTLENECK_BLOCK, MAKE_LAYER, RESNET, RESNET_18, ZERO_INIT_RESIDUAL)

SECTIONS = {
    "4.1": "Deeper is not always better",
    "4.2": "The residual block",
    "4.3": "Bottleneck",
    "4.4": "A stage of blocks",
    "4.5": "The whole network",
    "4.6": "Start as the identity",
}
