"""IPython in a forked process: runs cells, collects what they show in nbformat's form, within a limit.

`make_shell` runs once, in the fork server, because a shell costs a tenth of a second; `Collector` is what
changes from cell to cell.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import sys
import tempfile
import warnings
from typing import Any, cast

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from autograder.plain_json import jsonable

Output = dict[str, Any]

MAX_TRACEBACK_LINES = 100
"""As nbgrader's LimitOutput."""


class Collector:
    """The outputs of the cell that runs, up to `limit` bytes a cell."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.reset()

    def reset(self) -> None:
        """Start a new cell."""
        self.outputs: list[Output] = []
        self._size = 0
        self._full = False

    def stream(self, name: str, text: str) -> None:
        """Text on stdout or stderr; neighbours of one name are joined."""
        text = self._take(text)
        if not text:
            return
        last = self.outputs[-1] if self.outputs else None
        if last is not None and last["output_type"] == "stream" and last["name"] == name:
            last["text"].append(text)
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": [text]})

    def add(self, output: Output) -> None:
        """Any other output; one that does not fit any more is left out."""
        size = sum(len(str(value)) for value in output.get("data", {}).values())
        if not self._full and self._size + size <= self.limit:
            self._size += size
            self.outputs.append(output)
        else:
            self._cut()

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """The exception that ended the cell. It is shown even when the output is full."""
        if len(traceback) > MAX_TRACEBACK_LINES:
            half = MAX_TRACEBACK_LINES // 2
            traceback = [*traceback[:half], "... Traceback truncated ...", *traceback[-half:]]
        text = [line[:20_000] for line in traceback]
        self.outputs.append(
            {"output_type": "error", "ename": name[:200], "evalue": value[:5_000], "traceback": text}
        )

    def finish(self) -> list[Output]:
        """The outputs of the cell."""
        for output in self.outputs:
            if output["output_type"] == "stream":
                output["text"] = "".join(output["text"])
        return self.outputs

    def _take(self, text: str) -> str:
        if self._full:
            return ""
        room = self.limit - self._size
        self._size += len(text)
        if len(text) <= room:
            return text
        self.outputs.append({"output_type": "stream", "name": "stdout", "text": [text[:room]]})
        self._cut()
        return ""

    def _cut(self) -> None:
        if not self._full:
            self._full = True
            note = f"\n[The output of this cell was cut after {self.limit:,} characters.]\n"
            self.outputs.append({"output_type": "stream", "name": "stderr", "text": [note]})


class _Stream(io.TextIOBase):
    """sys.stdout or sys.stderr of a student's cell."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, collector: Collector, descriptor: int) -> None:
        self.name = f"<{name}>"
        self._stream = name
        self._collector = collector
        self._descriptor = descriptor

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._collector.stream(self._stream, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor


class _Publisher(DisplayPublisher):
    """`display(...)` adds an output; an update replaces the output of that name."""

    def publish(
        self, data: Any, metadata: Any = None, *_: Any, transient: Any = None, update: bool = False, **__: Any
    ) -> None:
        output: Output = {
            "output_type": "display_data",
            "data": jsonable(data),
            "metadata": jsonable(metadata or {}),
        }
        name = (transient or {}).get("display_id")
        if update:
            for old, shown in self.shown.items():
                if old == name:
                    shown.update(data=output["data"], metadata=output["metadata"])
            return
        if name:
            self.shown[name] = output
        self.collector.add(output)

    def clear_output(self, wait: bool = False) -> None:
        self.collector.outputs.clear()

    collector: Collector
    shown: dict[str, Output]


class _DisplayHook(DisplayHook):
    """The value of a cell's last line."""

    collector: Collector

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.collector.add(
            {
                "output_type": "execute_result",
                "execution_count": self.prompt_count,
                "data": jsonable(format_dict),
                "metadata": jsonable(md_dict or {}),
            }
        )

    def finish_displayhook(self) -> None:
        self._is_active = False


class _NoHistory(HistoryManager):
    """Without its database and without its thread: a forked process has neither."""

    enabled = False


class _Shell(InteractiveShell):
    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_DisplayHook)
    collector: Collector

    def enable_gui(self, gui: Any = None) -> None:
        """There is no event loop here."""

    def init_sys_path(self) -> None:
        """Without the current folder: a file called torch.py beside the notebook must not be torch."""

    def init_history(self) -> None:
        self.history_manager = _NoHistory(shell=self, parent=self)
        self.configurables.append(self.history_manager)  # type: ignore[arg-type]

    def transform_cell(self, raw_cell: str) -> str:
        """IPython's own syntax as Python. Looking for it by tokens takes half the time of a short cell, so a
        cell that is Python already is left alone: only prompts and empty lines at its top mean anything more.
        """
        plain = raw_cell[:1].strip() and "In [" not in raw_cell and self._transformers() == self.transformers
        if plain and _is_python(raw_cell):
            return raw_cell if raw_cell.endswith("\n") else raw_cell + "\n"
        transformed: str = super().transform_cell(raw_cell)  # type: ignore[no-untyped-call]
        return transformed

    transformers: list[list[Any]]

    def _transformers(self) -> list[list[Any]]:
        """What changes a cell's text before it runs; a student's code may add to it."""
        manager = self.input_transformer_manager
        lists = (manager.cleanup_transforms, manager.line_transforms, manager.token_transformers)
        return [*map(list, lists), list(self.input_transformers_post)]

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        try:
            text = str(evalue)
        except Exception:  # a student's exception may fail to say what it is
            text = ""
        self.collector.error(getattr(etype, "__name__", "Error"), text, [str(line) for line in stb])


def make_shell(limit: int) -> _Shell:
    """IPython without terminal, history and start-up files. Call it once, before the first fork.

    Args:
        limit: bytes of output that a cell may have.
    """
    settings = Config()
    settings.InteractiveShell.colors = "nocolor"
    settings.InteractiveShell.cache_size = 0
    settings.HistoryManager.enabled = False
    with tempfile.TemporaryDirectory() as folder:
        shell: _Shell = _Shell.instance(config=settings, ipython_dir=folder)
    shell.collector = Collector(limit)
    shell.transformers = shell._transformers()
    publisher, hook = cast(_Publisher, shell.display_pub), cast(_DisplayHook, shell.displayhook)
    publisher.collector = hook.collector = shell.collector
    publisher.shown = {}
    if "matplotlib" in sys.modules:
        shell.enable_matplotlib("inline")  # type: ignore[no-untyped-call]
    # The first cell imports parts of IPython; let no child have to do that.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for source in ("print(1)\n{'a': [1.5]}", "raise ValueError"):
            shell.run_cell(source, store_history=False)  # type: ignore[no-untyped-call]
    shell.collector.reset()
    return shell


def _is_python(source: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are shown when the cell runs
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def run_cell(shell: _Shell, source: str, descriptors: Descriptors) -> dict[str, Any]:
    """Run one cell; everything it shows comes back in the answer."""
    collector = shell.collector
    collector.reset()
    out = _Stream("stdout", collector, 1)
    err = _Stream("stderr", collector, 2)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        result = shell.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]
        if result.error_before_exec is not None and not any(
            output["output_type"] == "error" for output in collector.outputs
        ):
            collector.error(type(result.error_before_exec).__name__, str(result.error_before_exec), [])
    written = descriptors.read(collector.limit)
    if written:
        collector.stream("stdout", written)
    return {"outputs": collector.finish(), "count": shell.execution_count - 1}


class Descriptors:
    """What is written to the file descriptors 1 and 2 (by C code, subprocesses, os.write) goes to a file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 — it lives as long as the process
        os.dup2(self._file.fileno(), 1)
        os.dup2(self._file.fileno(), 2)
        self._seen = 0

    def read(self, limit: int) -> str:
        """What was written since the last call, and at most `limit` bytes of it."""
        size = os.fstat(self._file.fileno()).st_size
        if size <= self._seen:
            return ""
        data = os.pread(self._file.fileno(), min(size - self._seen, limit + 1), self._seen)
        self._seen = size
        return data.decode("utf-8", "replace")
