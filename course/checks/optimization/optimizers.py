"""Exercises `SGD` and `Adam`: what is drawn, what is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from course.checks.framework import Aspect, Draw, Exercise, Probe, Tolerance
from course.checks.optimization.adam_mistakes import ADAM as ADAM_MISTAKES
from course.checks.optimization.sgd_mistakes import SGD as SGD_MISTAKES
from course.checks.probes.optimizing import (
    Group,
    OptimizerProbe,
    OptimizerStep,
    SetRates,
    TakeCopy,
    Update,
    ZeroGrad,
)

SHAPES = ((3, 2), (4,), ())
"""A matrix, a vector and a number."""

AFTER_TEN = Tolerance(1e-4, 1e-5, "float32 rounds at 6e-8 and ten steps add that up")


class _Draws:
    """Parameters and gradients of the given shapes."""

    def __init__(self, draw: Draw, shapes: Sequence[tuple[int, ...]] = SHAPES) -> None:
        self._draw, self._shapes = draw, shapes
        self.values = tuple(draw.normal(*shape) for shape in shapes)

    def update(self, *absent: int, how: str = "new", scale: float = 1.0) -> Update:
        """Gradients for all but some of the parameters. Their mean is not 0: a direction builds up."""
        gradients = [self._draw.normal(*shape, mean=0.5, std=scale) for shape in self._shapes]
        return Update(tuple(None if i in absent else g for i, g in enumerate(gradients)), how)

    def updates(self, count: int, how: str = "new") -> tuple[Update, ...]:
        """Some steps in a row."""
        return tuple(self.update(how=how) for _ in range(count))


def _in_memory_order(values: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Matrices whose axes lie in memory the other way round."""
    return tuple(value.mT.contiguous().mT if value.dim() > 1 else value for value in values)


def _common_probes(
    draw: Draw,
    single: Draw,
    memory: dict[str, Any],
    more: dict[str, Any],
    group_options: list[dict[str, Any]],
) -> dict[str, Probe]:
    """The probes that say nothing of how the direction is computed.

    Args:
        draw: where float64 numbers come from.
        single: where float32 numbers come from.
        memory: options with which the optimizer remembers something.
        more: all of the options.
        group_options: own options of the group of each parameter.
    """

    def probe(
        *steps: OptimizerStep, of: _Draws, options: dict[str, Any] = memory, **arguments: Any
    ) -> OptimizerProbe:
        return OptimizerProbe(of.values, steps, options=options, **arguments)

    def draws(*shapes: tuple[int, ...]) -> _Draws:
        return _Draws(draw, shapes or SHAPES)

    late, gap, never, zeros = draws(), draws(), draws(), draws((2, 2), (3,))
    rates, copied, apart, same, added, twins = draws(), draws(), draws(), draws(), draws(), draws((3,), (3,))
    groups, many, strided, wide, both = draws(), draws(*SHAPES, (2, 3, 2)), draws(), _Draws(single), draws()
    given = tuple(Group((i,), options) for i, options in enumerate(group_options))
    no_gradient = Update(tuple(None for _ in SHAPES))
    return {
        "late": probe(
            *(late.update(1, 2), late.update(1, 2), late.update(1), *late.updates(2)),
            of=late,
            note="parameters 1 and 2 get their first gradient later",
        ),
        "gap": probe(
            *(*gap.updates(2), gap.update(0, 2), gap.update(0), *gap.updates(2)),
            of=gap,
            options=more,
            note="parameter 0 has no gradient in steps 3 and 4",
        ),
        "never": probe(
            never.update(1), never.update(1), no_gradient, never.update(1), of=never, options=more
        ),
        "zeros": probe(
            *zeros.updates(2),
            Update((torch.zeros(2, 2, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))),
            *zeros.updates(1),
            of=zeros,
            options=more,
            note="gradients of 0 in step 3",
        ),
        "rates": probe(
            *(*rates.updates(3), SetRates((0.01,)), *rates.updates(3), SetRates((0.2,)), *rates.updates(2)),
            of=rates,
            note="lr 0.1, then 0.01, then 0.2",
        ),
        "copy": probe(*copied.updates(3), TakeCopy(), *copied.updates(3), of=copied),
        "neighbour": probe(*apart.updates(4), of=apart, neighbour=True),
        "same tensors": probe(
            *same.updates(4, how="same"),
            of=same,
            note="backward() writes into the gradients of the step before",
        ),
        "zero_grad": probe(
            *(added.update(how="added"), ZeroGrad(), added.update(how="added"), ZeroGrad(), added.update()),
            of=added,
            note="step, zero_grad, step, zero_grad, step",
        ),
        "twins": probe(*twins.updates(4), of=twins, note="two parameters of 3 numbers each"),
        "groups": probe(
            *(*groups.updates(3), SetRates(tuple(0.05 * (i + 1) for i in range(len(given))))),
            *groups.updates(3),
            of=groups,
            options=more,
            groups=given,
            note=f"{len(given)} groups with options of their own",
        ),
        "groups, zero_grad": probe(
            groups.update(0, how="added"),
            ZeroGrad(),
            groups.update(how="added"),
            of=groups,
            groups=given,
            note="parameter 0 has no gradient before zero_grad",
        ),
        "generator": probe(*both.updates(3), of=both, given_as="generator"),
        "twenty": probe(*many.updates(20), of=many, options=more, note="20 steps"),
        "strided": OptimizerProbe(
            _in_memory_order(strided.values), strided.updates(4), options=more, note="transposed parameters"
        ),
        "float32": probe(*wide.updates(10), of=wide, options=more, dtype=torch.float32),
    }


PARAMETERS = ("parameter",)

_NOT_MOVED = ("gradient", "in place: the gradients")


def _common_aspects(memory: str) -> tuple[Aspect, ...]:
    """Aspects that both optimizers have; `memory` is what a student calls it."""
    return (
        Aspect("a parameter whose gradient comes later", "groups", "late", PARAMETERS),
        Aspect("steps without a gradient", "groups", "gap", PARAMETERS),
        Aspect("groups with options of their own", "groups", "groups", PARAMETERS),
        Aspect("the rates in param_groups", "groups", "groups", ("groups: ",)),
        Aspect("the rate changes on the way", "groups", "rates", PARAMETERS),
        Aspect("parameters from a generator", "groups", "generator", PARAMETERS, hidden=True),
        Aspect("a parameter without any gradient", "groups", "never", PARAMETERS, hidden=True),
        Aspect("gradients that are 0", "groups", "zeros", PARAMETERS, hidden=True),
        Aspect("changed in place", "interface", "twins", ("in place: the parameters",)),
        Aspect("still asks for gradients", "interface", "twins", ("left as it was",)),
        Aspect("gradients left as they were", "interface", "gap", _NOT_MOVED),
        Aspect("zero_grad", "interface", "zero_grad", ("zero_grad", *PARAMETERS)),
        Aspect("zero_grad of all groups", "interface", "groups, zero_grad", ("zero_grad", *PARAMETERS)),
        Aspect("gradients written into the same tensors", "interface", "same tensors", PARAMETERS),
        Aspect(f"a deep copy takes the {memory} along", "interface", "copy", PARAMETERS),
        Aspect("the original of a deep copy", "interface", "copy", ("original",), hidden=True),
        Aspect("two optimizers at a time", "interface", "neighbour", PARAMETERS, hidden=True),
    )


# --- SGD ----------------------------------------------------------------------------------------------------


def _sgd_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(count: int, note: str = "", lr: float = 0.1, **options: Any) -> Probe:
        of = _Draws(draw)
        return OptimizerProbe(of.values, of.updates(count), lr, options, note=note)

    probes: dict[str, Probe] = {
        "one": probe(1, "one step, lr = 0.1"),
        "three": probe(3, "3 steps, lr = 0.05", lr=0.05),
        "momentum": probe(3, "3 steps, momentum = 0.9", momentum=0.9),
        "other momentum": probe(4, "4 steps, momentum = 0.3", lr=0.02, momentum=0.3),
        "nesterov": probe(3, "3 steps, momentum = 0.8", momentum=0.8, nesterov=True),
        "decay": probe(3, "3 steps, weight_decay = 0.2", weight_decay=0.2),
        "decay, momentum": probe(4, "4 steps, momentum = 0.9", momentum=0.9, weight_decay=0.2),
        "all": probe(
            5, "5 steps, momentum = 0.7, nesterov", lr=0.03, momentum=0.7, weight_decay=0.1, nesterov=True
        ),
    }
    memory = {"momentum": 0.9}
    options = [
        {"lr": 0.3, "momentum": 0.5, "nesterov": True},
        {"weight_decay": 0.5},
        {"momentum": 0.0, "lr": 0.01},
    ]
    return probes | _common_probes(draw, single, memory, {**memory, "weight_decay": 0.1}, options)


_FOREACH = "torch.optim._functional"

SGD_EXERCISE = Exercise(
    name="SGD",
    kind="plain class",
    signature="params, lr, momentum=0, weight_decay=0, nesterov=False",
    section="1.4",
    oracle=torch.optim.SGD,
    probes=_sgd_probes,
    aspects=(
        Aspect("one step", "steps", "one", PARAMETERS),
        Aspect("three steps", "steps", "three", PARAMETERS),
        Aspect("20 steps, all parameters", "steps", "twenty", PARAMETERS),
        Aspect("transposed parameters", "steps", "strided", PARAMETERS, hidden=True),
        Aspect("float32", "steps", "float32", PARAMETERS, hidden=True, tolerance=AFTER_TEN),
        Aspect("momentum", "momentum", "momentum", PARAMETERS),
        Aspect("two parameters of one shape", "momentum", "twins", PARAMETERS),
        Aspect("nesterov", "momentum", "nesterov", PARAMETERS),
        Aspect("another momentum", "momentum", "other momentum", PARAMETERS, hidden=True),
        Aspect("weight decay", "weight-decay", "decay", PARAMETERS),
        Aspect("weight decay and momentum", "weight-decay", "decay, momentum", PARAMETERS),
        Aspect("weight decay with nesterov", "weight-decay", "all", PARAMETERS),
        *_common_aspects("velocity"),
    ),
    misconceptions=tuple(SGD_MISTAKES),
    shortcuts=("sgd", _FOREACH),
    given=("course.optimization.Optimizer",),
)

# --- Adam ---------------------------------------------------------------------------------------------------


def _adam_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(
        count: int, note: str = "", lr: float | None = 0.1, scale: float = 1.0, **options: Any
    ) -> Probe:
        of = _Draws(draw)
        steps = tuple(of.update(scale=scale) for _ in range(count))
        small = tuple(
            Update(tuple(None if g is None else g * scale for g in step.gradients)) for step in steps
        )
        return OptimizerProbe(of.values, small if scale != 1.0 else steps, lr, options, note=note)

    probes: dict[str, Probe] = {
        "one": probe(1, "one step, lr = 0.1"),
        "three": probe(3, "3 steps, lr = 0.05", lr=0.05),
        "betas": probe(4, "4 steps, betas = (0.6, 0.8)", betas=(0.6, 0.8)),
        "eps": probe(4, "4 steps, eps = 0.1", betas=(0.5, 0.9), eps=0.1),
        "small": probe(3, "gradients of 1e-6", scale=1e-6),
        "defaults": probe(3, "lr = 1e-3", lr=None),
        "decay": probe(3, "3 steps, weight_decay = 0.5", weight_decay=0.5),
        "all": probe(5, lr=0.03, betas=(0.7, 0.95), eps=1e-3, weight_decay=0.2),
    }
    options = [
        {"lr": 0.3, "betas": (0.5, 0.9)},
        {"weight_decay": 1.0},
        {"eps": 0.3, "lr": 0.01},
    ]
    more = {"betas": (0.8, 0.95), "weight_decay": 0.1}
    return probes | _common_probes(draw, single, {}, more, options)


ADAM_EXERCISE = Exercise(
    name="Adam",
    kind="plain class",
    signature="params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0",
    section="1.5",
    oracle=torch.optim.Adam,
    probes=_adam_probes,
    aspects=(
        Aspect("one step", "steps", "one", PARAMETERS),
        Aspect("three steps", "steps", "three", PARAMETERS),
        Aspect("other betas", "steps", "betas", PARAMETERS),
        Aspect("a large eps", "steps", "eps", PARAMETERS),
        Aspect("20 steps, all parameters", "steps", "twenty", PARAMETERS),
        Aspect("two parameters of one shape", "steps", "twins", PARAMETERS),
        Aspect("gradients of 1e-6", "steps", "small", PARAMETERS, hidden=True),
        Aspect("the default rate", "steps", "defaults", PARAMETERS, hidden=True),
        Aspect("transposed parameters", "steps", "strided", PARAMETERS, hidden=True),
        Aspect("float32", "steps", "float32", PARAMETERS, hidden=True, tolerance=AFTER_TEN),
        Aspect("weight decay", "weight-decay", "decay", PARAMETERS),
        Aspect("everything together", "weight-decay", "all", PARAMETERS, hidden=True),
        *_common_aspects("averages"),
    ),
    misconceptions=tuple(ADAM_MISTAKES),
    shortcuts=("adam", _FOREACH),
    given=("course.optimization.Optimizer",),
)
