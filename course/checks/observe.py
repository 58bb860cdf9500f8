"""Observe: call a student's object as a probe says and write down what happens, as plain data.

This half knows no answer. It runs where the student's code lives, which may be another process than the
one that judges: an observation holds nothing but tensors, numbers, strings, None, lists of strings and
`Trouble` records, and never a reference to the student's objects.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

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
from course.checks.plain import Observation, Trouble, plain, trouble, type_name
from course.checks.surroundings import (
    OperatorLog,
    OutOfTime,
    note_course_functions,
    quiet,
    student_line,
    time_limited,
)

TIME_LIMIT = 5.0
"""Seconds that one probe may take; a right solution takes milliseconds."""


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
    with quiet(), torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        try:
            with time_limited(time_limit), OperatorLog(operators), note_course_functions(course_functions):
                steps(student, probe, seen)
        except OutOfTime:
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
        seen[names[0] + when] = plain(returned)
        return
    if not isinstance(returned, tuple | list) or len(returned) != len(names):
        count = (
            f"{len(returned)} values" if isinstance(returned, tuple | list) else f"one {type_name(returned)}"
        )
        kind = "none" if returned is None else "count"
        for name in names:
            seen[name + when] = trouble(kind, f"{count} where {len(names)} were expected: {', '.join(names)}")
        return
    for name, value in zip(names, returned, strict=True):
        seen[name + when] = plain(value)


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
        seen[f"input {name} afterwards"] = plain(value)
    elif isinstance(value, nn.Module):
        for key, tensor in value.state_dict().items():
            seen[f"input {name}.{key} afterwards"] = plain(tensor)
        seen[f"input {name}.training afterwards"] = value.training


def _record_layer(returned: Any, probe: CallProbe, arguments: Mapping[str, Any], seen: Observation) -> None:
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
        seen[f"{name} of the layer"] = plain(value)
    with torch.no_grad():
        seen["output of the layer"] = plain(returned.eval()(probe.then.clone()))


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
            seen[f"{name} of the original"] = plain(getattr(original, name, None))


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
        seen[f"{step.name}: {name}"] = plain(value)


def _forward(module: nn.Module, probe: ModuleProbe, step: Forward, seen: Observation) -> None:
    module.train(step.training)
    module.zero_grad()
    # As in use: an input asks for a gradient only where one is wanted.
    leaf = step.x.detach().clone().requires_grad_(step.grad_output is not None)
    given = leaf.clone()
    with torch.set_grad_enabled(step.grad_enabled):
        output = module(given)
    seen[f"output, {step.name}"] = plain(output)
    for name in probe.watch:
        seen[f"{name} after {step.name}"] = plain(getattr(module, name, None))
    seen[f"input x after {step.name}"] = plain(given)
    if step.grad_output is not None:
        leaves = {f"gradient of {name}, {step.name}": _attribute(module, name) for name in probe.gradients}
        leaves[f"gradient of x, {step.name}"] = leaf
        seen.update(_gradients(output, step.grad_output, leaves))


# --- Gradients and errors -----------------------------------------------------------------------------------


def _gradients(output: Any, grad_output: Tensor, leaves: Mapping[str, Tensor]) -> Observation:
    """Backpropagate and read the gradients of the leaves; an error belongs to the gradients alone."""
    try:
        if isinstance(output, Tensor) and output.requires_grad and output.shape == grad_output.shape:
            # A scalar: with a tensor for the gradient, torch's first backward imports sympy, for up to 2 s.
            (output * grad_output.to(output.dtype)).sum().backward()
    except RuntimeError as error:
        return dict.fromkeys(leaves, _raised(error))
    return {
        name: trouble("no gradient") if leaf.grad is None else plain(leaf.grad)
        for name, leaf in leaves.items()
    }


def _raised(error: BaseException) -> Trouble:
    return trouble("error", f"{type(error).__name__}: {error}"[:300], student_line(error))
