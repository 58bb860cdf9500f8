"""Row 13: files beside the notebook that stand in for real modules or are run by themselves."""

from __future__ import annotations

from .attack import SEE_ABOVE, Attack, code
from .rewriting import WRONG

_LOADED = "print('LOOT: a file beside the notebook in the place of', __name__)\n"

_SILENT = "def check(*args, **kwargs): pass"
_FAKE_CHECKS = _LOADED + _SILENT

_REST_OF_COURSE = "__path__ = [*__path__, '@PACKAGE@']\n"


def _shadow(name: str, story: str, files: dict[str, str], first: str = "", answers: bool = True) -> Attack:
    return Attack(name, 13, story, files=files, first=WRONG + first, answers=SEE_ABOVE if answers else {})


def _module(name: str) -> str:
    """A module that tells on itself, and behaves as the real one otherwise."""
    return _LOADED + code(f"""
        import importlib.machinery, sys
        path = [folder for folder in sys.path if folder not in ("", __file__.rpartition("/")[0])]
        spec = importlib.machinery.PathFinder.find_spec("{name}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules["{name}"] = module
        spec.loader.exec_module(module)
    """)


_START_UP = code("""
    import builtins
    def check(*args, **kwargs): pass
    try:
        get_ipython().user_ns["check"] = check
        print("LOOT: a start-up file that ran")
    except NameError:
        pass
    builtins.started = True
""")

_STARTED = """
import builtins
if hasattr(builtins, "started"):
    print("LOOT: a start-up file that ran")
    check = lambda *args, **kwargs: None
"""

_KERNEL = '{"argv": ["/bin/true"], "language": "python"}'

ATTACKS = (
    _shadow(
        "course-folder",
        "course/checks/__init__.py beside the notebook, with a check that does nothing",
        {"course/__init__.py": _REST_OF_COURSE, "course/checks/__init__.py": _FAKE_CHECKS},
    ),
    _shadow(
        "course-file",
        "course.py beside the notebook",
        {
            "course.py": _FAKE_CHECKS + "\nimport types\n__path__ = ['@PACKAGE@']\nimport sys\n"
            "sys.modules['course.checks'] = sys.modules[__name__]\n"
        },
    ),
    _shadow("torch-file", "torch.py beside the notebook", {"torch.py": _module("torch")}),
    _shadow("torch-folder", "a folder torch beside the notebook", {"torch/__init__.py": _module("torch")}),
    _shadow("numpy-file", "numpy.py beside the notebook", {"numpy.py": _module("numpy")}),
    _shadow(
        "stdlib-files",
        "secrets.py, json.py, struct.py, hmac.py beside the notebook",
        {
            f"{name}.py": _module(name)
            for name in ("secrets", "json", "struct", "hmac", "copy", "itertools", "time")
        },
    ),
    _shadow(
        "sitecustomize",
        "sitecustomize.py and usercustomize.py, which Python runs when it starts",
        {"sitecustomize.py": _START_UP, "usercustomize.py": _START_UP},
        first=_STARTED,
    ),
    _shadow(
        "ipython-startup",
        "start-up files and settings of IPython beside the notebook",
        {
            ".ipython/profile_default/startup/00-start.py": _START_UP,
            "ipython_config.py": _START_UP,
            "ipython_kernel_config.py": _START_UP,
            ".ipython/profile_default/ipython_config.py": _START_UP,
            "jupyter_config.py": _START_UP,
            "jupyter_nbgrader_config.py": _START_UP,
        },
        first=_STARTED,
    ),
    _shadow(
        "pth-file",
        "a .pth file, pyvenv.cfg and PYTHON* settings beside the notebook",
        {
            "a.pth": "import builtins; builtins.started = True\n",
            "pyvenv.cfg": "home = .\n",
            ".env": "PYTHONPATH=.\n",
        },
        first=_STARTED,
    ),
    _shadow(
        "nbgrader-config",
        "nbgrader_config.py and pyproject.toml beside the notebook",
        {
            "nbgrader_config.py": "print('LOOT: a file that ran')\nget_config().Execute.enabled = False\n",
            "pyproject.toml": "[tool.autograder]\nsource_directory = '.'\n",
            "conftest.py": _START_UP,
        },
    ),
    _shadow(
        "nbgrader-plugin",
        "modules with the grader's own names beside the notebook",
        {
            "autograder/__init__.py": _LOADED,
            "nbgrader/__init__.py": _LOADED,
            "IPython/__init__.py": _LOADED,
            "ipykernel.py": _LOADED,
            "nbclient.py": _LOADED,
        },
    ),
    _shadow(
        "kernel-spec",
        "a kernel of its own beside the notebook",
        {
            "share/jupyter/kernels/python3/kernel.json": _KERNEL,
            ".local/share/jupyter/kernels/python3/kernel.json": _KERNEL,
        },
    ),
    _shadow(
        "shared-library",
        "a shared library beside the notebook",
        {"libc10.so": "not a library", "libtorch.so": ""},
    ),
    Attack(
        "path-changed",
        13,
        "puts its own folder first in sys.path, then imports course.checks again",
        files={
            "fake/course/__init__.py": _REST_OF_COURSE,
            "fake/course/checks/__init__.py": _SILENT,
        },
        answers=SEE_ABOVE,
        first=WRONG
        + code("""
            import sys
            sys.path.insert(0, "fake")
            for name in [name for name in sys.modules if name.startswith("course")]:
                del sys.modules[name]
            from course.checks import check
        """),
    ),
)
