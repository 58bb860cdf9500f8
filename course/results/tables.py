"""The recorded results as a Markdown page: ``python -m course.results --table > docs/results.md``."""

from course.results import (
    batch_norm_tables,
    capstone_tables,
    gpu_tables,
    initialization_tables,
    load,
    optimization_tables,
    regularization_tables,
    residual_tables,
    transfer_tables,
)

__all__ = ["page"]

LESSONS = {
    "01_optimization": optimization_tables,
    "02_initialization": initialization_tables,
    "03_batch_norm": batch_norm_tables,
    "04_resnet": residual_tables,
    "05_regularization": regularization_tables,
    "06_transfer_learning": transfer_tables,
    "07_gpu": gpu_tables,
    "08_capstone": capstone_tables,
}
"""Lesson → its part of the page: ``parts(runs)``."""


def page() -> str:
    """Return the whole page, made from the recorded runs alone."""
    environment = load("03_batch_norm")["environment"]
    parts = [
        "# Measured results",
        "Made by `python -m course.results --table` from the runs in `course/results/`; `make results` "
        "does those that are missing. Where nothing else is said, a figure is a test accuracy after the last "
        "epoch: the median, and in brackets the lowest and the highest over the seeds. Measured with "
        f"torch {environment['torch']}, Python {environment['python']}, {environment['machine']} "
        "(lesson 7 and deck D3's ResNet-18: all cores).",
    ]
    for lesson, tables in LESSONS.items():
        parts += tables.parts(load(lesson)["runs"])
    return "\n\n".join(parts) + "\n"
