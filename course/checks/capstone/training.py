"""Exercise `train_network`: a training, graded by what its network answers to pictures that it never saw."""

from __future__ import annotations

from course import capstone as reference
from course.capstone_data import CLASSES
from course.checks.capstone.bands import BANDS, WALL_SECONDS, band, by_itself, repeats, within_budget
from course.checks.capstone.evaluating import evaluate, measures, task_of
from course.checks.capstone.training_mistakes import TRAIN
from course.checks.framework import Aspect, Exercise, Probe
from course.checks.probes.training_run import TrainProbe

RECORDED = 300
"""Pictures that the network is recorded with: held-out ones and training ones come in such batches."""


def _probes(seed: int) -> dict[str, Probe]:
    task = task_of(seed)
    return {"training": TrainProbe(task.x_train, task.y_train, CLASSES, RECORDED, WALL_SECONDS)}


TRAIN_NETWORK = Exercise(
    name="train_network",
    kind="function",
    signature="x_train, y_train",
    section="8.4",
    oracle=reference.train_network,
    probes=_probes,
    aspects=(
        Aspect("a network within both budgets", "contract", "training", ("",), passes=within_budget),
        Aspect("a picture's answer is its own", "contract", "training", ("",), passes=by_itself),
        Aspect("the same answer each time", "contract", "training", ("",), passes=repeats),
        *(
            Aspect(
                f"{least:.1%} of the held-out pictures", f"band-{i}", "training", ("",), passes=band(least)
            )
            for i, least in enumerate(BANDS, 1)
        ),
    ),
    misconceptions=tuple(TRAIN),
    unknown="No known mistake was recognized. Look at the learning curve and at the confusion matrix.",
    evaluate=evaluate,
    measures=measures,
)
