"""Observe: call a student's object as a probe says and write down what happens, as plain data.

This half knows no answer. It runs where the student's code lives, which may be another process than the
one that judges: an observation holds nothing but tensors, numbers, strings, None, lists of strings and
`Trouble` records, and never a reference to the student's objects.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import linecache
import os
import signal
import sys
import sysconfig
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.utils.fusion
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from course.checks.framework import (
    CallProbe,
    DeepCopy,
    Describe,
    Forward,
    LayerSpec,
    ModuleProbe,
    Probe,
    Reload,
)

Trouble = dict[str, str]
"""Something that is not a value: {"trouble": kind, "text": ..., "where": ...}."""

Value = Tensor | int | float | bool | str | None | list[str] | Trouble
Observation = dict[str, Value]

TIME_LIMIT = 5.0
"""Seconds that one probe may take; a right solution takes milliseconds."""

_COURSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CHECKS = os.path.join(_COURSE, "checks")
_LIBRARIES = tuple({os.path.abspath(sysconfig.get_paths()[key]) for key in ("stdlib", "purelib", "platlib")})

_SHORTCUTS = {module.__file__: module.__name__ for module in (torch.autograd, torch.nn.utils.fusion)}
"""Modules of torch whose work cannot be told from a student's by its operators."""


class _OutOfTime(BaseException):
    """The probe's time is over. Not an Exception, so that a student's `except Exception` does not eat it."""


def trouble(kind: str, text: str = "", where: str = "") -> Trouble:
    """Record of something that is not a value."""
    return {"trouble": kind, "text": text, "where": where}


def is_trouble(value: Value) -> bool:
    """Whether an observed value is a `Trouble` record."""
    return isinstance(value, dict)


def observe(student: Callable[..., Any], probe: Probe, time_limit: float = TIME_LIMIT) -> Observation:
    """Take the student's object through a probe.

    Args:
        student: a function, or a subclass of torch.nn.Module.
        probe: what to do with it.
        time_limit: seconds until an endless loop is stopped (in the main thread, where signals work).

    Returns:
        What was seen, by name. When the student's code raises, the key "error" says where and what, and the
        keys of everything before it are there. "operators" names the torch operators that ran,
        "course functions" the functions of the course that were called.
    """
    seen: Observation = {}
    operators: set[str] = set()
    course_functions: set[str] = set()
    steps = _observe_call if isinstance(probe, CallProbe) else _observe_module
    with _quiet(), torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        try:
            with _limit(time_limit), _note_operators(operators), _note_course_functions(course_functions):
                steps(student, probe, seen)
        except _OutOfTime:
            seen["error"] = trouble("timeout", f"{time_limit:g} seconds")
        except _Missing as missing:
            seen["error"] = trouble("missing", str(missing))
        except (Exception, SystemExit) as error:
            seen["error"] = _raised(error)
    seen["operators"] = sorted(operators)
    seen["course functions"] = sorted(course_functions)
    return seen


def describe(student: object) -> Observation:
    """What kind of object the student passed to the check, before anything is called."""
    kind = "class" if inspect.isclass(student) else "function" if callable(student) else "object"
    if isinstance(student, nn.Module):
        kind = "instance"
    seen: Observation = {"kind": kind, "type": type(student).__name__, "signature": None, "origin": []}
    if inspect.isclass(student):
        seen["is a module"] = issubclass(student, nn.Module)
        seen["origin"] = [f"{base.__module__}.{base.__name__}" for base in student.__mro__]
    elif kind == "function":
        seen["origin"] = [f"{getattr(student, '__module__', None)}.{getattr(student, '__name__', None)}"]
    if kind in ("class", "function"):
        with contextlib.suppress(TypeError, ValueError):
            signature = inspect.signature(student).replace(return_annotation=inspect.Signature.empty)
            parameters = signature.parameters.values()
            seen["signature"] = str(signature)[1:-1]
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


# --- Functions --------------------------------------------------------------------------------------------


def _observe_call(function: Callable[..., Any], probe: CallProbe, seen: Observation) -> None:
    arguments = {name: _materialize(value) for name, value in probe.inputs.items()}
    # In inference mode nothing that runs inside the function can be differentiated.
    with torch.inference_mode(not probe.autograd):
        for when in ("", ", called again"):
            # A copy with a history: work in place shows in the copy, and is no error of autograd's.
            given = {
                name: value.clone() if isinstance(value, Tensor) else value
                for name, value in arguments.items()
            }
            returned = function(*given.values(), **probe.options)
            _record_returned(returned, probe, when, seen)
            if not when:
                for name, value in given.items():
                    _record_input(name, value, seen)
                _record_gradients(returned, probe, arguments, seen)
                _record_layer(returned, probe, arguments, seen)


def _materialize(value: Any) -> Any:
    """Turn an input of a probe into what the student's function receives."""
    if isinstance(value, LayerSpec):
        layer = getattr(nn, value.layer)(**value.arguments)
        for tensor in value.state.values():
            layer = layer.to(tensor.dtype) if tensor.is_floating_point() else layer
        layer.load_state_dict(value.state, strict=False)
        return layer.train(value.training)
    if isinstance(value, Tensor):
        # preserve_format keeps strides, so that a transposed probe stays transposed.
        return value.detach().clone().requires_grad_(value.is_floating_point())
    return value


def _record_returned(returned: Any, probe: CallProbe, when: str, seen: Observation) -> None:
    names = probe.returns
    if len(names) == 1:
        seen[names[0] + when] = _plain(returned)
        return
    if not isinstance(returned, tuple | list) or len(returned) != len(names):
        count = (
            f"{len(returned)} values" if isinstance(returned, tuple | list) else f"one {_type_name(returned)}"
        )
        kind = "none" if returned is None else "count"
        for name in names:
            seen[name + when] = trouble(kind, f"{count} where {len(names)} were expected: {', '.join(names)}")
        return
    for name, value in zip(names, returned, strict=True):
        seen[name + when] = _plain(value)


def _record_gradients(
    returned: Any, probe: CallProbe, arguments: Mapping[str, Any], seen: Observation
) -> None:
    if probe.grad_output is None:
        return
    first = returned[0] if isinstance(returned, tuple | list) and returned else returned
    leaves = {f"gradient of {name}": value for name, value in arguments.items() if isinstance(value, Tensor)}
    seen.update(_gradients(first, probe.grad_output, leaves))


def _record_input(name: str, value: Any, seen: Observation) -> None:
    if isinstance(value, Tensor):
        seen[f"input {name} afterwards"] = _plain(value)
    elif isinstance(value, nn.Module):
        for key, tensor in value.state_dict().items():
            seen[f"input {name}.{key} afterwards"] = _plain(tensor)
        seen[f"input {name}.training afterwards"] = value.training


def _record_layer(returned: Any, probe: CallProbe, arguments: Mapping[str, Any], seen: Observation) -> None:
    if probe.then is None:
        return
    if not isinstance(returned, nn.Module):
        nothing = trouble("none") if returned is None else trouble("no layer", _type_name(returned))
        for key in (
            "is a Linear",
            "is a new layer",
            "sizes of the layer",
            "parameters of the layer",
            "output of the layer",
        ):
            seen[key] = nothing
        return
    seen["is a Linear"] = isinstance(returned, nn.Linear)
    seen["is a new layer"] = all(returned is not value for value in arguments.values())
    seen["sizes of the layer"] = [
        str(getattr(returned, name, None)) for name in ("in_features", "out_features")
    ]
    seen["parameters of the layer"] = [name for name, _ in returned.named_parameters()]
    for name, value in returned.named_parameters():
        seen[f"{name} of the layer"] = _plain(value)
    with torch.no_grad():
        seen["output of the layer"] = _plain(returned.eval()(probe.then.clone()))


# --- Modules ----------------------------------------------------------------------------------------------


class _Missing(Exception):
    """The module has no parameter or buffer of a name that torch's counterpart has."""


def _observe_module(make: Callable[..., nn.Module], probe: ModuleProbe, seen: Observation) -> None:
    module = _build(make, probe)
    with torch.no_grad():
        for name, value in probe.state.items():
            # A copy into the tensor itself: works for parameters, buffers and plain attributes alike.
            _attribute(module, name).copy_(value)
    original: nn.Module | None = None
    for step in probe.steps:
        match step:
            case Describe():
                _describe_module(module, step, seen)
            case Forward():
                _forward(module, probe, step, seen)
            case Reload():
                fresh = _build(make, probe)
                fresh.load_state_dict(module.state_dict())
                module = fresh
            case DeepCopy():
                original, module = module, copy.deepcopy(module)
    if original is not None:
        for name in probe.watch:
            seen[f"{name} of the original"] = _plain(getattr(original, name, None))


def _build(make: Callable[..., nn.Module], probe: ModuleProbe) -> nn.Module:
    return make(*probe.arguments, **probe.options).to(probe.dtype)


def _attribute(module: nn.Module, name: str) -> Tensor:
    value = getattr(module, name, None)
    if not isinstance(value, Tensor):
        raise _Missing(name)
    return value


def _describe_module(module: nn.Module, step: Describe, seen: Observation) -> None:
    parameters = dict(module.named_parameters())
    buffers = dict(module.named_buffers())
    seen[f"{step.name}: parameters"] = sorted(parameters)
    seen[f"{step.name}: buffers"] = sorted(buffers)
    seen[f"{step.name}: state_dict"] = sorted(module.state_dict())
    for name, value in {**parameters, **buffers}.items():
        seen[f"{step.name}: {name}"] = _plain(value)


def _forward(module: nn.Module, probe: ModuleProbe, step: Forward, seen: Observation) -> None:
    module.train(step.training)
    module.zero_grad()
    leaf = step.x.detach().clone().requires_grad_()
    given = leaf.clone()
    with torch.set_grad_enabled(step.grad_enabled):
        output = module(given)
    seen[f"output, {step.name}"] = _plain(output)
    for name in probe.watch:
        seen[f"{name} after {step.name}"] = _plain(getattr(module, name, None))
    seen[f"input x after {step.name}"] = _plain(given)
    if step.grad_output is not None:
        leaves = {f"gradient of {name}, {step.name}": _attribute(module, name) for name in probe.gradients}
        leaves[f"gradient of x, {step.name}"] = leaf
        seen.update(_gradients(output, step.grad_output, leaves))


# --- Plain values -----------------------------------------------------------------------------------------


def _plain(value: Any) -> Value:
    """The value as plain data: a tensor without graph and subclass, a number, or what it is instead."""
    if isinstance(value, Tensor):
        # A subclass could answer every comparison with "equal"; the judge must see the numbers only.
        with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            return value.detach().as_subclass(Tensor).cpu().clone()
    if isinstance(value, bool | int | float):
        return value
    if value is None:
        return trouble("none")
    return trouble("type", _type_name(value))


def _type_name(value: Any) -> str:
    kind = type(value)
    return (
        kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.split('.')[0]}.{kind.__name__}"
    )


def _gradients(output: Any, grad_output: Tensor, leaves: Mapping[str, Tensor]) -> Observation:
    """Backpropagate and read the gradients of the leaves; an error belongs to the gradients alone."""
    try:
        if isinstance(output, Tensor) and output.requires_grad and output.shape == grad_output.shape:
            # A scalar: with a tensor for the gradient, torch's first backward imports sympy, for up to 2 s.
            (output * grad_output.to(output.dtype)).sum().backward()
    except RuntimeError as error:
        return dict.fromkeys(leaves, _raised(error))
    return {
        name: trouble("no gradient") if leaf.grad is None else _plain(leaf.grad)
        for name, leaf in leaves.items()
    }


# --- Around the student's code ----------------------------------------------------------------------------


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings and stderr out of the cell's stderr: nbgrader scores any stderr text 0."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(sys.stdout):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raise `_OutOfTime` in the block after some seconds, where signals can be had."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    # Rings again every second, should the student's code catch it.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _OperatorLog(TorchDispatchMode):
    """Writes down the name of every operator below autograd, whatever Python name it was called by."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise the first call imports torch's compiler: 1.5 s for a wrapper that does nothing here.
        return False

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self._names = names

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def _note_operators(names: set[str]) -> TorchDispatchMode:
    return _OperatorLog(names)


@contextlib.contextmanager
def _note_course_functions(names: set[str]) -> Iterator[None]:
    """Write down which functions of the course package, and of `_SHORTCUTS`, the student's code calls."""

    def note(frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call":
            return
        if code.co_filename in _SHORTCUTS and not code.co_name.startswith("_"):
            names.add(f"{_SHORTCUTS[code.co_filename]}.{code.co_qualname}")
        elif code.co_filename.startswith(_COURSE) and not code.co_filename.startswith(_CHECKS):
            names.add(code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


def _raised(error: BaseException) -> Trouble:
    return trouble("error", f"{type(error).__name__}: {error}"[:300], _student_line(error))


def _student_line(error: BaseException) -> str:
    """The innermost line of the student's own code in a traceback: "line 3: x = y + 1"."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith((_COURSE, *_LIBRARIES)) or frame.filename.startswith("<frozen"):
            continue
        source = linecache.getline(frame.filename, frame.lineno or 0).strip()
        return f"line {frame.lineno}" + (f": {source}" if source else "")
    return ""


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

    converted = convert(probe)
    assert isinstance(converted, CallProbe | ModuleProbe)
    return converted
