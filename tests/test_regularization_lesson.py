"""Lesson 5's notebook: its sections, the worked examples in its text, and whose code may be used."""

import math
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course.augmentation import mixup, predict_with_tta
from course.checks.regularization import SECTIONS
from course.early_stopping import EarlyStopping
from course.regularization import l2_penalty

PATH = Path(__file__).parents[1] / "source_notebooks" / "05_regularization" / "05_regularization.ipynb"
HEADINGS = [
    "5.1 When a network memorises",
    "5.2 A price on large weights",
    "5.3 Dropout",
    "5.4 Stop in time",
    "5.5 More pictures from the same pictures",
    "5.6 Mixup",
    "5.7 Too few of one class: SMOTE",
    "5.8 Many looks at test time",
    "5.9 Adversarial pictures",
    "5.10 Each method, on and off",
    "5.11 On the real data",
    "5.12 Does it help?",
    "5.13 Summary",
]
MODULES = {
    "l2_penalty": "reference",
    "Dropout": "reference",
    "EarlyStopping": "reference_stopping",
    "random_crop": "reference_augmentation",
    "horizontal_flip": "reference_augmentation",
    "add_noise": "reference_augmentation",
    "mixup": "reference_augmentation",
    "smote": "reference_smote",
    "predict_with_tta": "reference_augmentation",
    "fgsm_attack": "reference_adversarial",
}


@pytest.fixture(scope="module")
def cells():
    return {cell.id: cell.source for cell in nbformat.read(PATH, as_version=4).cells}


def test_the_sections_are_there_in_their_order(cells):
    lines = [line for source in cells.values() for line in source.splitlines()]
    assert [line for line in lines if line.startswith("## 5.")] == [f"## {heading}" for heading in HEADINGS]


def test_the_checks_name_sections_that_exist():
    assert {f"{number} {title}" for number, title in SECTIONS.items()} <= set(HEADINGS)


@pytest.mark.parametrize("name", MODULES)
def test_every_experiment_can_be_done_with_the_courses_own_code(cells, name):
    line = f"my_{name} = {name}  # stuck? my_{name} = {MODULES[name]}.{name}"
    assert sum(line in source for source in cells.values()) == 1


# --- the numbers of the text


def test_the_network_has_the_parameters_that_the_text_counts(cells):
    names = {"nn": nn}
    exec(cells["network"].rsplit("\n\n\n", 1)[0], names)
    count = sum(parameter.numel() for parameter in names["make_network"]().parameters())
    assert f"{count:,} parameters" in cells["section-5-1"]
    assert f"{500 * math.log2(10):.0f}" == "1661"
    assert round(count / 1661) == 51


def test_the_worked_example_of_the_penalty():
    theta = torch.tensor([3.0, -4.0], requires_grad=True)
    penalty = l2_penalty([theta], 0.1)
    penalty.backward()
    assert penalty.item() == pytest.approx(1.25)
    assert theta.grad.tolist() == pytest.approx([0.3, -0.4])
    assert (theta.detach() - 0.5 * theta.grad).tolist() == pytest.approx([2.85, -3.8])


@pytest.mark.parametrize(("min_delta", "stop", "best"), [(0.0, 6, 3), (0.15, 5, 2)])
def test_the_worked_example_of_early_stopping(min_delta, stop, best):
    stopping, model = EarlyStopping(patience=3, min_delta=min_delta), nn.Linear(1, 1)
    for epoch, loss in enumerate([1.00, 0.80, 0.70, 0.75, 0.70, 0.90], start=1):
        nn.init.constant_(model.weight, epoch)
        if stopping.step(loss, model):
            break
    stopping.restore(model)
    assert epoch == stop
    assert model.weight.item() == best


def test_soft_targets_mix_the_losses_of_both_labels():
    torch.manual_seed(0)
    logits, x, y = torch.randn(4, 10), torch.rand(4, 3), torch.arange(4)
    _, soft = mixup(x, y, 1.0, 10)
    by_hand = -(soft * logits.log_softmax(dim=1)).sum(dim=1).mean()
    assert F.cross_entropy(logits, soft).item() == pytest.approx(by_hand.item())


def test_the_worked_example_of_many_looks():
    logits = torch.tensor([[0.9, 0.1], [0.3, 0.7]]).log()
    looks = [lambda x: logits[:1], lambda x: logits[1:]]
    assert predict_with_tta(nn.Identity(), logits[:1], looks)[0].tolist() == pytest.approx([0.6, 0.4])


def test_the_worked_example_of_the_attack():
    assert pytest.approx(0.6) == 0.1 * (2 + 3 + 1)
    shift = 0.1 * 784 * 0.05
    assert shift == pytest.approx(3.9, abs=0.05)
    start = math.log(0.1 / 0.9)
    assert 1 / (1 + math.exp(-start - shift)) == pytest.approx(0.84, abs=0.01)


def test_noise_on_the_inputs_is_a_penalty_of_twice_its_variance():
    """λ/2 ‖θ‖² = σ² ‖θ‖², when the loss is the mean of the squares: λ = 2σ²."""
    torch.manual_seed(0)
    x, theta, sigma = torch.randn(6, 3).double(), torch.randn(3).double(), 0.7
    noise = sigma * torch.randn(200_000, 3).double()
    more = sum((((row + noise) @ theta) ** 2).mean() - (row @ theta) ** 2 for row in x) / len(x)
    assert more.item() == pytest.approx(l2_penalty([theta], 2 * sigma**2).item(), rel=0.02)
