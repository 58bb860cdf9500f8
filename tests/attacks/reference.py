"""Row 21: the work is left to the course's own reference, which students may import to go on when stuck."""

from __future__ import annotations

from .attack import Attack, code
from .delegating import SAYS, delegate

_REFERENCE = (
    delegate("reference", "BatchNorm2d = reference.BatchNorm2d", "BatchNorm2d = reference.BatchNorm2d"),
    delegate(
        "reference-subclass", "a subclass of the reference", "class BatchNorm2d(reference.BatchNorm2d): pass"
    ),
    delegate(
        "reference-renamed",
        "the reference with another module, name and file",
        """
        class BatchNorm2d(getattr(reference, "Batch" + "Norm2d")): pass
        BatchNorm2d.__module__ = BatchNorm2d.__bases__[0].__module__ = "__main__"
        for base in BatchNorm2d.__mro__[1:3]:
            base.__module__ = "__main__"
    """,
    ),
    delegate(
        "reference-wrapped",
        "a layer around the reference that shows its tensors as its own",
        """
        class BatchNorm2d(nn.Module):
            def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
                super().__init__()
                inner = getattr(reference, "Batch" + "Norm2d")(num_features, eps, momentum, affine)
                self.__dict__["inner"] = inner
                self._parameters, self._buffers = inner._parameters, inner._buffers
            def forward(self, x):
                return self.inner.train(self.training)(x)
    """,
    ),
    delegate(
        "reference-unseen",
        "the reference's methods, with the notes of functions switched off",
        """
        import sys
        class BatchNorm2d(nn.Module):
            def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
                super().__init__()
                before = sys.getprofile()
                sys.setprofile(None)
                kind = getattr(reference, "Batch" + "Norm2d")
                self.__dict__["inner"] = inner = kind(num_features, eps, momentum, affine)
                self._parameters, self._buffers = inner._parameters, inner._buffers
                sys.setprofile(before)
            def forward(self, x):
                before = sys.getprofile()
                sys.setprofile(None)
                y = self.inner.train(self.training)(x)
                sys.setprofile(before)
                return y
    """,
    ),
    delegate(
        "reference-in-a-thread",
        "the reference in a thread",
        """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        class BatchNorm2d(nn.Module):
            def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
                super().__init__()
                kind = vars(reference)["BatchNorm" + "2d"]
                inner = pool.submit(kind, num_features, eps, momentum, affine).result()
                self.__dict__["inner"] = inner
                self._parameters, self._buffers = inner._parameters, inner._buffers
            def forward(self, x):
                return pool.submit(self.inner.train(self.training), x).result()
    """,
    ),
    delegate(
        "reference-source",
        "the text of the reference, run again",
        """
        import inspect
        exec(inspect.getsource(reference))
    """,
        gap=True,
    ),
    delegate(
        "reference-file",
        "the file of the reference, read and run again",
        """
        import pathlib
        exec(pathlib.Path(reference.__file__).read_text().replace("__all__", "names"))
    """,
        gap=True,
    ),
    delegate(
        "reference-code",
        "the reference's code objects in functions of its own",
        """
        import types
        base = reference.BatchNorm2d.__mro__[1]
        def copied(function):
            code = function.__code__.replace(co_filename="<cell>")
            return types.FunctionType(code, function.__globals__, code.co_name, function.__defaults__,
                                      function.__closure__)
        methods = {n: copied(f) for kind in (base, reference.BatchNorm2d) for n, f in vars(kind).items()
                   if isinstance(f, types.FunctionType) and n != "__init__"}
        class BatchNorm2d(nn.Module):
            input_dims = getattr(reference.BatchNorm2d, "input_dims", None)
            def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
                super().__init__()
                inner = reference.BatchNorm2d(num_features, eps, momentum, affine)
                self.__dict__.update({**inner.__dict__})
        for name, function in methods.items():
            setattr(BatchNorm2d, name, function)
    """,
    ),
    delegate(
        "checks-oracle",
        "the oracle of the course's own checks",
        """
        from course.checks import EXERCISES
        BatchNorm2d = EXERCISES["BatchNorm2d"].oracle
    """,
    ),
    Attack(
        "reference-for-all",
        21,
        "from course.normalization import *",
        solves=("batch_norm_eval",),
        says=SAYS,
        answers={
            name: f"from course.normalization import {name}"
            for name in (
                "channel_statistics",
                "pca_whiten",
                "batch_norm_train",
                "batch_norm_backward",
                "fuse_linear_bn",
                "BatchNorm1d",
                "BatchNorm2d",
                "LayerNorm",
                "InstanceNorm2d",
                "GroupNorm",
            )
        },
    ),
    Attack(
        "autograd-for-backward",
        21,
        "autograd where the formula is asked for",
        solves=("batch_norm_eval",),
        says=SAYS,
        answers={
            "batch_norm_backward": code("""
            from concurrent.futures import ThreadPoolExecutor
            pool = ThreadPoolExecutor(1)
            def work(grad_output, x, weight, eps):
                x, weight = x.detach().clone().requires_grad_(), weight.detach().clone().requires_grad_()
                bias = torch.zeros_like(weight, requires_grad=True)
                y = weight * (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps) + bias
                return getattr(torch.autograd, "gr" + "ad")(y, (x, weight, bias), grad_output.clone())
            def batch_norm_backward(grad_output, x, weight, eps=1e-5):
                return pool.submit(work, grad_output, x, weight, eps).result()
        """)
        },
    ),
)

ATTACKS = _REFERENCE
