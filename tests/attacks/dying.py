"""Row 9: the process ends, in a cell or inside a tested function. That costs the one check, not the rest."""

from __future__ import annotations

from .attack import ALL, SOME, Attack, code

WAYS = {
    "os-exit": ("os._exit(0)", "import os"),
    "segfault": ("ctypes.string_at(0)", "import ctypes"),
    "sys-exit": ("sys.exit(0)", "import sys"),
    "sigkill": ("os.kill(os.getpid(), 9)", "import os"),
    "abort": ("os.abort()", "import os"),
    "exec": ("os.execv('/bin/true', ['true'])", "import os"),
    "keyboard-interrupt": ("raise KeyboardInterrupt", "import os"),
    "system-exit": ("raise SystemExit('full marks')", "import os"),
}


def _in_a_cell(name: str) -> Attack:
    call, import_ = WAYS[name]
    return Attack(
        f"{name}-in-a-cell",
        9,
        f"{call} in a solution cell; others are right",
        solves=SOME,
        answers={"batch_norm_train": f"{import_}\n{call}"},
    )


def _in_a_function(name: str) -> Attack:
    call, import_ = WAYS[name]
    return Attack(
        f"{name}-in-a-function",
        9,
        f"{call} inside a tested function; others are right",
        solves=SOME,
        answers={
            "batch_norm_train": f"{import_}\n\ndef batch_norm_train(x, weight, bias, eps=1e-5):\n    {call}"
        },
    )


_RIGHT_UNTIL_EVALUATION = """
    import os

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
            if not self.training:
                @FATAL@
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(x.var((0, 2, 3)), self.momentum)
                self.num_batches_tracked += 1
            y = (x - mean.view(1, -1, 1, 1)) / torch.sqrt(var.view(1, -1, 1, 1) + self.eps)
            if self.weight is None:
                return y
            return self.weight.view(1, -1, 1, 1) * y + self.bias.view(1, -1, 1, 1)
"""

ATTACKS = (
    *(_in_a_cell(name) for name in WAYS),
    *(_in_a_function(name) for name in WAYS),
    Attack(
        "exit-in-every-cell",
        9,
        "os._exit in every solution cell, and one exercise right",
        solves=("GroupNorm",),
        answers=dict.fromkeys([name for name in ALL if name != "GroupNorm"], "import os\nos._exit(1)"),
    ),
    Attack(
        "exit-in-evaluation",
        9,
        "os._exit in one mode of a layer that is right in the other",
        answers={"BatchNorm2d": code(_RIGHT_UNTIL_EVALUATION).replace("@FATAL@", "os._exit(3)")},
        earns=("BatchNorm2d-interface", "BatchNorm2d-running-stats"),
    ),
    Attack(
        "exit-at-import",
        9,
        "os._exit in a cell of its own, before everything",
        solves=SOME,
        first="import os\nos._exit(0)",
    ),
    Attack(
        "exit-at-the-end",
        9,
        "os._exit in a cell after everything",
        solves=SOME,
        last="import os\nos._exit(0)",
    ),
    Attack(
        "exit-when-looked-at",
        9,
        "the process ends when somebody asks for the class's signature",
        solves=SOME,
        answers={
            "GroupNorm": code("""
            import os
            class Deadly(type):
                __signature__ = property(lambda self: os._exit(0))
                def mro(cls): return [cls, *nn.Module.__mro__]
            class GroupNorm(nn.Module, metaclass=Deadly): pass
        """)
        },
    ),
    Attack(
        "parent-killed",
        9,
        "kills the process that started it",
        solves=SOME,
        sandbox=True,
        answers={
            "batch_norm_train": code("""
            import os
            if os.getppid() > 1:
                os.kill(os.getppid(), 9)
        """)
        },
    ),
    Attack(
        "everybody-killed",
        9,
        "kills every process it may (only where it is shut in)",
        solves=SOME,
        sandbox=True,
        answers={
            "batch_norm_train": code("""
            import os
            if os.getppid() <= 1 and os.getpid() < 1000:
                os.kill(-1, 9)
        """)
        },
    ),
    Attack(
        "stopped",
        9,
        "stops itself with SIGSTOP instead of ending",
        solves=SOME,
        answers={"batch_norm_train": "import os\nos.kill(os.getpid(), 19)"},
    ),
)
