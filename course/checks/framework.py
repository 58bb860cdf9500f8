"""The vocabulary of the checks: exercise, probe, aspect, misconception.

An exercise starts from the mistakes. It has an *oracle* (torch's own layer, where torch has one),
*probes* (what to do with the student's object, as plain data drawn from a seed), *aspects* (which part of
the observation is looked at, and what a student calls it) and *misconceptions* (wrong implementations,
each with the sentence that helps the student who wrote it).

    probe ──observe(student's object)──► observation ──judge(oracle's observation)──► verdict

`observe` knows no answer, `judge` never touches the student's object: only probes and observations pass
between the two, and both are plain data (see `plain.Observation`). When work is graded, they pass between two
processes (`wire.py`, `remote.py`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from course.checks.plain import Observation
from course.checks.probes.batches import BatchProbe
from course.checks.probes.building import BuildingStep
from course.checks.probes.changing import ChangeProbe
from course.checks.probes.drawing import DrawingProbe
from course.checks.probes.looping import LoopProbe
from course.checks.probes.networks import NetworkProbe
from course.checks.probes.optimizing import OptimizerProbe
from course.checks.probes.penalties import PenaltyProbe
from course.checks.probes.precision import PrecisionProbe
from course.checks.probes.sampling import SamplingProbe
from course.checks.probes.scheduling import ScheduleProbe
from course.checks.probes.stopping import StopProbe
from course.checks.probes.timing import TimingProbe
from course.checks.probes.training_run import BuildProbe, TrainProbe

if TYPE_CHECKING:
    from course.checks.compare import Symptom


@dataclass(frozen=True)
class Tolerance:
    """How far a right solution may be from the oracle: |got - expected| <= atol + rtol * |expected|."""

    rtol: float
    atol: float
    reason: str


DOUBLE = Tolerance(
    1e-5, 1e-7, "float64; two right formulas differ by about 1e-12, a mistake by more than 1e-3"
)
SINGLE = Tolerance(
    1e-4, 1e-5, "float32 rounds at 6e-8; sums over a batch and a division lose two digits more"
)
SINGLE_LARGE_MEAN = Tolerance(
    1e-3, 1e-2, "float32 at mean 3000 stores steps of 2e-4; E[x^2] - mean^2 would be wrong by more than 0.3"
)


# --- Probes: what to do with the student's object, as plain data ------------------------------------------


@dataclass(frozen=True)
class CallProbe:
    """Call a function.

    Args:
        inputs: positional arguments by name; tensors, numbers, or `LayerSpec` (built before the call).
        options: keyword arguments.
        returns: names of the returned values, in order; one name for a single value.
        grad_output: shape of the first returned value; None when no gradient is asked for.
        autograd: False calls the function in inference mode, where autograd cannot do the work.
        twice: whether to call it again on the same numbers, to see whether it remembers something.
        raises: whether the call should fail; with what kind of error is all that is written down then.
        then: when a layer is returned: the input (N, in_features) that it is called on, in eval mode.
        time_limit: seconds until it is stopped, for a function that may take thousands of steps.
        note: what the student should know about the inputs, such as "4 values per feature".
        looks_at: beginnings of the keys under which something is written down.
    """

    inputs: Mapping[str, Any]
    returns: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    grad_output: Tensor | None = None
    autograd: bool = True
    twice: bool = False
    then: Tensor | None = None
    raises: bool = False
    time_limit: float | None = None
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class LayerSpec:
    """A layer from torch.nn, as plain data: its class name, constructor arguments and state."""

    layer: str
    arguments: Mapping[str, Any]
    state: Mapping[str, Tensor]
    training: bool = False


@dataclass(frozen=True)
class Forward:
    """Step of a `ModuleProbe`: call the module on `x` and, with `grad_output`, backpropagate."""

    name: str
    x: Tensor
    grad_output: Tensor | None = None
    training: bool = True
    grad_enabled: bool = True


@dataclass(frozen=True)
class Describe:
    """Step of a `ModuleProbe`: names, shapes and values of the parameters and buffers."""

    name: str


@dataclass(frozen=True)
class Reload:
    """Step of a `ModuleProbe`: a new instance takes the state_dict over; later steps use that instance."""


@dataclass(frozen=True)
class DeepCopy:
    """Step of a `ModuleProbe`: later steps use a deep copy; at the end the original is recorded (`watch`)."""


Step = Forward | Describe | Reload | DeepCopy | BuildingStep


@dataclass(frozen=True)
class ModuleProbe:
    """Build a module, with its class or with a function that returns one, and take it through some steps.

    Args:
        arguments: positional constructor arguments; a `StandIn` becomes a block class.
        options: keyword constructor arguments.
        dtype: the module is converted to it before the first step.
        state: values copied into the module's parameters and buffers before the first step.
        steps: what to do, in order.
        watch: buffers whose values are recorded after every forward pass.
        gradients: parameters whose gradients are recorded after every backward pass.
        note: what the student should know about the inputs.
        looks_at: beginnings of the keys under which something is written down.
        draws: False spares the random weights of a large network that a step `Fill` fills.
    """

    arguments: tuple[Any, ...]
    steps: tuple[Step, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float64
    state: Mapping[str, Tensor] = field(default_factory=dict)
    watch: tuple[str, ...] = ()
    gradients: tuple[str, ...] = ()
    note: str = ""
    looks_at: tuple[str, ...] = ("",)
    draws: bool = True


MachineProbe = TimingProbe | BatchProbe | PrecisionProbe

Probe = (
    CallProbe
    | ModuleProbe
    | DrawingProbe
    | ChangeProbe
    | NetworkProbe
    | OptimizerProbe
    | ScheduleProbe
    | LoopProbe
    | SamplingProbe
    | PenaltyProbe
    | StopProbe
    | MachineProbe
    | BuildProbe
    | TrainProbe
)


class Draw:
    """Random inputs of probes, reproducible from a seed and independent of torch's global generator."""

    def __init__(self, seed: int, dtype: torch.dtype = torch.float64) -> None:
        self._generator = torch.Generator().manual_seed(seed % 2**63)
        self._dtype = dtype

    def normal(self, *shape: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
        """Normal numbers of the given shape."""
        return self._finish(torch.randn(shape, generator=self._generator, dtype=torch.float64), mean, std)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform numbers in [low, high) of the given shape."""
        numbers = torch.rand(shape, generator=self._generator, dtype=torch.float64)
        return self._finish(numbers, low, high - low)

    def _finish(self, numbers: Tensor, shift: float, scale: float) -> Tensor:
        if scale != 1.0:
            numbers *= scale
        if shift != 0.0:
            numbers += shift
        return numbers.to(self._dtype)

    def features(self, *shape: int) -> Tensor:
        """Batch of shape (N, C, ...) whose channels differ in mean (about -2 to 2) and spread (1 to 3)."""
        per_channel = (1, shape[1], *(1 for _ in shape[2:]))
        mean = self.uniform(*per_channel, low=-2.0, high=2.0)
        spread = self.uniform(*per_channel, low=1.0, high=3.0)
        return mean + spread * self.normal(*shape)


def to_float64(probe: Probe) -> Probe:
    """The same probe with float64 numbers, for an oracle that does not round."""

    def convert(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.double() if value.is_floating_point() else value
        if isinstance(value, torch.dtype):
            return torch.float64
        if isinstance(value, Mapping):
            return {key: convert(item) for key, item in value.items()}
        if isinstance(value, tuple):
            return tuple(convert(item) for item in value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            changes = {f.name: convert(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return dataclasses.replace(value, **changes)
        return value

    if getattr(probe, "dtype", torch.float64) == torch.float64 and all(
        tensor.dtype == torch.float64 or not tensor.is_floating_point() for tensor in tensors_in(probe)
    ):
        return probe  # most of them are
    converted = convert(probe)
    assert isinstance(converted, Probe)
    return converted


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors of a probe."""
    found, waiting = [], [value]
    for item in waiting:  # which grows
        if isinstance(item, Tensor):
            found.append(item)
        elif isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, tuple):
            waiting += item
        elif hasattr(item, "__dataclass_fields__"):
            waiting += vars(item).values()
    return found


# --- Exercises --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Aspect:
    """One thing that can be right or wrong about a solution.

    Args:
        label: what a student calls it, such as "running_var after one batch".
        group: the test cell it belongs to, such as "running-stats".
        probe: name of the probe that shows it.
        looks_at: beginnings of the observation's keys that are compared.
        hidden: whether only the hidden checks look at it.
        tolerance: how far from the oracle a right solution may be.
        align: where several answers are equally right (such as free signs): maps a tensor to the one of its
            equals that is nearest to another tensor.
        measure: where no number by itself is right (such as random ones): what of them is compared.
        passes: where there is no right value at all: looks at an `Evaluation` and says what is wrong.
    """

    label: str
    group: str
    probe: str
    looks_at: tuple[str, ...]
    hidden: bool = False
    tolerance: Tolerance = DOUBLE
    align: Callable[[Tensor, Tensor], Tensor] | None = None
    measure: Callable[[Tensor], Tensor] | None = None
    passes: Callable[[Observation], Symptom | None] | None = None


@dataclass(frozen=True, eq=False)
class Misconception:
    """A wrong implementation that students write, and the sentence that helps them.

    Args:
        name: a slug, unique within the exercise.
        implementation: the function or class, as a student would have written it.
        message: what the symptom points to, in one or two short sentences.
        section: where to read again, such as "3.5"; None: the exercise's own section.
        sign: for an exercise with `evaluate`: whether an evaluation looks as after this mistake.
    """

    name: str
    implementation: Callable[..., Any]
    message: str
    section: str | None = None
    sign: Callable[[Observation], bool] | None = None


@dataclass(frozen=True)
class Measure:
    """A number by which solutions are compared, though not graded: a column of the leaderboard.

    Args:
        name: heading of the column, such as "accuracy".
        value: the number.
        better: "higher" or "lower".
        format: how it is shown, as in an f-string: ".1%".
    """

    name: str
    value: float
    better: str
    format: str = ",.4g"


@dataclass(frozen=True, eq=False)
class Exercise:
    """A graded name: its oracle, probes, aspects and misconceptions.

    Args:
        name: the name that the student defines.
        kind: "function", "class" (a subclass of torch.nn.Module) or "plain class" (any other).
        signature: as the lesson writes it: "num_features, eps=1e-5"; names with a default go by keyword.
        section: number of the section that teaches it; its title is looked up in the lesson's SECTIONS.
        oracle: right by definition; never shown to the student.
        probes: makes the probes from a seed.
        aspects: what is looked at.
        misconceptions: what is named when a solution is wrong.
        shortcuts: parts of operator names that would do the whole work, such as "batch_norm".
        course_shortcuts: functions and classes of the course, beside its own, that would do the whole work.
        given: base classes of the course on which a solution may build: "course.optimization.Optimizer".
        unknown: said when no misconception fits; empty for the usual sentence.
        evaluate: for what takes long or has no right value, such as a training: makes of the probe's seed and
            of what was seen what the aspects' `passes` and the misconceptions' `sign` look at. No oracle and
            no mistake is run for comparison then, and an object is observed only once.
        measures: what of an evaluation is compared in a leaderboard.
    """

    name: str
    kind: str
    signature: str
    section: str
    oracle: Callable[..., Any]
    probes: Callable[[int], Mapping[str, Probe]]
    aspects: tuple[Aspect, ...]
    misconceptions: tuple[Misconception, ...]
    shortcuts: tuple[str, ...] = ()
    course_shortcuts: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    unknown: str = ""
    evaluate: Callable[[int, Observation], Observation] | None = None
    measures: Callable[[Observation], tuple[Measure, ...]] | None = None

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the test cells, in order."""
        return tuple(dict.fromkeys(aspect.group for aspect in self.aspects))

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Names of the arguments without a default."""
        return tuple(part for part in self._arguments() if "=" not in part)

    @cached_property
    def optional(self) -> tuple[str, ...]:
        """Names of the arguments with a default."""
        return tuple(part.split("=")[0] for part in self._arguments() if "=" in part)

    def _arguments(self) -> list[str]:
        parts = re.split(r",\s*(?![^(]*\))", self.signature)  # not at the comma in (0.9, 0.999)
        return [part for part in parts if part]  # a function may have no argument at all

    def select(self, group: str | None, hidden: bool) -> tuple[Aspect, ...]:
        """Aspects of a test cell: the visible ones, or all of them for the hidden check.

        Raises:
            ValueError: the exercise has no such group.
        """
        if group is not None and group not in self.groups:
            raise ValueError(f"{self.name} has no checks called {group!r}; it has: {', '.join(self.groups)}.")
        return tuple(
            aspect
            for aspect in self.aspects
            if (group is None or aspect.group == group) and (hidden or not aspect.hidden)
        )
