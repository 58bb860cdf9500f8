"""Checks of lesson 02, initialization."""

from course.checks.initialization.clipping import CLIP_GRAD_NORM, CLIP_GRAD_VALUE
from course.checks.initialization.exponential import ELU, ELU_BACKWARD, SELU, SELU_BACKWARD
from course.checks.initialization.fans import CALCULATE_FAN_IN_AND_FAN_OUT
from course.checks.initialization.filling import (
    KAIMING_NORMAL,
    KAIMING_UNIFORM,
    LECUN_NORMAL,
    VARIANCE_SCALING,
    XAVIER_NORMAL,
    XAVIER_UNIFORM,
)
from course.checks.initialization.orthogonal import ORTHOGONAL
from course.checks.initialization.rectifiers import (
    LEAKY_RELU,
    LEAKY_RELU_BACKWARD,
    PRELU,
    PRELU_BACKWARD,
    RELU,
    RELU_BACKWARD,
)
from course.checks.initialization.saturating import SIGMOID, SIGMOID_BACKWARD, TANH, TANH_BACKWARD
from course.checks.initialization.tuning import LSUV_INIT

EXERCISES = (
    SIGMOID,
    SIGMOID_BACKWARD,
    TANH,
    TANH_BACKWARD,
    RELU,
    RELU_BACKWARD,
    LEAKY_RELU,
    LEAKY_RELU_BACKWARD,
    PRELU,
    PRELU_BACKWARD,
    ELU,
    ELU_BACKWARD,
    SELU,
    SELU_BACKWARD,
    CALCULATE_FAN_IN_AND_FAN_OUT,
    XAVIER_UNIFORM,
    XAVIER_NORMAL,
    KAIMING_UNIFORM,
    KAIMING_NORMAL,
    LECUN_NORMAL,
    VARIANCE_SCALING,
    ORTHOGONAL,
    LSUV_INIT,
    CLIP_GRAD_NORM,
    CLIP_GRAD_VALUE,
)

SECTIONS = {
    "2.1": "Why the start matters",
    "2.2": "Saturating activations",
    "2.3": "Rectifiers",
    "2.4": "The variance of a sum",
    "2.5": "Xavier, He, LeCun",
    "2.6": "One rule for all",
    "2.7": "Orthogonal weights",
    "2.8": "Let the data decide",
    "2.9": "Clip the gradient",
}
