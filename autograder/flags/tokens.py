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


# Plain tuples, because there are so many of them.
Token = tuple[str, str, int]
"""One token: its normalized text, the name behind it (where the text is `OWN_NAME`), its line from 1."""
_Lexeme = tuple[str, str, int]
"""Kind, text, line."""
_NOTHING: _Lexeme = ("", "", 0)


def tokens(source: str) -> list[Token]:
    """The normalized tokens of a cell's text, whether it is valid Python or not."""
    lexemes = _lexemes(source)
    own = _defined_names(lexemes)
    found: list[Token] = []
    brackets: list[bool] = []  # for each open bracket, whether it is the one of a call
    index, end = 0, len(lexemes)
    lexemes += [_NOTHING] * 3
    while index < end:
        kind, text, line = lexemes[index]
        index += 1
        if kind == "name":
            _, following, _ = lexemes[index]
            if text == "self" and following == "." and lexemes[index + 1][0] == "name":
                _, name, _ = lexemes[index + 1]
                index += 2
                is_call = lexemes[index][1] == "("
                found.append(_attribute(name, own, line) if is_call else (OWN_NAME, f"self.{name}", line))
            elif following == "=" and brackets and brackets[-1]:
                index += 1
                found.append((f"{text}=", "", line))
            else:
                found.append((text, "", line) if text in _KEPT_NAMES else (OWN_NAME, text, line))
        elif kind == "operator":
            if text == "." and lexemes[index][0] == "name":
                _, name, _ = lexemes[index]
                index += 1
                found.append(_attribute(name, own, line))
            elif text != ";":
                if text in _OPENING:
                    brackets.append(_is_call(lexemes, index - 1))
                elif text in _CLOSING and brackets:
                    brackets.pop()
                found.append((text, "", line))
        elif kind == "number":
            found.append((text if len(text) == 1 else "number", "", line))
        else:
            found.append(("'text'", "", line))
    return found


def _is_call(lexemes: list[_Lexeme], index: int) -> bool:
    """Whether the bracket there is the one of a call, and not of a definition or a list."""
    if not index or (index > 1 and lexemes[index - 2][1] == "def"):
        return False
    kind, text, _ = lexemes[index - 1]
    return kind == "name" or text in _CLOSING


def _attribute(name: str, own: frozenset[str], line: int) -> Token:
    return (OWN_NAME, name, line) if name in own else (f".{name}", "", line)


def _defined_names(lexemes: list[_Lexeme]) -> frozenset[str]:
    """What the cell defines by `def` and `class`: such an attribute is the student's, not a library's."""
    return frozenset(
        after[1]
        for before, after in itertools.pairwise(lexemes)
        if before[1] in ("def", "class") and not after[1].startswith("__")
    )


def _lexemes(source: str) -> list[_Lexeme]:
    """The lexemes of a text, without the logical lines that are only a string (docstrings) or a magic."""
    lexemes: list[_Lexeme] = []
    start = depth = 0  # where the logical line starts, and its open brackets
    line = 1
    for found in _LEXEME.finditer(source):
        kind = found.lastgroup or ""
        text = found[kind]
        if kind == "newline":
            # A new `def` or `class` ends what a bracket that was never closed would swallow.
            if depth == 0 or _BLOCK.match(source, found.end()):
                _drop_if_silent(lexemes, start)
                start, depth = len(lexemes), 0
            line += 1
        elif kind == "skip":
            line += text.count("\n")
        else:
            lexemes.append((kind, text, line))
            if kind == "string":
                line += text.count("\n")
            elif kind == "operator":
                if text in _OPENING:
                    depth += 1
                elif text in _CLOSING and depth:
                    depth -= 1
    _drop_if_silent(lexemes, start)
    return lexemes


def _drop_if_silent(lexemes: list[_Lexeme], start: int) -> None:
    """Take the logical line that begins at `start` out again if it is a magic, or only a string."""
    if start == len(lexemes):
        return
    kind, text, _ = lexemes[start]
    if text in "%!?" or (kind == "string" and all(kind == "string" for kind, _, _ in lexemes[start:])):
        del lexemes[start:]
