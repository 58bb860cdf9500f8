"""The shell of the student's process reads a cell as IPython does."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROLOGUE = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from autograder.observing.shell import make_shell
shell = make_shell(1000)
"""
CELLS = {
    "plain": "x = 1\n\nx",
    "no last newline": "x",
    "empty": "",
    "line magic": "%time x = 1\nx",
    "cell magic": "%%time\nx = 1",
    "help": "len?",
    "command": "!ls",
    "magic assigned": "x = %pwd",
    "modulo over lines": "x = (5\n%3)",
    "empty lines at the top": "\n\n1/0",
    "indented": "  x = 1\n  y = 2",
    "prompts": ">>> x = 1\n>>> x",
    "IPython's prompts": "In [1]: x",
    "magic in a string": "'''\n%time\n'''",
    "await": "await f()",
    "broken": "x = (",
    "invalid escape": "'\\d'",
    "too deep": "(" * 5000 + ")" * 5000,
}


def in_a_shell(code: str) -> None:
    """Run code after `PROLOGUE` in a process of its own: a shell is one of a kind in its process."""
    run = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-c", PROLOGUE + code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]


def test_cells_are_transformed_as_ipython_does() -> None:
    in_a_shell(
        f"for name, cell in {CELLS!r}.items():\n"
        "    own = shell.transform_cell(cell)\n"
        "    assert own == InteractiveShell.transform_cell(shell, cell), (name, own)\n"
    )


@pytest.mark.parametrize(
    "register",
    [
        "shell.input_transformers_cleanup.append(change)",
        "shell.input_transformers_post.append(change)",
        "shell.input_transformer_manager.line_transforms.append(change)",
        "shell.input_transformers_cleanup[0] = change",
    ],
)
def test_what_a_cell_adds_to_ipythons_syntax_works(register: str) -> None:
    in_a_shell(
        "def change(lines):\n    return [line.replace('spam', 'eggs') for line in lines]\n"
        f"{register}\n"
        "assert shell.transform_cell('spam = 1') == 'eggs = 1\\n'\n"
    )
