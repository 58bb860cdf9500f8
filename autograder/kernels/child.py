"""What a fork does to become the kernel that `python -m ipykernel_launcher` would have been.

Its session, signals, files, environment, folder and arguments are those that the launcher asked for.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from autograder.kernels.preload import after_fork, after_shell, early_log_handlers

_CONTROL_SECONDS = 1.0


@dataclass(frozen=True)
class Request:
    """A kernel that somebody wants: the arguments of ipykernel, folder, environment, open output files."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    stdout: int
    stderr: int
    ready: int
    """a pipe that the kernel closes when clients can connect"""

    @classmethod
    def read(cls, message: dict[str, Any], files: list[int]) -> Request:
        """The request in a message.

        Raises:
            ValueError: it is none.
        """
        try:
            stdout, stderr, ready = files
            arguments = [str(each) for each in message["arguments"]]
            environment = {str(name): str(value) for name, value in message["environment"].items()}
            return cls(arguments, str(message["folder"]), environment, stdout, stderr, ready)
        except (KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"not a request: {error!r}") from error


def run_kernel(request: Request, server: int, variables: Mapping[str, str]) -> NoReturn:
    """Be the kernel until it is shut down, and end.

    Args:
        request: what kernel. server: process id of the fork server; when it is gone, ipykernel ends itself.
        variables: environment variables that modules set when they were imported.
    """
    os.setsid()
    _reset_signals()
    for wanted, number in ((request.stdout, 1), (request.stderr, 2)):
        os.dup2(wanted, number)
        os.close(wanted)
    if sys.stdout is not None and os.isatty(1):
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update({**request.environment, **variables})
    os.chdir(request.folder)
    after_fork()

    import ipykernel_launcher  # type: ignore[import-untyped]
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = [ipykernel_launcher.__file__, *request.arguments]
    app: Any = IPKernelApp.instance(parent_handle=server)
    log_handlers = early_log_handlers()
    app.initialize(request.arguments)
    after_shell(log_handlers)
    os.close(request.ready)
    app.start()
    _end(app)


def _end(app: Any) -> NoReturn:
    """End as an interpreter does, but leave out what is most of the time and serves nobody: to take all
    modules apart, which copies every page of memory that this process shared until now."""
    # It still answers the shutdown request; without its output thread, which ends next, it would hang.
    app.control_thread.join(_CONTROL_SECONDS)
    threading._shutdown()  # type: ignore[attr-defined]  # waits for the notebook's own threads
    atexit._run_exitfuncs()
    # The notebook's objects go in good order: files are written out, `__del__` is called.
    app.shell.user_ns.clear()
    gc.collect()
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    os._exit(0)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
