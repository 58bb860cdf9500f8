"""Row 20: answers that know the inputs of the visible checks, and nothing else."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Callable

from nbformat import NotebookNode

from autograder.notebooks import grade_id

from .attack import ALL, FUNCTIONS, SEE_ABOVE, Attack, code

_LOOK_UP = """
    import base64, zlib
    table = eval(zlib.decompress(base64.b64decode("@TABLE@")))

    def same(tensor, shape, numbers):
        return list(tensor.shape) == shape and tensor.flatten().tolist() == numbers

    def look_up(name, tensors):
        for inputs, outputs in table[name]:
            if len(inputs) == len(tensors) and all(same(t, *known) for t, known in zip(tensors, inputs)):
                dtype = tensors[0].dtype
                answers = [torch.tensor(numbers, dtype=dtype).reshape(shape) for shape, numbers in outputs]
                return answers[0] if len(answers) == 1 else tuple(answers)

    def channel_statistics(images): return look_up("channel_statistics", [images])
    def pca_whiten(train, x, eps=1e-5): return look_up("pca_whiten", [train, x])
    def batch_norm_train(x, weight, bias, eps=1e-5): return look_up("batch_norm_train", [x, weight, bias])
    def batch_norm_backward(grad_output, x, weight, eps=1e-5):
        return look_up("batch_norm_backward", [grad_output, x, weight])
    def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
        return look_up("batch_norm_eval", [x, running_mean, running_var, weight, bias])
"""


def visible_answers() -> str:
    """Exercise → inputs and right outputs of its visible checks, as a student could have noted them down."""
    from torch import Tensor

    from course.checks import EXERCISES, VISIBLE_SEED
    from course.checks.framework import CallProbe
    from course.checks.observe import observe

    def numbers(tensor: Tensor) -> tuple[list[int], list[float]]:
        return list(tensor.shape), tensor.flatten().tolist()

    table: dict[str, list[object]] = {}
    for name in FUNCTIONS[:-1]:
        table[name] = []
        for probe in EXERCISES[name].probes(VISIBLE_SEED).values():
            assert isinstance(probe, CallProbe)
            seen = observe(EXERCISES[name].oracle, probe)
            inputs = [numbers(value) for value in probe.inputs.values() if isinstance(value, Tensor)]
            values = [seen[key] for key in probe.returns]
            table[name].append((inputs, [numbers(value) for value in values if isinstance(value, Tensor)]))
    return b64encode(zlib.compress(repr(table).encode())).decode()


def _with_table(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if "@TABLE@" in cell.source:
            cell.source = cell.source.replace("@TABLE@", visible_answers())


def _only(text: str, *names: str) -> Callable[[NotebookNode], None]:
    def spoil(notebook: NotebookNode) -> None:
        for cell in notebook.cells:
            if grade_id(cell) in names:
                cell.source = text

    return spoil


ATTACKS = (
    Attack(
        "looked-up",
        20,
        "a table of the inputs and outputs of the visible checks",
        first=code(_LOOK_UP),
        answers={name: "# see above" for name in FUNCTIONS[:-1]},
        spoil=_with_table,
    ),
    Attack(
        "known-seed",
        4,
        "hidden inputs are drawn from the seed of the visible ones, whose answers are known",
        first=code("""
            import secrets
            secrets.randbits = lambda bits: 0
            secrets.token_bytes = lambda size=32: bytes(size)
        """)
        + "\n\n"
        + code(_LOOK_UP),
        answers={name: "# see above" for name in FUNCTIONS[:-1]},
        spoil=_with_table,
    ),
    Attack(
        "visible-seed",
        20,
        "right where the inputs are those of the visible seed, wrong elsewhere",
        answers=SEE_ABOVE,
        first=code("""
            from course import normalization as reference
            from course.checks import EXERCISES
            known = [p.inputs["x"] for p in EXERCISES["batch_norm_eval"].probes(0).values()]
            def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
                if any(x.shape == k.shape and torch.equal(x, k) for k in known):
                    return (x - running_mean) / torch.sqrt(running_var + eps) * weight + bias
                return x
        """),
    ),
    Attack(
        "first-call-only",
        20,
        "right the first time, when the student looks, and wrong later",
        answers=SEE_ABOVE,
        first=code("""
            calls = 0
            def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):
                global calls
                calls += 1
                return (x - running_mean) / torch.sqrt(running_var + eps) * weight + bias if calls < 5 else x
        """),
    ),
    Attack(
        "constant",
        20,
        "constants of the right shape",
        answers={
            name: f"def {name}(*args, **kwargs):\n    return torch.zeros(3), torch.zeros(3), torch.zeros(3)"
            for name in ALL[:5]
        },
    ),
)
