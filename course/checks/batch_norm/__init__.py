"""Checks of lesson 03, batch normalization."""

from course.checks.batch_norm.layers import BATCH_NORM_1D, BATCH_NORM_2D

EXERCISES = (BATCH_NORM_1D, BATCH_NORM_2D)

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
