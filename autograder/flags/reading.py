"""Python text read without running it: what a name stands for, and what a text that is put together says.

`Reading` follows imports (``from torch import nn``), aliases (``f = nn.functional``), ``getattr`` and the
ways around it (``vars(nn)["..."]``, ``importlib.import_module``), and computes constants as far as that is
simple: pieces that are added, joined, sliced, reversed, replaced, or decoded from numbers, hex or base64.
"""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

MAX_TEXT = 10_000
"""Longer constants are not computed."""
MAX_STEPS = 100_000
"""Steps of computing that one cell may take: its text must not keep the grader busy."""
_MAX_DEPTH = 50

_PYTHON_MAGIC = re.compile(r"^(\s*)%%?(?:time|timeit|prun|capture)\b(?:[ \t]+-\w+(?:[ \t]*\d+)?)*[ \t]*")
_OTHER_MAGIC = re.compile(r"^\s*(?:[\w, ]+=\s*)?[%!]|^\s*\?|\?\s*$")
_SIGN_OF_MAGIC = re.compile(r"[%!?]")
_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError)
_NOT_WALKED = frozenset(
    (
        *("arg", "asname", "attr", "conversion", "ctx", "id", "is_async", "kind", "kwd_attrs", "level"),
        *("module", "name", "names", "op", "ops", "rest", "simple", "tag", "type_comment"),
    )
)
"""Fields that hold no node, or one that nobody looks at: contexts, operators, and what an import names."""
_CHILDREN = {
    kind: tuple(name for name in kind._fields if name not in _NOT_WALKED)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
_BINDING = frozenset((ast.Name, ast.arg, ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef))


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement, what is in it, and the number of the line before the text that it was read from."""

    node: ast.stmt
    nodes: Sequence[ast.AST]
    offset: int = 0


class _Unknown(Exception):
    """A value that cannot be computed here."""


def statements(source: str) -> list[Statement]:
    """The statements of a cell.

    Magics are left out. Of a cell that is not valid Python those lines are read that can be read alone.
    """
    lines = source.split("\n")
    if _SIGN_OF_MAGIC.search(source):
        lines = [_without_magic(line) for line in lines]
    try:
        return [Statement(node, _walk(node)) for node in _parse("\n".join(lines))]
    except _ERRORS:
        found = ((number, node) for number, line in enumerate(lines) for node in _read_line(line))
        return [Statement(node, _walk(node), number) for number, node in found]


def _walk(statement: ast.stmt) -> list[ast.AST]:
    """The nodes of `ast.walk`, in its order, without those that nobody looks at: more than half of them."""
    nodes: list[ast.AST] = [statement]
    for node in nodes:
        for name in _CHILDREN[type(node)]:
            child = getattr(node, name)
            if isinstance(child, list):
                nodes += filter(None, child)  # None: a `**` in a dict, a keyword parameter without default
            elif isinstance(child, ast.AST):
                nodes.append(child)
    return nodes


def magics(source: str) -> Iterator[tuple[int, str]]:
    """Number and text of the lines that are commands of IPython, but for those that time Python code."""
    if not _SIGN_OF_MAGIC.search(source):
        return
    for number, line in enumerate(source.split("\n"), start=1):
        if _OTHER_MAGIC.match(line) and not _PYTHON_MAGIC.match(line):
            yield number, line.strip()


def _without_magic(line: str) -> str:
    line = _PYTHON_MAGIC.sub(r"\1", line)
    indentation = line[: len(line) - len(line.lstrip())]
    return f"{indentation}pass" if _OTHER_MAGIC.match(line) else line


def _read_line(line: str) -> list[ast.stmt]:
    line = line.strip()
    for text in (line, f"{line} pass"):
        try:
            return _parse(text)
        except _ERRORS:
            continue
    return []


def _parse(text: str) -> list[ast.stmt]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the student's text, such as an invalid "\\d"
        return ast.parse(text).body


class Reading:
    """What names stand for: modules and their parts, and constants."""

    def __init__(self, modules: Mapping[str, str] = MappingProxyType({})) -> None:
        self.modules: dict[str, str] = dict(modules)
        self._values: dict[str, ast.expr] = {}
        self._steps = MAX_STEPS

    def learn_imports(self, body: Sequence[Statement]) -> None:
        """Take in the imports of a cell, which hold for all cells."""
        for statement in body:
            for node in statement.nodes:
                if isinstance(node, ast.Import):
                    for alias in node.names:
                        top = alias.name.partition(".")[0]
                        self.modules[alias.asname or top] = alias.name if alias.asname else top
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    for alias in node.names:
                        self.modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def in_cell(self, body: Sequence[Statement], bound: Mapping[str, int]) -> Reading:
        """The same, with what one cell assigns once and nowhere gives another meaning (see `bound_names`)."""
        here = Reading(self.modules)
        for statement in body:
            for node in statement.nodes:
                if isinstance(node, ast.Assign) and len(node.targets) == 1:
                    target = node.targets[0]
                    if isinstance(target, ast.Name) and bound.get(target.id) == 1:
                        here._assign(target.id, node.value)
        return here

    def _assign(self, name: str, value: ast.expr) -> None:
        if dotted := self.dotted(value):
            self.modules[name] = dotted
        else:
            self._values[name] = value

    def dotted(self, node: ast.AST, depth: int = 0) -> str:
        """The full name of a module's part, such as ``torch.nn.functional.relu``; empty for anything else."""
        if depth > _MAX_DEPTH:
            return ""
        if isinstance(node, ast.Name):
            return self.modules.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self.dotted(node.value, depth + 1)
            if node.attr == "__dict__":
                return owner
            return f"{owner}.{node.attr}" if owner else ""
        if isinstance(node, ast.Call) and node.args:
            return self._looked_up(node, depth)
        if isinstance(node, ast.Subscript):
            owner, name = self.dotted(node.value, depth + 1), self.text(node.slice)
            if owner == "sys.modules":
                return name
            return f"{owner}.{name}" if owner and name else ""
        return ""

    def called(self, node: ast.Call, depth: int = 0) -> str:
        """The name of what is called: as it is written, or with its module."""
        return node.func.id if isinstance(node.func, ast.Name) else self.dotted(node.func, depth + 1)

    def _looked_up(self, node: ast.Call, depth: int) -> str:
        called = self.called(node, depth)
        if called in ("__import__", "importlib.import_module", "importlib.__import__"):
            return self.text(node.args[0])
        if called == "vars":
            return self.dotted(node.args[0], depth + 1)
        if called in ("getattr", "inspect.getattr_static") and len(node.args) > 1:
            owner, name = self.dotted(node.args[0], depth + 1), self.text(node.args[1])
            return f"{owner}.{name}" if owner and name else ""
        return ""

    def text(self, node: ast.AST) -> str:
        """The text that an expression computes, or nothing where that cannot be told."""
        value = self.value(node)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value if isinstance(value, str) else ""

    def value(self, node: ast.AST) -> Any:
        """The text, bytes, number or list that an expression computes; None where that cannot be told."""
        try:
            return _limited(self._value(node, 0))
        except _COMPUTING_ERRORS:
            return None

    def _value(self, node: ast.AST, depth: int) -> Any:
        self._steps -= 1
        if depth > _MAX_DEPTH or self._steps < 0:
            raise _Unknown

        def of(child: ast.AST) -> Any:
            return _limited(self._value(child, depth + 1))

        match node:
            case ast.Constant(value=str() | bytes() | int() | None as constant):
                return constant
            case ast.BinOp(op=ast.Sub() | ast.Mult() | ast.Div() | ast.Pow() | ast.MatMult()):
                raise _Unknown  # said early, because a lesson's code is full of them
            case ast.Name(id=name) if name in self._values:
                return of(self._values[name])
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [of(item) for item in items]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -of(operand)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return of(left) + of(right)
            case ast.BinOp(left=left, op=ast.Mod(), right=right) if isinstance(template := of(left), str):
                return _formatted(template, of(right))
            case ast.BinOp(left=left, op=ast.BitXor(), right=right):
                return of(left) ^ of(right)
            case ast.JoinedStr(values=parts):
                return "".join(str(of(part)) for part in parts)
            case ast.FormattedValue(value=inner, conversion=-1, format_spec=None):
                return of(inner)
            case ast.Subscript(value=inner, slice=ast.Slice(lower=low, upper=high, step=step)):
                return of(inner)[slice(*(None if each is None else of(each) for each in (low, high, step)))]
            case ast.Subscript(value=inner, slice=index):
                return of(inner)[of(index)]
            case (
                ast.ListComp(elt=element, generators=[one]) | ast.GeneratorExp(elt=element, generators=[one])
            ):
                return self._comprehension(element, one, depth)
            case ast.Call(func=ast.Attribute(value=owner, attr=method), args=arguments):
                if function := _FUNCTIONS.get(self.dotted(node.func)) or _FUNCTIONS.get(_unbound(node.func)):
                    return function(*(of(each) for each in arguments))
                return _apply(method, of(owner), [of(each) for each in arguments])
            case ast.Call(func=ast.Name(id="map"), args=[ast.Name(id="chr"), numbers]):
                return [chr(number) for number in of(numbers)]
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return _FUNCTIONS[self.modules.get(name, name)](*(of(each) for each in arguments))
            case _:
                raise _Unknown

    def _comprehension(self, element: ast.expr, over: ast.comprehension, depth: int) -> list[Any]:
        """``[chr(n + 1) for n in [97, 98]]``: the element for each item, without conditions."""
        if not isinstance(over.target, ast.Name) or over.ifs:
            raise _Unknown
        before, results = self._values, []
        try:
            for item in list(self._value(over.iter, depth + 1)):
                self._values = {**before, over.target.id: ast.Constant(item)}
                results.append(_limited(self._value(element, depth + 1)))
        finally:
            self._values = before
        return results


def bound_names(*body: Statement) -> dict[str, int]:
    """How often each name is given a meaning: assigned, defined, or as a parameter."""
    found: dict[str, int] = {}
    for statement in body:
        for node in statement.nodes:
            if type(node) not in _BINDING:
                continue
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Load):
                    continue
                name = node.id
            elif isinstance(node, ast.arg):
                name = node.arg
            elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                name = node.name
            else:
                continue
            found[name] = found.get(name, 0) + 1
    return found


def _limited(value: Any) -> Any:
    """The value, if it is small."""
    if isinstance(value, str | bytes | list) and len(value) > MAX_TEXT:
        raise _Unknown
    if isinstance(value, int) and abs(value) > 10**9:
        raise _Unknown
    return value


def _apply(method: str, owner: Any, arguments: list[Any]) -> Any:
    """A method of a text, if the result cannot be huge."""
    sizes = [len(each) for each in arguments if isinstance(each, str | bytes | list)]
    if method not in _METHODS or len(owner) * max(sizes, default=1) > 100 * MAX_TEXT:
        raise _Unknown
    return getattr(owner, method)(*arguments)


def _formatted(template: str, values: Any) -> str:
    if re.search(r"%[^%s]", template):  # no widths: "%999999999d" must not become a text
        raise _Unknown
    return template % (tuple(values) if isinstance(values, list) else values)


def _unbound(node: ast.expr) -> str:
    """``bytes.fromhex``, whose owner no import gives."""
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return f"{owner}.{name}"
    return ""


_METHODS = frozenset(
    (
        *("join", "replace", "split", "decode", "encode", "hex", "strip", "lstrip", "rstrip"),
        *("lower", "upper", "title", "capitalize", "swapcase", "casefold", "removeprefix", "removesuffix"),
    )
)
_ENCODINGS = frozenset({"utf8", "ascii", "latin1", "rot13", "hex", "base64"})
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "chr": chr,
    "ord": ord,
    "str": lambda value="": value if isinstance(value, str) else str(value),
    "bytes": lambda value=b"": bytes(value) if isinstance(value, list | bytes) else b"",
    "bytearray": lambda value=b"": bytes(value) if isinstance(value, list | bytes) else b"",
    "list": list,
    "tuple": list,
    "reversed": lambda value: list(reversed(value)),
    "sorted": sorted,
    "bytes.fromhex": bytes.fromhex,
    "base64.b64decode": base64.b64decode,
    "base64.b32decode": base64.b32decode,
    "base64.b16decode": base64.b16decode,
    "base64.b85decode": base64.b85decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_base64": binascii.a2b_base64,
    "codecs.decode": lambda value, encoding="utf-8": _decode(value, encoding),
}


def _decode(value: Any, encoding: str) -> Any:
    if encoding.replace("-", "").replace("_", "").lower() not in (
        "utf8",
        "ascii",
        "latin1",
        "rot13",
        "hex",
        "base64",
    ):
        raise _Unknown
    return codecs.decode(value, encoding)


_COMPUTING_ERRORS = (
    _Unknown,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
