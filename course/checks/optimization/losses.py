"""Exercises `mse_loss` and `cross_entropy`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course import losses as reference
from course.checks.framework import SINGLE, Aspect, CallProbe, Draw, Exercise, Probe, Tolerance
from course.checks.optimization.losses_mistakes import CROSS_ENTROPY, MSE

ONE = torch.tensor(1.0, dtype=torch.float64)

LARGE = Tolerance(1e-5, 1e-5, "float32 keeps 7 digits of a logit of 1e4; a mistake shows as nan, inf or 1 %")

# --- mse_loss -----------------------------------------------------------------------------------------------


def _mse_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(*shape: int, source: Draw = draw, scale: float = 1.0, note: str = "", **options: Any) -> Probe:
        inputs = {"input": source.normal(*shape), "target": source.normal(*shape, mean=0.5)}
        grad_output = scale * ONE.to(inputs["input"].dtype)
        return CallProbe(inputs, ("loss",), grad_output=grad_output, note=note, **options)

    def mismatch(one: tuple[int, ...], other: tuple[int, ...]) -> Probe:
        return CallProbe({"input": draw.normal(*one), "target": draw.normal(*other)}, ("loss",), raises=True)

    return {
        "rows": probe(5, 3, note="5 rows of 3 numbers"),
        "numbers": probe(4, note="4 numbers"),
        "scaled": probe(3, 2, scale=1.7),
        "grid": probe(2, 3, 2, 2),
        "column": mismatch((4, 1), (4,)),
        "wide": mismatch((4, 1), (4, 3)),
        "row": mismatch((3, 2), (2,)),
        "turned": mismatch((2, 3), (3, 2)),
        "float32": probe(6, 2, source=single),
    }


MSE_LOSS = Exercise(
    name="mse_loss",
    kind="function",
    signature="input, target",
    section="1.3",
    oracle=reference.mse_loss,  # torch's only warns when the shapes differ
    probes=_mse_probes,
    aspects=(
        Aspect("the loss of rows (N, 3)", "loss", "rows", ("loss",)),
        Aspect("the loss of numbers (N,)", "loss", "numbers", ("loss",)),
        Aspect("gradient of input", "loss", "rows", ("gradient of input",)),
        Aspect("(N, 1) against (N,) is refused", "loss", "column", ("raises",)),
        Aspect("(N, 1) against (N, 3) is refused", "loss", "wide", ("raises",)),
        Aspect("both left as they were", "loss", "rows", ("input input", "input target")),
        Aspect("gradient of a multiple", "loss", "scaled", ("gradient of input",), hidden=True),
        Aspect("the loss of a grid", "loss", "grid", ("loss",), hidden=True),
        Aspect("(N, 2) against (2,) is refused", "loss", "row", ("raises",), hidden=True),
        Aspect("(2, 3) against (3, 2) is refused", "loss", "turned", ("raises",), hidden=True),
        Aspect("float32", "loss", "float32", ("loss",), hidden=True, tolerance=SINGLE),
    ),
    misconceptions=tuple(MSE),
    shortcuts=("mse_loss",),
)

# --- cross_entropy ------------------------------------------------------------------------------------------


def _cross_entropy_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(logits: Tensor, target: Tensor | None = None, note: str = "", scale: float = 1.0) -> Probe:
        n, c = logits.shape
        if target is None:
            target = (torch.arange(n) * 2 + 1) % c  # not the row's own number
        grad_output = scale * ONE.to(logits.dtype)
        return CallProbe({"logits": logits, "target": target}, ("loss",), grad_output=grad_output, note=note)

    def large(source: Draw, size: float) -> Tensor:
        """Right and wrong by a wide margin, and rows far apart from each other."""
        margin = torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 1.0], [-1.0, -1.0, -1.0], [1.0, 1.0, -1.0]])
        return source.normal(4, 3) + size * margin.to(source.normal(1).dtype)

    return {
        "batch": probe(draw.normal(5, 3, std=2.0), note="5 examples, 3 classes"),
        "one example": probe(draw.normal(1, 4)),
        "as many as classes": probe(draw.normal(4, 4, std=2.0), torch.tensor([1, 1, 3, 0])),
        "equal": probe(torch.zeros(3, 8, dtype=torch.float64), note="8 classes, all logits 0"),
        "two classes": probe(draw.normal(6, 2, std=3.0), scale=1.7),
        "large": probe(large(draw, 1e4), note="logits of ±1e4"),
        "large float32": probe(large(single, 1e4), note="logits of ±1e4, float32"),
        "hundreds": probe(large(single, 150.0), note="logits of ±150, float32"),
        "sure": probe(
            torch.tensor([[30.0, 0.0, -5.0], [0.0, 40.0, 1.0]], dtype=torch.float64),
            torch.tensor([0, 1]),
            note="right by a margin of 30 and more: the loss is about 1e-13",
        ),
        "right": probe(large(draw, 1e4), torch.tensor([0, 2, 1, 1]), note="logits of ±1e4, all right"),
        "very negative": probe(draw.normal(4, 3) - 1e4, note="logits around -1e4"),
        "float32": probe(single.normal(6, 5, std=3.0)),
        "strided": probe(draw.normal(3, 5).T),
    }


LOSS, GRADIENT = ("loss",), ("gradient of logits",)

CROSS_ENTROPY_EXERCISE = Exercise(
    name="cross_entropy",
    kind="function",
    signature="logits, target",
    section="1.3",
    oracle=F.cross_entropy,
    probes=_cross_entropy_probes,
    aspects=(
        Aspect("the loss of a batch", "loss", "batch", LOSS),
        Aspect("8 equal logits: log 8", "loss", "equal", LOSS),
        Aspect("gradient of the logits", "loss", "batch", GRADIENT),
        Aspect("both left as they were", "loss", "batch", ("input",)),
        Aspect("a single example", "loss", "one example", LOSS, hidden=True),
        Aspect("as many examples as classes", "loss", "as many as classes", LOSS, hidden=True),
        Aspect("two classes", "loss", "two classes", (*LOSS, *GRADIENT), hidden=True),
        Aspect("float32", "loss", "float32", LOSS, hidden=True, tolerance=SINGLE),
        Aspect("logits that are not contiguous", "loss", "strided", (*LOSS, *GRADIENT), hidden=True),
        Aspect("logits of ±1e4", "stability", "large", LOSS),
        Aspect("logits of ±1e4, float32", "stability", "large float32", LOSS, tolerance=LARGE),
        Aspect("logits of ±1e4, all right", "stability", "right", LOSS),
        Aspect("gradient at ±1e4", "stability", "large", GRADIENT),
        Aspect("logits of ±150, float32", "stability", "hundreds", LOSS, hidden=True, tolerance=LARGE),
        Aspect("logits around -1e4", "stability", "very negative", LOSS, hidden=True),
        Aspect("gradient around -1e4", "stability", "very negative", GRADIENT, hidden=True),
        Aspect("a sure prediction", "stability", "sure", LOSS, hidden=True),
    ),
    misconceptions=tuple(CROSS_ENTROPY),
    shortcuts=("cross_entropy", "nll_loss", "log_softmax"),
)
