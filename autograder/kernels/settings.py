"""What a fork server preloads, and who may share one.

Two Jupyter processes share a server only if the kernels that they would start themselves would be alike: the
same interpreter, preload list, environment variables, and limits and rights of the process. Everything else
of a kernel (working directory, output files, the variables of the session) is set in the fork.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import resource
import stat
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from autograder.errors import ConfigError

PRELOAD_VARIABLE = "AUTOGRADER_PRELOAD"
IDLE_VARIABLE = "AUTOGRADER_KERNEL_IDLE"
DEFAULT_IDLE = 300.0

PROTOCOL = 1
_MAX_SOCKET_PATH = 100  # bytes; Linux takes 107

# Variables that differ between two commands of one terminal, and that nothing reads while it is imported.
# All others count: OMP_NUM_THREADS, PYTHONPATH, LANG, CUDA_VISIBLE_DEVICES, MPLCONFIGDIR, ... are read once.
_SESSION_VARIABLES = re.compile(
    r"(_|PWD|OLDPWD|SHLVL|COLUMNS|LINES|MAKE\w*|MFLAGS|PS\d|LS_COLORS|WINDOWID|TMUX\w*|STY|SSH_\w+"
    r"|INVOCATION_ID|JOURNAL_STREAM|JPY_\w+|PYTEST_\w+|AUTOGRADER_PRELOAD|AUTOGRADER_KERNEL_IDLE)"
)
# Lines of /proc/self/status that a kernel inherits from whoever starts it.
_INHERITED = ("Umask", "Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp", "Cpus_allowed", "Mems_allowed")


def read_preload(folders: Iterable[Path], environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Names of the modules that kernels find imported.

    The variable ``AUTOGRADER_PRELOAD`` (names separated by commas or spaces; empty for none) goes before the
    key ``preload`` in ``[tool.autograder]`` of the nearest pyproject.toml, looked for at and above each of
    `folders` in turn. Nowhere set means none: kernels are then forks of a process that imported ipykernel.

    Raises:
        ConfigError: the setting is not a list of module names.
    """
    if PRELOAD_VARIABLE in environ:
        names: object = environ[PRELOAD_VARIABLE].replace(",", " ").split()
        return _check_names(names, f"the environment variable {PRELOAD_VARIABLE}")
    for folder in folders:
        for parent in (folder, *folder.parents):
            path = parent / "pyproject.toml"
            try:
                table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("autograder")
            except OSError:
                continue
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise ConfigError(f"{path} cannot be read: {error}.") from error
            if table is not None:
                names = table.get("preload", []) if isinstance(table, dict) else table
                return _check_names(names, f"preload in [tool.autograder] of {path}")
    return ()


def read_idle(environ: Mapping[str, str] = os.environ) -> float:
    """Seconds after which a server without kernels ends.

    Raises:
        ConfigError: ``AUTOGRADER_KERNEL_IDLE`` is not a number of seconds.
    """
    text = environ.get(IDLE_VARIABLE, str(DEFAULT_IDLE))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise ConfigError(f"{IDLE_VARIABLE} must be a number of seconds, got {text!r}.")
    return seconds


def fingerprint(interpreter: Sequence[str], preload: Sequence[str], environ: Mapping[str, str]) -> str:
    """A short name for all that two processes must have in common to share a server.

    Args:
        interpreter: the Python executable and its options. preload: names of modules.
        environ: environment of the kernel that is to be started.
    """
    common = {
        "protocol": PROTOCOL,
        "interpreter": [*interpreter, sys.version],
        "preload": list(preload),
        "environment": sorted(
            (name, value) for name, value in environ.items() if not _SESSION_VARIABLES.fullmatch(name)
        ),
        "process": _inherited_state(),
    }
    return hashlib.sha256(json.dumps(common).encode()).hexdigest()[:16]


def socket_folder() -> Path:
    """This user's private folder for the sockets of servers; made when missing.

    Raises:
        ConfigError: something of that name is not a folder that only this user can open, or its path is too
            long for a Unix socket.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = Path(runtime) if os.path.isdir(runtime) else Path(tempfile.gettempdir())
    folder = base / f"autograder-kernels-{os.geteuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror}.") from error
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not mine or stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigError(f"{folder} must be a folder of your own with mode 700; delete it.")
    if len(os.fsencode(folder)) + 17 > _MAX_SOCKET_PATH:
        raise ConfigError(f"The path {folder} is too long for a Unix socket; set TMPDIR to a shorter one.")
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the sockets' folder: nobody else makes or removes a socket there meanwhile."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _check_names(names: object, where: str) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(_is_module_name(name) for name in names):
        raise ConfigError(f"{where} must be a list of module names, got {names!r}.")
    return tuple(dict.fromkeys(names))


def _is_module_name(name: object) -> bool:
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))


def _inherited_state() -> list[object]:
    """What a process passes on to those it starts, beside its environment: rights, limits, places."""
    status = Path("/proc/self/status").read_text().splitlines()
    limits = [getattr(resource, name) for name in sorted(dir(resource)) if name.startswith("RLIMIT_")]
    namespaces = sorted(os.listdir("/proc/self/ns"))
    root = os.stat("/")
    return [
        [line for line in status if line.startswith(_INHERITED)],
        [resource.getrlimit(limit) for limit in limits],
        [os.readlink(f"/proc/self/ns/{name}") for name in namespaces],
        os.getpriority(os.PRIO_PROCESS, 0),
        Path("/proc/self/cgroup").read_text(),
        [root.st_dev, root.st_ino],
    ]
