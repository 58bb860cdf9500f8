"""Values as JSON has them: for displays of student code, which may hold anything."""

from __future__ import annotations

import base64
from typing import Any

_DEEPEST = 20


def jsonable(value: Any, depth: int = 0) -> Any:
    """The value with bytes as base64, and numbers and objects that JSON does not have as text."""
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(key): jsonable(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(each, depth + 1) for each in value]
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    return str(value)
