"""Checks of lesson 01, optimization."""

from course.checks.optimization.loops import OVERFIT_SMALL_BATCH, TRAIN_EXERCISE
from course.checks.optimization.losses import CROSS_ENTROPY_EXERCISE, MSE_LOSS
from course.checks.optimization.optimizers import ADAM_EXERCISE, SGD_EXERCISE
from course.checks.optimization.scaling import MIN_MAX_SCALE, STANDARDIZE_EXERCISE
from course.checks.optimization.schedules import COSINE_ANNEALING_LR, LINEAR_WARMUP, STEP_LR

EXERCISES = (
    STANDARDIZE_EXERCISE,
    MIN_MAX_SCALE,
    MSE_LOSS,
    CROSS_ENTROPY_EXERCISE,
    SGD_EXERCISE,
    ADAM_EXERCISE,
    STEP_LR,
    COSINE_ANNEALING_LR,
    LINEAR_WARMUP,
    OVERFIT_SMALL_BATCH,
    TRAIN_EXERCISE,
)

SECTIONS = {
    "1.1": "Why mini-batches",
    "1.2": "Scale the inputs",
    "1.3": "Two losses",
    "1.4": "Gradient descent with momentum",
    "1.5": "Adam",
    "1.6": "Schedule the learning rate",
    "1.7": "First overfit a small batch",
    "1.8": "The training loop",
}
