"""Checks of lesson 06, transfer learning."""

from course.checks.transfer.features import LINEAR_PROBE, PCA_PROJECT, RETRIEVE_EXERCISE
from course.checks.transfer.freezing import FREEZE_EXERCISE
from course.checks.transfer.schedule import GRADUAL_UNFREEZE, PARAMETER_GROUPS
from course.checks.transfer.surgery import EXTRACT_FEATURES, REPLACE_HEAD
from course.checks.transfer.training import FINE_TUNE, PRETRAIN_LAYERWISE

EXERCISES = (
    EXTRACT_FEATURES,
    REPLACE_HEAD,
    FREEZE_EXERCISE,
    PCA_PROJECT,
    LINEAR_PROBE,
    RETRIEVE_EXERCISE,
    PARAMETER_GROUPS,
    GRADUAL_UNFREEZE,
    FINE_TUNE,
    PRETRAIN_LAYERWISE,
)

SECTIONS = {
    "6.1": "Why start from somewhere else",
    "6.2": "Take a network apart",
    "6.3": "Freeze",
    "6.4": "Probe the features",
    "6.5": "Search by features",
    "6.6": "Fine-tune",
    "6.7": "Pre-train layer by layer",
}
