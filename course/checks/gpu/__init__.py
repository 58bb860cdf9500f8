"""Checks of lesson 07, CPU and GPU."""

from course.checks.gpu.benchmark import BENCHMARK_STEP
from course.checks.gpu.mixed import TRAIN_AMP
from course.checks.gpu.moving import TO_DEVICE

EXERCISES = (TO_DEVICE, BENCHMARK_STEP, TRAIN_AMP)

SECTIONS = {
    "7.1": "Choose a device",
    "7.2": "A queue and a clock",
    "7.3": "CPU against GPU",
    "7.4": "Where the time goes",
    "7.5": "Fewer bits",
    "7.6": "The order in memory",
}
