"""The probes of lesson 06: they travel as plain data, see what moved, and whose work it was."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from right_answers import RIGHT
from torch import nn

from course import features, pretraining, transfer
from course.checks import EXERCISES, examine
from course.checks.judge import Verdict
from course.checks.render import advice
from course.checks.transfer import EXERCISES as LESSON

NAMES = [exercise.name for exercise in LESSON]
REFERENCES = {
    name: getattr(module, name) for module in (transfer, features, pretraining) for name in module.__all__
}


def verdict(exercise: str, student: Callable[..., object], **options: object) -> Verdict:
    return examine(EXERCISES[exercise], student, hidden=True, seed=0, own_work=True, **options)


def wrong(exercise: str, student: Callable[..., object]) -> set[str]:
    return {finding.aspect.label for finding in verdict(exercise, student).wrong}


def test_a_name_for_each_exercise_of_the_lesson() -> None:
    assert sorted(REFERENCES) == sorted(NAMES)
    assert sum(len(exercise.misconceptions) for exercise in LESSON) >= 150


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_behind_a_wrapper_is_seen(name: str) -> None:
    """Also where it runs no operator on tensors, as freeze and parameter_groups."""
    reference = REFERENCES[name]
    namespace: dict[str, Callable[..., object]] = {}
    arguments = ", ".join(part.split("=")[0] for part in EXERCISES[name].signature.split(", "))
    exec(
        f"def student({EXERCISES[name].signature}):\n    return reference({arguments})",
        {"reference": reference},
        namespace,
    )
    assert f"course's own {name}" in verdict(name, namespace["student"]).problem


def test_torchs_own_projection_is_seen() -> None:
    def student(train, x, k):
        mean = train.mean(0)
        _, s, v = torch.pca_lowrank(train, min(train.shape))
        return (x - mean) @ v[:, :k], s[:k] ** 2 / ((train - mean) ** 2).sum()

    assert "pca_lowrank" in verdict("pca_project", student).problem


def test_gradual_unfreezing_may_use_the_course_to_freeze() -> None:
    assert verdict("gradual_unfreeze", RIGHT["gradual_unfreeze"]["two slices"]).passed


# --- Groups are apart ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mistake", "costs"),
    [
        ("freeze", "running_statistics_move", {"batch-norm", "undo"}),
        ("freeze", "parameters_still_train", {"parameters", "batch-norm", "undo"}),
        ("freeze", "cannot_be_undone", {"undo"}),
        ("freeze", "train_stops_at_the_frozen_module", {"undo"}),
        ("extract_features", "hook_stays", {"no-trace"}),
        ("extract_features", "left_in_evaluation_mode", {"no-trace"}),
        ("extract_features", "overwritten_in_place", {"features"}),
        ("replace_head", "in_place", {"original"}),
        ("replace_head", "bias_lost", {"head"}),
        ("pca_project", "ratio_of_the_kept", {"explained-variance"}),
        ("pca_project", "x_not_centred", {"projection"}),
        ("linear_probe", "bias_penalized", {"logits"}),
        ("linear_probe", "frozen", {"layer"}),
        ("retrieve", "topk", {"ties"}),
        ("retrieve", "dot_product", {"ranking", "ties"}),
        ("parameter_groups", "rates_reversed", {"learning-rates"}),
        ("parameter_groups", "empty_groups", {"groups", "learning-rates"}),
        ("gradual_unfreeze", "running_statistics_move", {"batch-norm"}),
        ("gradual_unfreeze", "names_reversed", {"schedule"}),
        ("fine_tune", "mean_of_batch_means", {"history"}),
        ("fine_tune", "returns_the_model", {"history"}),
        ("pretrain_layerwise", "last_losses", {"losses"}),
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


def right_freeze(module, frozen=True):
    return RIGHT["freeze"]["bound methods"](module, frozen)


def test_hooks_of_others_are_not_to_be_removed() -> None:
    def student(model, x, layer):
        target = model.get_submodule(layer)
        modes = [m.training for m in model.modules()]
        kept = []
        target.register_forward_hook(lambda m, i, o: kept.append(o.detach().clone()))
        try:
            model.eval()
            with torch.no_grad():
                model(x)
        finally:
            for module in model.modules():
                module._forward_hooks.clear()
            for module, mode in zip(model.modules(), modes, strict=True):
                module.training = mode
        return kept[-1]

    assert wrong("extract_features", student) == {"hooks of others stay"}


def test_learning_rates_of_zero_are_no_freezing() -> None:
    """The gradient is multiplied by 0, but weight decay still moves the parameter."""

    def student(module, frozen=True):
        right_freeze(module, frozen)
        for parameter in module.parameters():
            parameter.requires_grad_(True)
            if frozen:
                parameter.register_hook(torch.zeros_like)
        return module

    assert {"its parameters ask for no gradient", "training step: what moved"} <= wrong("freeze", student)


def test_statistics_put_back_after_the_step_are_no_freezing() -> None:
    """The values stay, but the output is that of training mode."""

    def student(module, frozen=True):
        module.requires_grad_(not frozen)
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.momentum = 0.0 if frozen else 0.1
                if frozen:
                    part.num_batches_tracked = None
        return module

    assert "training step: the output" in wrong("freeze", student)


def test_modes_of_the_whole_are_looked_at_where_only_a_part_is_in_evaluation_mode() -> None:
    def student(model, x, layer):
        found, modes = [], {name: m.training for name, m in model.named_children()}
        handle = model.get_submodule(layer).register_forward_hook(
            lambda m, i, o: found.append(o.clone().detach())
        )
        whole = model.training
        try:
            model.eval()
            with torch.no_grad():
                model(x)
        finally:
            handle.remove()
            model.training = whole
            for name, mode in modes.items():
                model.get_submodule(name).train(mode)
        return found[0]

    assert "modes of a model with a part in evaluation mode" in wrong("extract_features", student)


def test_a_new_head_that_is_shared_between_calls_does_not_pass() -> None:
    heads = {}

    def student(model, name, num_classes):
        new = copy.deepcopy(model)
        old = new.get_submodule(name)
        key = (old.in_features, num_classes, old.bias is None, old.weight.dtype, old.training)
        head = heads.setdefault(
            key,
            nn.Linear(old.in_features, num_classes, bias=old.bias is not None, dtype=old.weight.dtype).train(
                old.training
            ),
        )
        parent, _, child = name.rpartition(".")
        setattr(new.get_submodule(parent), child, head)
        return new

    assert wrong("replace_head", student) == {"a second call has a head of its own"}


def test_a_probe_that_gets_its_classes_from_the_last_label_does_not_pass() -> None:
    def student(features, labels, weight_decay=1e-3):
        return RIGHT["linear_probe"]["Newton"](
            features[labels <= labels[-1]], labels[labels <= labels[-1]], weight_decay
        )

    assert not verdict("linear_probe", student).passed


def test_a_probe_that_stops_early_from_a_random_start_is_told_so() -> None:
    """No misconception has its numbers, for they depend on the start."""

    def student(features, labels, weight_decay=1e-3):
        layer = nn.Linear(features.shape[1], int(labels.max()) + 1, dtype=features.dtype)
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, weight_decay=weight_decay)
        for _ in range(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(layer(features), labels).backward()
            optimizer.step()
        return layer

    seen = examine(EXERCISES["linear_probe"], student, "logits")

    assert not seen.passed
    assert "not trained to the end" in advice(seen)


@pytest.mark.parametrize(("steps", "search", "seed"), [(20, None, 47), (30, "strong_wolfe", 53)])
def test_a_probe_that_is_nearly_trained_is_not_taken_for_one_that_asks_for_no_gradient(
    steps: int, search: str | None, seed: int
) -> None:
    """That mistake has right logits, so its numbers are near those of anyone who is nearly right."""

    def student(features, labels, weight_decay=1e-3):
        probe = nn.Linear(features.shape[1], int(labels.max()) + 1, dtype=features.dtype)
        optimizer = torch.optim.LBFGS(probe.parameters(), max_iter=steps, line_search_fn=search)

        def closure():
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(probe(features), labels)
            loss = loss + weight_decay / 2 * probe.weight.square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return probe

    seen = examine(EXERCISES["linear_probe"], student, "logits", hidden=True, seed=seed)
    assert not seen.passed
    assert "frozen" not in {each.misconception.name for each in seen.wrong if each.misconception}


def test_the_schedule_is_not_kept_from_call_to_call() -> None:
    calls = []

    def student(model, epoch, every=1):
        calls.append(epoch)
        return RIGHT["gradual_unfreeze"]["two slices"](model, max(calls), every)

    assert not verdict("gradual_unfreeze", student).passed


def test_every_batch_counts() -> None:
    def student(model, head, batches, epochs, lr=1e-4, head_lr=1e-2, momentum=0.9):
        return RIGHT["fine_tune"]["two groups"](
            model, head, batches[:-1] or batches, epochs, lr, head_lr, momentum
        )

    assert {"the weights after two epochs", "mean loss per example of each epoch"} <= wrong(
        "fine_tune", student
    )


def test_layers_without_the_last_bias_step_do_not_pass() -> None:
    def student(layers, x, steps, lr):
        kept = layers[-1].bias.detach().clone()
        losses = RIGHT["pretrain_layerwise"]["torch.optim"](layers, x, steps, lr)
        with torch.no_grad():
            layers[-1].bias.copy_(kept)
        return losses

    assert "the second layer" in wrong("pretrain_layerwise", student)
