"""Row 22: honest work in an unusual form. Every one of these earns all that it solves."""

from __future__ import annotations

from nbformat import NotebookNode
from nbformat.v4 import new_output

from .attack import ALL, SOME, Attack
from .honest import EVAL, RIGHT, beside, own


def _with_outputs(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(execution_count=3, outputs=[new_output("stream", text="hello")])


_UNUSUAL = (
    beside(
        "other-defaults",
        "changes torch's defaults and forgets to change them back",
        """
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(7)
        torch.set_printoptions(precision=1)
        torch.autograd.set_detect_anomaly(False)
    """,
        solves=ALL,
    ),
    beside(
        "gradients-off", "switches gradients off and forgets it", "torch.set_grad_enabled(False)", solves=ALL
    ),
    beside(
        "deterministic",
        "asks torch for deterministic algorithms and four threads",
        """
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(4)
    """,
        solves=ALL,
    ),
    beside(
        "strict-warnings",
        "turns warnings into errors",
        """
        import warnings
        import numpy as np
        warnings.simplefilter("error")
        np.seterr(all="raise")
    """,
        solves=ALL,
    ),
    beside(
        "elsewhere",
        "works in another folder",
        """
        import os, tempfile
        os.chdir(tempfile.mkdtemp())
    """,
    ),
    beside(
        "own-stdout",
        "puts another stdout in the place of the real one",
        """
        import io, sys
        sys.stdout = io.StringIO()
        sys.stderr = io.StringIO()
    """,
    ),
    beside(
        "overwritten-names",
        "uses names of Python and of the lesson for other things",
        """
        list = dict = str = type = max = sum = 3
        x = y = device = data = results = None
    """,
        solves=ALL,
    ),
    beside(
        "own-helpers",
        "answers in a Python file beside the notebook",
        files={
            "my_norms.py": "import torch\n\ndef scale(x, var, eps):\n    return x / torch.sqrt(var + eps)\n"
        },
        before={"batch_norm_eval": "import my_norms"},
    ),
    own(
        "helper-module",
        "a solution that calls a function from a file beside the notebook",
        batch_norm_eval=f"""
        import sys, pathlib
        pathlib.Path("my_scaling.py").write_text(
            "import torch\\ndef scaled(x, mean, var, eps): return (x - mean) / torch.sqrt(var + eps)")
        sys.path.append(".")
        from my_scaling import scaled
        {EVAL}
            return weight * scaled(x, running_mean, running_var, eps) + bias
    """,
    ),
    beside(
        "own-data",
        "reads a data file beside the notebook",
        files={"numbers.csv": "1,2\n3,4\n"},
        before={"pca_whiten": "print(open('numbers.csv').read())"},
    ),
    beside(
        "threads",
        "uses threads and a pool of processes",
        """
        import multiprocessing
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(2) as pool:
            print(list(pool.map(abs, [-1, -2])))
        def square(number): return number**2
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(square, [1, 2]))
    """,
    ),
    own(
        "decorated",
        "a solution with a decorator",
        batch_norm_eval=f"""
        import functools
        def counted(function):
            @functools.wraps(function)
            def inner(*args, **kwargs):
                inner.calls += 1
                return function(*args, **kwargs)
            inner.calls = 0
            return inner
        @counted
        {EVAL}
            {RIGHT}
    """,
    ),
    own(
        "callable-object",
        "an object with __call__ instead of a function",
        batch_norm_eval=f"""
        class Evaluate:
            def __call__(self, x, running_mean, running_var, weight, bias, eps=1e-5):
                {RIGHT}
        batch_norm_eval = Evaluate()
    """,
    ),
    own(
        "typed",
        "type hints, defaults and a long docstring",
        batch_norm_eval=f'''
        from torch import Tensor
        def batch_norm_eval(
            x: Tensor, running_mean: Tensor, running_var: Tensor, weight: Tensor, bias: Tensor,
            eps: float = 1e-5,
        ) -> Tensor:
            """Normalize with remembered statistics. It does not call F.batch_norm or nn.BatchNorm1d."""
            {RIGHT}
    ''',
    ),
    own(
        "tested-by-hand",
        "compares with F.batch_norm in the same cell, but computes on its own",
        batch_norm_eval=f"""
        {EVAL}
            {RIGHT}
        x = torch.randn(4, 3)
        mean, var = torch.zeros(3), torch.ones(3)
        print(batch_norm_eval(x, mean, var, mean + 1, mean) - F.batch_norm(x, mean, var))
        print(reference.batch_norm_eval(x, mean, var, mean + 1, mean).shape)
        nn.BatchNorm1d(3)(x)
    """,
    ),
    own(
        "column-by-column",
        "right, column by column",
        batch_norm_eval=f"""
        import math
        {EVAL}
            columns = [weight[c] * (x[:, c] - running_mean[c]) * (running_var[c] + eps).pow(-0.5) + bias[c]
                       for c in range(x.shape[1])]
            return torch.stack(columns, dim=1)
    """,
    ),
    own(
        "own-subclass",
        "returns a subclass of Tensor that does nothing special",
        batch_norm_eval=f"""
        class Mine(torch.Tensor): pass
        {EVAL}
            y = {RIGHT.removeprefix("return ")}
            return y.as_subclass(Mine)
    """,
    ),
    own(
        "functions-of-its-own",
        "an autograd.Function with a backward of its own",
        batch_norm_train="""
        class Normalize(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, weight, bias, eps):
                mean, var = x.mean(0), x.var(0, correction=0)
                std = torch.sqrt(var + eps)
                x_hat = (x - mean) / std
                ctx.save_for_backward(x_hat, weight, std)
                ctx.mark_non_differentiable(mean, var)
                return weight * x_hat + bias, mean, var
            @staticmethod
            def backward(ctx, grad, *_):
                x_hat, weight, std = ctx.saved_tensors
                through = grad - grad.mean(0) - x_hat * (grad * x_hat).mean(0)
                return weight / std * through, (grad * x_hat).sum(0), grad.sum(0), None

        def batch_norm_train(x, weight, bias, eps=1e-5):
            return Normalize.apply(x, weight, bias, eps)
    """,
    ),
    beside(
        "twice",
        "every answer stands in a cell of its own, once more",
        solves=("BatchNorm2d", "batch_norm_eval"),
        last="""
check("BatchNorm2d", BatchNorm2d)
check("batch_norm_eval", batch_norm_eval, "forward")
    """,
    ),
    Attack(
        "other-kernel",
        22,
        "written with a kernel of another name",
        solves=SOME,
        spoil=lambda notebook: notebook.metadata.update(
            kernelspec={"name": "my-env", "display_name": "Python (my-env)", "language": "python"}
        ),
    ),
    Attack(
        "comes-with-outputs",
        22,
        "handed in with outputs and counts from the student's machine",
        solves=SOME,
        spoil=_with_outputs,
    ),
    Attack(
        "notes-between",
        22,
        "notes and trials in cells of their own, one of which raises",
        solves=SOME,
        before={"BatchNorm1d": "1 / 0", "LayerNorm": "raise ValueError('why?')"},
        last="undefined_name",
    ),
    Attack(
        "unsolved-but-tried",
        22,
        "one exercise right, the others with errors",
        solves=("LayerNorm",),
        answers={
            "pca_whiten": "def pca_whiten(train, x, eps=1e-5):\n    return undefined",
            "GroupNorm": "this is no Python",
        },
    ),
    Attack("nothing", 22, "handed in as released"),
)

ATTACKS = _UNUSUAL
