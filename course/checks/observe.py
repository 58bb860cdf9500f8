"""Observe: call a student's object as a probe says and write down what happens, as plain data.

This half knows no answer. It runs where the student's code lives, which may be another process than the
one that judges: an observation holds nothing but tensors, numbers, strings, None, lists of strings and
`Trouble` records, and never a reference to the student's objects.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.autograd import Variable

from course.checks.framework import (
    CallProbe,
    ChangeProbe,
    DeepCopy,
    Describe,
    Forward,
    LayerSpec,
    ModuleProbe,
    Probe,
    Reload,
    Step,
)
from course.checks.plain import (
    Observation,
    Trouble,
    Unusable,
    Value,
    cut,
    is_timeout,
    plain,
    trouble,
    type_name,
)
from course.checks.probes import changing
from course.checks.probes.batches import BatchProbe, observe_batch
from course.checks.probes.building import (
    Fill,
    NoDraws,
    Outline,
    Spread,
    is_network,
    materialize,
    reach,
    take_step,
)
from course.checks.probes.drawing import DrawingProbe, observe_drawing
from course.checks.probes.looping import LoopProbe, observe_loop
from course.checks.probes.networks import NetworkProbe
from course.checks.probes.optimizing import OptimizerProbe, observe_optimizer
from course.checks.probes.penalties import PenaltyProbe, observe_penalty
from course.checks.probes.precision import PrecisionProbe, get_ready, observe_precision
from course.checks.probes.sampling import SamplingProbe, observe_sampling
from course.checks.probes.scheduling import ScheduleProbe, observe_schedule
from course.checks.probes.stopping import StopProbe, observe_stopping
from course.checks.probes.timing import TimingProbe, observe_timing
from course.checks.probes.train_steps import observe_network
from course.checks.probes.training_run import BuildProbe, TrainProbe, keep, kept, observe_run
from course.checks.surroundings import (
    OperatorLog,
    OutOfTime,
    ReadOutLog,
    may_compute,
    quiet,
    repeatable,
    student_line,
    time_limited,
    unlogged,
)

TIME_LIMIT = 5.0
"""Seconds that one probe may take; a right solution takes milliseconds."""


def observe(
    student: Callable[..., Any], probe: Probe, time_limit: float = TIME_LIMIT, *, trusted: bool = False
) -> Observation:
    """Take the student's object through a probe.

    Args:
        student: a function, or a subclass of torch.nn.Module.
        probe: what to do with it.
        time_limit: seconds until an endless loop is stopped (in the main thread, where signals work).
        trusted: for the course's own code, of which nobody asks what ran. No time limit either.

    Returns:
        What was seen, by name. When the student's code raises, the key "error" says where and what, and the
        keys of everything before it are there. "operators" names the torch operators that ran, "nodes" the
        nodes of the graphs, "course functions" the functions of the course that were called, "read-outs" the
        ways in which numbers were taken out of tensors without an operator.
    """
    with quiet(), repeatable(), torch.enable_grad():
        if isinstance(probe, PrecisionProbe | BatchProbe):
            get_ready()
        if trusted:
            notes = _Notes(probe)
            _observe(student, probe, notes)
            return notes.seen
        log, read_outs = OperatorLog(), ReadOutLog()
        notes = _Notes(probe, log)
        try:
            with time_limited(time_limit):
                _observe(student, probe, notes)
                # Work in numpy shows in no operator. Once more, then, to see how the numbers were taken out.
                if not may_compute(log.operators()) and _asks_to_compute(probe):
                    with read_outs:
                        _observe(student, probe, _Notes(probe))
        except OutOfTime:
            notes.seen["error"] = trouble("timeout", f"{time_limit:g} seconds")
    notes.seen["operators"] = log.operators()
    notes.seen["nodes"] = log.nodes()
    functions = {*log.course_functions(), *read_outs.course_functions(), *notes.built_by}
    notes.seen["course functions"] = sorted(functions)
    notes.seen["read-outs"] = read_outs.names()
    return notes.seen


def _asks_to_compute(probe: Probe) -> bool:
    steps = getattr(probe, "steps", ())
    return isinstance(probe, CallProbe | OptimizerProbe) or any(isinstance(step, Forward) for step in steps)


def look(student: object, probes: Iterable[Probe]) -> tuple[Observation, Iterator[Observation]]:
    """All that one check asks of a student's object: what it is, and an observation for each probe.

    The probes are observed as the observations are asked for. After a timeout there are no more.
    """
    return describe(student), _observe_each(student, probes)


def _observe_each(student: Any, probes: Iterable[Probe]) -> Iterator[Observation]:
    for probe in probes:
        seen = kept(student, probe)
        if seen is None:
            limit = getattr(probe, "time_limit", None)
            seen = observe(student, probe) if limit is None else observe(student, probe, limit)
            keep(student, probe, seen)
        yield seen
        if is_timeout(seen.get("error")):
            return


def describe(student: Any) -> Observation:
    """What kind of object the student passed to the check, before anything is called."""
    kind = "class" if inspect.isclass(student) else "function" if callable(student) else "object"
    if isinstance(student, nn.Module):
        kind = "instance"
    seen: Observation = {"kind": kind, "type": cut(type(student).__name__), "signature": None, "origin": []}
    if inspect.isclass(student):
        seen["is a module"] = issubclass(student, nn.Module)
        seen["origin"] = [cut(f"{base.__module__}.{base.__name__}") for base in student.__mro__]
    elif kind == "function":
        origin = f"{getattr(student, '__module__', None)}.{getattr(student, '__name__', None)}"
        seen["origin"] = [cut(origin)]
    if kind in ("class", "function"):
        with contextlib.suppress(TypeError, ValueError):
            signature = inspect.signature(student)
            if signature.return_annotation is not signature.empty:
                signature = signature.replace(return_annotation=signature.empty)
            parameters = signature.parameters.values()
            seen["signature"] = cut(str(signature)[1:-1])
            seen["positional"] = [
                p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
            ]
            seen["obligatory"] = [
                p.name
                for p in parameters
                if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            ]
            seen["any positional"] = any(p.kind is p.VAR_POSITIONAL for p in parameters)
            seen["any keyword"] = any(p.kind is p.VAR_KEYWORD for p in parameters)
            seen["keywords"] = [
                p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
            ]
    return seen


class _Notes:
    """An observation in the making; it leaves out what no aspect looks at."""

    def __init__(self, probe: Probe, log: OperatorLog | None = None) -> None:
        self.seen: Observation = {}
        self.log = log
        self.built_by: set[str] = set()
        self._looks_at = probe.looks_at

    def logged(self) -> AbstractContextManager[Any]:
        """Context for the student's work on the probe's numbers."""
        return self.log or contextlib.nullcontext()

    def wants(self, key: str) -> bool:
        """Whether an aspect looks at the key."""
        return key.startswith(self._looks_at)

    def take(self, key: str, value: object) -> None:
        """Write down a value of the student's, made plain."""
        if self.wants(key):
            self.seen[key] = plain(value)

    def write(self, key: str, value: Value) -> None:
        """Write down something of ours, which is plain."""
        if self.wants(key):
            self.seen[key] = value


def _observe(student: Callable[..., Any], probe: Probe, notes: _Notes) -> None:
    """Take the object through the probe; what it raises becomes the observation's "error"."""
    try:
        _OBSERVERS[type(probe)](student, probe, notes)
    except _Missing as missing:
        notes.seen["error"] = trouble("missing", str(missing))
    except _NoModule as error:
        notes.seen["error"] = (
            trouble("none") if str(error) == "NoneType" else trouble("no module", str(error))
        )
    except Unusable as error:
        notes.seen["error"] = trouble("said", str(error))
    except (Exception, SystemExit) as error:
        notes.seen["error"] = _raised(error)


# --- Functions --------------------------------------------------------------------------------------------


def _observe_call(function: Callable[..., Any], probe: CallProbe, notes: _Notes) -> None:
    # As in use: an input asks for a gradient only where one is wanted.
    with_grad = probe.grad_output is not None
    arguments = {name: _materialize(value, with_grad) for name, value in probe.inputs.items()}
    # In inference mode nothing that runs inside the function can be differentiated.
    with torch.inference_mode(not probe.autograd):
        given = _copies(arguments)
        if probe.raises:
            _record_refusal(function, given, probe, notes)
            return
        with notes.logged():
            returned = function(*given.values(), **probe.options)
            _record_returned(returned, probe, "", notes)
            for name, value in given.items():
                _record_input(name, value, notes)
            _record_gradients(returned, probe, arguments, notes)
            _record_layer(returned, probe, arguments, notes)
        if probe.twice:  # How the numbers came about has been seen.
            returned = function(*_copies(arguments).values(), **probe.options)
            _record_returned(returned, probe, ", called again", notes)


def _record_refusal(
    function: Callable[..., Any], given: Mapping[str, Any], probe: CallProbe, notes: _Notes
) -> None:
    """With what kind of error the function refuses its inputs, if it does."""
    returned: object = None
    try:
        with notes.logged():
            returned = function(*given.values(), **probe.options)
    except NotImplementedError:
        raise
    except Exception as error:
        notes.write("raises", "ValueError" if isinstance(error, ValueError) else type(error).__name__)
    else:
        notes.write("raises", trouble("none") if returned is None else "nothing")


def _copies(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Copies with a history: work in place shows in the copy, and is no error of autograd's."""
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in arguments.items()}


def _materialize(value: Any, with_grad: bool) -> Any:
    """Turn an input of a probe into what the student's function receives."""
    if isinstance(value, LayerSpec):
        layer = getattr(nn, value.layer)(**value.arguments)
        layer = layer.to(next(tensor.dtype for tensor in value.state.values() if tensor.is_floating_point()))
        with torch.no_grad():
            for name, tensor in value.state.items():
                getattr(layer, name).copy_(tensor)
        return layer.train(value.training)
    if isinstance(value, Tensor):
        # preserve_format keeps strides, so that a transposed probe stays transposed.
        return value.detach().clone().requires_grad_(with_grad and value.is_floating_point())
    return value


def _record_returned(returned: Any, probe: CallProbe, when: str, notes: _Notes) -> None:
    names = probe.returns
    if len(names) == 1:
        notes.take(names[0] + when, returned)
        return
    if not isinstance(returned, tuple | list) or len(returned) != len(names):
        count = (
            f"{len(returned)} values" if isinstance(returned, tuple | list) else f"one {type_name(returned)}"
        )
        kind = "none" if returned is None else "count"
        text = f"{count} where {len(names)} were expected: {', '.join(names)}"
        for name in names:
            notes.write(name + when, trouble(kind, text))
        return
    for name, value in zip(names, returned, strict=True):
        notes.take(name + when, value)


def _record_gradients(returned: Any, probe: CallProbe, arguments: Mapping[str, Any], notes: _Notes) -> None:
    if probe.grad_output is None:
        return
    first = returned[0] if isinstance(returned, tuple | list) and returned else returned
    leaves = {f"gradient of {name}": value for name, value in arguments.items() if isinstance(value, Tensor)}
    if any(notes.wants(key) for key in leaves):
        _take_gradients(first, probe.grad_output, leaves, notes)


def _record_input(name: str, value: Any, notes: _Notes) -> None:
    if isinstance(value, Tensor):
        notes.take(f"input {name} afterwards", value)
    elif isinstance(value, nn.Module):
        for key, tensor in value.state_dict().items():
            notes.take(f"input {name}.{key} afterwards", tensor)
        notes.take(f"input {name}.training afterwards", value.training)


def _record_layer(returned: Any, probe: CallProbe, arguments: Mapping[str, Any], notes: _Notes) -> None:
    if probe.then is None:
        return
    if not isinstance(returned, nn.Module):
        nothing = trouble("none") if returned is None else trouble("no layer", type_name(returned))
        for key in (
            "is a Linear",
            "is a new layer",
            "sizes of the layer",
            "parameters of the layer",
            "output of the layer",
            "asks for gradients",
        ):
            notes.write(key, nothing)
        return
    notes.write("is a Linear", isinstance(returned, nn.Linear))
    notes.write("is a new layer", all(returned is not value for value in arguments.values()))
    sizes = [cut(str(getattr(returned, name, None))) for name in ("in_features", "out_features")]
    notes.write("sizes of the layer", sizes)
    notes.write("asks for gradients", all(value.requires_grad for value in returned.parameters()))
    notes.write("parameters of the layer", [name for name, _ in returned.named_parameters()])
    for name, value in returned.named_parameters():
        notes.take(f"{name} of the layer", value)
    with torch.no_grad():
        notes.take("output of the layer", returned.eval()(probe.then.clone()))


# --- Modules ----------------------------------------------------------------------------------------------


class _Missing(Exception):
    """The module has no parameter or buffer of a name that torch's counterpart has."""


class _NoModule(Exception):
    """What was built is no module; of this type it is."""


def _observe_module(make: Callable[..., nn.Module], probe: ModuleProbe, notes: _Notes) -> None:
    module = _build(make, probe, notes)
    with torch.no_grad():
        for name, value in probe.state.items():
            # A copy into the tensor itself: works for parameters, buffers and plain attributes alike.
            _attribute(module, name).copy_(value)
    with notes.logged():
        _take_steps(module, make, probe, notes)


def _take_steps(module: nn.Module, make: Callable[..., nn.Module], probe: ModuleProbe, notes: _Notes) -> None:
    original: nn.Module | None = None
    # A backward pass frees its graph: that shows in a later one if the layer holds on to it. Others are idle.
    backward = [any(notes.wants(key) for key in _gradient_keys(probe, step)) for step in probe.steps]
    for index, step in enumerate(probe.steps):
        match step:
            case Describe():
                _describe_module(module, step, notes)
            case Forward():
                if index and any(backward[index:]):
                    module.zero_grad()
                _forward(module, probe, step, notes, any(backward[index:]))
            case Reload():
                fresh = _build(make, probe, notes)
                fresh.load_state_dict(module.state_dict())
                module = fresh
            case DeepCopy():
                original, module = module, copy.deepcopy(module)
            case Fill() | Outline() | Spread():
                with unlogged():
                    missing = take_step(module, step, notes.write, notes.take)
                if missing:
                    raise _Missing(missing)
    if original is not None:
        for name in probe.watch:
            notes.take(f"{name} of the original", reach(original, name))


def _build(make: Callable[..., nn.Module], probe: ModuleProbe, notes: _Notes) -> nn.Module:
    # A function may leave all of its work to another one; a class shows whose it is by its bases.
    log = OperatorLog() if notes.log and not inspect.isclass(make) else contextlib.nullcontext()
    with contextlib.nullcontext() if probe.draws else NoDraws(), log:
        module = make(*materialize(probe.arguments), **probe.options)
    if isinstance(log, OperatorLog):
        bases = (f"{base.__module__}.{base.__name__}" for base in type(module).__mro__)
        notes.built_by.update(
            log.course_functions(), (base for base in bases if base.startswith("torchvision."))
        )
    if not is_network(module):
        raise _NoModule(type_name(module))
    return module.to(probe.dtype)


def _attribute(module: nn.Module, name: str) -> Tensor:
    value = reach(module, name)
    if not isinstance(value, Tensor):
        raise _Missing(name)
    return value


def _describe_module(module: nn.Module, step: Describe, notes: _Notes) -> None:
    parameters = dict(module.named_parameters())
    buffers = dict(module.named_buffers())
    notes.write(f"{step.name}: parameters", sorted(parameters))
    notes.write(f"{step.name}: buffers", sorted(buffers))
    notes.write(f"{step.name}: state_dict", sorted(module.state_dict()))
    for name, value in {**parameters, **buffers}.items():
        notes.take(f"{step.name}: {name}", value)


def _gradient_keys(probe: ModuleProbe, step: Step) -> list[str]:
    """Names of the gradients after a step: those of the probe's parameters, and of x at the end."""
    if not isinstance(step, Forward) or step.grad_output is None:
        return []
    return [f"gradient of {name}, {step.name}" for name in (*probe.gradients, "x")]


def _forward(module: nn.Module, probe: ModuleProbe, step: Forward, notes: _Notes, backward: bool) -> None:
    module.train(step.training)
    # As in use: an input asks for a gradient only where one is wanted.
    with unlogged():
        leaf = step.x.detach().clone().requires_grad_(step.grad_output is not None)
        given = leaf.clone()
    with contextlib.nullcontext() if step.grad_enabled else torch.no_grad():
        output = module(given)
    notes.take(f"output, {step.name}", output)
    for name in probe.watch:
        notes.take(f"{name} after {step.name}", reach(module, name))
    notes.take(f"input x after {step.name}", given)
    if backward and step.grad_output is not None:
        leaves = [*(_attribute(module, name) for name in probe.gradients), leaf]
        named = dict(zip(_gradient_keys(probe, step), leaves, strict=True))
        _take_gradients(output, step.grad_output, named, notes)


# --- Functions that change a network ------------------------------------------------------------------------


def _observe_change(change: Callable[..., Any], probe: ChangeProbe, notes: _Notes) -> None:
    model = changing.network(probe, seen_by=change)
    before = dict(model.named_parameters())
    with notes.logged():
        change(model)
    changing.record(model, before, notes.write, notes.take)


# --- Gradients and errors -----------------------------------------------------------------------------------


def _take_gradients(output: Any, grad_output: Tensor, leaves: Mapping[str, Tensor], notes: _Notes) -> None:
    """Backpropagate and read the gradients of the leaves; an error belongs to the gradients alone."""
    try:
        if isinstance(output, Tensor) and output.requires_grad and output.shape == grad_output.shape:
            with unlogged():
                gradient = grad_output.to(output.dtype, copy=True)
            with notes.log.backward(output) if notes.log else contextlib.nullcontext():
                # What `output.backward(gradient)` comes to; that imports sympy first, which takes up to 2 s.
                Variable._execution_engine.run_backward(
                    (output,), (gradient,), False, False, (), allow_unreachable=True, accumulate_grad=True
                )
    except RuntimeError as error:
        for key in leaves:
            notes.write(key, _raised(error))
        return
    for key, leaf in leaves.items():
        if leaf.grad is None:
            notes.write(key, trouble("no gradient"))
        else:
            notes.take(key, leaf.grad)


def _raised(error: BaseException) -> Trouble:
    name = type(error).__name__
    try:
        text = f"{name}: {error}"
    except Exception:  # a student's own exception may fail to name itself
        text = name
    return trouble("error", text[:300], student_line(error))


_OBSERVERS: dict[type, Callable[[Any, Any, _Notes], None]] = {
    CallProbe: _observe_call,
    ModuleProbe: _observe_module,
    ChangeProbe: _observe_change,
    **dict.fromkeys(get_args(DrawingProbe), observe_drawing),
    **dict.fromkeys(get_args(SamplingProbe), observe_sampling),
    **dict.fromkeys((BuildProbe, TrainProbe), observe_run),
    NetworkProbe: observe_network,
    OptimizerProbe: observe_optimizer,
    ScheduleProbe: observe_schedule,
    LoopProbe: observe_loop,
    PenaltyProbe: observe_penalty,
    StopProbe: observe_stopping,
    TimingProbe: observe_timing,
    BatchProbe: observe_batch,
    PrecisionProbe: observe_precision,
}
"""Kind of probe → what takes an object through it."""
