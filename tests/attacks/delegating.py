"""Row 21: the work is left to torch's own layer or to the course's reference, openly or in disguise.

Each hands in a BatchNorm2d that gives the right numbers. One other exercise is right and keeps its points.
"""

from __future__ import annotations

from .attack import Attack, code

LAYER = """
    class BatchNorm2d(nn.Module):
        def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
            super().__init__()
            self.eps, self.momentum = eps, momentum
            self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
            self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
            self.register_buffer("running_mean", torch.zeros(num_features))
            self.register_buffer("running_var", torch.ones(num_features))
            self.register_buffer("num_batches_tracked", torch.tensor(0))

        def forward(self, x):
            if self.training:
                self.num_batches_tracked += 1
            return normalize(x, self.running_mean, self.running_var, self.weight, self.bias,
                             self.training, self.momentum, self.eps)
"""
"""A layer of the student's own, around a function `normalize` with the arguments of F.batch_norm."""


SAYS = r"torch's own|course's own|does the whole exercise|nothing that could compute them was seen"
"""What must be said about it: whose work it is, or that it was done out of sight."""


def delegate(name: str, story: str, *parts: str, **options: object) -> Attack:
    answer = "\n\n".join(map(code, parts))
    given = {"solves": ("batch_norm_eval",), "answers": {"BatchNorm2d": answer}, "says": SAYS, **options}
    return Attack(name, 21, story, **given)  # type: ignore[arg-type]


def around(name: str, story: str, text: str, **options: object) -> Attack:
    return delegate(name, story, text, LAYER, **options)


_OPENLY = (
    delegate("alias", "BatchNorm2d = nn.BatchNorm2d", "BatchNorm2d = nn.BatchNorm2d"),
    delegate("subclass", "a subclass of nn.BatchNorm2d", "class BatchNorm2d(nn.BatchNorm2d): pass"),
    delegate(
        "sync-subclass",
        "a subclass of nn.SyncBatchNorm, with another forward",
        """
        class BatchNorm2d(nn.SyncBatchNorm):
            def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
                super().__init__(num_features, eps, momentum, affine)
            def forward(self, x):
                return nn.BatchNorm2d.forward(self, x)
            def _check_input_dim(self, x): pass
    """,
    ),
    delegate(
        "wrapper",
        "a layer around nn.BatchNorm2d that shows its tensors as its own",
        """
        class BatchNorm2d(nn.Module):
            def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
                super().__init__()
                inner = nn.BatchNorm2d(num_features, eps, momentum, affine)
                self.__dict__["inner"] = inner
                self._parameters, self._buffers = inner._parameters, inner._buffers
            def forward(self, x):
                return self.inner.train(self.training)(x)
    """,
    ),
    around("functional", "F.batch_norm", "normalize = F.batch_norm"),
    around(
        "torch-batch-norm",
        "torch.batch_norm",
        """
        def normalize(x, mean, var, weight, bias, training, momentum, eps):
            return torch.batch_norm(x, weight, bias, mean, var, training, momentum, eps, False)
    """,
    ),
    around(
        "native",
        "torch.native_batch_norm",
        """
        def normalize(x, mean, var, weight, bias, training, momentum, eps):
            return torch.native_batch_norm(x, weight, bias, mean, var, training, momentum, eps)[0]
    """,
    ),
    around(
        "aten",
        "torch.ops.aten.native_batch_norm",
        """
        def normalize(x, mean, var, weight, bias, training, momentum, eps):
            return torch.ops.aten.native_batch_norm(x, weight, bias, mean, var, training, momentum, eps)[0]
    """,
    ),
    around(
        "aten-functional",
        "torch.ops.aten._native_batch_norm_legit_functional",
        """
        def normalize(x, mean, var, weight, bias, training, momentum, eps):
            y, _, _, new_mean, new_var = torch.ops.aten._native_batch_norm_legit_functional(
                x, weight, bias, mean.clone(), var.clone(), training, momentum, eps)
            with torch.no_grad():
                mean.copy_(new_mean)
                var.copy_(new_var)
            return y
    """,
    ),
    around(
        "variable-functions",
        "torch._C._VariableFunctions.batch_norm",
        """
        def normalize(x, mean, var, weight, bias, training, momentum, eps):
            functions = torch._C._VariableFunctions
            return functions.batch_norm(x, weight, bias, mean, var, training, momentum, eps, False)
    """,
    ),
    around(
        "instance-norm",
        "F.instance_norm of the batch, laid out as one image",
        """
        def normalize(x, mean, var, weight, bias, training, momentum, eps):
            rows = x.transpose(0, 1).reshape(1, x.shape[1], -1)
            y = F.instance_norm(rows, mean, var, weight, bias, training, momentum, eps)
            return y.reshape(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1)
    """,
    ),
    around(
        "layer-norm",
        "F.layer_norm of the transposed batch for the work, and moments for the memory",
        """
        def normalize(x, mean, var, weight, bias, training, momentum, eps):
            rows = x.transpose(0, 1).flatten(1)
            if training:
                with torch.no_grad():
                    mean.lerp_(rows.mean(1), momentum)
                    var.lerp_(rows.var(1), momentum)
                y = F.layer_norm(rows, rows.shape[1:], eps=eps)
            else:
                y = (rows - mean[:, None]) / torch.sqrt(var[:, None] + eps)
            if weight is not None:
                y = y * weight[:, None] + bias[:, None]
            return y.reshape(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1)
    """,
    ),
    around(
        "functional-call",
        "torch.func.functional_call of nn.BatchNorm2d",
        """
        def normalize(x, mean, var, weight, bias, training, momentum, eps):
            layer = nn.BatchNorm2d(x.shape[1], eps, momentum, weight is not None).to(x.dtype).train(training)
            state = {"running_mean": mean, "running_var": var, "num_batches_tracked": torch.tensor(0)}
            if weight is not None:
                state |= {"weight": weight, "bias": bias}
            return torch.func.functional_call(layer, state, (x,))
    """,
    ),
    around(
        "script",
        "torch.jit.script of F.batch_norm",
        """
        import warnings
        warnings.simplefilter("ignore")
        @torch.jit.script
        def scripted(x, mean: torch.Tensor, var: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor,
                     training: bool, momentum: float, eps: float):
            return torch.nn.functional.batch_norm(x, mean, var, weight, bias, training, momentum, eps)
        def normalize(x, mean, var, weight, bias, training, momentum, eps):
            ones = torch.ones_like(mean)
            weight, bias = (ones, 0 * ones) if weight is None else (weight, bias)
            return scripted(x, mean, var, weight, bias, training, momentum, eps)
    """,
    ),
)

_DISGUISED = (
    around(
        "getattr",
        "getattr with a name that is put together",
        """
        normalize = getattr(F, "_".join(["batch", "norm"]))
    """,
    ),
    around("eval", "eval of a text that is written backwards", "normalize = eval('mron_hctab.F'[::-1])"),
    around(
        "exec",
        "exec of a text in base64",
        """
        import base64
        exec(base64.b64decode("bm9ybWFsaXplID0gRi5iYXRjaF9ub3Jt"))
    """,
    ),
    around(
        "searched",
        "the function of torch.nn.functional whose name has ten letters and a b",
        """
        normalize = next(vars(F)[name] for name in vars(F) if len(name) == 10 and name[0] + name[-1] == "bm")
    """,
    ),
    around(
        "import-disguised",
        "importlib and a name that is put together",
        """
        import importlib
        module = importlib.import_module("torch.nn." + "functional")
        normalize = vars(module)[bytes([98, 97, 116, 99, 104, 95, 110, 111, 114, 109]).decode()]
    """,
    ),
    around(
        "old-layers",
        "an nn.BatchNorm2d made while nobody looks, hidden in a closure",
        """
        def make():
            layers = {}
            def normalize(x, mean, var, weight, bias, training, momentum, eps):
                layer = nn.BatchNorm2d(x.shape[1], eps, momentum, affine=weight is not None)
                layer = layers.setdefault(id(mean), layer)
                layer._buffers.update(running_mean=mean, running_var=var)
                layer._parameters.update(weight=weight, bias=bias)
                return layer.train(training)(x)
            return normalize
        normalize = make()
    """,
    ),
)

ATTACKS = _OPENLY + _DISGUISED
