"""Checks of lesson 05, regularization."""

from course.checks.regularization.attacks import FGSM_ATTACK
from course.checks.regularization.dropout import DROPOUT
from course.checks.regularization.looking import PREDICT_WITH_TTA
from course.checks.regularization.minority import SMOTE
from course.checks.regularization.mixing import MIXUP
from course.checks.regularization.penalty import L2_PENALTY
from course.checks.regularization.pictures import ADD_NOISE, HORIZONTAL_FLIP, RANDOM_CROP
from course.checks.regularization.stopping import EARLY_STOPPING

EXERCISES = (
    L2_PENALTY,
    DROPOUT,
    EARLY_STOPPING,
    RANDOM_CROP,
    HORIZONTAL_FLIP,
    ADD_NOISE,
    MIXUP,
    SMOTE,
    PREDICT_WITH_TTA,
    FGSM_ATTACK,
)

SECTIONS = {
    "5.1": "When a network memorises",
    "5.2": "A price on large weights",
    "5.3": "Dropout",
    "5.4": "Stop in time",
    "5.5": "More pictures from the same pictures",
    "5.6": "Mixup",
    "5.7": "Too few of one class: SMOTE",
    "5.8": "Many looks at test time",
    "5.9": "Adversarial pictures",
}
