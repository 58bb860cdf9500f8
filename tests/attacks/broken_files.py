"""Rows 17 and 19: files that are no notebooks, or not quite, and archives."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from .attack import ALL, SOME, Attack


def content(make: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Another content of the file."""
    return lambda path: path.write_bytes(make(path.read_bytes())) and None


def _json(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Another JSON in the file; lone surrogates and NaN are allowed."""

    def damage(path: Path) -> None:
        data = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(change(data) or data), encoding="utf-8")

    return damage


def _each(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """The same change of each cell."""

    def all_cells(data: Any) -> None:
        for cell in data["cells"]:
            change(cell)

    return _json(all_cells)


def _notebook_format_3(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    path.write_text(nbformat.writes(nbformat.convert(notebook, 3), version=3), encoding="utf-8")


def _renamed(path: Path) -> None:
    path.rename(path.with_name("homework (final) 2.ipynb"))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _large(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    output = nbformat.v4.new_output("stream", text="x" * 200_000_000)
    notebook.cells.append(new_code_cell("pass", outputs=[output]))
    nbformat.write(notebook, path)


def _names_of_bytes(path: Path) -> None:
    (path.parent / os.fsdecode(b"caf\xe9 \xff.txt")).write_text("a name that is not UTF-8")
    (path.parent / "line\nbreak.txt").write_text("a name of two lines")
    (path.parent / "..hidden").write_text("")
    (path.parent / ("n" * 250)).write_text("")


def _other_things(path: Path) -> None:
    os.mkfifo(path.parent / "pipe.txt")
    deep = path.parent
    for _ in range(100):
        deep /= "deeper"
        deep.mkdir()
    (path.parent / "locked").mkdir(mode=0)


def _unreadable(path: Path) -> None:
    path.chmod(0)


def _many_cells(notebook: NotebookNode) -> None:
    notebook.cells += [new_code_cell("pass") for _ in range(3000)]


def _broken(name: str, story: str, damage: Callable[[Path], None], says: str = "") -> Attack:
    """Cannot be graded."""
    return Attack(name, 17, story, solves=SOME, damage=damage, refused=True, says=says)


def _odd(name: str, story: str, damage: Callable[[Path], None]) -> Attack:
    """Odd, but it can be graded."""
    return Attack(name, 17, story, solves=SOME, damage=damage)


_DEEP = b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

_FILES = (
    _broken(
        "truncated", "half of the file is missing", content(lambda data: data[: len(data) // 2]), "cut off"
    ),
    _broken("empty", "an empty file", content(lambda data: b""), "empty"),
    _broken("blank", "a file of spaces", content(lambda data: b" \n" * 100), "empty"),
    _broken(
        "utf-16", "a file in another encoding", content(lambda data: data.decode().encode("utf-16")), "UTF-8"
    ),
    _broken("binary", "random bytes", content(lambda data: bytes(range(256)) * 100), "UTF-8"),
    _broken(
        "python-file",
        "a Python file under the notebook's name",
        content(lambda data: b"import torch\n"),
        "JSON",
    ),
    _broken(
        "web-page", "a web page under the notebook's name", content(lambda data: b"<!DOCTYPE html>"), "JSON"
    ),
    _broken("format-3", "a notebook in format 3", _notebook_format_3, "format 3"),
    _broken(
        "format-99", "a notebook in format 99", _json(lambda data: {**data, "nbformat": 99}), "format 99"
    ),
    _broken("format-odd", "a notebook whose format is a text", _json(lambda data: {**data, "nbformat": "4"})),
    _broken(
        "not-a-notebook", "JSON that is no notebook", content(lambda data: b'{"a": [1, 2]}'), "no nbformat"
    ),
    _broken("a-number", "JSON of one number", content(lambda data: b"7")),
    _broken("deep-json", "JSON nested 100,000 deep", content(lambda data: _DEEP), "nested too deeply"),
    _broken("no-cells", "a notebook without cells", _json(lambda data: {**data, "cells": []}), "no exercise"),
    _broken("cells-as-table", "cells are a table", _json(lambda data: {**data, "cells": {}}), "cells"),
    _broken("cells-of-numbers", "cells are numbers", _json(lambda data: {**data, "cells": [1, 2]})),
    _broken("source-as-number", "the text of a cell is a number", _each(lambda cell: cell.update(source=7))),
    _broken("wrong-name", "another file name", _renamed, "original name"),
    _broken("missing", "no file", lambda path: path.unlink()),
    _broken("a-folder", "a folder of the notebook's name", _folder),
    _broken("large", "a notebook of 200 MB", _large, "MB"),
    _odd(
        "byte-order-mark",
        "a byte order mark before the notebook",
        content(lambda data: b"\xef\xbb\xbf" + data),
    ),
    _odd("no-ids", "cells without ids", _each(lambda cell: cell.pop("id", None))),
    _odd("same-ids", "all cells have the same id", _each(lambda cell: cell.update(id="same"))),
    _odd("odd-ids", "ids that nbformat does not allow", _each(lambda cell: cell.update(id="a b/<c>" * 20))),
    _odd(
        "odd-metadata",
        "metadata that no program expects",
        _each(lambda cell: cell["metadata"].update(collapsed="?", tags=7, jupyter=[], execution=3)),
    ),
    _odd(
        "odd-outputs",
        "outputs that are none",
        _each(
            lambda cell: cell["cell_type"] == "code" and cell.update(outputs=[{"a": 1}], execution_count="x")
        ),
    ),
    _odd(
        "no-metadata",
        "a notebook without a kernel and a language",
        _json(lambda data: data["metadata"].clear()),
    ),
    _odd(
        "metadata-as-list", "the notebook's metadata is a list", _json(lambda data: {**data, "metadata": []})
    ),
    _odd(
        "not-a-number",
        "NaN and infinities in the metadata",
        _each(lambda cell: cell["metadata"].update(time=[float("nan"), float("inf"), 10**400])),
    ),
    _odd(
        "surrogates",
        "half characters in texts and in metadata",
        _each(
            lambda cell: (
                cell["cell_type"] == "markdown"
                and not cell["metadata"].get("nbgrader")
                and cell.update(source="\ud800 half a character \udfff")
            )
        ),
    ),
    _odd(
        "surrogates-in-metadata",
        "half characters in the metadata",
        _json(lambda data: data["metadata"].update(author="\ud800")),
    ),
    _odd(
        "minor-version",
        "a later minor version of the format",
        _json(lambda data: {**data, "nbformat_minor": 99}),
    ),
    _odd("odd-neighbours", "names of files beside it that are not UTF-8 or have two lines", _names_of_bytes),
    _odd("other-things", "a named pipe, a hundred nested folders, a locked folder beside it", _other_things),
    Attack("many-cells", 17, "3,000 cells more", solves=SOME, spoil=_many_cells),
    Attack(
        "odd-timestamp",
        17,
        "a timestamp that is none",
        solves=SOME,
        files={"timestamp.txt": "yesterday \x00 \ud7ff"},
    ),
    Attack(
        "binary-timestamp",
        17,
        "a timestamp of bytes",
        solves=SOME,
        files={"timestamp.txt": bytes(range(256))},
    ),
    Attack(
        "far-timestamp",
        17,
        "handed in in the year 9999",
        solves=SOME,
        files={"timestamp.txt": "9999-12-31 23:59:59 UTC"},
    ),
    Attack("long-line", 17, "a line of 10 MB in a cell", solves=SOME, first="x = '" + "x" * 10_000_000 + "'"),
    Attack(
        "syntax-errors",
        17,
        "cells that do not compile",
        solves=("GroupNorm",),
        answers={
            name: text
            for name, text in zip(
                ALL[:8],
                (
                    "def f(:",
                    "(" * 300,
                    "x = " + "-" * 5000 + "1",
                    "'" * 3,
                    "\x00",
                    "%%nonsense\n1",
                    "\tif True:\n  1",
                    "λ = 𝟙 =",
                ),
                strict=True,
            )
        },
    ),
)


ATTACKS = _FILES
