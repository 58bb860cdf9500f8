"""Around the student's code: silence, a time limit, notes of what ran, and the line at which it failed."""

from __future__ import annotations

import contextlib
import linecache
import os
import signal
import sys
import sysconfig
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from time import monotonic, thread_time
from types import CodeType, FrameType
from typing import Any

import torch
import torch.nn.init
import torch.nn.utils.clip_grad
import torch.nn.utils.fusion
import torch.optim
from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.hooks import RemovableHandle

_COURSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CHECKS = os.path.join(_COURSE, "checks")
_LIBRARIES = tuple({os.path.abspath(sysconfig.get_paths()[key]) for key in ("stdlib", "purelib", "platlib")})

_SHORTCUTS = {module.__file__: module.__name__ for module in (torch.autograd, torch.nn.utils.fusion)}
_WITH_PRIVATE = {module.__file__: module.__name__ for module in (torch.nn.init, torch.nn.utils.clip_grad)}
_WITH_PRIVATE.update(
    # Optimizers and schedules. What they share stands in optimizer.py: students may build on that.
    (module.__file__, name)
    for name, module in list(sys.modules.items())
    if name.startswith("torch.optim.") and not name.endswith((".optimizer", ".swa_utils"))
)
_SHORTCUTS.update(_WITH_PRIVATE)
"""Modules of torch whose work cannot be told from a student's by its operators."""

_SHORTCUTS[torch._lowrank.__file__] = "torch"

_READ_OUTS = {"numpy", "tolist", "data_ptr", "__array__", "__dlpack__"}
"""What takes the numbers out of a tensor without an operator, to compute with them elsewhere."""


_MAKES = (
    "empty empty_like empty_strided new_empty new_empty_strided new_zeros new_ones new_full zeros zeros_like"
)
_FILLS = "ones ones_like full full_like scalar_tensor arange eye fill_ zero_ set_ resize_ lift_fresh lift"
_DRAWS = "uniform_ normal_ bernoulli_ random_ rand rand_like randn randn_like randint randperm"
_MOVES = "detach detach_ alias clone copy_ _to_copy cat stack flip index gather index_select"
_VIEWS = (
    "view _unsafe_view _reshape_alias reshape expand permute transpose t unsqueeze squeeze select slice "
    "as_strided unbind split split_with_sizes unfold diagonal"
)
_IN_INFERENCE_MODE = (
    "to contiguous resolve_conj resolve_neg flatten unflatten ravel chunk narrow view_as reshape_as "
    "expand_as movedim moveaxis swapaxes swapdims numpy_T matrix_H mT mH adjoint"
)
"""There they are operators of their own; elsewhere they are made of those above."""
_COMPUTES_NOTHING = frozenset(" ".join((_MAKES, _FILLS, _DRAWS, _MOVES, _VIEWS, _IN_INFERENCE_MODE)).split())
"""Operators that make, move or view numbers. Whatever is not among them may have computed a result."""


def may_compute(operators: Iterable[str]) -> bool:
    """Whether any of the operators could have computed a result."""
    return not _COMPUTES_NOTHING.issuperset(operators)


def draws(operators: Iterable[str]) -> bool:
    """Whether any of the operators draws random numbers from torch's generator."""
    return not set(_DRAWS.split()).isdisjoint(operators)


class OutOfTime(BaseException):
    """The probe's time is over. Not an Exception, so that a student's `except Exception` does not eat it."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings and stderr out of the cell's stderr: nbgrader scores any stderr text 0."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(sys.stdout):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """The same random numbers in each block, and the notebook's own afterwards."""
    before = torch.default_generator.get_state()
    # torch.manual_seed also seeds accelerators that are not there; that takes a third of a check's time.
    torch.default_generator.manual_seed(0)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)


BUSY = 3.0
"""How many times longer than its limit a block may take by the clock, while it waits for a busy machine."""

_handled = False
_ends = (0.0, 0.0)
"""Of the running block: by the time for which this thread has worked, and by the clock."""


def _stop(*_: object) -> None:
    work, clock = _ends
    if thread_time() >= work or monotonic() >= clock:
        raise OutOfTime


@contextlib.contextmanager
def _bells_not_told() -> Iterator[None]:
    """Say nothing of an alarm that rings where Python cannot raise, as while it forgets a tensor.

    It rings again soon. Python would print "Exception ignored in" and a traceback. That takes so long that
    the next ring may fall into it.
    """
    before = sys.unraisablehook

    def tell(unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_type is not OutOfTime:
            before(unraisable)

    sys.unraisablehook = tell
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextlib.contextmanager
def alarm_handled() -> Iterator[None]:
    """Get ready for many blocks that are `time_limited`: this is what takes most of the time of one."""
    global _handled
    ready = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if _handled or not ready:
        yield
        return
    before = signal.signal(signal.SIGALRM, _stop)
    _handled = True
    try:
        with _bells_not_told():
            yield
    finally:
        _handled = False
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def time_limited(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in the block after some seconds of work, where signals can be had.

    Seconds in which the machine did something else do not count: a right answer must not fail because others
    are graded at the same time. Who sleeps is stopped by the clock, a little later (`BUSY`).
    """
    global _ends
    with alarm_handled():
        if not _handled:
            yield
            return
        _ends = (thread_time() + seconds, monotonic() + BUSY * seconds)
        # Rings again and again, should the student's code catch it.
        signal.setitimer(signal.ITIMER_REAL, seconds, min(1.0, seconds / 4))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


# --- Notes of what ran --------------------------------------------------------------------------------------

unlogged = torch._C._DisableTorchDispatch
"""Context in which `OperatorLog` sees nothing: for the check's own copies, where no student's code runs."""


class OperatorLog(TorchDispatchMode):
    """Writes down every operator below autograd, whatever Python name it was called by, and who called it.

    Whoever is on the call stack of an operator has called it. That is enough to know the functions of the
    course and the shortcuts among them, and costs a quarter of a profiler, which is told of every call.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise the first call imports torch's compiler: 1.5 s for a wrapper that does nothing here.
        return False

    def __init__(self) -> None:
        super().__init__()
        self._operators: set[str] = set()
        self._callers: dict[int, CodeType] = {}
        self._nodes: set[str] = set()
        self._hooks = RemovableHandle.next_id  # counts the hooks that were ever registered

    def __enter__(self) -> Any:
        self._outermost = sys._getframe(1)
        return super().__enter__()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._operators.add(func.__name__)
        frame: FrameType | None = sys._getframe(1)
        outermost, callers = self._outermost, self._callers
        while frame is not outermost and frame is not None:
            code = frame.f_code
            callers[id(code)] = code
            frame = frame.f_back
        return func(*args, **kwargs) if kwargs else func(*args)

    def backward(self, output: Tensor) -> AbstractContextManager[Any]:
        """Context for the backward pass from `output`.

        The graph names its nodes, and torch's own nodes run what their name says. So their operators are
        logged only where a student's code may run among them: an autograd.Function, or a hook.
        """
        nodes: set[Any] = {output.grad_fn}
        found: list[Any] = [output.grad_fn]
        for node in found:
            for following, _ in node.next_functions:
                if following is not None and following not in nodes:
                    nodes.add(following)
                    found.append(following)
        torchs = [node for node in found if not isinstance(node, BackwardCFunction)]
        self._nodes.update(type(node).__name__ for node in torchs)
        hooked = RemovableHandle.next_id != self._hooks
        return contextlib.nullcontext() if hooked or len(torchs) < len(found) else unlogged()

    @contextlib.contextmanager
    def calls(self) -> Iterator[None]:
        """Context in which functions are noted that run no operator, as those that freeze a layer."""

        def note(frame: FrameType, event: str, _: Any) -> None:
            if event == "call":
                self._callers[id(frame.f_code)] = frame.f_code

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            yield
        finally:
            sys.setprofile(before)

    def nodes(self) -> list[str]:
        """Kinds of torch's nodes in the graphs of the backward passes: "MulBackward0"."""
        return sorted(self._nodes)

    def operators(self) -> list[str]:
        """Names without the overload: "add", not "add.Tensor"."""
        return sorted({name.partition(".")[0] for name in self._operators})

    def course_functions(self) -> list[str]:
        """The functions of the course that ran, by qualified name, and torch's shortcuts, by full name."""
        return _known_functions(self._callers.values())


def _known_functions(callers: Iterable[CodeType]) -> list[str]:
    names = set()
    for code in callers:
        path = code.co_filename
        if path in _SHORTCUTS and not code.co_name.startswith("_" if path not in _WITH_PRIVATE else "__"):
            names.add(f"{_SHORTCUTS[path]}.{code.co_qualname}")
        elif path.startswith(_COURSE) and not path.startswith(_CHECKS):
            names.add(code.co_qualname)
    return sorted(names)


class ReadOutLog(TorchFunctionMode):
    """Writes down which ways there were of taking numbers out of tensors without an operator."""

    def __init__(self) -> None:
        super().__init__()
        self._names: set[str] = set()
        self._callers: dict[int, CodeType] = {}
        self._forks = _forks

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in _READ_OUTS:
            self._names.add(name)
        # A question for the shape, too, is asked here: it needs no operator.
        code = sys._getframe(1).f_code
        self._callers[id(code)] = code
        return func(*args, **(kwargs or {}))

    def names(self) -> list[str]:
        """The ways that were taken. None, when another process was started: it could have done the work."""
        return sorted(self._names) if _forks == self._forks else []

    def course_functions(self) -> list[str]:
        """As those of `OperatorLog`, of functions that asked a tensor for anything."""
        return _known_functions(self._callers.values())


_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_count_fork)


def student_line(error: BaseException) -> str:
    """The innermost line of the student's own code in a traceback: "line 3: x = y + 1"."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith((_COURSE, *_LIBRARIES)) or frame.filename.startswith("<frozen"):
            continue
        source = linecache.getline(frame.filename, frame.lineno or 0).strip()
        return f"line {frame.lineno}" + (f": {source}" if source else "")
    return ""
