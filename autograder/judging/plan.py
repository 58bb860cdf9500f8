"""What to do with each cell of a notebook.

A test cell that only calls the course's check, on names and plain values, is judged in the trusted process:

    check("BatchNorm2d", BatchNorm2d, "forward")

Every other test cell is a program of the instructor's that calls the student's code; it has to run where that
code is, and its score is labelled as less trustworthy.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nbformat import NotebookNode

from autograder.notebooks import is_graded, is_solution


@dataclass(frozen=True)
class Proxy:
    """Stands for an object in the student's process; only the course's observer over there can look at it."""

    name: str


@dataclass(frozen=True)
class CheckCall:
    """One call of the course's check; `Proxy` arguments stand for the student's objects."""

    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]


@lru_cache(maxsize=1024)
def check_calls(source: str, name: str) -> tuple[CheckCall, ...] | None:
    """The calls of the check that a test cell is made of; None when it holds anything else.

    Args:
        source: of the cell.
        name: of the course's check; empty when it has none.
    """
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError):
        return None
    calls = [_check_call(statement, name) for statement in statements]
    found = tuple(call for call in calls if call is not None)
    return found if name and found and len(found) == len(statements) else None


def _check_call(statement: ast.stmt, name: str) -> CheckCall | None:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=function), args=arguments, keywords=keywords)):
            if function != name or any(keyword.arg is None for keyword in keywords):
                return None
        case _:
            return None
    try:
        call = CheckCall(
            tuple(_value(argument) for argument in arguments),
            tuple((str(keyword.arg), _value(keyword.value)) for keyword in keywords),
        )
    except ValueError:
        return None
    values = [*call.arguments, *(value for _, value in call.keywords)]
    return call if any(isinstance(value, Proxy) for value in values) else None


def _value(node: ast.expr) -> Any:
    return Proxy(node.id) if isinstance(node, ast.Name) else ast.literal_eval(node)


def is_test(cell: NotebookNode) -> bool:
    """Whether the cell tests and scores a student's code."""
    return cell["cell_type"] == "code" and is_graded(cell) and not is_solution(cell)


def is_skipped(cell: NotebookNode, tag: str) -> bool:
    """Whether the cell is not run for grading."""
    tags = cell["metadata"].get("tags", [])
    return bool(tag) and isinstance(tags, list) and tag in tags and not is_test(cell)


def ends_with_value(source: str) -> bool:
    """Whether the last line of a test cell has a value: only then nbgrader takes it for a partial score."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError):  # a cell magic, for example
        return True
    return bool(statements) and isinstance(statements[-1], ast.Expr)
