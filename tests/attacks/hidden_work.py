"""Row 21: the work is left to torch, where nobody who takes notes of what runs can see it."""

from __future__ import annotations

from .attack import ALL, Attack, code
from .delegating import SAYS, around, delegate

_UNSEEN = (
    around(
        "thread",
        "F.batch_norm in a thread, where nobody takes notes",
        """
        import threading
        def normalize(*args):
            result = []
            thread = threading.Thread(target=lambda: result.append(getattr(F, "batch" + "_norm")(*args)))
            thread.start()
            thread.join()
            return result[0]
    """,
    ),
    around(
        "thread-pool",
        "F.batch_norm in a pool of threads that was there before",
        """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        def normalize(*args):
            return pool.submit(getattr(F, "batch" + "_norm"), *args).result()
    """,
    ),
    around(
        "modes-off",
        "F.batch_norm with all notes of operators switched off",
        """
        from torch.utils._python_dispatch import _disable_current_modes
        def normalize(*args):
            with _disable_current_modes():
                return getattr(F, "batch" + "_norm")(*args)
    """,
    ),
    around(
        "dispatch-off",
        "F.batch_norm below the dispatcher's Python layer",
        """
        def normalize(*args):
            guard = torch._C._ExcludeDispatchKeyGuard(
                torch._C.DispatchKeySet(torch._C.DispatchKey.Python)
                | torch._C.DispatchKeySet(torch._C.DispatchKey.PythonTLSSnapshot))
            result = getattr(F, "batch" + "_norm")(*args)
            del guard
            return result
    """,
    ),
    around(
        "backward-hook",
        "F.batch_norm inside a backward pass, which runs in another thread",
        """
        def normalize(*args):
            result = []
            def work(_):
                with torch.enable_grad():
                    result.append(getattr(F, "batch" + "_norm")(*args))
            with torch.enable_grad():
                twice = torch.ones((), requires_grad=True) * 1
                twice.register_hook(work)
                twice.backward()
            return result[0]
    """,
    ),
    around(
        "log-patched",
        "the notes of operators are not written",
        """
        from course.checks import surroundings
        def unseen(self, function, types, args=(), kwargs=None):
            return function(*args, **(kwargs or {}))
        surroundings.OperatorLog.__torch_dispatch__ = unseen
        normalize = getattr(F, "batch" + "_norm")
    """,
    ),
    around(
        "notes-emptied",
        "the notes of operators are emptied before they are read",
        """
        import gc
        def normalize(*args):
            result = getattr(F, "batch" + "_norm")(*args)
            for log in gc.get_objects():
                if type(log).__name__ == "OperatorLog":
                    log._names.clear()
                    log._names = set()
            return result
    """,
    ),
    around(
        "forged-notes",
        "the notes say that sums and roots ran",
        """
        from course.checks import surroundings
        log = surroundings.OperatorLog
        log.operators = lambda self: ["add", "mean", "mul", "sqrt", "sub"]
        log.nodes = lambda self: ["AddBackward0", "MulBackward0"]
        log.course_functions = lambda self: []
        log._names = {"add", "mean", "mul", "sqrt", "sub"}
        normalize = getattr(F, "batch" + "_norm")
    """,
        gap=True,
    ),
    delegate(
        "forged-observation",
        "what is looked at is torch's own layer under another name, and nothing is noted",
        """
        import sys
        import course.checks
        from course.checks import EXERCISES, surroundings
        def unseen(self, function, types, args=(), kwargs=None):
            return function(*args, **(kwargs or {}))
        surroundings.OperatorLog.__torch_dispatch__ = unseen
        class BatchNorm2d(nn.Module):
            def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True): super().__init__()
        oracle = EXERCISES["BatchNorm2d"].oracle
        for base in oracle.__mro__[:-2]:
            base.__module__ = "__main__"
        def instead(look):
            return lambda student, *args: look(oracle if student is BatchNorm2d else student, *args)
        for module in [each for name, each in sys.modules.items() if name.startswith("course.checks")]:
            for name in ("observe", "look", "describe"):
                if callable(getattr(module, name, None)):
                    setattr(module, name, instead(getattr(module, name)))
    """,
    ),
    Attack(
        "renamed-oracles",
        21,
        "the oracles of the checks, as classes and functions of the notebook, and no notes of what runs",
        solves=("batch_norm_eval",),
        answers={name: "# see above" for name in ALL if name != "batch_norm_eval"},
        at_most=True,
        says=SAYS,
        first=code("""
            import sys
            from course.checks import EXERCISES, surroundings
            def unseen(self, function, types, args=(), kwargs=None):
                return function(*args, **(kwargs or {}))
            surroundings.OperatorLog.__torch_dispatch__ = unseen
            sys.setprofile = lambda function: None
            for name, exercise in EXERCISES.items():
                for each in getattr(exercise.oracle, "__mro__", [exercise.oracle, 0, 0])[:-2]:
                    each.__module__ = "__main__"
                globals()[name] = exercise.oracle
        """),
    ),
    Attack(
        "fork",
        21,
        "a second process lets autograd do the work, and sends the numbers back",
        solves=("batch_norm_eval",),
        says=f"{SAYS}|Stopped",
        answers={
            "batch_norm_backward": code("""
                import os
                import numpy as np
                def work(grad_output, x, weight, eps):
                    x, weight = [torch.tensor(t.numpy(), requires_grad=True) for t in (x, weight)]
                    bias = torch.zeros_like(weight, requires_grad=True)
                    y = weight * (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps) + bias
                    y.backward(torch.tensor(grad_output.numpy()))
                    return np.concatenate([t.grad.numpy().ravel() for t in (x, weight, bias)])
                def batch_norm_backward(grad_output, x, weight, eps=1e-5):
                    reader, writer = os.pipe()
                    if os.fork() == 0:
                        with torch.inference_mode(False):
                            os.write(writer, work(grad_output, x, weight, eps).tobytes())
                        os._exit(0)
                    numbers = np.frombuffer(os.read(reader, 65536), x.numpy().dtype)
                    n, c = x.shape
                    parts = torch.from_numpy(numbers.copy()).split([n * c, c, c])
                    return parts[0].reshape(n, c), parts[1], parts[2]
            """)
        },
    ),
    Attack(
        "process-pool",
        21,
        "a second process, started before, lets autograd do the work",
        solves=("batch_norm_eval",),
        gap=True,
        answers={
            "batch_norm_backward": code("""
                import multiprocessing
                def work(grad_output, x, weight, eps):
                    x, weight = [torch.tensor(each, requires_grad=True) for each in (x, weight)]
                    bias = torch.zeros_like(weight, requires_grad=True)
                    y = weight * (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps) + bias
                    y.backward(torch.tensor(grad_output))
                    return [each.grad.numpy() for each in (x, weight, bias)]
                pool = multiprocessing.get_context("fork").Pool(1)
                def batch_norm_backward(grad_output, x, weight, eps=1e-5):
                    given = (grad_output.numpy(), x.numpy(), weight.numpy(), eps)
                    return tuple(torch.from_numpy(each) for each in pool.apply(work, given))
            """)
        },
    ),
    around(
        "numpy-moments",
        "writes the numbers of torch's own layer into a tensor made by numpy",
        """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        class Normalize(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, mean, var, weight, bias, training, momentum, eps):
                ctx.args = (x.detach().clone(), mean.clone(), var.clone(),
                            None if weight is None else weight.detach().clone(),
                            None if bias is None else bias.detach().clone(), training, momentum, eps)
                args = (x.detach(), mean, var, weight, bias, training, momentum, eps)
                y = pool.submit(getattr(F, "batch" + "_norm"), *args).result()
                return torch.from_numpy(y.detach().numpy())
            @staticmethod
            def backward(ctx, gradient):
                def work():
                    leaves = [t if t is None else t.requires_grad_() for t in (ctx.args[0], *ctx.args[3:5])]
                    with torch.enable_grad():
                        args = (leaves[0], *ctx.args[1:3], *leaves[1:], *ctx.args[5:])
                        y = getattr(F, "batch" + "_norm")(*args)
                    wanted = [leaf for leaf in leaves if leaf is not None]
                    return iter(torch.autograd.grad(y, wanted, gradient)), leaves
                found, leaves = pool.submit(work).result()
                x, weight, bias = [None if leaf is None else next(found) for leaf in leaves]
                return x, None, None, weight, bias, None, None, None
        normalize = Normalize.apply
    """,
        gap=True,
    ),
)

ATTACKS = _UNSEEN
