"""The checks of lesson 02: how often chance fails a right answer, and wrong answers that once passed."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course import activations, initialization
from course.checks import EXERCISES, examine
from course.checks.initialization import EXERCISES as LESSON
from course.checks.initialization import statistics as S
from course.checks.judge import Verdict, answer_book
from course.training import evaluation_mode


def verdict(exercise: str, student: Callable[..., object], **options: object) -> Verdict:
    return examine(EXERCISES[exercise], student, hidden=True, seed=0, own_work=True, **options)


# --- How often chance fails a right answer ------------------------------------------------------------------

FILLING = [exercise for exercise in LESSON if any(aspect.measure for aspect in exercise.aspects)]


def six_sigma(measure: Callable[[Tensor], Tensor], draw: Callable[[], Tensor], pairs: int) -> float:
    """Standard deviations of the difference of two right answers that fit into 6, at the worst entry."""
    differences = torch.stack([measure(draw()) - measure(draw()) for _ in range(pairs)])
    return 6 * differences.square().mean(0).sqrt().max().item()


def normal() -> Tensor:
    return torch.randn(14, 30, 50, dtype=torch.float64)[: S.DRAWN]


def uniform() -> Tensor:
    return torch.rand(14, 30, 50, dtype=torch.float64) - 0.5


def orthogonal(rows: int, cols: int) -> Callable[[], Tensor]:
    def draw() -> Tensor:
        q, r = torch.linalg.qr(torch.randn(S.MATRICES, max(rows, cols), min(rows, cols), dtype=torch.float64))
        q = q * r.diagonal(dim1=1, dim2=2).sign()[:, None]
        return q if rows >= cols else q.mT

    return draw


@pytest.mark.parametrize(
    ("measure", "draw", "tolerance"),
    [
        (S.mean, normal, S.MEAN.atol),
        (S.mean, uniform, S.MEAN.atol),
        (S.std, normal, S.STD.rtol),
        (S.shares, normal, S.SHARES.atol),
        (S.shares, uniform, S.SHARES.atol),
        (S.tail, normal, S.TAIL.atol),
        (S.entries, orthogonal(2, 2), S.ENTRIES.atol),
        (S.entries, orthogonal(4, 2), S.ENTRIES.atol),
        (S.entries, orthogonal(2, 4), S.ENTRIES.atol),
        (S.determinants, orthogonal(2, 2), S.DETERMINANTS.atol),
        (S.products, orthogonal(2, 2), S.PRODUCTS.atol),
        (S.products, orthogonal(4, 2), S.PRODUCTS.atol),
        (S.fourth_powers, orthogonal(4, 2), S.FOURTH_POWERS.atol),
    ],
)
def test_a_tolerance_is_six_standard_deviations(
    measure: Callable[[Tensor], Tensor], draw: Callable[[], Tensor], tolerance: float
) -> None:
    """300 pairs measure a standard deviation to 4 %; the worst of 16 entries is up to 15 % above the mean."""
    torch.manual_seed(0)
    assert six_sigma(measure, draw, pairs=300) <= 1.15 * tolerance


def test_six_standard_deviations_and_sixty_comparisons_fail_one_check_in_a_million() -> None:
    once = math.erfc(6 / math.sqrt(2))
    assert once < 2e-9
    assert 0.999**S.DRAWN < 2.1e-9
    for exercise in FILLING:
        # Every number that is compared counts: shares are three, products of (4, 2) matrices 64.
        entries = {S.shares: 3, S.entries: 8, S.products: 64}
        comparisons = sum(entries.get(a.measure, 1) for a in exercise.aspects if a.measure)
        assert comparisons * 2.1e-9 * 2 < 1e-6, exercise.name


@pytest.mark.parametrize("exercise", FILLING, ids=lambda exercise: exercise.name)
def test_the_reference_passes_on_many_seeds(exercise: object) -> None:
    """A one in a thousand false alarm would show here in about 1 of 3 runs; ours should never."""
    reference = getattr(initialization, exercise.name)
    for seed in range(100, 112):
        seen = examine(exercise, reference, hidden=True, seed=seed)
        assert seen.passed, (seed, seen.message)


@pytest.mark.parametrize("name", ["xavier_normal_", "lecun_normal_", "kaiming_normal_"])
def test_chance_stays_far_from_the_tolerance(name: str) -> None:
    """The largest of 40 differences of the standard deviation is near 2.5 of the 6 that are allowed."""
    exercise = EXERCISES[name]
    worst = 0.0
    for seed in range(40):
        book = answer_book(exercise, seed)
        drawn = book.expected("dense")["filled"]
        torch.manual_seed(seed + 5000)
        again = torch.stack([exercise.oracle(torch.empty_like(each)) for each in drawn])
        worst = max(worst, abs(S.std(again) / S.std(drawn) - 1).item() / S.STD.rtol)
    assert 0.1 < worst < 0.8


# --- Work left to others ------------------------------------------------------------------------------------


def counterpart(name: str) -> Callable[..., object] | None:
    places = (nn.init, nn.utils, F, torch)
    found = next((getattr(place, name) for place in places if hasattr(place, name)), None)
    return found or getattr(nn.init, f"_{name}", None)


@pytest.mark.parametrize("name", [exercise.name for exercise in LESSON if counterpart(exercise.name)])
def test_torchs_own_counterpart_is_not_accepted(name: str) -> None:
    exercise, theirs = EXERCISES[name], counterpart(name)
    namespace = {"theirs": theirs}
    arguments = ", ".join([*exercise.required, *(f"{option}={option}" for option in exercise.optional)])
    exec(f"def student({exercise.signature}): return theirs({arguments})", namespace)
    assert "does the whole exercise" in verdict(name, namespace["student"]).problem


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("sigmoid", torch.special.expit),
        ("relu", lambda x: F.threshold(x, 0.0, 0.0)),
        ("selu", lambda x: 1.0507009873554805 * F.elu(x, 1.6732632423543772)),
        ("leaky_relu", lambda x, negative_slope=0.01: F.prelu(x, x.new_tensor([negative_slope]))),
        ("lecun_normal_", lambda tensor: nn.init.kaiming_normal_(tensor, nonlinearity="linear")),
        (
            "sigmoid_backward",
            lambda grad_output, x: torch.ops.aten.sigmoid_backward(grad_output, x.sigmoid()),
        ),
        ("elu_backward", lambda g, x, alpha=1.0: torch.ops.aten.elu_backward(g, alpha, 1, 1, False, x)),
        ("relu_backward", lambda grad_output, x: torch.ops.aten.threshold_backward(grad_output, x, 0)),
    ],
)
def test_a_synonym_is_not_accepted(name: str, student: Callable[..., object]) -> None:
    assert "does the whole exercise" in verdict(name, lambda *a, **o: student(*a, **o)).problem


@pytest.mark.parametrize("exercise", LESSON, ids=lambda exercise: exercise.name)
def test_the_reference_is_seen_through_a_wrapper(exercise: object) -> None:
    from course import clipping

    home = next(m for m in (activations, initialization, clipping) if hasattr(m, exercise.name))
    reference = getattr(home, exercise.name)
    problem = verdict(exercise.name, lambda *a, **o: reference(*a, **o)).problem
    assert f"the course's own {exercise.name}" in problem


def test_what_another_exercise_builds_on_may_be_the_courses() -> None:
    def sigmoid_backward(grad_output, x):
        s = activations.sigmoid(x)
        return grad_output * s * (1 - s)

    def elu(x, alpha=1.0):
        return torch.relu(x) + alpha * torch.expm1(-torch.relu(-x))

    def xavier_normal_(tensor, gain=1.0):
        std = gain * math.sqrt(2 / sum(initialization.calculate_fan_in_and_fan_out(tensor)))
        return nn.init.normal_(tensor, 0, std)

    for student in (sigmoid_backward, elu, xavier_normal_):
        seen = verdict(student.__name__, student)
        assert seen.passed, seen.message


# --- Wrong answers that once passed, or nearly --------------------------------------------------------------


def fill(std: Callable[[Tensor], float], draw: Callable[[Tensor], Tensor] = torch.randn_like):
    @torch.no_grad()
    def student(tensor):
        return tensor.copy_(std(tensor) * draw(tensor))

    return student


def fan_in(tensor: Tensor) -> float:
    return tensor[0].numel() ** -0.5


def kernel_of_two_axes_only(tensor: Tensor) -> float:
    positions = tensor.shape[2] * tensor.shape[3] if tensor.dim() == 4 else 1
    return (tensor.shape[1] * positions) ** -0.5


def two_values(tensor: Tensor) -> Tensor:
    return torch.randn_like(tensor).sign()


def cut_at_two(tensor: Tensor) -> Tensor:
    return nn.init.trunc_normal_(torch.empty_like(tensor), a=-2, b=2) / 0.8796


def laplace(tensor: Tensor) -> Tensor:
    return torch.randn_like(tensor).sign() * torch.empty_like(tensor).exponential_() / math.sqrt(2)


def one_column(tensor: Tensor) -> Tensor:
    return torch.randn_like(tensor[:, :1]).expand_as(tensor)


def a_few_missing(tensor: Tensor) -> Tensor:
    numbers = torch.randn_like(tensor)
    return numbers * (numbers.flatten().cumsum(0).view_as(numbers) != 0) * (torch.rand_like(numbers) > 0.06)


@pytest.mark.parametrize(
    "student",
    [
        fill(kernel_of_two_axes_only),
        fill(fan_in, two_values),
        fill(fan_in, cut_at_two),
        fill(fan_in, laplace),
        fill(fan_in, one_column),
        fill(fan_in, a_few_missing),
        fill(lambda tensor: 0.93 * fan_in(tensor)),
    ],
)
def test_wrong_weights_do_not_pass(student: Callable[[Tensor], Tensor]) -> None:
    for seed in range(5):
        assert not examine(EXERCISES["lecun_normal_"], student, hidden=True, seed=seed).passed


def test_right_weights_of_the_same_making_pass() -> None:
    assert verdict("lecun_normal_", fill(fan_in)).passed


def test_the_uniform_bound_is_known_to_a_thousandth() -> None:
    @torch.no_grad()
    def student(tensor, gain=1.0):
        bound = 1.005 * gain * math.sqrt(6 / sum(initialization.calculate_fan_in_and_fan_out(tensor)))
        return tensor.uniform_(-bound, bound)

    assert not verdict("xavier_uniform_", student).passed


@pytest.mark.parametrize("generator", [torch.Generator(), torch.Generator().manual_seed(5)])
def test_a_generator_of_ones_own_is_not_torchs(generator: torch.Generator) -> None:
    @torch.no_grad()
    def student(tensor):
        return tensor.normal_(0, fan_in(tensor), generator=generator)

    seen = verdict("lecun_normal_", student, group="in-place")
    assert not seen.passed
    assert "torch's generator" in seen.message


def test_a_thread_does_not_hide_who_fills() -> None:
    def student(tensor, gain=1.0):
        thread = threading.Thread(target=nn.init.xavier_uniform_, args=(tensor, gain))
        thread.start()
        thread.join()
        return tensor

    assert "torch drew no random number" in verdict("xavier_uniform_", student).problem


def test_numbers_from_numpy_are_told_where_to_come_from() -> None:
    @torch.no_grad()
    def student(tensor):
        return tensor.copy_(torch.from_numpy(np.random.default_rng().normal(0, fan_in(tensor), tensor.shape)))

    assert "with torch: normal_" in verdict("lecun_normal_", student, group="distribution").message
    assert "torch's generator" in verdict("lecun_normal_", student, group="in-place").message


def test_a_mistake_of_filling_costs_its_own_group_only() -> None:
    def student(tensor):
        return tensor.normal_(0, fan_in(tensor))  # an nn.Parameter refuses this

    assert verdict("lecun_normal_", student, group="distribution").passed
    seen = verdict("lecun_normal_", student, group="in-place")
    assert seen.misconception.name == "no_grad_missing"


def test_rotations_alone_do_not_pass_for_orthogonal_matrices() -> None:
    def student(tensor, gain=1):
        if tensor.dim() < 2:
            raise ValueError("fewer than 2 dimensions")
        size = max(tensor.shape[0], tensor[0].numel())
        skew = torch.randn(size, size, dtype=tensor.dtype)
        rotation = torch.linalg.matrix_exp(3 * (skew - skew.T))
        with torch.no_grad():
            return tensor.copy_(gain * rotation[: tensor.shape[0], : tensor[0].numel()].reshape(tensor.shape))

    assert verdict("orthogonal_", student, group="orthogonal").passed
    wrong = {finding.aspect.label for finding in verdict("orthogonal_", student, group="uniform").wrong}
    assert "rotations and reflections, equally often" in wrong


def test_the_unsafe_sigmoid_loses_the_autograd_point_alone() -> None:
    def sigmoid(x):
        return 1 / (1 + torch.exp(-x))

    assert verdict("sigmoid", sigmoid, group="forward").passed
    assert verdict("sigmoid", sigmoid, group="autograd").misconception.name == "autograd_meets_infinity"


@pytest.mark.parametrize("step", [10.0**-n for n in range(1, 9)])
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu"])
def test_difference_quotients_are_no_formula(name: str, step: float) -> None:
    function = getattr(activations, name)

    def student(grad_output, x, **options):
        wide = x.double()
        rise = function(wide + step, **options) - function(wide - step, **options)
        return (grad_output * rise / (2 * step)).to(x.dtype)

    assert not verdict(f"{name}_backward", student, group="backward").passed


def test_an_alpha_below_one_is_looked_at() -> None:
    def elu(x, alpha=1.0):
        return torch.where(x > 0, x, max(alpha, 1.0) * torch.expm1(x.clamp(max=0)))

    assert not verdict("elu", elu).passed


def test_a_number_from_numpy_counts_as_a_whole_number() -> None:
    def student(tensor):
        if tensor.dim() < 2:
            raise ValueError("fewer than 2 dimensions")
        return np.int64(tensor[0].numel()), np.int64(tensor[:, 0].numel())

    assert verdict("calculate_fan_in_and_fan_out", student).passed


def test_nothing_is_clipped_by_a_function_that_does_nothing() -> None:
    seen = verdict("clip_grad_value_", lambda parameters, clip_value: None)
    assert seen.misconception.name == "not_in_place"


def lsuv(divisor: Callable[[Tensor], Tensor | float]) -> Callable[[nn.Module, Tensor], nn.Module]:
    """A right answer but for what a weight is divided by, given the std of its output."""

    def tune(layer, inputs, output):
        layer.weight.div_(divisor(output.std()))

    @torch.no_grad()
    def student(model, x):
        layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        for layer in layers:
            nn.init.orthogonal_(layer.weight)
            if layer.bias is not None:
                layer.bias.zero_()
        with evaluation_mode(model):
            for layer in layers:
                handle = layer.register_forward_hook(tune)
                model(x)
                handle.remove()
        return model

    return student


def test_a_layer_without_variance_is_named() -> None:
    assert verdict("lsuv_init", lsuv(lambda std: std)).misconception.name == "divided_by_zero"


@pytest.mark.parametrize("eps", [1e-12, 1e-8, 1e-4])
def test_an_eps_in_the_divisor_is_named_whatever_its_size(eps: float) -> None:
    seen = verdict("lsuv_init", lsuv(lambda std: std + eps), group="weights")
    assert seen.misconception.name == "eps_added"


def test_small_outputs_are_scaled_too() -> None:
    seen = verdict("lsuv_init", lsuv(lambda std: std if std > 0.1 else 1.0), group="variance")
    assert [finding.aspect.label for finding in seen.wrong] == ["float32, small inputs"]


@torch.no_grad()
def mirrored(tensor: Tensor, gain: float = 1.0) -> Tensor:
    bound = gain * math.sqrt(6 / sum(initialization.calculate_fan_in_and_fan_out(tensor)))
    half = tensor.uniform_(-bound, bound).shape[0] // 2
    tensor[half : 2 * half] = -tensor[:half]
    return tensor


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("xavier_uniform_", mirrored),
        ("selu", lambda x: 1.0507 * activations.elu(x, 1.67326)),
        ("leaky_relu", lambda x, negative_slope=0.01: F.relu(x) - abs(negative_slope) * F.relu(-x)),
        ("elu", lambda x, alpha=1.0: activations.elu(x, abs(alpha))),
        ("prelu", lambda x, weight: activations.prelu(x, weight) if x.dim() < 5 else x),
    ],
)
def test_what_the_other_probes_do_not_show(name: str, student: Callable[..., object]) -> None:
    wrong = verdict(name, student).wrong
    assert len(wrong) == 1
    assert wrong[0].aspect.hidden


def test_autograds_forward_mode_is_no_formula() -> None:
    def student(grad_output, x):
        return torch.func.jvp(activations.sigmoid, (x,), (grad_output,))[1]

    assert "does the whole exercise" in verdict("sigmoid_backward", student).problem
