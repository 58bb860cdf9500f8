"""Exercise `fgsm_attack`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course.adversarial import fgsm_attack
from course.checks.framework import Aspect, Draw, Exercise, Probe, Tolerance
from course.checks.probes.networks import Accumulate, Call, Network, NetworkProbe, make
from course.checks.regularization.attack_mistakes import FGSM
from course.checks.regularization.networks import CLASSES, pictures, plain, rows, trained

FLOAT32 = Tolerance(1e-5, 1e-6, "one addition in float32; a wrong sign shows by 2 epsilon")


def _clear(network: Network, state: dict[str, Tensor], x: Tensor, y: Tensor) -> bool:
    """Whether no gradient is nearly 0: rounding would decide on its sign. (Exactly 0 it may be.)"""
    model = make(network).double().eval()
    model.load_state_dict(state)
    leaf = x.double().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(leaf), y), leaf)
    sizes = gradient.abs()
    return bool(((sizes == 0) | (sizes > 1e-5)).all())


def _probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(
        network: Network,
        *shape: int,
        epsilon: float = 0.1,
        head: str = "fc",
        source: Draw = draw,
        low: float = 0.2,
        high: float = 0.8,
        grads: bool = False,
        blind: bool = False,
        **options: Any,
    ) -> Probe:
        while True:
            state, x = trained(source, network, head), source.uniform(*shape, low=low, high=high).clamp(0, 1)
            if blind:
                state["hidden.weight"][:, 2] = 0
            y = (torch.arange(shape[0]) * 2 + 1) % CLASSES
            if _clear(network, state, x, y):
                break
        note = options.pop("note", f"epsilon = {epsilon:g}")
        call = Call("call", "tensor", {"x": x, "y": y, "epsilon": epsilon})
        before = (Accumulate(x, source.normal(shape[0], CLASSES)),) if grads else ()
        return NetworkProbe(network, state, (*before, call), note=note, **options)

    every = tuple(trained(draw, pictures(), "fc"))
    every = tuple(name for name in every if name.endswith(("weight", "bias")))
    return {
        "step": probe(plain(), 5, 1, 4, 4, training=False),
        "clip": probe(plain(), 5, 1, 4, 4, epsilon=0.3, low=-0.1, high=1.1, note="pixels near 0 and 1"),
        "far": probe(plain(), 4, 1, 4, 4, epsilon=1.5),
        "none": probe(plain(), 3, 1, 4, 4, epsilon=0.0),
        "blind": probe(rows(), 4, 6, head="head", blind=True, note="a feature that the network does not use"),
        "training": probe(pictures(), 5, 1, 4, 4, note="batch norm and dropout, in training mode"),
        "mixed": probe(pictures(), 4, 1, 4, 4, evaluating=("features.1",), grads=True),
        "frozen": probe(
            pictures(), 4, 1, 4, 4, frozen=every, training=False, note="all parameters are frozen"
        ),
        "single": probe(plain(), 1, 1, 4, 4, epsilon=0.02),
        "rows": probe(rows(), 6, 6, head="head", epsilon=0.15),
        "float32": probe(plain(), 4, 1, 4, 4, source=single, dtype=torch.float32),
    }


RETURNS = ("call: returns",)
_A, _T = "attack", "no-trace"

FGSM_ATTACK = Exercise(
    name="fgsm_attack",
    kind="function",
    signature="model, x, y, epsilon",
    section="5.9",
    oracle=fgsm_attack,
    probes=_probes,
    aspects=(
        Aspect("one step up the loss", _A, "step", RETURNS),
        Aspect("pixels stay between 0 and 1", _A, "clip", RETURNS),
        Aspect("pixels stay there with a large epsilon", _A, "far", RETURNS),
        Aspect("epsilon 0: as it was", _A, "none", RETURNS),
        Aspect("where the gradient is 0 the pixel stays", _A, "blind", RETURNS),
        Aspect("a network with batch norm and dropout", _A, "training", RETURNS),
        Aspect("a frozen network", _A, "frozen", RETURNS),
        Aspect("rows instead of pictures", _A, "rows", RETURNS, hidden=True),
        Aspect("a single picture", _A, "single", RETURNS, hidden=True),
        Aspect("float32", _A, "float32", RETURNS, hidden=True, tolerance=FLOAT32),
        Aspect("no graph", _T, "training", ("call: asks for a gradient",)),
        Aspect("x left as it was", _T, "step", ("input", "call: wishes of x")),
        Aspect("no gradient is left in the model", _T, "training", ("call: gradients",)),
        Aspect("gradients that were there stay", _T, "mixed", ("call: gradients",)),
        Aspect("the model's numbers stay", _T, "training", ("call: moved",)),
        Aspect("each module in the mode that it had", _T, "training", ("call: modes",)),
        Aspect("modes that differ within a model", _T, "mixed", ("call: modes",)),
        Aspect("evaluation mode stays on", _T, "frozen", ("call: modes",), hidden=True),
        Aspect("requires_grad as before", _T, "training", ("call: other wishes",)),
        Aspect("frozen parameters stay frozen", _T, "frozen", ("call: other wishes",), hidden=True),
        Aspect("no hook is left", _T, "training", ("call: hooks", "call: gradients enabled"), hidden=True),
    ),
    misconceptions=tuple(FGSM),
    shortcuts=("cleverhans", "foolbox", "torchattacks"),
)
