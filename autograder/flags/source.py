"""A look at what a submission says, for what no exercise needs.

*Delegation*: an answer names a library's own counterpart, openly or in pieces. *Tampering*: a cell reaches
for the grader: its frames and objects, other processes, the course's checks, files outside (`suspicions`).

Text can mislead in both directions: it need not run, and what runs can be hidden better than this reads. So a
flag from here changes no score. It has the lines, and a person decides.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from autograder.flags import Flag
from autograder.flags.cells import is_answer
from autograder.flags.reading import Reading, Statement, bound_names, magics, statements
from autograder.flags.suspicions import (
    ATTRIBUTES,
    HONEST_COMMAND,
    HONEST_OF_IPYTHON,
    HONEST_TO_SET,
    HONEST_TO_USE,
    IDENTITY,
    IPYTHON,
    KEPT_BY_IPYTHON,
    METHODS,
    NAMES,
    TEXTS,
)

MAX_CHARACTERS = 200_000
"""Of a longer submission only the beginning is looked at."""
MOST_LINES = 5
"""Lines of evidence, and names, in one flag."""

_USES = "uses what does the whole exercise"
_HIDES = "hides the name of what does the whole exercise"
_LOOKS_UP = "looks up a part of a library by a name that is made while it runs"
_RUNS_TEXT = "runs text as code"
_REPLACES = "replaces a part of a module"


@dataclass(frozen=True)
class Lesson:
    """What is known of the lesson.

    Attributes:
        counterparts: exercise → parts of names that do its whole work, such as "batch_norm". Underscores and
            capitals do not matter. The exercise's own name always counts, also of one that is missing here.
        given: text of the released cells: their imports hold, and their lines are not the student's.
        checks: the package of the course's checks; empty: it has none.
        modules: names of modules that lie beside the notebook: what is in them is the student's own.
    """

    counterparts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    given: Sequence[str] = ()
    checks: str = ""
    modules: Collection[str] = ()


@dataclass(frozen=True)
class _Seen:
    """One suspicion: kind, what is done, by which name, in which line, in the answer to which exercise."""

    kind: str
    what: str
    name: str
    line: int
    exercise: str = ""


def scan(cells: Mapping[str, str], lesson: Lesson) -> list[Flag]:
    """What is unusual in a submission.

    Args:
        cells: name → text of the student's own cells, from `cells.own_cells`.
        lesson: what is known of the lesson.

    Returns:
        One flag for each cell and thing, with the lines as evidence, in the order of the cells.
    """
    reading = Reading(_given_names(tuple(lesson.given)))
    checks = {name for name, module in reading.modules.items() if _is_part(module, lesson.checks)}
    bodies = {name: statements(text) for name, text in _shortened(cells).items()}
    for body in bodies.values():
        reading.learn_imports(body)
    given = {line.strip() for text in lesson.given for line in text.split("\n")}
    flags: list[Flag] = []
    for name, body in bodies.items():
        lines = cells[name].split("\n")
        cell = _Cell(name, body, reading, lesson, checks)
        seen = [each for each in cell.look(cells[name]) if lines[each.line - 1].strip() not in given]
        flags += _flags(name, seen, lines)
    return flags


@lru_cache(maxsize=4)
def _given_names(texts: tuple[str, ...]) -> Mapping[str, str]:
    """What the released cells import; the same for every submission."""
    reading = Reading()
    for text in texts:
        reading.learn_imports(statements(text))
    return reading.modules


def _shortened(cells: Mapping[str, str]) -> dict[str, str]:
    left, kept = MAX_CHARACTERS, {}
    for name, text in cells.items():
        kept[name] = text[:left]
        left -= len(kept[name])
    return kept


def _flags(cell: str, seen: Sequence[_Seen], lines: Sequence[str]) -> Iterator[Flag]:
    """One flag for each thing that is done."""
    for exercise, kind, what in dict.fromkeys((each.exercise, each.kind, each.what) for each in seen):
        here = [each for each in seen if (each.exercise, each.kind, each.what) == (exercise, kind, what)]
        names = list(dict.fromkeys(each.name for each in here if each.name))
        names = [name for name in names if not any(other.endswith(f".{name}") for other in names)]
        numbers = sorted({each.line for each in here})
        where = f"The cell of {cell}" if is_answer(cell) else cell.capitalize()
        answer = f", in the answer to {exercise}," if exercise not in ("", cell) else ""
        evidence = [f"line {number}: {lines[number - 1].strip()[:200]}" for number in numbers]
        yield Flag(
            kind,
            exercise or None,
            f"{where}{answer} {what}{': ' if names else ''}{_some(names, ', ')}.",
            _some(evidence, "\n"),
        )


def _some(items: Sequence[str], separator: str) -> str:
    rest = len(items) - MOST_LINES
    return separator.join([*items[:MOST_LINES], *([f"and {rest} more"] if rest > 0 else [])])


class _Cell:
    """One cell, as it is looked at."""

    def __init__(
        self,
        name: str,
        body: Sequence[Statement],
        reading: Reading,
        lesson: Lesson,
        checks: Collection[str],
    ) -> None:
        self._name = name
        self._body = body
        self._bound = bound_names(*body)
        self._reading = reading.in_cell(body, self._bound)
        self._lesson = lesson
        self._checks = checks
        self._all_words = {_plain(word) for words in lesson.counterparts.values() for word in words}

    def look(self, text: str) -> Iterator[_Seen]:
        """Everything that is unusual, in any order."""
        exercise = self._name if is_answer(self._name) else ""
        for number, command in magics(text):
            if not HONEST_COMMAND.match(command):
                yield _Seen("tampering", "gives a command to the shell or to IPython", "", number, exercise)
        for statement in self._body:
            # An answer may also stand in a cell of its own.
            answered = [name for name in bound_names(statement) if name in self._lesson.counterparts]
            looked = _Statement(self, exercise or (answered[0] if answered else ""))
            for node, (kind, what, name) in looked.look(statement):
                line = statement.offset + getattr(node, "lineno", 1)
                yield _Seen(kind, what, name, line, looked.exercise)


_What = tuple[str, str, str]
"""Kind, what is done, and by which name."""

_LOOKED_AT = frozenset(
    (
        *(ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Call),
        *(ast.Assign, ast.Delete, ast.AugAssign, ast.AnnAssign, ast.Constant, ast.BinOp, ast.JoinedStr),
        *(ast.Name, ast.Attribute, ast.Subscript),
    )
)


class _Statement:
    """One statement of a cell, in the answer to an exercise or elsewhere."""

    def __init__(self, cell: _Cell, exercise: str) -> None:
        self.exercise = exercise
        self._reading = cell._reading
        self._bound = cell._bound
        self._lesson = cell._lesson
        self._checks = cell._checks
        words = {_plain(word) for word in (*self._lesson.counterparts.get(exercise, ()), exercise) if word}
        self._words = words or cell._all_words

    def look(self, statement: Statement) -> Iterator[tuple[ast.AST, _What]]:
        """What is unusual, with the place."""
        # To compare with the library's own layer, in a print or an assert below the answer, is good practice.
        compares = isinstance(statement.node, ast.Expr | ast.Assert)
        inner: set[int] = set()  # what is a part of a name or text that was looked at as a whole
        for node in statement.nodes:
            if isinstance(node, ast.Attribute | ast.Subscript):
                inner.add(id(node.value))
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                inner.add(id(node.value))  # a docstring
            if type(node) in _LOOKED_AT:
                for seen in self._look_at(node, id(node) in inner, compares):
                    yield node, seen

    def _look_at(self, node: ast.AST, is_inner: bool, compares: bool) -> Iterator[_What]:
        match node:
            case ast.Import() | ast.ImportFrom():
                for name in _imported(node):
                    yield from self._dotted(name, compares=False)
            case ast.FunctionDef(name=name) if name in METHODS:
                yield "tampering", METHODS[name], name
            case ast.Constant(value=str() as text) if not is_inner:
                yield from _in_text(text)
            case ast.BinOp() | ast.JoinedStr():
                yield from self._text(node)
            case ast.Assign(targets=targets) | ast.Delete(targets=targets):
                for target in targets:
                    yield from self._assigned(target)
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                yield from self._assigned(target)
            case ast.Call():
                yield from self._call(node)
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in self._checks:
            yield "tampering", "gives a name of the course's checks another meaning", node.name
        if isinstance(node, ast.Attribute) and (what := ATTRIBUTES.get(node.attr)):
            yield "tampering", what, node.attr
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
            yield from self._name(node, is_inner, compares)

    def _name(self, node: ast.expr, is_inner: bool, compares: bool) -> Iterator[_What]:
        """A name, or what stands for one."""
        dotted = self._reading.dotted(node)
        if dotted and not is_inner:
            yield from self._dotted(dotted, compares, hidden=isinstance(node, ast.Call | ast.Subscript))
        elif isinstance(node, ast.Name) and node.id in KEPT_BY_IPYTHON and node.id not in self._bound:
            yield "tampering", "reads what IPython and Python keep for themselves", node.id
        elif isinstance(node, ast.Attribute) and _is_shell(node.value) and node.attr not in HONEST_OF_IPYTHON:
            yield "tampering", IPYTHON, f"get_ipython().{node.attr}"
        elif _is_shell(node) and not is_inner:
            yield "tampering", IPYTHON, "get_ipython()"

    def _dotted(self, dotted: str, compares: bool, hidden: bool = False) -> Iterator[_What]:
        """The full name of a module's part."""
        parts = dotted.split(".")
        for end in range(len(parts), 0, -1):
            if found := NAMES.get(".".join(parts[:end])):
                yield *found, ".".join(parts[:end])
                break
        if _is_part(dotted, self._lesson.checks) and dotted != f"{self._lesson.checks}.check":
            yield "tampering", "reaches into the course's checks", dotted
        if not compares and (self.exercise or hidden) and self._does_it_all(dotted):
            yield "delegation", _HIDES if hidden else _USES, dotted

    def _does_it_all(self, dotted: str) -> bool:
        library, _, rest = dotted.partition(".")
        if library in self._lesson.modules or dotted in HONEST_TO_USE:
            return False
        return any(word in _plain(rest) for word in self._words)

    def _text(self, node: ast.expr) -> Iterator[_What]:
        """A text that is put together."""
        text = self._reading.text(node)
        yield from _in_text(text)
        if re.fullmatch(r"[\w.]+", text) and any(word in _plain(text) for word in self._words):
            yield "delegation", _HIDES, text

    def _assigned(self, target: ast.expr) -> Iterator[_What]:
        """The place that something is assigned to."""
        match target:
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                for each in targets:
                    yield from self._assigned(each)
            case ast.Name(id=name) if name in self._checks:
                yield "tampering", "gives a name of the course's checks another meaning", name
            case ast.Attribute(attr=name) if name in IDENTITY:
                yield "tampering", "changes what a class or function says of itself", name
            case ast.Subscript(value=owner) if self._reading.dotted(owner) == "sys.modules":
                yield "tampering", "reads or changes the loaded modules", "sys.modules"
            case ast.Attribute() | ast.Subscript():
                dotted = self._reading.dotted(target)
                if dotted and not dotted.startswith(HONEST_TO_SET):
                    yield "tampering", _REPLACES, dotted

    def _call(self, node: ast.Call) -> Iterator[_What]:
        """A call of one of Python's own functions."""
        called = node.func.id if isinstance(node.func, ast.Name) else self._reading.dotted(node.func)
        owner = self._reading.dotted(node.args[0]) if node.args else ""
        if called in self._bound:
            return
        if called in ("setattr", "delattr") and owner:
            yield "tampering", _REPLACES, owner
        elif called in ("eval", "exec", "compile"):
            yield from self._run_text(called, node)
        elif called in ("globals", "locals"):
            yield "tampering", "reaches for names by way of a table", f"{called}()"
        elif owner and self.exercise:
            by_name = called == "getattr" and len(node.args) > 1
            if (by_name and not self._reading.text(node.args[1])) or called in ("vars", "dir"):
                yield "delegation", _LOOKS_UP, owner

    def _run_text(self, called: str, node: ast.Call) -> Iterator[_What]:
        """Text that is run as code, and what it says where that can be told."""
        yield "delegation" if self.exercise else "tampering", _RUNS_TEXT, called
        text = self._reading.text(node.args[0]) if node.args else ""
        for inner in (node for statement in statements(text) for node in statement.nodes):
            if isinstance(inner, ast.Name | ast.Attribute):
                dotted = self._reading.dotted(inner)
                if dotted and self._does_it_all(dotted):
                    yield "delegation", _HIDES, dotted


def _in_text(text: str) -> Iterator[_What]:
    for pattern, what in TEXTS.items():
        if found := re.search(pattern, text):
            yield "tampering", what, found.group()


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names] if not node.level else []


def _is_part(dotted: str, module: str) -> bool:
    return bool(module) and f"{dotted}.".startswith(f"{module}.")


def _is_shell(node: ast.expr) -> bool:
    """Whether this is ``get_ipython()``."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_ipython"


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
