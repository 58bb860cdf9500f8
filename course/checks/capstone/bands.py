"""What the training is graded by: budgets and bands, and how often chance decides.

An accuracy of 0.98, measured on 600 pictures, has a standard error of 0.006. So each held-out picture is
distorted in `course.capstone_data.COPIES` ways, and the highest band lies a good two errors below what the
reference reaches: see `docs/grader.md` for the measurements.
"""

from __future__ import annotations

from course.checks.compare import Symptom, absent
from course.checks.plain import Observation

PARAMETER_BUDGET = 20_000
"""Numbers that a network may consist of: parameters, buffers, and whatever else its forward pass uses."""

SECONDS = 30.0
"""CPU seconds that the training may take; the reference takes about 4."""

WALL_SECONDS = 120.0
"""After this much time on the clock an endless loop is assumed."""

BANDS = (0.80, 0.90, 0.94, 0.955)
"""Accuracies on held-out pictures; each is a test cell of its own."""


def unfit(seen: Observation) -> Symptom | None:
    """What keeps a network from being graded: an error, no network, a budget; None when nothing does."""
    if "accuracy" not in seen:
        trouble = seen.get("network")
        return absent({"error": trouble} if isinstance(trouble, dict) else seen)
    numbers, seconds = seen["parameters"], seen["seconds"]
    if isinstance(numbers, int) and numbers > PARAMETER_BUDGET:
        text = f"{numbers:,} numbers, {PARAMETER_BUDGET:,} allowed"
        return Symptom("over budget", text, f"Your network consists of {text}.")
    if isinstance(seconds, float) and seconds > SECONDS:
        text = f"{seconds:.0f} s of training, {SECONDS:.0f} s allowed"
        return Symptom("over budget", text, f"Your training took {text}.")
    return None


def within_budget(seen: Observation) -> Symptom | None:
    """The network can be graded, and it and its training are within the budgets."""
    return unfit(seen)


def by_itself(seen: Observation) -> Symptom | None:
    """A picture's answer does not depend on the pictures beside it."""
    if "by itself" not in seen:
        return unfit(seen)
    if seen["by itself"] is True:
        return None
    return Symptom(
        "value",
        "the answers change with the other pictures of the batch",
        "The answer for a picture depends on the others in its batch. In evaluation mode it must not.",
    )


def repeats(seen: Observation) -> Symptom | None:
    """The network answers the same twice."""
    if "random" not in seen:
        return unfit(seen)
    if seen["random"] is False:
        return None
    return Symptom(
        "value", "random in evaluation mode", "The network still draws random numbers after eval()."
    )


def band(least: float) -> object:
    """The rule of one band: an aspect's `passes`."""

    def passes(seen: Observation) -> Symptom | None:
        symptom = unfit(seen)
        accuracy = seen.get("accuracy")
        if symptom or not isinstance(accuracy, float):
            return symptom or Symptom("missing", "not there")
        if accuracy >= least:
            return None
        text = f"{accuracy:.1%} right, {least:.1%} needed"
        worst = str(seen["confusion"])
        return Symptom("accuracy", f"{text}; {worst}", f"{text[0].upper()}{text[1:]}; {worst}.")

    return passes
