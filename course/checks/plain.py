"""Plain data: all that passes from the half that sees the student's objects to the half that judges.

Tensors, numbers, strings, None, lists of strings and `Trouble` records; they cross a process boundary when
work is graded (`wire.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn

Trouble = dict[str, str]
"""Something that is not a value: {"trouble": kind, "text": ..., "where": ...}."""

Value = Tensor | int | float | bool | str | None | list[str] | Trouble
Observation = dict[str, Value]

DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    *(torch.complex64, torch.complex128),
)
"""Of which a tensor may be; a check asks for float64, float32 and int64."""

LARGEST = 1_000_000
"""Numbers in a tensor; those of a check have some thousand."""

LONGEST_INT = 63
"""Bits of a whole number; torch has no larger ones."""

LONGEST_TEXT = 2_000
"""Characters of a string."""

LONGEST_LIST = 10_000
"""Strings in a list."""

_TROUBLE = {"trouble", "text", "where"}
_EXACT = (Tensor, nn.Parameter)
_KNOWN = frozenset(DTYPES)


def trouble(kind: str, text: str = "", where: str = "") -> Trouble:
    """Record of something that is not a value."""
    return {"trouble": kind, "text": cut(text), "where": cut(where)}


class Unusable(Exception):
    """What the student's code made cannot be used as the probe asks; the text tells the student why."""


def is_trouble(value: object) -> TypeGuard[Trouble]:
    """Whether an observed value is a `Trouble` record."""
    return isinstance(value, dict)


def is_timeout(value: object) -> bool:
    """Whether an observed value says that the time was over."""
    return isinstance(value, dict) and value.get("trouble") == "timeout"


def cut(text: str) -> str:
    """The text, no longer than a string may be."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 4] + " ..."


def plain(value: Any) -> Value:
    """The value as plain data: a tensor without graph and subclass, a number, or what it is instead."""
    if type(value) in _EXACT:
        # Our own reading is not the student's work: keep it out of the log of operators.
        with torch._C._DisableTorchDispatch():
            return _plain_tensor(value)
    if isinstance(value, Tensor):
        # A subclass could answer every comparison with "equal"; the judge must see the numbers only.
        with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            return _plain_tensor(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, np.integer):
        value = int(value)  # a whole number from numpy counts as well as one from Python
    if isinstance(value, int):
        value = int.__pos__(value)  # of a subclass, such as an enum, the number alone
        return value if value.bit_length() <= LONGEST_INT else trouble("type", "an int of many digits")
    if isinstance(value, float):
        return float.__pos__(value)
    if value is None:
        return trouble("none")
    return trouble("type", type_name(value))


def _plain_tensor(value: Tensor) -> Value:
    if value.layout != torch.strided or value.dtype not in _KNOWN or value.is_nested or value.is_meta:
        return trouble("type", f"a tensor of another kind ({value.layout}, {value.dtype}, {value.device})")
    if value.numel() > LARGEST:
        return trouble("type", f"a tensor of {value.numel():,} numbers")
    value = value.detach()
    if type(value) is not Tensor:
        value = value.as_subclass(Tensor)
    if not value.is_cpu:
        value = value.cpu()
    if value.is_conj() or value.is_neg():
        value = value.resolve_conj().resolve_neg()
    return value.clone()


def type_name(value: Any) -> str:
    """Name of the value's type as a student knows it: "list", "numpy.ndarray"."""
    kind = type(value)
    return (
        kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.split('.')[0]}.{kind.__name__}"
    )


def is_observation(value: object) -> TypeGuard[Observation]:
    """Whether this is an `Observation` and nothing more."""
    return type(value) is dict and are_texts(value) and all(_is_value(item) for item in value.values())


def are_texts(values: Collection[Any]) -> bool:
    """Whether all of these are strings, and none too long."""
    return not values or (set(map(type, values)) == {str} and max(map(len, values)) <= LONGEST_TEXT)


def _is_value(value: Any) -> bool:
    kind = type(value)
    if kind is Tensor:
        return bool(value.numel() <= LARGEST)
    if kind is list:
        return len(value) <= LONGEST_LIST and are_texts(value)
    if kind is dict:
        return value.keys() == _TROUBLE and are_texts(value.values())
    if kind is str:
        return len(value) <= LONGEST_TEXT
    return value is None or kind in (bool, int, float)
