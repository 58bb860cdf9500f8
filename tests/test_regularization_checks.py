"""The checks of lesson 05: how often chance fails a right answer, whose work it was, what once passed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from right_answers import RIGHT
from torch import Tensor, nn
from torch.nn import functional as F

from course import adversarial, augmentation, early_stopping, regularization
from course import smote as smote_module
from course.checks import EXERCISES, examine
from course.checks.framework import Exercise
from course.checks.judge import Verdict, answer_book
from course.checks.regularization import EXERCISES as LESSON
from course.checks.regularization import dropout, minority, mixing, pictures
from course.checks.regularization import statistics as S

NAMES = [exercise.name for exercise in LESSON]
REFERENCES = {
    name: getattr(module, name)
    for module in (regularization, early_stopping, augmentation, smote_module, adversarial)
    for name in module.__all__
}


def verdict(exercise: str, student: Callable[..., object], **options: object) -> Verdict:
    return examine(EXERCISES[exercise], student, **{"hidden": True, "seed": 0, "own_work": True, **options})


def wrong(exercise: str, student: Callable[..., object], **options: object) -> set[str]:
    return {finding.aspect.label for finding in verdict(exercise, student, **options).wrong}


def test_a_name_for_each_exercise_of_the_lesson() -> None:
    assert sorted(REFERENCES) == sorted(NAMES)
    assert sum(len(exercise.misconceptions) for exercise in LESSON) >= 300


# --- How often chance fails a right answer ------------------------------------------------------------------

RANDOM = [exercise for exercise in LESSON if any(aspect.measure for aspect in exercise.aspects)]


def compared(exercise: Exercise) -> list[tuple[str, Tensor, float]]:
    """What of each aspect with a measure is compared on a seed: label, numbers, tolerance for each."""
    book = answer_book(exercise, 11)
    found = []
    for aspect in exercise.aspects:
        if aspect.measure is None or aspect.tolerance.atol + aspect.tolerance.rtol < 1e-3:
            continue  # a law
        (key,) = [key for key in book.expected(aspect.probe) if key.startswith(aspect.looks_at)]
        found.append((aspect.label, aspect.measure(book.expected(aspect.probe)[key].double()), aspect))
    return found


@pytest.mark.parametrize("exercise", RANDOM, ids=lambda exercise: exercise.name)
def test_six_standard_deviations_and_sixty_comparisons_fail_one_check_in_a_million(
    exercise: Exercise,
) -> None:
    once = math.erfc(6 / math.sqrt(2))
    comparisons = sum(numbers.numel() for _, numbers, _ in compared(exercise))
    # Of the 10 or 66 shares of pairs, most are far smaller than the one that the tolerance is for.
    assert comparisons * once < 1e-6, comparisons


@pytest.mark.parametrize("exercise", RANDOM, ids=lambda exercise: exercise.name)
def test_a_tolerance_is_six_standard_deviations(exercise: Exercise) -> None:
    """12 draws of the oracle know a standard deviation to 20 %; of many numbers the largest is above that."""
    drawn: dict[object, list[Tensor]] = {}
    aspects = [aspect for _, _, aspect in compared(exercise)]
    for seed in range(500, 512):
        book = answer_book(exercise, seed)
        for aspect in aspects:
            seen = book.expected(aspect.probe)
            (key,) = [key for key in seen if key.startswith(aspect.looks_at)]
            drawn.setdefault(aspect, []).append(aspect.measure(seen[key].double()).flatten())
    for aspect, values in drawn.items():
        if aspect.probe in ("table", "default", "nearest", "one by one", "few"):
            continue  # other tables have other pairs: see below
        if "edge" in aspect.label:
            continue  # so have the pictures
        measured = torch.stack(values)
        allowed = aspect.tolerance.atol + aspect.tolerance.rtol * measured.mean(0).abs()
        ratio = 6 * math.sqrt(2) * measured.std(0) / allowed
        assert ratio.max() < 1.7, (aspect.label, ratio)


def test_pairs_of_one_table_stay_within_the_tolerance() -> None:
    exercise = EXERCISES["smote"]
    x = answer_book(exercise, 3).probes["table"].inputs["x"]
    taken, steps = [], []
    torch.manual_seed(0)
    for _ in range(20):
        new = torch.cat([x, smote_module.smote(x, minority.NEW * minority.CALLS, minority.K)])
        taken.append(S.pairs_taken(minority.ROWS, minority.K)(new))
        steps.append(S.steps_taken(minority.ROWS, minority.K)(new))
    allowed = S.share_tolerance(minority.NEW * minority.CALLS, 2 / (minority.ROWS * minority.K)).atol
    assert 6 * math.sqrt(2) * torch.stack(taken).std(0).max() < 1.5 * allowed
    assert 6 * math.sqrt(2) * torch.stack(steps).std(0).max() < 1.5 * S.STEPS.atol


def test_pairs_drawn_one_by_one_stay_within_the_tolerance() -> None:
    probe = answer_book(EXERCISES["smote"], 3).probes["one by one"]
    torch.manual_seed(0)
    taken = []
    for _ in range(20):
        new = [smote_module.smote(probe.inputs["x"], 1, 1) for _ in range(minority.ONES)]
        taken.append(S.pairs_taken(8, 1)(torch.cat([probe.inputs["x"], *new])))
    allowed = S.share_tolerance(minority.ONES, 1 / 4).atol
    assert 6 * math.sqrt(2) * torch.stack(taken).std(0).max() < 1.5 * allowed


def test_enough_numbers_for_each_mean() -> None:
    """`together` knows the variance of its means when there are 200 of them, or more."""
    calls, small = pictures.LARGE, pictures.SMALL_DRAWS
    rows, features = dropout.DRAWS * dropout.FEATURES, dropout.DRAWS * dropout.ROWS
    pixels = dropout.MAP_DRAWS * dropout.MAPS[0] * dropout.MAPS[1]
    noise = pictures.NOISY * pictures.NOISY_DRAWS
    for means in (calls, small, rows, features, pixels, noise, dropout.ROWS * dropout.FEATURES, mixing.CALLS):
        assert means >= S.FEWEST_MEANS


# --- Whose work it was --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in NAMES if EXERCISES[name].kind == "function"])
def test_the_reference_behind_a_wrapper_is_seen(name: str) -> None:
    namespace: dict[str, Callable[..., object]] = {}
    arguments = ", ".join(part.split("=")[0] for part in EXERCISES[name].signature.split(", "))
    exec(
        f"def student({EXERCISES[name].signature}):\n    return reference({arguments})",
        {"reference": REFERENCES[name]},
        namespace,
    )
    assert f"course's own {name}" in verdict(name, namespace["student"]).problem


@pytest.mark.parametrize("name", ["Dropout", "EarlyStopping"])
def test_a_class_made_of_the_references_is_seen(name: str) -> None:
    student = type(name, (REFERENCES[name],), {"__module__": "__main__"})
    assert f"course's own {name}" in verdict(name, student).problem


def test_the_reference_inside_another_class_is_seen() -> None:
    class Stopping:
        def __init__(self, patience, min_delta=0.0):
            self.inner = early_stopping.EarlyStopping(patience, min_delta)

        def step(self, loss, model):
            return self.inner.step(loss, model)

        def restore(self, model):
            self.inner.restore(model)

    class Drop(nn.Module):
        def __init__(self, p=0.5):
            super().__init__()
            self.inner = [regularization.Dropout(p)]

        def forward(self, x):
            return self.inner[0].train(self.training)(x)

    assert "course's own EarlyStopping" in verdict("EarlyStopping", Stopping).problem
    assert "course's own Dropout" in verdict("Dropout", Drop).problem


DROPPERS = {
    "F.dropout": lambda x, p, training: F.dropout(x, p, training),
    "torch.dropout": lambda x, p, training: torch.dropout(x, p, training),
    "native_dropout": lambda x, p, training: torch.native_dropout(x, p, training)[0],
    "feature_dropout": lambda x, p, training: torch.feature_dropout(x.reshape(-1, 1), p, training).view_as(x),
    "F.dropout1d": lambda x, p, training: F.dropout1d(x.reshape(-1, 1, 1), p, training).view_as(x),
    "ops": lambda x, p, training: torch.ops.aten.dropout(x, p, training),
    "nn.Dropout": lambda x, p, training: nn.Dropout(p).train(training)(x),
    "of ones": lambda x, p, training: x * F.dropout(torch.ones_like(x), p, training),
}


@pytest.mark.parametrize("way", DROPPERS)
def test_torchs_own_dropout_is_seen_in_any_disguise(way: str) -> None:
    class Drop(nn.Module):
        def __init__(self, p=0.5):
            super().__init__()
            if not 0 <= p <= 1:
                raise ValueError(p)
            self.p = p

        def forward(self, x):
            return DROPPERS[way](x, self.p, self.training)

    assert "dropout" in verdict("Dropout", Drop).problem


def test_a_class_made_of_torchs_is_seen() -> None:
    class Drop(nn.Dropout):
        def __init__(self, p=0.5):
            super().__init__(p)

    assert "does the whole exercise" in verdict("Dropout", Drop).problem


# --- The kind of object -------------------------------------------------------------------------------------


def test_early_stopping_is_a_class_of_ones_own() -> None:
    right = RIGHT["EarlyStopping"]["clones"]
    assert "a class called EarlyStopping" in verdict("EarlyStopping", right(3)).problem
    assert (
        "got a function" in verdict("EarlyStopping", lambda patience, min_delta=0.0: right(patience)).problem
    )
    assert "got None" in verdict("EarlyStopping", None).problem

    class Module(nn.Module):  # nobody asked for it, but it does no harm
        def __init__(self, patience, min_delta=0.0):
            super().__init__()
            self.inner = right(patience, min_delta)
            self.step, self.restore = self.inner.step, self.inner.restore

    assert verdict("EarlyStopping", Module).passed


# --- Groups are apart ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mistake", "costs"),
    [
        ("l2_penalty", "detached", {"gradient"}),
        ("l2_penalty", "half_missing", {"value", "gradient"}),
        ("Dropout", "active_in_evaluation", {"evaluation"}),
        ("Dropout", "one_mask_for_all_rows", {"training"}),
        ("Dropout", "gradient_with_another_mask", {"gradient"}),
        ("Dropout", "p_is_a_buffer", {"interface"}),
        ("EarlyStopping", "reference_kept", {"restore"}),
        ("EarlyStopping", "one_too_late", {"stop"}),
        ("random_crop", "diagonal_only", {"draws"}),
        ("random_crop", "reflected", {"pictures", "draws"}),
        ("random_crop", "generator_ignored", {"randomness"}),
        ("horizontal_flip", "exact_count", {"draws"}),
        ("add_noise", "uniform_of_the_same_std", {"draws"}),
        ("mixup", "labels_not_mixed", {"labels"}),
        ("mixup", "partners_with_replacement", {"draws"}),
        ("smote", "share_squared", {"draws"}),
        ("smote", "nearest_only", {"draws"}),
        ("predict_with_tta", "left_in_evaluation_mode", {"no-trace"}),
        ("predict_with_tta", "logits_averaged", {"probabilities"}),
        ("fgsm_attack", "gradients_left", {"no-trace"}),
        ("fgsm_attack", "not_clipped", {"attack"}),
    ],
)
def test_a_mistake_costs_the_points_of_its_own_groups(name: str, mistake: str, costs: set[str]) -> None:
    exercise = EXERCISES[name]
    (found,) = [each for each in exercise.misconceptions if each.name == mistake]
    verdicts = {
        group: examine(exercise, found.implementation, group, hidden=True, seed=7)
        for group in exercise.groups
    }
    assert {group for group, each in verdicts.items() if not each.passed} == costs


# --- Wrong answers without a name, found by attacking the checks --------------------------------------------


def test_a_mask_kept_for_the_backward_pass_may_not_serve_the_next_call() -> None:
    class Drop(nn.Module):
        """Draws a new mask in every second call only."""

        def __init__(self, p=0.5):
            super().__init__()
            if not 0 <= p <= 1:
                raise ValueError(p)
            self.p, self.calls = p, 0

        def forward(self, x):
            if not self.training:
                return x
            self.calls += 1
            if self.calls % 2:
                self.mask = (torch.rand_like(x) >= self.p) / max(1 - self.p, 1e-9)
            return x * self.mask.to(x.dtype)

    assert "a new mask in each call" in wrong("Dropout", Drop)


def test_neighbouring_pictures_may_not_share_their_draw() -> None:
    def student(x, p=0.5, generator=None):
        if not 0 <= p <= 1:
            raise ValueError(p)
        flags = torch.rand((len(x) + 1) // 2, generator=generator).repeat_interleave(2)[: len(x)] < p
        return torch.where(flags[:, None, None, None], x.flip(-1), x)

    assert wrong("horizontal_flip", student) == {"a draw of its own for each picture"}


def test_a_crop_that_jumps_out_of_the_picture_is_no_window() -> None:
    def student(x, padding, generator=None):
        if padding < 0:
            raise ValueError(padding)
        out = RIGHT["random_crop"]["gather"](x, padding, generator)
        return out if padding == 0 else torch.where(torch.rand(len(x), 1, 1, 1) < 0.02, out * 0, out)

    assert "each picture is a window of its padded one" in wrong("random_crop", student)


def test_numbers_from_numpy_are_told_where_to_come_from() -> None:
    def student(x, std, generator=None):
        noise = np.random.default_rng().normal(0, std, x.shape)
        return x + torch.from_numpy(noise).to(x.dtype)

    assert "torch.manual_seed must decide" in verdict("add_noise", student, group="randomness").message


def test_statistics_put_back_are_seen_as_training_mode() -> None:
    """The running statistics end as they were, but the prediction was made in training mode."""

    def student(model, x, transforms):
        if not transforms:
            raise ValueError
        state = {name: value.clone() for name, value in model.state_dict().items()}
        with torch.no_grad():
            mean = torch.stack([model(t(x)).softmax(1) for t in transforms]).mean(0)
        model.load_state_dict(state)
        return mean

    assert wrong("predict_with_tta", student) == {"a network with batch norm and dropout"}


def test_targets_may_not_be_rounded() -> None:
    def student(x, y, alpha, num_classes):
        mixed, soft = RIGHT["mixup"]["lerp"](x, y, alpha, num_classes)
        return mixed, soft.mul(10).round().div(10)

    assert "labels are mixed with the same partner and λ" in wrong("mixup", student)


def test_box_instead_of_line_is_the_papers_pseudo_code() -> None:
    def student(x, n_new, k=5):
        line = RIGHT["smote"]["cdist"](x, n_new, k)
        torch.rand(n_new, x.shape[1])
        return line + 1e-3 * torch.randn_like(line)

    assert "each new row lies between two rows of x" in wrong("smote", student)
