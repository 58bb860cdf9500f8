"""Plain data: all that passes from the half that sees the student's objects to the half that judges.

Tensors, numbers, strings, None, lists of strings and `Trouble` records; they could cross a process boundary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Trouble = dict[str, str]
"""Something that is not a value: {"trouble": kind, "text": ..., "where": ...}."""

Value = Tensor | int | float | bool | str | None | list[str] | Trouble
Observation = dict[str, Value]


def trouble(kind: str, text: str = "", where: str = "") -> Trouble:
    """Record of something that is not a value."""
    return {"trouble": kind, "text": text, "where": where}


def is_trouble(value: Value) -> bool:
    """Whether an observed value is a `Trouble` record."""
    return isinstance(value, dict)


def plain(value: Any) -> Value:
    """The value as plain data: a tensor without graph and subclass, a number, or what it is instead."""
    if isinstance(value, Tensor):
        # A subclass could answer every comparison with "equal"; the judge must see the numbers only.
        with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            return value.detach().as_subclass(Tensor).cpu().clone()
    if isinstance(value, bool | int | float):
        return value
    if value is None:
        return trouble("none")
    return trouble("type", type_name(value))


def type_name(value: Any) -> str:
    """Name of the value's type as a student knows it: "list", "numpy.ndarray"."""
    kind = type(value)
    return (
        kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.split('.')[0]}.{kind.__name__}"
    )
