"""Checks of lesson 03, batch normalization."""

from course.checks.batch_norm.functions import BATCH_NORM_BACKWARD, BATCH_NORM_EVAL, BATCH_NORM_TRAIN
from course.checks.batch_norm.fusing import FUSE_LINEAR_BN
from course.checks.batch_norm.layers import BATCH_NORM_1D, BATCH_NORM_2D
from course.checks.batch_norm.other_norms import GROUP_NORM, INSTANCE_NORM_2D, LAYER_NORM
from course.checks.batch_norm.preprocessing import CHANNEL_STATISTICS, PCA_WHITEN

EXERCISES = (
    CHANNEL_STATISTICS,
    PCA_WHITEN,
    BATCH_NORM_TRAIN,
    BATCH_NORM_BACKWARD,
    BATCH_NORM_EVAL,
    BATCH_NORM_1D,
    BATCH_NORM_2D,
    LAYER_NORM,
    INSTANCE_NORM_2D,
    GROUP_NORM,
    FUSE_LINEAR_BN,
)

SECTIONS = {
    "3.1": "Why inputs are normalized",
    "3.2": "Preprocessing a data set",
    "3.3": "Normalize a batch",
    "3.4": "The gradient, by hand",
    "3.5": "Two modes, two variances",
    "3.6": "BatchNorm1d, a layer that remembers",
    "3.7": "BatchNorm2d, one statistic per channel",
    "3.8": "Other norms, other axes",
    "3.9": "Inference: fold the norm away",
}
