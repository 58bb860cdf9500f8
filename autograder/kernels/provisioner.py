"""The kernel provisioner: starts a kernel warm where it can, and cold, as Jupyter itself would, where not.

Only the launch differs. Polling, waiting, signals, interrupts and restarts are LocalProvisioner's.
"""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from autograder.errors import AutograderError
from autograder.kernels.client import ForkedKernel, start_kernel

_LAUNCHERS = ("ipykernel_launcher", "ipykernel")
_UNDERSTOOD = {"env", "cwd", "stdin", "stdout", "stderr", "independent", "extra_arguments", "kernel_id"}


class WarmProvisioner(LocalProvisioner):
    """Forks kernels of this interpreter from a process that has imported the preload list already.

    Selected by its name ``warm-provisioner``: for all kernels with the environment variable
    ``JUPYTER_DEFAULT_PROVISIONER_NAME``, for one in the metadata of its kernelspec.
    """

    _warned: ClassVar[set[str]] = set()

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Launch a kernel: a fork for a plain ipykernel of this interpreter, a process for any other."""
        warm = plan(cmd, kwargs)
        if isinstance(warm, str):
            self.log.debug("Kernel %s starts cold: %s", self.kernel_id, warm)
            return await super().launch_kernel(cmd, **kwargs)
        interpreter, arguments, outputs = warm
        folder = os.path.abspath(kwargs.get("cwd") or os.getcwd())
        # As jupyter_client's launcher does. The fork server sees for itself when this process ends.
        environment = {**kwargs["env"], "JPY_PARENT_PID": str(os.getpid())}
        try:
            kernel, problems = await start_kernel(interpreter, arguments, environment, folder, outputs)
        except (AutograderError, OSError) as error:
            self._warn_once(f"Kernels start cold. {error}")
            return await super().launch_kernel(cmd, **kwargs)
        for problem in problems:
            self._warn_once(problem)
        self.process = kernel  # type: ignore[assignment]  # it looks like the Popen that it stands for
        self.pid = self.pgid = kernel.pid
        self.cwd = pathlib.Path(folder)
        return self.connection_info

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Let a kernel that was asked to end do so: it takes less than the pause between two polls."""
        await super().shutdown_requested(restart=restart)
        if isinstance(self.process, ForkedKernel):
            await self.process.wait_a_moment()

    async def cleanup(self, restart: bool = False) -> None:
        """Clean up; a kernel that died by itself is given up here, since nobody waits for it."""
        if isinstance(self.process, ForkedKernel) and self.process.poll() is not None:
            self.process.close()
        await super().cleanup(restart=restart)

    def _warn_once(self, sentence: str) -> None:
        if sentence not in self._warned:
            self._warned.add(sentence)
            self.log.warning("%s", sentence)


def plan(cmd: Sequence[str], kwargs: dict[str, Any]) -> tuple[list[str], list[str], tuple[int, int]] | str:
    """How a kernel can be had warm, or why it cannot.

    Args:
        cmd: the kernel's command. kwargs: what the launcher was asked for beside it.

    Returns:
        The interpreter with its options, the kernel's arguments, and the file descriptors of its standard
        output and error; or a sentence.
    """
    if sys.platform != "linux" or not hasattr(signal, "pidfd_send_signal") or not hasattr(socket, "send_fds"):
        return "Forking kernels works on Linux only."
    parsed = _split_command(cmd)
    if parsed is None:
        return f"The command is not a plain ipykernel of {sys.executable}."
    if not all(os.path.isabs(each) for each in kwargs["env"].get("PYTHONPATH", "").split(":") if each):
        return "PYTHONPATH has a relative path, which means something else in each folder."
    if unknown := sorted(set(kwargs) - _UNDERSTOOD):
        return f"The launcher was asked for {', '.join(unknown)}."
    if kwargs.get("independent") or kwargs.get("stdin") is not None:
        return "The kernel shall outlive this process, or read from it."
    if not os.path.isdir(kwargs.get("cwd") or os.getcwd()):
        return "The kernel's folder does not exist."
    outputs = _descriptor(kwargs.get("stdout"), 1), _descriptor(kwargs.get("stderr"), 2)
    if outputs[0] is None or outputs[1] is None:
        return "The kernel's output goes to a pipe, or nowhere."
    return *parsed, (outputs[0], outputs[1])


def _split_command(cmd: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Interpreter with options, and arguments, of ``python [-X ...] -m ipykernel_launcher ARGUMENTS``."""
    if not cmd or not _is_this_python(cmd[0]) or "-m" not in cmd:
        return None
    at = list(cmd).index("-m")
    options = list(cmd[1:at])
    # An option's value may stand by itself ("-X", "dev"); what else does is the name of a script.
    plain = all(
        each.startswith("-") or before in ("-X", "-W")
        for before, each in zip(["", *options], options, strict=False)
    )
    if not plain or any(each.startswith("-c") for each in options) or cmd[at + 1 : at + 2] == []:
        return None
    if cmd[at + 1] not in _LAUNCHERS:
        return None
    return [sys.executable, *options], [os.path.expanduser(each) for each in cmd[at + 2 :]]


def _is_this_python(path: str) -> bool:
    """Whether this is the running interpreter; in a venv, python and python3 are two links to one file."""
    here = os.path.dirname(sys.executable) == os.path.dirname(os.path.abspath(path))
    return here and os.path.realpath(path) == os.path.realpath(sys.executable)


def _descriptor(wanted: Any, default: int) -> int | None:
    """The file descriptor behind a Popen argument, where it is one that can be passed on."""
    if wanted is None:
        wanted = default
    elif not isinstance(wanted, int):
        wanted = wanted.fileno()
    try:
        os.fstat(wanted)
    except OSError:
        return None
    return int(wanted)
