"""Python text as tokens that new names, comments and another layout do not change.

What a student can change without thinking is taken out or made equal: comments, docstrings, line breaks, the
text of strings, large numbers, and the names that the student chose. What carries the computation stays:
keywords, operators, the names of built-in functions, of library attributes (``.mean``) and of keyword
arguments (``dim=``), and the numbers 0 to 9, which are axes and exponents here.

One regular expression does it, not the module ``tokenize``: it never fails, so that a cell with a syntax
error is compared like any other, and it cuts the text alike under every version of Python.
"""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Iterator
from typing import NamedTuple

_LEXEME = re.compile(
    r"""
    [ \t\r\f]*
    (?: (?P<string>   [rRbBuUfF]{0,2}
                      (?: \"\"\" (?: [^\\] | \\. )*? (?: \"\"\" | \\?\Z )
                        | ''' (?: [^\\] | \\. )*? (?: ''' | \\?\Z )
                        | " (?: [^"\\\n] | \\. )* "?
                        | ' (?: [^'\\\n] | \\. )* '? ) )
      | (?P<name>     [^\W\d]\w* )
      | (?P<newline>  \n )
      | (?P<number>   0[xXoObB][\da-fA-F_]+ | (?: \d[\d_]*\.?[\d_]* | \.\d[\d_]* ) (?: [eE][+-]?\d+ )? [jJ]? )
      | (?P<skip>     \\\n | \#[^\n]* | \Z )
      | (?P<operator> (?: \*\* | // | >> | << | [-+*/%@&|^=!<>:] ) = | \*\* | // | >> | << | -> | [.]{3} | . )
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK = re.compile(r"(?:def|class) ")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_BUILTINS = """
    abs all any bool bytes callable dict enumerate filter float frozenset getattr hasattr int isinstance iter
    len list map max min next object print property range reversed round set setattr slice sorted staticmethod
    str sum super tuple type zip
""".split()  # noqa: SIM905 — written out, because `dir(builtins)` depends on who has added something to it
_KEPT_NAMES = frozenset(keyword.kwlist) | frozenset(_BUILTINS)

OWN_NAME = "name"
"""Stands for every name that the student chose."""


class Token(NamedTuple):
    """One token: its normalized text, the name behind it (where the text is `OWN_NAME`), its line from 1."""

    text: str
    name: str
    line: int


class _Lexeme(NamedTuple):
    kind: str
    text: str
    line: int


_NOTHING = _Lexeme("", "", 0)


def tokens(source: str) -> list[Token]:
    """The normalized tokens of a cell's text, whether it is valid Python or not."""
    lexemes = [lexeme for statement in _statements(source) for lexeme in statement]
    own = _defined_names(lexemes)
    found: list[Token] = []
    brackets: list[bool] = []  # for each open bracket, whether it is the one of a call
    index, end = 0, len(lexemes)
    lexemes += [_NOTHING] * 3
    while index < end:
        kind, text, line = lexemes[index]
        following = lexemes[index + 1]
        if kind == "name":
            if text == "self" and following.text == "." and lexemes[index + 2].kind == "name":
                index += 2
                name = lexemes[index].text
                is_call = lexemes[index + 1].text == "("
                found.append(
                    _attribute(name, own, line) if is_call else Token(OWN_NAME, f"self.{name}", line)
                )
            elif following.text == "=" and brackets and brackets[-1]:
                index += 1
                found.append(Token(f"{text}=", "", line))
            else:
                found.append(Token(text, "", line) if text in _KEPT_NAMES else Token(OWN_NAME, text, line))
        elif kind == "operator":
            if text == "." and following.kind == "name":
                index += 1
                found.append(_attribute(following.text, own, line))
            elif text != ";":
                if text in _OPENING:
                    brackets.append(_is_call(lexemes, index))
                elif text in _CLOSING and brackets:
                    brackets.pop()
                found.append(Token(text, "", line))
        elif kind == "number":
            found.append(Token(text if len(text) == 1 else "number", "", line))
        else:
            found.append(Token("'text'", "", line))
        index += 1
    return found


def _is_call(lexemes: list[_Lexeme], index: int) -> bool:
    """Whether the bracket there is the one of a call, and not of a definition or a list."""
    if not index or (index > 1 and lexemes[index - 2].text == "def"):
        return False
    before = lexemes[index - 1]
    return before.kind == "name" or before.text in _CLOSING


def _attribute(name: str, own: frozenset[str], line: int) -> Token:
    return Token(OWN_NAME, name, line) if name in own else Token(f".{name}", "", line)


def _defined_names(lexemes: list[_Lexeme]) -> frozenset[str]:
    """What the cell defines by `def` and `class`: such an attribute is the student's, not a library's."""
    return frozenset(
        after.text
        for before, after in itertools.pairwise(lexemes)
        if before.text in ("def", "class") and not after.text.startswith("__")
    )


def _statements(source: str) -> Iterator[list[_Lexeme]]:
    """The lexemes of each logical line, without those that are only a string (docstrings) or a magic."""
    statement: list[_Lexeme] = []
    depth, line = 0, 1
    for found in _LEXEME.finditer(source):
        kind = str(found.lastgroup)
        text = found[kind]
        if kind == "newline":
            # A new `def` or `class` ends what a bracket that was never closed would swallow.
            if depth == 0 or _BLOCK.match(source, found.end()):
                if _says_something(statement):
                    yield statement
                statement, depth = [], 0
        elif kind != "skip":
            statement.append(_Lexeme(kind, text, line))
            if kind == "operator":
                depth = max(0, depth + (text in _OPENING) - (text in _CLOSING))
        line += text.count("\n")
    if _says_something(statement):
        yield statement


def _says_something(statement: list[_Lexeme]) -> bool:
    return not all(lexeme.kind == "string" for lexeme in statement) and statement[0].text not in "%!?"
