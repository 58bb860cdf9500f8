"""What the fork server imports before it forks, and whether the result may be forked.

The imports run nothing else: a torch operation here would start OpenMP threads, which a fork does not have,
and every kernel would hang in its first matrix product. CUDA cannot be used in a fork of a process that
started it.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

KERNEL_MODULES = ("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell")
# What a kernel imports only while it starts, most of its time. Another version may have no use for some.
_STARTING_MODULES = (
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "ipykernel.debugger",
    "psutil",
    "sqlite3",
    "tornado.platform.asyncio",
)
_INLINE = "module://matplotlib_inline.backend_inline"


@dataclass
class Preloaded:
    """What a server has imported.

    Attributes:
        modules: the preload list. problems: a sentence for each module that could not be imported. refusal:
        why this process must not be forked, or "". files: each imported file as it was, (mtime in ns, size).
        variables: environment variables that the imports set.
    """

    modules: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)
    refusal: str = ""
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def changed_file(self) -> str:
        """An imported file that is not what it was, or "": its kernels would run old code."""
        return next((path for path, before in self.files.items() if _stamp(path) != before), "")


def preload(modules: Iterable[str]) -> Preloaded:
    """Import ipykernel and these modules; one that fails is skipped and named."""
    result = Preloaded(tuple(modules))
    # As ipykernel sets it, but before matplotlib is imported, which reads it once.
    os.environ.setdefault("MPLBACKEND", _INLINE)
    before = dict(os.environ)
    for name in KERNEL_MODULES:
        _import(name, result)
    if result.problems:
        result.refusal = f"The fork server could not import ipykernel: {result.problems[0]}"
        return result
    for name in _STARTING_MODULES:
        _import(name, Preloaded())
    # torch and others make thousands of objects: collecting them in between takes a third of the time.
    gc.disable()
    for name in result.modules:
        _import(name, result)
    torch = sys.modules.get("torch")
    if not result.refusal and torch is not None and torch.cuda.is_initialized():
        result.refusal = "A module of the preload list uses CUDA when it is imported, which forks cannot."
    result.variables = {name: value for name, value in os.environ.items() if before.get(name) != value}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str):
            result.files[path] = _stamp(path)
    gc.collect()
    # A collection in a fork would write to every object, so that no page could stay shared.
    gc.freeze()
    gc.enable()
    return result


def _import(name: str, result: Preloaded) -> None:
    threads = threading.active_count()
    try:
        importlib.import_module(name)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        result.problems.append(f"{name} of the preload list was skipped, importing it failed: {reason}")
    except SystemExit:
        result.problems.append(f"{name} of the preload list was skipped: it calls sys.exit when imported.")
    if threading.active_count() > threads and not result.refusal:
        result.refusal = (
            f"{name} starts a thread when it is imported; a process with threads cannot be forked safely. "
            "Take it out of the preload list."
        )


def after_fork() -> None:
    """Give a fork random numbers of its own; without it all kernels would draw the same ones.

    The standard library's `random` does so by itself.
    """
    for module in _loaded("numpy.random"):
        module.seed()
    for module in _loaded("torch"):
        module.default_generator.seed()
    importlib.invalidate_caches()


def early_log_handlers() -> list[logging.StreamHandler[Any]]:
    """Log handlers that modules made when they were imported, and that write to this process's own stderr."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    handlers = [each for logger in loggers for each in getattr(logger, "handlers", [])]
    return [each for each in handlers if type(each) is logging.StreamHandler and each.stream is sys.stderr]


def after_shell(log_handlers: Iterable[logging.StreamHandler[Any]]) -> None:
    """Show modules the notebook that they looked for when they were imported, before there was one.

    Args:
        log_handlers: those of `early_log_handlers`, from before the shell took sys.stderr.
    """
    for handler in log_handlers:
        handler.setStream(sys.stderr)
    for module in _loaded("matplotlib_inline.backend_inline"):
        module._enable_matplotlib_integration()
    for module in _loaded("ipywidgets"):
        module.register_comm_target()


def _loaded(name: str) -> Iterator[ModuleType]:
    module = sys.modules.get(name)
    if module is not None:
        yield module


def _stamp(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)
