"""From what was seen of a training to what is graded: the network is run here, on pictures it never saw."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from course.capstone_data import CLASSES, Task, draw_task
from course.checks.capstone.bands import unfit
from course.checks.framework import Measure
from course.checks.plain import Observation, trouble
from course.checks.probes.computation import RANDOM, Recording, Unrecordable, replay
from course.checks.probes.training_run import handed_over

VISIBLE_SEED = 0


@lru_cache(maxsize=4)
def task_of(seed: int) -> Task:
    """The data set of a seed; all but the visible one are disguised."""
    return draw_task(seed, disguised=seed != VISIBLE_SEED)


_SEEN = ("seconds", "network", "mode", "diary: ", "error")
"""Keys of an observation that are looked at as they are."""


def evaluate(seed: int, seen: Observation) -> Observation:
    """What was seen, and what its network answers on the held-out pictures of the seed.

    Keys: those of `_SEEN`, and, when there is one, "accuracy", "accuracy in training",
    "parameters", "by itself", "random", "confusion" (a sentence), "one answer" (share of the commonest).
    """
    # What was seen comes from a process that may have been taken over: nothing in it stands for a result.
    out = {key: value for key, value in seen.items() if key.startswith(_SEEN)}
    if not isinstance(seen.get("seconds"), float) or seen.get("network") != "recorded":
        return out
    recording = handed_over(seen)
    task = task_of(seed)
    try:
        if recording is None:
            raise Unrecordable("no recording")
        out |= _graded(recording, task)
    except Unrecordable as reason:
        out["network"] = trouble("unrecordable", str(reason))
    return out


def _graded(recording: Recording, task: Task) -> Observation:
    x, y = task.x_held_out, task.y_held_out
    logits = replay(recording, x)
    if logits.shape != (len(x), CLASSES):
        raise Unrecordable("an output of another size")
    answers = logits.argmax(1)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    shuffled = replay(recording, x[order]).argmax(1)
    trained = replay(recording, task.x_train).argmax(1)
    finite = bool(logits.isfinite().all())
    right = (answers == y) & logits.isfinite().all(1)
    random = not RANDOM.isdisjoint(recording.names)
    return {
        "accuracy": right.double().mean().item(),
        "accuracy in training": (trained == task.y_train).double().mean().item(),
        "parameters": recording.numbers,
        "by itself": random or (shuffled == answers[order]).double().mean().item() > 0.99,
        "random": random,
        "finite": finite,
        "confusion": _most_confused(answers, y, task.digit_of),
        "one answer": torch.bincount(answers, minlength=CLASSES).max().item() / len(answers),
    }


def _most_confused(answers: Tensor, y: Tensor, digit_of: Tensor) -> str:
    wrong = answers != y
    if not wrong.any():
        return "no confusion"
    pairs, counts = torch.stack([digit_of[y[wrong]], digit_of[answers[wrong]]], 1).unique(
        dim=0, return_counts=True
    )
    most = int(counts.argmax())
    true, taken = pairs[most].tolist()
    return f"most often a {true} is taken for a {taken} ({int(counts[most])} of {int(wrong.sum())} errors)"


def measures(seen: Observation) -> tuple[Measure, ...]:
    """The columns of the leaderboard; none for a network that is none, or beyond a budget."""
    if unfit(seen):
        return ()
    accuracy, numbers, seconds = (seen.get(key) for key in ("accuracy", "parameters", "seconds"))
    if not isinstance(accuracy, float) or not isinstance(numbers, int) or not isinstance(seconds, float):
        return ()
    return (
        Measure("accuracy", accuracy, "higher", ".1%"),
        Measure("parameters", float(numbers), "lower", ",.0f"),
        Measure("seconds", seconds, "lower", ".1f"),
    )
