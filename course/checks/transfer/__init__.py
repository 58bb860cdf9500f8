"""Checks of lesson 06, transfer learning."""

from course.checks.transfer.freezing import FREEZE_EXERCISE
from course.checks.transfer.schedule import GRADUAL_UNFREEZE, PARAMETER_GROUPS
from course.checks.transfer.surgery import EXTRACT_FEATURES, REPLACE_HEAD

EXERCISES = (EXTRACT_FEATURES, REPLACE_HEAD, FREEZE_EXERCISE, PARAMETER_GROUPS, GRADUAL_UNFREEZE)

SECTIONS = {
    "6.1": "Why start from somewhere else",
    "6.2": "Take a network apart",
    "6.3": "Freeze",
    "6.4": "Probe the features",
    "6.5": "Search by features",
    "6.6": "Fine-tune",
    "6.7": "Pre-train layer by layer",
}
