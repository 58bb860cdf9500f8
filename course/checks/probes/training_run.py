"""Let a student's function build a network, or train one, and hand over what came out.

    probe           asks                                              writes down
    BuildProbe      a function without arguments for a new network    what kind of network it is
    TrainProbe      a function to train one on given pictures         the network itself (`computation.py`),
                                                                      the seconds, the diary (`diary.py`)

Runs where the student's code lives, and knows no answer: the pictures on which the network is graded, and
their labels, never come here.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.checks.plain import Observation, Trouble, Value, cut, trouble, type_name
from course.checks.probes.computation import CONVOLUTIONS, Recording, Unrecordable, record
from course.checks.probes.diary import Diary, are_probabilities
from course.checks.probes.drawing import modes_kept
from course.checks.probes.traces import Notes
from course.checks.surroundings import _known_functions


@dataclass(frozen=True)
class BuildProbe:
    """Build a network, and see whether it can be trained and graded.

    Args:
        x: pictures, at least as many as `size`.
        y: their labels.
        classes: numbers that the network should put out for a picture.
        budget: numbers that the network may consist of.
        time_limit: seconds until it is stopped: it makes some dozen steps of training.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    x: Tensor
    y: Tensor
    classes: int
    budget: int
    time_limit: float = 20.0
    note: str = ""
    looks_at: tuple[str, ...] = ("",)
    dtype: torch.dtype = torch.float32


@dataclass(frozen=True)
class TrainProbe:
    """Train a network, and hand it over.

    Args:
        x: pictures to train with.
        y: their labels.
        classes: numbers that the network should put out for a picture.
        size: pictures that the network is recorded with.
        time_limit: seconds of work until it is stopped (for an endless loop).
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    x: Tensor
    y: Tensor
    classes: int
    size: int
    time_limit: float
    note: str = ""
    looks_at: tuple[str, ...] = ("",)
    dtype: torch.dtype = torch.float32


RunProbe = BuildProbe | TrainProbe
RECORDS = (BuildProbe, TrainProbe)
"""The dataclasses of a probe that may travel to another process."""


def observe_run(function: Callable[..., Any], probe: RunProbe, notes: Notes) -> None:
    """Take the student's function through the probe."""
    if isinstance(probe, BuildProbe):
        _observe_build(function, probe, notes)
    else:
        _observe_training(function, probe, notes)


# --- Training -----------------------------------------------------------------------------------------------


def _observe_training(function: Callable[..., Any], probe: TrainProbe, notes: Notes) -> None:
    diary = Diary()
    began = time.process_time()
    with modes_kept(), diary.writing():
        network = function(probe.x.clone(), probe.y.clone())
    notes.write("seconds", round(time.process_time() - began, 2))
    notes.built_by.update(_known_functions(diary.callers.values()))
    if not isinstance(network, nn.Module):
        notes.write("network", _no_network(network))
        return
    with torch.enable_grad(), contextlib.suppress(Exception):
        # Pictures of the training, in some order: sorted ones would all be of one class.
        order = torch.randperm(len(probe.x), generator=torch.Generator().manual_seed(0))
        notes.write("mode", "training" if network.training else "evaluation")
        network.eval()
        for key, value in diary.entries(network, probe.x[order[:32]]).items():
            notes.write(f"diary: {key}", value)
    network.eval()
    order = torch.arange(len(probe.x))[:: max(1, len(probe.x) // probe.size)][: probe.size]
    hand_over(network, probe.x[order], probe.classes, notes)


def hand_over(network: nn.Module, x: Tensor, classes: int, notes: Notes) -> None:
    """Write the network down as a recording, or what keeps it from being one."""
    try:
        recording, output = record(network, x.clone())
    except Unrecordable as reason:
        notes.write("network", trouble("unrecordable", str(reason)))
        return
    if output.shape != (len(x), classes):
        notes.write("network", trouble("shape", str(tuple(output.shape))))
        return
    notes.write("network", "recorded")
    notes.write("operators of the network", recording.operators)
    notes.write("numbers", [str(number) for number in recording.constants])
    for number, tensor in recording.constants.items():
        notes.take(f"constant {number}", tensor)
    notes.write("output", recording.output)
    notes.write("size", recording.size)


def handed_over(seen: Observation) -> Recording | None:
    """The recording in an observation; None when there is none, or it is spoilt."""
    operators, numbers = seen.get("operators of the network"), seen.get("numbers")
    output, size = seen.get("output"), seen.get("size")
    if not isinstance(operators, list) or not isinstance(numbers, list):
        return None
    if type(output) is not int or type(size) is not int or size < 1:
        return None
    constants: dict[int, Tensor] = {}
    for number in numbers:
        tensor = seen.get(f"constant {number}")
        if not isinstance(tensor, Tensor) or not number.isdecimal():
            return None
        constants[int(number)] = tensor
    return Recording(operators, constants, output, size)


def _no_network(returned: Any) -> Trouble:
    if returned is None:
        return trouble("none")
    if isinstance(returned, tuple | list) and any(isinstance(each, nn.Module) for each in returned):
        return trouble("count", f"{len(returned)} values: return the network alone")
    if isinstance(returned, type):
        return trouble("no module", f"the class {cut(returned.__name__)} itself: call it")
    return trouble("no module", type_name(returned))


# --- Building -----------------------------------------------------------------------------------------------


def _observe_build(function: Callable[..., Any], probe: BuildProbe, notes: Notes) -> None:
    with notes.logged():
        network = function()
        another = function()
    if not isinstance(network, nn.Module):
        wrong = _no_network(network)
        for key in ("network", "shape", "budget", "convolution"):
            notes.write(key, wrong)
        return
    notes.write("network", "a network")
    shared = {id(p) for p in network.parameters()} & {id(p) for p in another.parameters()}
    notes.write("new each time", network is not another and not shared)
    notes.write("in training mode", network.training)
    notes.write("asks for gradients", all(p.requires_grad for p in network.parameters()))
    notes.write("filters differ", _filters_differ(network))
    with torch.random.fork_rng(devices=[]), torch.enable_grad(), notes.logged():
        _try_out(network, probe, notes)
        _try_to_learn(network, probe, notes)


def _try_out(network: nn.Module, probe: BuildProbe, notes: Notes) -> None:
    """What the network puts out, in evaluation mode and without training."""
    x = probe.x.float()  # an oracle is asked in float64
    network.eval()
    with torch.no_grad():
        outputs = [network(x.clone()), network(x[:1].clone())]
    shapes = [str(tuple(out.shape)) if isinstance(out, Tensor) else type_name(out) for out in outputs]
    notes.write("shape", shapes)
    if not all(isinstance(out, Tensor) for out in outputs):
        return
    out, alone = outputs
    notes.write("finite", bool(out.isfinite().all()))
    notes.write("probabilities", out.dim() == 2 and are_probabilities(out))
    notes.write("never negative", out.is_floating_point() and bool((out >= 0).all()))
    with torch.no_grad():
        notes.write("repeats itself", bool(torch.equal(out, network(x.clone()))))
    notes.write("each picture by itself", bool(torch.allclose(out[:1], alone, rtol=1e-3, atol=1e-4)))
    try:
        recording, _ = record(network, x.clone())
    except Unrecordable as reason:
        for key in ("recordable", "budget", "convolution", "in the state_dict"):
            notes.write(key, trouble("unrecordable", str(reason)))
        return
    notes.write("recordable", recording.output >= 0)
    notes.write("budget", _within(recording.numbers, probe.budget))
    notes.write("convolution", not CONVOLUTIONS.isdisjoint(recording.names))
    kept = [tensor for tensor in network.state_dict().values()]
    strangers = [
        tensor
        for tensor in recording.constants.values()
        if tensor.numel() > probe.classes
        and not any(tensor.shape == each.shape and torch.equal(tensor, each) for each in kept)
    ]
    notes.write("in the state_dict", not strangers)


def _within(numbers: int, budget: int) -> Value:
    if numbers <= budget:
        return "within the budget"
    return trouble("over budget", f"{numbers:,} numbers, {budget:,} allowed")


def _filters_differ(network: nn.Module) -> bool:
    weights = [p.detach().flatten(1) for p in network.parameters() if p.dim() > 1 and len(p) > 1]
    return all(bool((weight != weight[:1]).any()) for weight in weights)


def _try_to_learn(network: nn.Module, probe: BuildProbe, notes: Notes) -> None:
    """A few steps of training on the probe's pictures, as anybody would do it."""
    network.train()
    parameters = [p for p in network.parameters() if p.requires_grad]
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    losses = []
    for step in range(1, 41):
        logits = network(probe.x.float())
        if not isinstance(logits, Tensor) or logits.shape != (len(probe.y), probe.classes):
            return
        loss = F.cross_entropy(logits, probe.y)
        losses.append(float(loss.detach()))
        if not loss.requires_grad:
            notes.write("without a gradient", ["any parameter"])
            notes.write("learns", False)
            return
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        if step == 1:
            names = [name for name, p in network.named_parameters() if p.requires_grad]
            none = [cut(name) for name, g in zip(names, gradients, strict=True) if g is None]
            notes.write("without a gradient", none)
        _adam(parameters, gradients, moments, step)
    notes.write("learns", losses[-1] < 0.8 * losses[0])


@torch.no_grad()
def _adam(parameters: list[Tensor], gradients: Any, moments: list[tuple[Tensor, Tensor]], step: int) -> None:
    """A step of Adam; torch's own would import its compiler first."""
    for p, g, (mean, square) in zip(parameters, gradients, moments, strict=True):
        if g is not None:
            mean += 0.1 * (g - mean)
            square += 0.001 * (g * g - square)
            p -= 0.003 * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)


# --- Once for all test cells --------------------------------------------------------------------------------


@dataclass
class _Kept:
    student: Any
    probe: TrainProbe
    cell: int
    seen: Observation


_KEPT: list[_Kept] = []
_MOST_KEPT = 4


def kept(student: Any, probe: object) -> Observation | None:
    """What was seen of this function on this very probe, as long as only test cells have run in between.

    The bands of an exercise are test cells that follow one another, and all look at the same training. As
    soon as another cell has run, anything that the function uses may be different, and it trains again.
    (Between two processes `remote.check` keeps the observations.)
    """
    for each in _KEPT:
        if each.student is student and each.probe is probe and _cell() - each.cell in (0, 1):
            each.cell = _cell()
            return each.seen
    return None


def keep(student: Any, probe: object, seen: Observation) -> None:
    """Keep an observation for the next test cell."""
    if isinstance(probe, TrainProbe):
        _KEPT.append(_Kept(student, probe, _cell(), seen))
        del _KEPT[:-_MOST_KEPT]


def _cell() -> int:
    """Number of the notebook's cell that runs; 0 outside of notebooks."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return int(getattr(shell, "execution_count", 0))
