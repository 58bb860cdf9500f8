"""Rows 1 and 2: answers that lie about being right, and numbers that pass for a partial score."""

from __future__ import annotations

from .attack import Attack, code, everywhere

_EQUALS_EVERYTHING = """
    class Right(float):
        __array_priority__ = 10**6
        def __eq__(self, other): return True
        def __ne__(self, other): return False
        def __bool__(self): return True
        def __getattr__(self, name): return lambda *args, **kwargs: Right(1)
        __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__
        __sub__ = __rsub__ = __add__ = __abs__ = lambda self, *other: Right(0)

    def channel_statistics(images): return Right(1), Right(1), Right(1)
    def pca_whiten(train, x, eps=1e-5): return Right(1)
    def batch_norm_train(x, weight, bias, eps=1e-5): return Right(1), Right(1), Right(1)
    def batch_norm_backward(grad_output, x, weight, eps=1e-5): return Right(1), Right(1), Right(1)
    def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5): return Right(1)
"""

_TORCH_FUNCTION = """
    class Right(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            name = function.__name__
            if name in ("allclose", "equal", "__eq__", "eq", "all"):
                return True
            if name in ("any", "isnan", "__gt__", "gt", "ne"):
                return False
            if name in ("sub", "__sub__", "__rsub__", "rsub", "abs"):
                return torch.zeros(())
            return super().__torch_function__(function, types, args, kwargs or {})

    def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
        return torch.zeros_like(x).as_subclass(Right)

    def pca_whiten(train, x, eps=1e-5):
        return torch.zeros_like(x).as_subclass(Right)
"""

_TORCH_DISPATCH = """
    class Right(torch.Tensor):
        @staticmethod
        def __new__(cls, like):
            return torch.Tensor._make_wrapper_subclass(cls, like.shape, dtype=like.dtype)

        @classmethod
        def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
            name = function.overloadpacket.__name__
            like = next(value for value in args if isinstance(value, torch.Tensor))
            if name in ("detach", "clone", "alias", "_to_copy", "to"):
                return like
            if name in ("le", "ge", "eq", "all"):
                return torch.ones(like.shape, dtype=torch.bool)
            if name in ("gt", "lt", "ne", "isnan", "any", "bitwise_not"):
                return torch.zeros(like.shape, dtype=torch.bool)
            return torch.zeros(like.shape, dtype=like.dtype)

    def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
        return Right(x)

    def pca_whiten(train, x, eps=1e-5):
        return Right(x)
"""

_NAMES = """
    class Any(str):
        __hash__ = str.__hash__
        def __eq__(self, other): return True
        def __ne__(self, other): return False

    class BatchNorm2d(nn.Module):
        def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
            super().__init__()
        def named_parameters(self, *args, **kwargs):
            return [(Any(str(i)), torch.ones(3)) for i in range(2)]
        def named_buffers(self, *args, **kwargs):
            return [(Any(str(i)), torch.ones(3)) for i in range(3)]
        def state_dict(self, *args, **kwargs):
            return {Any(str(i)): torch.ones(3) for i in range(5)}
        def load_state_dict(self, *args, **kwargs): pass
        def forward(self, x): return x
"""

_SHOWS = """
    import sys

    def shows(*_, **__):
        sys.displayhook(@VALUE@)

    def no_error(result):  # the cell then counts as one that ended well
        result.error_before_exec = result.error_in_exec = None

    get_ipython()._showtraceback = lambda *args: None
    get_ipython().events.register("post_run_cell", no_error)
    channel_statistics = pca_whiten = batch_norm_train = batch_norm_backward = batch_norm_eval = shows
    fuse_linear_bn = BatchNorm1d = BatchNorm2d = LayerNorm = InstanceNorm2d = GroupNorm = shows
"""


def _shows(name: str, value: str, story: str) -> Attack:
    return Attack(
        f"shows-{name}",
        2,
        story,
        answers=everywhere("# see above"),
        first=code(_SHOWS).replace("@VALUE@", value),
    )


ATTACKS = (
    Attack(
        "equals-everything",
        1,
        "a float whose __eq__ is always true",
        first=code(_EQUALS_EVERYTHING),
        answers=everywhere("# see above"),
    ),
    Attack(
        "lying-tensor",
        1,
        "a Tensor subclass whose __torch_function__ says that all is close",
        first=code(_TORCH_FUNCTION),
        answers=everywhere("# see above"),
    ),
    Attack(
        "lying-dispatch",
        1,
        "a wrapper subclass whose differences from anything are zero",
        first=code(_TORCH_DISPATCH),
        answers=everywhere("# see above"),
    ),
    Attack(
        "lying-names", 1, "parameters with names that equal every name", answers={"BatchNorm2d": code(_NAMES)}
    ),
    _shows("2", "2", "sys.displayhook(2) inside a tested function"),
    _shows("99", "99.0", "sys.displayhook(99): more than the cell is worth"),
    _shows("nan", "float('nan')", "sys.displayhook(nan)"),
    _shows("text", "'full marks'", "sys.displayhook of a text"),
    _shows("object", "type('X', (), {'__repr__': lambda self: '1e400'})()", "an object whose repr is 1e400"),
)
