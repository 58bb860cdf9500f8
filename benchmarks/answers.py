"""What students write: texts of right and wrong answers, taken from where the project keeps them.

Right answers come from ``tests/right_answers`` and ``demo/answers``, mistakes from ``demo/answers`` and from
the catalogue of ``course.checks``. They are read as text, so making a class imports no torch. A cell must
stand alone: the definition comes with all that it needs from its module, and takes the exercise's name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from demo.sample_class import own_answers

PROJECT = Path(__file__).resolve().parent.parent
LESSON = "03_batch_norm"
RIGHT_ANSWERS = PROJECT / "tests" / "right_answers"
RIGHT_MODULES = ("batch_norm_functions", "batch_norm_layers", "fusing", "other_norms", "preprocessing")
DEMO_ANSWERS = PROJECT / "demo" / "answers" / LESSON
MISTAKES = PROJECT / "course" / "checks" / "batch_norm"

RIGHT_FILES = ("other_functions", "other_routes", "talkative")
"""Files in ``demo/answers`` that are right."""
WRONG_FILES = (
    "bias_forgotten",
    "biased_running_var",
    "constants",
    "momentum_reversed",
    "no_graph",
    "no_groups",
    "wrong_axes",
    "wrong_divisor",
)
"""Files in ``demo/answers`` with a mistake. Left out: a loop that never ends, and cells that raise."""

GIVEN = {"torch", "nn", "F", "copy"}
"""What the lesson imports for its students."""

Definition = ast.FunctionDef | ast.ClassDef


@cache
def right_answers() -> dict[str, tuple[str, ...]]:
    """Exercise → texts of right answers, each written differently."""
    found: dict[str, list[str]] = {}
    for file in RIGHT_MODULES:
        module = Module(RIGHT_ANSWERS / f"{file}.py")
        for exercise, name in module.table("RIGHT"):
            found.setdefault(exercise, []).append(module.cell(name, exercise))
    return {exercise: tuple(texts) for exercise, texts in found.items()}


@cache
def right_sets() -> tuple[dict[str, str], ...]:
    """Right answers to several exercises that belong together: exercise → text."""
    return tuple(_answers_of(file) for file in RIGHT_FILES)


@cache
def mistakes() -> tuple[tuple[str, dict[str, str]], ...]:
    """(name of the mistake, exercise → text), in a fixed order."""
    found = [(file, _answers_of(file)) for file in WRONG_FILES]
    for path in sorted(MISTAKES.glob("*_mistakes.py")):
        module = Module(path)
        for name, exercise in module.collected():
            found.append((f"{exercise}: {name}", {exercise: module.cell(name, exercise)}))
    return tuple(found)


def _answers_of(file: str) -> dict[str, str]:
    """The answers in a file of ``demo/answers``, each as a cell that stands alone."""
    module = Module(DEMO_ANSWERS / f"{file}.py")
    return {exercise: module.cell(exercise, exercise) for exercise in own_answers(LESSON, file)}


class Module:
    """One Python file, from which single definitions are cut out."""

    def __init__(self, path: Path) -> None:
        self._lines = path.read_text(encoding="utf-8").splitlines()
        self._tree = ast.parse("\n".join(self._lines))
        self._definitions: dict[str, ast.stmt] = {}
        self._imports: dict[str, str] = {}
        for node in self._tree.body:
            if isinstance(node, Definition):
                self._definitions[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._definitions[node.targets[0].id] = node
            elif isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    one = type(node)(**{**vars(node), "names": [alias]})
                    self._imports[alias.asname or alias.name] = ast.unparse(one)

    def table(self, name: str) -> Iterator[tuple[str, str]]:
        """(exercise, definition) of a table ``{exercise: {way: definition}}``."""
        table = self._definitions.get(name)
        if not isinstance(table, ast.Assign):
            return
        assert isinstance(table.value, ast.Dict)
        for key, ways in zip(table.value.keys, table.value.values, strict=True):
            assert isinstance(key, ast.Constant)
            assert isinstance(ways, ast.Dict)
            for value in ways.values:
                if isinstance(value, ast.Name):
                    yield str(key.value), value.id

    def collected(self) -> Iterator[tuple[str, str]]:
        """(definition, exercise) of the functions that ``@EXERCISE.add(...)`` collects."""
        for name, node in self._definitions.items():
            if not isinstance(node, ast.FunctionDef):
                continue
            exercises = [found for each in node.decorator_list if (found := _exercise(each))]
            if exercises:
                yield name, exercises[0]

    def cell(self, name: str, exercise: str) -> str:
        """A definition with all that it needs, under the name of the exercise."""
        needed, imports = self._closure(name)
        parts = [self._imports[each] for each in sorted(imports - GIVEN)]
        parts += [self._text(node) for key, node in self._definitions.items() if key in needed]
        return re.sub(rf"\b{re.escape(name)}\b", exercise, "\n\n\n".join(parts))

    def _closure(self, name: str) -> tuple[set[str], set[str]]:
        """The module's own definitions that one needs, itself included, and the names it imports."""
        needed: set[str] = set()
        imports: set[str] = set()
        waiting = [name]
        while waiting:
            each = waiting.pop()
            if each in needed:
                continue
            needed.add(each)
            for used in _names(self._definitions[each]):
                if used in self._definitions:
                    waiting.append(used)
                elif used in self._imports:
                    imports.add(used)
        return needed, imports

    def _text(self, node: ast.stmt) -> str:
        """The lines of a definition, without the catalogue's decorators."""
        start = min([node.lineno, *(each.lineno for each in _own_decorators(node))])
        assert node.end_lineno is not None
        return "\n".join(self._lines[start - 1 : node.end_lineno])


def _exercise(decorator: ast.expr) -> str | None:
    """``batch_norm_eval`` of the decorator ``@BATCH_NORM_EVAL.add(...)``."""
    call = decorator.func if isinstance(decorator, ast.Call) else None
    if isinstance(call, ast.Attribute) and call.attr == "add" and isinstance(call.value, ast.Name):
        return call.value.id.lower()
    return None


def _own_decorators(node: ast.stmt) -> list[ast.expr]:
    """The decorators that belong to the answer itself: not those of the catalogue."""
    return [each for each in getattr(node, "decorator_list", ()) if _exercise(each) is None]


def _names(node: ast.stmt) -> set[str]:
    """Names that a definition uses; a decorator of the catalogue is no part of it."""
    parts: list[ast.AST] = [node]
    if isinstance(node, ast.FunctionDef):
        parts = [node.args, *node.body, *_own_decorators(node), *([node.returns] if node.returns else [])]
    return {name.id for part in parts for name in ast.walk(part) if isinstance(name, ast.Name)}
