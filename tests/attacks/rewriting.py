"""Rows 3 and 4: the tests are rewritten before they run, or what they call is replaced."""

from __future__ import annotations

from .attack import SEE_ABOVE, Attack, code

WRONG = """\
def pca_whiten(train, x, eps=1e-5): return x
def batch_norm_train(x, weight, bias, eps=1e-5): return x, weight, bias
def batch_norm_backward(grad_output, x, weight, eps=1e-5): return x, weight, weight
def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5): return x
channel_statistics = fuse_linear_bn = BatchNorm1d = BatchNorm2d = LayerNorm = InstanceNorm2d = GroupNorm = max
"""
"""Wrong answers under the right names, some of the right shape."""


def _first(row: int, name: str, story: str, text: str, **options: object) -> Attack:
    """An attack by one cell at the beginning of the notebook."""
    return Attack(name, row, story, first=WRONG + code(text), answers=SEE_ABOVE, **options)  # type: ignore[arg-type]


_TRANSFORMERS = (
    _first(
        3,
        "cleanup-transformer",
        "input_transformers_cleanup drops the tests",
        """
        def without_tests(lines):
            return [line for line in lines if not line.startswith(("check(", "assert "))] or ["pass"]

        get_ipython().input_transformers_cleanup.append(without_tests)
    """,
    ),
    _first(
        3,
        "post-transformer",
        "input_transformers_post turns False into True",
        """
        def passes(lines):
            return ["pass\\n" if "check(" in line else line for line in lines]

        get_ipython().input_transformers_post.append(passes)
    """,
    ),
    _first(
        3,
        "ast-transformer",
        "ast_transformers drop every bare call",
        """
        import ast

        class WithoutTests(ast.NodeTransformer):
            def visit_Expr(self, node):
                return ast.copy_location(ast.Pass(), node)

        get_ipython().ast_transformers.append(WithoutTests())
    """,
    ),
    _first(
        3,
        "run-cell",
        "run_cell and run_code do nothing any more",
        """
        shell = type(get_ipython())
        async def nothing(self, *args, **kwargs):
            return False
        shell.run_code = nothing
    """,
    ),
    _first(
        3,
        "compiler",
        "IPython compiles another text",
        """
        shell = get_ipython()
        compile_ = shell.compile.ast_parse
        def without_tests(source, *args, **kwargs):
            return compile_("pass" if "check(" in source else source, *args, **kwargs)
        shell.compile.ast_parse = without_tests
    """,
    ),
    _first(
        3,
        "error-removed",
        "a hook takes the error out of the cell's result and its output",
        """
        from IPython.display import clear_output

        def no_error(result):
            result.error_before_exec = result.error_in_exec = None
            clear_output()

        get_ipython().events.register("post_run_cell", no_error)
    """,
    ),
    _first(
        3,
        "transport",
        "every message to the grader says that all is well",
        """
        from ipykernel.kernelapp import IPKernelApp
        from IPython import get_ipython

        session = IPKernelApp.instance().kernel.session
        send = session.send
        def nice(stream, kind, content=None, *args, **kwargs):
            if kind == "error":
                return None
            if kind == "execute_reply":
                content = {**content, "status": "ok", "user_expressions": {}, "payload": []}
            return send(stream, kind, content, *args, **kwargs)
        session.send = nice
    """,
    ),
)

_PATCHES = (
    _first(4, "own-check", "a name of one's own: check = print", "check = lambda *args, **kwargs: None"),
    _first(
        4,
        "patched-check",
        "course.checks.check does nothing, wherever it is imported",
        """
        import course.checks, sys
        for module in list(sys.modules.values()):
            name = str(getattr(module, "__name__", ""))
            if hasattr(module, "check") and name.startswith(("course", "__main__")):
                module.check = lambda *args, **kwargs: None
    """,
    ),
    _first(
        4,
        "patched-code",
        "the code object of check is exchanged",
        """
        def nothing(exercise, student, group=None, *, hidden=False, seed=None): pass
        check.__code__ = nothing.__code__
        check.__kwdefaults__ = {"hidden": False, "seed": None}
    """,
    ),
    _first(
        4,
        "patched-examine",
        "examine returns a verdict that passed",
        """
        import course.checks
        class Passed:
            passed = True
            def __getattr__(self, name): return ()
        course.checks.examine = lambda *args, **kwargs: Passed()
        course.checks._show = lambda verdict: None
    """,
    ),
    _first(
        4,
        "patched-verdict",
        "Verdict.passed is always true",
        """
        from course.checks.judge import Verdict
        Verdict.passed = property(lambda self: True)
    """,
    ),
    _first(
        4,
        "patched-compare",
        "compare finds no difference",
        """
        import sys
        for name, module in list(sys.modules.items()):
            if name.startswith("course.checks"):
                for function in ("compare", "_compare_value", "judge_object", "judge_own_work"):
                    if hasattr(module, function):
                        setattr(module, function, lambda *args, **kwargs: None)
    """,
    ),
    _first(
        4,
        "patched-aspects",
        "no exercise has any aspect to look at",
        """
        from course.checks.framework import Exercise
        from course.checks import contract
        contract.judge_object = lambda *args: ""
        import course.checks
        course.checks._show = lambda verdict: None
        Exercise.select = lambda self, group, hidden: ()
    """,
    ),
    _first(
        4,
        "patched-oracle",
        "every oracle is the student's own function",
        """
        from course.checks import EXERCISES
        for exercise in EXERCISES.values():
            if exercise.kind == "function":
                globals()[exercise.name] = lambda *args, **kwargs: (args[0], args[0], args[0])
                object.__setattr__(exercise, "oracle", globals()[exercise.name])
    """,
    ),
    _first(
        4,
        "patched-tolerance",
        "every tolerance is infinite",
        """
        from course.checks.framework import DOUBLE, SINGLE, SINGLE_LARGE_MEAN
        for tolerance in (DOUBLE, SINGLE, SINGLE_LARGE_MEAN):
            object.__setattr__(tolerance, "atol", float("inf"))
    """,
    ),
    _first(
        4,
        "patched-torch-testing",
        "torch.testing.assert_close, torch.allclose, torch.equal agree",
        """
        torch.testing.assert_close = lambda *args, **kwargs: None
        torch.allclose = torch.equal = torch.isclose = lambda *args, **kwargs: True
        torch.Tensor.allclose = torch.Tensor.equal = lambda *args, **kwargs: True
    """,
    ),
    _first(
        4,
        "patched-tensor",
        "torch.Tensor's own comparisons agree with everything",
        """
        torch.Tensor.any = lambda self, *args: False
        torch.Tensor.__eq__ = torch.Tensor.__le__ = lambda self, other: True
        torch.Tensor.__invert__ = lambda self: False
        torch.where = lambda *args: args[0]
    """,
    ),
    _first(
        4,
        "patched-numpy-testing",
        "numpy.testing and numpy.allclose agree",
        """
        import numpy, numpy.testing
        for name in dir(numpy.testing):
            if name.startswith("assert_"):
                setattr(numpy.testing, name, lambda *args, **kwargs: None)
        numpy.allclose = numpy.array_equal = lambda *args, **kwargs: True
    """,
    ),
    _first(
        4,
        "patched-builtins",
        "builtins.abs, all, any, isinstance, len say what suits",
        """
        import builtins
        builtins.abs = lambda value: 0
        builtins.all = lambda values: True
        builtins.any = lambda values: False
        real = builtins.isinstance
        builtins.isinstance = lambda value, kind: kind is torch.Tensor or real(value, kind)
    """,
    ),
    _first(
        4,
        "patched-assertion",
        "AssertionError is no error any more",
        """
        import builtins, sys, course.checks
        class Quiet(Warning):
            def __init__(self, *args): pass
            def _render_traceback_(self): return []
        builtins.AssertionError = course.checks.CheckFailed = Quiet
        get_ipython()._showtraceback = lambda *args: None
    """,
    ),
    _first(
        4,
        "poisoned-modules",
        "sys.modules holds other modules under the names of real ones",
        """
        import sys, types
        fake = types.ModuleType("course.checks")
        fake.check = lambda *args, **kwargs: None
        for name in ("course.checks", "course.checks.remote", "course.checks.observe", "course.checks.judge"):
            sys.modules[name] = fake
        from course.checks import check
    """,
    ),
)

ATTACKS = _TRANSFORMERS + _PATCHES
