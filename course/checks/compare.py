"""Compare what was seen of a student's object with what is right, one aspect at a time.

Numbers are compared in float64, within the aspect's tolerance. Whatever is not a number of the right shape
(None, a numpy array, a wrong dtype, nan, a changed input, an exception) has a sentence of its own.

When work is graded, the observation comes from a process that the student's code may have taken over. So any
plain value may stand under any key, and every one of them must end in a verdict.
"""

from __future__ import annotations

import contextlib
import textwrap
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from course.checks.framework import Aspect, Probe, Tolerance
from course.checks.plain import Observation, Trouble, Value, cut, is_timeout, is_trouble
from course.checks.probes.networks import explain


@dataclass(frozen=True)
class Symptom:
    """What differs between the student's observation and the oracle's.

    Args:
        kind: "unwritten", "error", "timeout", "missing", "none", "type", "count", "shape", "dtype", "nan",
            "modified", "no gradient" or "value".
        text: one line for the table: "expected 1.0462, got 1.0418".
        advice: a sentence for kinds that speak for themselves; empty for "value".
    """

    kind: str
    text: str
    advice: str = ""


def compare(aspect: Aspect, probe: Probe, expected: Observation, got: Observation) -> Symptom | None:
    """The first difference that the aspect sees, or None.

    Raises:
        LookupError: the aspect looks at nothing that the oracle shows (a mistake in the exercise).
    """
    dtype = _dtype_of(probe)
    with np.errstate(all="ignore"):  # nan and huge numbers are compared like others
        for key in seen_by(aspect, expected):
            seen = key in got
            symptom = _compare_value(key, expected[key], got[key], aspect, dtype) if seen else absent(got)
            if symptom is not None:
                return symptom
    return None


def seen_by(aspect: Aspect, expected: Observation) -> list[str]:
    """The keys of the oracle's observation that the aspect looks at.

    Raises:
        LookupError: there are none (a mistake in the exercise).
    """
    keys = [key for key in expected if key.startswith(aspect.looks_at)]
    if not keys:
        raise LookupError(
            f"aspect {aspect.label!r} looks at {aspect.looks_at}, the oracle shows {list(expected)}"
        )
    return keys


def absent(got: Observation) -> Symptom:
    """What it means that a value is not in an observation: an error, or nothing was written down."""
    error = got.get("error")
    if not isinstance(error, dict):
        return Symptom("missing", "not there")
    kind, text, _ = _parts(error)
    if is_timeout(error):
        return Symptom(
            "timeout",
            f"stopped after {text}",
            f"Your code ran for more than {text}. "
            "Is there a loop that never ends, or one with many more steps than it needs?",
        )
    if kind == "missing":
        return Symptom(
            "missing",
            f"no attribute `{text}`",
            f"Your layer has no tensor called `{text}`. "
            "Names must be torch's, so that weights can be loaded.",
        )
    return _troubled(error)


def _parts(record: Trouble) -> tuple[str, str, str]:
    """Kind, text and place of something that is not a value."""
    kind, text, where = (str(record.get(key, "")) for key in ("trouble", "text", "where"))
    return kind, text, where


def _raised(error: Trouble) -> Symptom:
    _, text, where = _parts(error)
    if text.startswith("NotImplementedError"):
        return Symptom("unwritten", "not written yet", "This exercise is not written yet.")
    brief = textwrap.shorten(text, 60, placeholder=" ...")
    return Symptom("error", brief, f"Your code raised {text}{f' ({where})' if where else ''}")


def _compare_value(
    key: str, expected: Value, got: Value, aspect: Aspect, dtype: torch.dtype
) -> Symptom | None:
    if isinstance(got, dict):
        return None if got == expected else _troubled(got)
    if not isinstance(expected, Tensor):
        return _compare_plain(key, expected, got)
    number = isinstance(got, int | float)
    number = isinstance(got, int | float)
    if number:
        with contextlib.suppress(RuntimeError, OverflowError):  # an int of more than 64 bits
            got = torch.tensor(got)
    if not isinstance(got, Tensor):
        return Symptom("type", "expected a tensor")
    if got.shape != expected.shape:
        return Symptom(
            "shape",
            f"expected shape {tuple(expected.shape)}, got {tuple(got.shape)}",
            f"The shape is {tuple(got.shape)}; it should be {tuple(expected.shape)}.",
        )
    if expected.is_floating_point() and got.dtype != dtype:
        advice = (
            f"The input is {dtype} and the result {got.dtype}. Make new tensors with the dtype of the input."
        )
        if number:
            advice = (
                "The result is a Python number, as .item() and float() give it. "
                "Return a tensor with the dtype of the input."
            )
        if key.startswith("running_"):
            advice = (
                f"The layer was converted to {dtype}, but its running statistics stayed {got.dtype}. "
                "`.to()` converts parameters and buffers only: use register_buffer."
            )
        return Symptom("dtype", f"expected {dtype}, got {got.dtype}", advice)
    if not expected.is_floating_point() and got.dtype != expected.dtype:
        return Symptom(
            "dtype",
            f"expected {expected.dtype}, got {got.dtype}",
            f"This number counts something: keep it as an integer ({expected.dtype}), not as {got.dtype}.",
        )
    if aspect.align is not None:
        got = aspect.align(got, expected)
    expected, got = _measured(aspect, expected), _measured(aspect, got)
    return _compare_numbers(key, expected, got, aspect.tolerance)


def _compare_plain(key: str, expected: Value, got: Value) -> Symptom | None:
    """Compare names, yes and no: what is no tensor."""
    # Of the same type, for True == 1, and a tensor's == is no answer.
    if type(got) is type(expected) and got == expected:
        return None
    advice = ""
    if isinstance(expected, list) and isinstance(got, list):
        sentence = cut(explain(key, expected, got))
        if sentence:
            return Symptom("value", textwrap.shorten(sentence, 90, placeholder=" ..."), sentence)
        advice = _names(key, expected, got)
        if len(expected) + len(got) > 12:
            return Symptom("value", _counted(expected, got), advice)
    return Symptom("value", f"expected {_shown(expected)}, got {_shown(got)}", advice)


def _close(expected: np.ndarray, got: np.ndarray, tolerance: Tolerance) -> bool:
    """Whether the numbers agree and none is nan; for small tensors numpy is much faster than torch."""
    off = np.abs(got - expected) - tolerance.rtol * np.abs(expected)
    return bool(off.max() <= tolerance.atol)


def _compare_numbers(key: str, expected: Tensor, got: Tensor, tolerance: Tolerance) -> Symptom | None:
    if _close(expected.numpy(), got.numpy(), tolerance):
        return None
    off = (got - expected).abs() - tolerance.rtol * expected.abs()
    # NaN must not pass: it compares as "not greater" with everything.
    wrong = ~(off <= tolerance.atol) & ~(got.isnan() & expected.isnan())
    if not wrong.any():
        return None
    if got.isnan().any() and not expected.isnan().any():
        return Symptom(
            "nan", "got nan", "There is a nan in the result: 0/0, or the root of a negative number."
        )
    worst = int(torch.where(wrong, off, -torch.inf).argmax())
    text = f"expected {_shown(expected.flatten()[worst].item())}, got {_shown(got.flatten()[worst].item())}"
    if key.startswith("input "):
        return Symptom(
            "modified",
            text,
            "Your code changes its input in place (as `x -= mean` does). "
            "The caller still needs it: write into a new tensor.",
        )
    return Symptom("value", text)


def _troubled(got: Trouble) -> Symptom:
    kind, text, _ = _parts(got)
    match kind:
        case "error":
            return _raised(got)
        case "none":
            return Symptom("none", "got None", "Your code returns None here. Is a `return` missing?")
        case "count":
            return Symptom("count", f"got {text}", f"Your function returned {text}.")
        case "no gradient":
            return Symptom(
                "no gradient",
                "no gradient arrives",
                "No gradient arrives. Something on the way is cut off: no_grad, detach, .data, "
                ".item(), or a new tensor.",
            )
        case "over budget":
            return Symptom("over budget", text, f"Your network consists of {text}.")
        case "unrecordable":
            return Symptom(
                "type",
                "cannot be handed over",
                f"The forward pass cannot be handed over to the grader: {text}. Use layers and functions of "
                "torch on the pictures, and nothing else.",
            )
        case "no layer":
            return Symptom(
                "type",
                f"expected an nn.Linear, got {text}",
                f"Your function returned {text}; it should return an nn.Linear.",
            )
        case "no module":
            return Symptom(
                "type",
                f"expected an nn.Module, got {text}",
                f"Your function returned {text}; it should return an nn.Module that can be called.",
            )
        case "said":
            return Symptom("type", textwrap.shorten(text, 90, placeholder=" ..."), text)
        case _:
            return Symptom(
                "type",
                f"expected a torch.Tensor, got {text}",
                f"Your code returned {text}; it should return a torch.Tensor.",
            )


def _names(key: str, expected: list[str], got: list[str]) -> str:
    """Which names a layer lacks, and which torch's layer does not have."""
    lacks = _some([name for name in expected if name not in got])
    adds = _some([name for name in got if name not in expected])
    whose = "not in torch's layer" if key.endswith((": parameters", ": buffers")) else "not asked for"
    parts = [f"missing: {lacks}"] * bool(lacks) + [f"{whose}: {adds}"] * bool(adds)
    return cut(f"Look at the {key.rpartition(': ')[2]}: {'; '.join(parts)}.")


def _counted(expected: list[str], got: list[str]) -> str:
    """How long two lists are, or, when both have the same length, in how many places they differ."""
    if len(got) != len(expected):
        return f"{len(got)} names, expected {len(expected)}"
    return f"{sum(name not in expected for name in got)} of {len(got)} are different"


def _some(names: list[str]) -> str:
    """The first of the names: a network may lack a hundred."""
    rest = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + rest


def _dtype_of(probe: Probe) -> torch.dtype:
    dtype = getattr(probe, "dtype", None)
    if dtype is None:
        tensors = [v for v in getattr(probe, "inputs", {}).values() if isinstance(v, Tensor)]
        then = getattr(probe, "then", None)
        dtype = (tensors or [then])[0].dtype
    return dtype


def _shown(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list):
        return cut(", ".join(str(item) for item in value)) or "none"
    return cut(str(value))


_MEASURED: WeakIdKeyDictionary = WeakIdKeyDictionary()
"""Tensor → aspect → what was measured: the same draws are compared with those of many mistakes."""


def _measured(aspect: Aspect, value: Tensor) -> Tensor:
    """What of a tensor is compared, in float64."""
    if aspect.measure is None:
        return value.double()
    known = _MEASURED.setdefault(value, {})
    if aspect not in known:
        known[aspect] = aspect.measure(value.double())
    measured: Tensor = known[aspect]
    return measured


def same(aspect: Aspect, expected: Observation, one: Observation, other: Observation) -> bool:
    """Whether two observations show the same thing wherever the aspect looks."""
    return all(
        _same_value(expected[key], one.get(key, one.get("error")), other.get(key, other.get("error")), aspect)
        for key in seen_by(aspect, expected)
    )


def _same_value(expected: Value, one: Value, other: Value, aspect: Aspect) -> bool:
    if is_trouble(one) and is_trouble(other):
        if _parts(one)[0] == "over budget":
            return _parts(other)[0] == "over budget"
        return _parts(one)[:2] == _parts(other)[:2]
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):
        return type(one) is type(other) and not isinstance(one, Tensor) and one == other
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if aspect.measure is not None and (not isinstance(expected, Tensor) or one.shape != expected.shape):
        return True  # both have the same wrong shape, in which there is nothing to measure
    if aspect.align is not None:
        one = aspect.align(one, other)
    tolerance = aspect.tolerance
    one, other = _measured(aspect, one), _measured(aspect, other)
    return torch.allclose(one, other, tolerance.rtol, tolerance.atol, equal_nan=True)
