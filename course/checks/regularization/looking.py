"""Exercise `predict_with_tta`: what is drawn, what is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course import augmentation as reference
from course.checks.framework import SINGLE, Aspect, Draw, Exercise, Probe
from course.checks.probes.networks import Accumulate, Call, Network, NetworkProbe, Views
from course.checks.regularization.looking_mistakes import TTA
from course.checks.regularization.networks import CLASSES, pictures, plain, rows, trained


def _probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(
        network: Network,
        x: Tensor,
        *views: str,
        head: str = "fc",
        raises: bool = False,
        source: Draw = draw,
        grads: bool = False,
        **options: Any,
    ) -> Probe:
        call = Call("call", "tensor", {"x": x, "transforms": Views(views)}, raises=raises)
        before = (Accumulate(x, source.normal(len(x), CLASSES)),) if grads else ()
        note = options.pop("note", f"{len(views)} views")
        return NetworkProbe(network, trained(source, network, head), (*before, call), note=note, **options)

    def batch(n: int = 5, source: Draw = draw) -> Tensor:
        return source.uniform(n, 1, 4, 4)

    three = ("as it is", "mirrored", "shifted")
    return {
        "views": probe(pictures(), batch(), *three, note="a CNN with batch norm and dropout, 3 views"),
        "plain": probe(plain(), batch(), "mirrored", "negative", training=False),
        "one": probe(plain(), batch(), "mirrored", note="one view, mirrored"),
        "twice": probe(
            plain(), batch(), "as it is", "as it is", "mirrored", note="a view that is there twice"
        ),
        "chain": probe(plain(), batch(4), "brighter", "negative", "mirrored", "shifted"),
        "rows": probe(rows(), draw.normal(3, 6), "as it is", "negative", "brighter", head="head"),
        "single": probe(plain(), batch(1), "as it is", "negative", note="one picture"),
        "mixed": probe(pictures(), batch(), *three, evaluating=("features.1",), grads=True),
        "frozen": probe(pictures(), batch(), *three, frozen=("fc.weight",), training=False),
        "broken": probe(
            pictures(), batch(), "mirrored", "broken", raises=True, note="a transform that raises"
        ),
        "nothing": probe(pictures(), batch(), raises=True, note="no transform"),
        "float32": probe(plain(), batch(4, single), *three, source=single, dtype=torch.float32),
    }


RETURNS = ("call: returns",)
_P, _T = "probabilities", "no-trace"

PREDICT_WITH_TTA = Exercise(
    name="predict_with_tta",
    kind="function",
    signature="model, x, transforms",
    section="5.8",
    oracle=reference.predict_with_tta,
    probes=_probes,
    aspects=(
        Aspect("one view", _P, "one", RETURNS),
        Aspect("the mean of two views", _P, "plain", RETURNS),
        Aspect("four views, each of x itself", _P, "chain", RETURNS),
        Aspect("a view that is there twice counts twice", _P, "twice", RETURNS),
        Aspect("a network with batch norm and dropout", _P, "views", RETURNS),
        Aspect("a network that is in evaluation mode", _P, "frozen", RETURNS),
        Aspect("ValueError without any transform", _P, "nothing", ("call: raises",)),
        Aspect("rows instead of pictures", _P, "rows", RETURNS, hidden=True),
        Aspect("a single picture", _P, "single", RETURNS, hidden=True),
        Aspect("float32", _P, "float32", RETURNS, hidden=True, tolerance=SINGLE),
        Aspect("no graph", _T, "views", ("call: asks for a gradient",)),
        Aspect("each module in the mode that it had", _T, "views", ("call: modes",)),
        Aspect("modes that differ within a model", _T, "mixed", ("call: modes",)),
        Aspect("evaluation mode stays on", _T, "frozen", ("call: modes",)),
        Aspect("the model's numbers stay", _T, "views", ("call: moved",)),
        Aspect("gradients that were there stay", _T, "mixed", ("call: gradients", "call: other wishes")),
        Aspect("x left as it was", _T, "views", ("input x",)),
        Aspect("gradients stay switched on", _T, "views", ("call: gradients enabled",)),
        Aspect(
            "modes after a transform that raises", _T, "broken", ("call: modes", "call: raises"), hidden=True
        ),
        Aspect(
            "frozen parameters stay frozen", _T, "frozen", ("call: other wishes", "call: hooks"), hidden=True
        ),
    ),
    misconceptions=tuple(TTA),
)
