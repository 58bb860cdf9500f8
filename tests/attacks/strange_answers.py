"""Row 15: answers that are hard to write down, and may break what reads them."""

from __future__ import annotations

from .attack import Attack

_STRANGE = {
    "nan": "torch.full_like(x, float('nan'))",
    "infinity": "torch.full_like(x, float('inf'))",
    "complex": "torch.zeros_like(x, dtype=torch.complex128)",
    "bool": "torch.zeros_like(x, dtype=torch.bool)",
    "bfloat16": "torch.zeros_like(x, dtype=torch.bfloat16)",
    "float8": "torch.zeros_like(x).to(torch.float8_e4m3fn)",
    "int64": "torch.zeros_like(x, dtype=torch.int64)",
    "sparse": "torch.zeros_like(x).to_sparse()",
    "quantized": "torch.quantize_per_tensor(torch.zeros(2, 3), 0.1, 0, torch.quint8)",
    "meta": "torch.empty_like(x, device='meta')",
    "empty": "torch.empty(0, 2**40)",
    "scalar": "torch.tensor(0.0)",
    "conjugate": "torch.zeros_like(x, dtype=torch.complex128).conj().imag",
    "nested": "torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])",
    "undefined-storage": "torch.zeros_like(x).untyped_storage()",
    "released": "(lambda y: (y.untyped_storage().resize_(0), y)[1])(torch.zeros_like(x).clone())",
    "parameter": "nn.Parameter(torch.zeros_like(x))",
    "numpy": "x.detach().numpy()",
    "huge-integer": "10 ** 5000",
    "subclass": "type('T', (torch.Tensor,), {'__torch_function__': None})(x.shape)",
    "lying-shape": "type('T', (torch.Tensor,), {'shape': (10**9,), 'numel': lambda self: -1})(1)",
    "generator": "(each for each in x)",
    "recursive": "(lambda a: a.append(a) or a)([])",
    "module": "nn.Linear(2, 2)",
    "type": "type",
    "text": "'\\ud800<b>'",
}


def _strange(name: str, expression: str) -> Attack:
    text = (
        f"def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):\n    return {expression}"
    )
    return Attack(
        f"returns-{name}",
        15,
        f"an answer that is hard to write down: {expression[:60]}",
        solves=("channel_statistics", "InstanceNorm2d"),
        answers={"batch_norm_eval": text},
    )


ATTACKS = tuple(_strange(*item) for item in _STRANGE.items())
