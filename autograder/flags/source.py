"""A look at what a submission says, for what no exercise needs.

*Delegation*: an answer names a library's own counterpart, openly or in pieces. *Tampering*: a cell reaches
for the grader: its frames and objects, other processes, the course's checks, files outside (`suspicions`).

Text can mislead in both directions: it need not run, and what runs can be hidden better than this reads. So a
flag from here changes no score. It has the lines, and a person decides.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

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

MOST_TEXT, MOST_NUMBERS = 4_000, 1_500
"""Characters of texts, and numbers, that a cell may hold before they look like pasted data or weights."""
MAX_CHARACTERS = 200_000
"""Of a longer submission only the beginning is looked at."""
MOST_LINES = 5
"""Lines of evidence, and names, in one flag."""

_USES = "uses what does the whole exercise"
_HIDES = "hides the name of what does the whole exercise"
_LOOKS_UP = "looks up a part of a library by a name that is made while it runs"
_RUNS_TEXT = "runs text as code"
_REPLACES = "replaces a part of a module"
_ANY_TEXT = re.compile("|".join(TEXTS))


@dataclass(frozen=True)
class Lesson:
    """What is known of the lesson.

    Attributes:
        counterparts: exercise → parts of names that do its whole work, such as "batch_norm". Underscores and
            capitals do not matter. A part that starts with a dot is the beginning of a name: ".elu" is not in
            "relu". The exercise's own name always counts so, also of one that is missing here.
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
    given = _given_lines(tuple(lesson.given))
    words = _Words(lesson.counterparts)
    flags: list[Flag] = []
    for name, body in bodies.items():
        lines = cells[name].split("\n")
        cell = _Cell(name, body, reading, lesson, words, checks)
        seen = [each for each in cell.look(cells[name]) if lines[each.line - 1].strip() not in given]
        flags += _flags(name, seen, lines)
    return [*flags, *_pasted(cells)]


def _pasted(cells: Mapping[str, str]) -> Iterator[Flag]:
    """Cells that hold more texts and numbers than anybody types: a table of answers, or trained weights."""
    for name, text in cells.items():
        if len(text) < MOST_NUMBERS:
            continue
        try:
            constants = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            constants = [text]  # it may be a cell with a magic
        characters = sum(len(each) for each in constants if isinstance(each, str | bytes))
        numbers = sum(isinstance(each, int | float) for each in constants)
        if characters <= MOST_TEXT and numbers <= MOST_NUMBERS:
            continue
        what = f"{characters:,} characters of text" if characters > MOST_TEXT else f"{numbers:,} numbers"
        where = f"The cell of {name}" if is_answer(name) else name.capitalize()
        yield Flag("data", name if is_answer(name) else None, f"{where} holds {what}: pasted data, perhaps.")


@lru_cache(maxsize=4)
def _given_names(texts: tuple[str, ...]) -> Mapping[str, str]:
    """What the released cells import; the same for every submission."""
    reading = Reading()
    for text in texts:
        reading.learn_imports(statements(text))
    return reading.modules


@lru_cache(maxsize=4)
def _given_lines(texts: tuple[str, ...]) -> frozenset[str]:
    """The lines of the released cells; the same for every submission."""
    return frozenset(line.strip() for text in texts for line in text.split("\n"))


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


class _Words:
    """For each exercise the parts of names that do its whole work, as `_plain` writes them."""

    def __init__(self, counterparts: Mapping[str, Sequence[str]]) -> None:
        self._counterparts = counterparts
        self._all = {_plain(word) for words in counterparts.values() for word in words}
        self._found: dict[str, set[str]] = {}

    def of(self, exercise: str) -> set[str]:
        """The exercise's words; those of all exercises for what belongs to none."""
        if exercise not in self._found:
            own = (*self._counterparts.get(exercise, ()), f".{exercise}") if exercise else ()
            self._found[exercise] = {_plain(word) for word in own} or self._all
        return self._found[exercise]


class _Cell:
    """One cell, as it is looked at."""

    def __init__(
        self,
        name: str,
        body: Sequence[Statement],
        reading: Reading,
        lesson: Lesson,
        words: _Words,
        checks: Collection[str],
    ) -> None:
        self._name = name
        self._body = body
        self._bound = bound_names(*body)
        self._reading = reading.in_cell(body, self._bound)
        self._lesson = lesson
        self._words = words
        self._checks = checks

    def look(self, text: str) -> Iterator[_Seen]:
        """Everything that is unusual, in any order."""
        exercise = self._name if is_answer(self._name) else ""
        for number, command in magics(text):
            if not HONEST_COMMAND.match(command):
                yield _Seen("tampering", "gives a command to the shell or to IPython", "", number, exercise)
        for statement in self._body:
            looked = _Statement(self, statement, exercise or self._answered(statement))
            for node, (kind, what, name) in looked.look():
                line = statement.offset + getattr(node, "lineno", 1)
                yield _Seen(kind, what, name, line, looked.exercise)

    def _answered(self, statement: Statement) -> str:
        """The exercise that a statement answers: an answer may also stand in a cell of its own."""
        return next((name for name in bound_names(statement) if name in self._lesson.counterparts), "")


_What = tuple[str, str, str]
"""Kind, what is done, and by which name."""


class _Statement:
    """One statement of a cell, in the answer to an exercise or elsewhere."""

    def __init__(self, cell: _Cell, statement: Statement, exercise: str) -> None:
        self.exercise = exercise
        self._nodes = statement.nodes
        self._reading = cell._reading
        self._bound = cell._bound
        self._lesson = cell._lesson
        self._checks = cell._checks
        self._words = cell._words.of(exercise)
        # To compare with the library's own layer, in a print or an assert below the answer, is good practice.
        self._compares = isinstance(statement.node, ast.Expr | ast.Assert)
        self._inner: set[int] = set()
        """What is a part of a name or text that was looked at as a whole; a whole comes before its parts."""

    def look(self) -> Iterator[tuple[ast.AST, _What]]:
        """What is unusual, with the place."""
        for node in self._nodes:
            look = _LOOKS.get(type(node))
            for seen in look(self, node) if look else ():
                yield node, seen

    def _expression(self, node: ast.Expr) -> Iterable[_What]:
        if isinstance(node.value, ast.Constant):
            self._inner.add(id(node.value))  # a docstring
        return ()

    def _import(self, node: ast.Import | ast.ImportFrom) -> Iterator[_What]:
        for name in _imported(node):
            yield from self._dotted(name, compares=False)

    def _definition(self, node: ast.FunctionDef | ast.ClassDef) -> Iterator[_What]:
        if isinstance(node, ast.FunctionDef) and node.name in METHODS:
            yield "tampering", METHODS[node.name], node.name
        if node.name in self._checks:
            yield "tampering", "gives a name of the course's checks another meaning", node.name

    def _constant(self, node: ast.Constant) -> Iterable[_What]:
        text = node.value
        return _in_text(text) if isinstance(text, str) and id(node) not in self._inner else ()

    def _assignment(self, node: ast.Assign | ast.Delete | ast.AugAssign | ast.AnnAssign) -> Iterator[_What]:
        for target in node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]:
            yield from self._assigned(target)

    def _name(self, node: ast.Name) -> Iterable[_What]:
        if id(node) not in self._inner and (dotted := self._reading.dotted(node)):
            return self._dotted(dotted, self._compares)
        if node.id in KEPT_BY_IPYTHON and node.id not in self._bound:
            return [("tampering", "reads what IPython and Python keep for themselves", node.id)]
        return ()

    def _attribute(self, node: ast.Attribute) -> Iterable[_What]:
        self._inner.add(id(node.value))
        found: list[_What] = []
        if what := ATTRIBUTES.get(node.attr):
            found.append(("tampering", what, node.attr))
        if id(node) not in self._inner and (dotted := self._reading.dotted(node)):
            found += self._dotted(dotted, self._compares)
        elif _is_shell(node.value) and node.attr not in HONEST_OF_IPYTHON:
            found.append(("tampering", IPYTHON, f"get_ipython().{node.attr}"))
        return found

    def _subscript(self, node: ast.Subscript) -> Iterable[_What]:
        self._inner.add(id(node.value))
        if id(node) not in self._inner and (dotted := self._reading.dotted(node)):
            return self._dotted(dotted, self._compares, hidden=True)
        return ()

    def _call(self, node: ast.Call) -> Iterator[_What]:
        called = self._reading.called(node)
        if called in _OF_PYTHON and called not in self._bound:
            yield from self._of_python(called, node)
        if id(node) not in self._inner:
            if dotted := self._reading.dotted(node):
                yield from self._dotted(dotted, self._compares, hidden=True)
            elif _is_shell(node):
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
        plain = _plain(f".{rest}")
        return any(word in plain for word in self._words)

    def _text(self, node: ast.BinOp | ast.JoinedStr) -> Iterator[_What]:
        """A text that is put together."""
        text = self._reading.text(node)
        if not text:
            return
        yield from _in_text(text)
        if re.fullmatch(r"[\w.]+", text) and any(word in _plain(f".{text}") for word in self._words):
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

    def _of_python(self, called: str, node: ast.Call) -> Iterator[_What]:
        """A call of one of Python's own functions."""
        if called in ("eval", "exec", "compile"):
            yield from self._run_text(called, node)
        elif called in ("globals", "locals"):
            yield "tampering", "reaches for names by way of a table", f"{called}()"
        elif node.args and (owner := self._reading.dotted(node.args[0])):
            by_name = len(node.args) > 1 and not self._reading.text(node.args[1])
            if called in ("setattr", "delattr"):
                yield "tampering", _REPLACES, owner
            elif self.exercise and (called != "getattr" or by_name):
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


_OF_PYTHON = frozenset(
    ("compile", "delattr", "dir", "eval", "exec", "getattr", "globals", "locals", "setattr", "vars")
)
_LOOKS: Mapping[type[ast.AST], Callable[[_Statement, Any], Iterable[_What]]] = {
    ast.Expr: _Statement._expression,
    **dict.fromkeys((ast.Import, ast.ImportFrom), _Statement._import),
    **dict.fromkeys((ast.FunctionDef, ast.ClassDef), _Statement._definition),
    **dict.fromkeys((ast.Assign, ast.Delete, ast.AugAssign, ast.AnnAssign), _Statement._assignment),
    **dict.fromkeys((ast.BinOp, ast.JoinedStr), _Statement._text),
    ast.Constant: _Statement._constant,
    ast.Name: _Statement._name,
    ast.Attribute: _Statement._attribute,
    ast.Subscript: _Statement._subscript,
    ast.Call: _Statement._call,
}


def _in_text(text: str) -> Iterable[_What]:
    if not _ANY_TEXT.search(text):
        return ()
    found = ((what, re.search(pattern, text)) for pattern, what in TEXTS.items())
    return [("tampering", what, match.group()) for what, match in found if match]


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
