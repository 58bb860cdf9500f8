"""The names that `source` looks for, and what a submission does that uses them.

Every text is the end of a sentence that begins with "The cell of X". The lists hold what honest notebooks of
a course hardly need; what they do need stands under `HONEST_…`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Suspicion = tuple[str, str]
"""A kind of flag, and what is done."""

_FRAMES = "reads the frames of its callers"
_INSIDE = "looks inside functions or classes"
_FOLDERS = "looks through folders"
_BELOW = "goes below torch's public functions"
_DECIDES = "defines methods by which an object decides"


def _tampering(what: str, names: str) -> dict[str, Suspicion]:
    return {name: ("tampering", what) for name in names.split()}


NAMES: Mapping[str, Suspicion] = {
    **_tampering("calls C", "ctypes cffi"),
    **_tampering(
        "looks through all objects of the process", "gc.get_objects gc.get_referrers gc.get_referents"
    ),
    **_tampering(
        _FRAMES, "sys._getframe sys._current_frames inspect.stack inspect.currentframe inspect.getouterframes"
    ),
    **_tampering(
        "changes a hook of Python",
        """sys.displayhook sys.excepthook sys.unraisablehook sys.settrace sys.setprofile sys.addaudithook
        sys.meta_path sys.path_hooks sys.monitoring threading.settrace threading.setprofile""",
    ),
    **_tampering(
        "starts or ends processes, or talks to them",
        """subprocess multiprocessing torch.multiprocessing pty signal os._exit os.abort os.execl os.execlp
        os.execv os.execve os.execvp os.fork os.forkpty os.kill os.killpg os.pipe os.popen os.posix_spawn
        os.posix_spawnp os.setsid os.spawnl os.spawnv os.spawnvp os.system""",
    ),
    **_tampering(
        "uses the network",
        "socket urllib.request http ftplib smtplib requests httpx aiohttp paramiko torch.hub",
    ),
    **_tampering("exchanges or closes open files", "os.close os.closerange os.dup2"),
    **_tampering("starts threads", "threading _thread concurrent.futures"),
    **_tampering("leaves code that runs later", "atexit weakref.finalize"),
    **_tampering("reads or writes pickles", "pickle cloudpickle dill marshal shelve copyreg torch.load"),
    **_tampering(_FOLDERS, "os.walk os.listdir os.scandir glob"),
    **_tampering("opens a database", "sqlite3 sqlalchemy"),
    **_tampering(
        _INSIDE,
        """inspect.getsource inspect.getsourcefile inspect.getfile inspect.getmembers linecache types.CodeType
        types.FunctionType""",
    ),
    **_tampering("imports the grader, or what runs its cells", "autograder nbgrader ipykernel IPython.core"),
    **_tampering("replaces parts of modules", "unittest.mock"),
    **_tampering(
        "reads or changes the loaded modules", "sys.modules.items sys.modules.values sys.modules.keys"
    ),
    **dict.fromkeys(
        ("importlib", "runpy"), ("delegation", "imports modules by names that are made while it runs")
    ),
    **dict.fromkeys(
        (
            "torch.ops",
            "torch._C",
            "torch.utils._python_dispatch",
            "torch.overrides",
            "torch.utils.cpp_extension",
        ),
        ("delegation", _BELOW),
    ),
}
"""Modules and their parts."""

ATTRIBUTES: Mapping[str, str] = {
    **dict.fromkeys(("f_back", "f_locals", "f_globals", "tb_frame", "gi_frame", "cr_frame"), _FRAMES),
    **dict.fromkeys(("__code__", "__closure__", "__globals__", "__subclasses__", "__bases__"), _INSIDE),
    **dict.fromkeys(("rglob", "iterdir"), _FOLDERS),
    "__file__": "asks where a module's file is",
}
"""Attributes of whatever object."""

IPYTHON = "takes hold of the program that runs the cells"
KEPT_BY_IPYTHON = frozenset({"In", "_ih", "_dh", "_oh", "__builtins__"})
HONEST_OF_IPYTHON = frozenset({"run_line_magic", "run_cell_magic", "magic", "config"})

METHODS: Mapping[str, str] = {
    **dict.fromkeys(("__eq__", "__ne__", "__bool__", "__lt__", "__gt__"), f"{_DECIDES} what it is equal to"),
    **dict.fromkeys(
        ("__torch_function__", "__torch_dispatch__", "__array__"),
        f"{_DECIDES} what torch or NumPy makes of it",
    ),
    **dict.fromkeys(
        ("__instancecheck__", "__subclasscheck__", "__class__", "__getattribute__"), f"{_DECIDES} what it is"
    ),
    **dict.fromkeys(
        ("__reduce__", "__reduce_ex__", "__setstate__", "__getstate__"), f"{_DECIDES} how it is pickled"
    ),
    "__del__": "defines a method that runs when an object is thrown away",
}
"""Methods that no layer needs."""

IDENTITY = frozenset({"__module__", "__qualname__", "__class__"})
"""What a class or function says of itself."""

TEXTS: Mapping[str, str] = {
    r"gradebook\.db|source_notebooks|\bautograded\b|\bsubmitted/": "names files of the grader",
    r"application/vnd\.autograder": "writes the grader's own messages",
    r"HIDDEN TESTS|hidden=True": "names the hidden tests",
    r"/proc/|/etc/|/root\b|/home/|\.\./\.\.": "names files outside its folder",
}
"""Patterns in texts."""

HONEST_TO_SET = (
    "matplotlib.",
    "numpy.random.",
    "os.environ",
    "sys.stderr",
    "sys.stdout",
    "torch.backends.",
    "warnings.",
)
"""Parts of modules that honest notebooks set."""

HONEST_TO_USE = frozenset({"torch.autograd", "torch.autograd.Function"})
"""They look like a counterpart by their name, and are none."""

HONEST_COMMAND = re.compile(
    r"""
    [%!]{1,2} \s* (?: autoreload|conda|config|debug|echo|load_ext|ls|matplotlib|nvidia-smi|pdb|pinfo2?|pip3?
                    |precision|pwd|whos? ) \b [^|;&<>`$]* $
    | [\w, ]+ = \s* ! \s* (?: ls|nvidia-smi|pwd ) \b [^|;&<>`$]* $
    | \? | .* \? \s* $
    """,
    re.VERBOSE,
)
"""Commands of IPython and the shell that honest notebooks give."""
