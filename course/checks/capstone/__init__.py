"""Checks of lesson 08, the capstone: the student's own CNN."""

from course.checks.capstone.building import BUILD_MODEL
from course.checks.capstone.counting import ACCURACY_WITH_ERROR, CONFUSION_MATRIX, COUNT_PARAMETERS
from course.checks.capstone.training import TRAIN_NETWORK

EXERCISES = (COUNT_PARAMETERS, BUILD_MODEL, TRAIN_NETWORK, CONFUSION_MATRIX, ACCURACY_WITH_ERROR)

SECTIONS = {
    "8.1": "The task, and its rules",
    "8.2": "Count what you spend",
    "8.3": "Build the network",
    "8.4": "Train it within the budget",
    "8.5": "Get better",
    "8.6": "Look at the errors",
    "8.7": "How sure are you?",
}
