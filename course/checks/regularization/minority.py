"""Exercise `smote`: what is drawn, what is looked at."""

from __future__ import annotations

import torch
from torch import Tensor

from course.checks.framework import Aspect, Draw, Exercise, Probe
from course.checks.probes.drawing import OTHER_SEED, SAME_SEED
from course.checks.probes.sampling import DRAWN, RejectProbe, SampleProbe
from course.checks.regularization import statistics as S
from course.checks.regularization.smote_mistakes import SMOTE as MISTAKES
from course.smote import smote

ROWS, K = 10, 3
ONES = 120
NEW, CALLS = 150, 20
"""Only the first call is logged, operator by operator: few rows in it spare whoever loops over rows."""


def _table(draw: Draw, n: int, d: int, k: int) -> Tensor:
    """Rows (n, d), most of which have neighbours that do not have them as neighbours in turn.

    No two distances from a row are nearly equal, so that everybody finds the same neighbours, also in
    float32; features are on different scales and off 0.
    """
    while True:
        x = draw.normal(n, d) * torch.tensor([1.0, 2.0, 0.5, 1.5])[:d] + 3
        distances = torch.cdist(x.double(), x.double()).fill_diagonal_(torch.inf)
        clear = bool((distances.sort(1).values[:, :-1].diff(dim=1) > 1e-3).all())
        near = torch.zeros(n, n, dtype=torch.bool)
        near.scatter_(1, distances.topk(k, largest=False).indices, True)
        if clear and (near & ~near.T).sum() >= 0.35 * n * k:
            return x


def _probe(x: Tensor, n_new: int, seed: int, draws: int = 1, note: str = "", **options: int) -> SampleProbe:
    k = "".join(f", k = {value}" for value in options.values())
    return SampleProbe(
        {"x": x, "n_new": n_new}, ("new",), options, draws, seed, note=note or f"{len(x)} rows{k}"
    )


def _probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)
    return {
        "table": _probe(_table(draw, ROWS, 3, K), NEW, 10 * seed, CALLS, k=K),
        "default": _probe(_table(draw, 12, 4, 5), NEW, 10 * seed + 1, CALLS // 2),
        "nearest": _probe(_table(draw, 8, 2, 1), NEW, 10 * seed + 2, CALLS // 2, k=1),
        "one by one": _probe(_table(draw, 8, 2, 1), 1, 10 * seed + 7, ONES, k=1, note="n_new = 1, often"),
        "few": _probe(_table(draw, 4, 3, 1), 80, 10 * seed + 3, 5, note="4 rows, k = 5: all are neighbours"),
        "float32": _probe(_table(single, ROWS, 3, K).float(), 80, 10 * seed + 4, 5, k=K),
        "small": _probe(_table(draw, 5, 3, 2), 7, 10 * seed + 5, k=2),
        "nothing": _probe(_table(draw, 5, 3, 2), 0, 10 * seed + 6, note="n_new = 0"),
        "one row": RejectProbe((draw.normal(1, 3), 4), note="a table of one row"),
        "no neighbour": RejectProbe((draw.normal(4, 3), 4), {"k": 0}, note="k = 0"),
    }


ALL, NEW_ROWS = (DRAWN,), ("new",)
_S, _N, _D = "segments", "neighbours", "draws"


def _law(label: str, group: str, probe: str, measure: S.Measure, hidden: bool = False) -> Aspect:
    return Aspect(label, group, probe, ALL, hidden, S.EXACT, measure=measure)


SMOTE = Exercise(
    name="smote",
    kind="function",
    signature="x, n_new, k=5",
    section="5.7",
    oracle=smote,
    probes=_probes,
    aspects=(
        Aspect("n_new rows of the dtype of x", _S, "small", NEW_ROWS, measure=S.nothing),
        _law("each new row lies between two rows of x", _S, "table", S.on_segments(ROWS, K)),
        _law("none is a copy of a row", _S, "table", S.original_rows(ROWS)),
        Aspect("x left as it was", _S, "table", ("input",)),
        _law("four features", _S, "default", S.on_segments(12, 5), hidden=True),
        _law("float32 rows", _S, "float32", S.on_segments(ROWS, K), hidden=True),
        Aspect("float32 in, float32 out", _S, "float32", NEW_ROWS, hidden=True, measure=S.nothing),
        Aspect("no new row", _S, "nothing", NEW_ROWS, hidden=True, measure=S.nothing),
        _law("between a row and one of its k nearest", _N, "table", S.of_neighbours(ROWS, K)),
        _law("k = 1: the nearest one", _N, "nearest", S.of_neighbours(8, 1)),
        _law("k = 5, by default", _N, "default", S.of_neighbours(12, 5)),
        _law("fewer than k + 1 rows", _N, "few", S.on_segments(4, 3)),
        Aspect("ValueError for a table of one row", _N, "one row", ("raises",)),
        Aspect("ValueError for k = 0", _N, "no neighbour", ("raises",), hidden=True),
        Aspect(
            "rows and neighbours equally often",
            *(_D, "table", ALL, False, S.share_tolerance(NEW * CALLS, 2 / (ROWS * K))),
            measure=S.pairs_taken(ROWS, K),
        ),
        Aspect(
            "λ uniform between 0 and 1: mean, quarters",
            *(_D, "table", ALL, False, S.STEPS),
            measure=S.steps_taken(ROWS, K),
        ),
        Aspect("λ from 0 to 1: its ends", _D, "table", ALL, False, S.ENDS, measure=S.ends(ROWS, K)),
        Aspect(
            "a λ for each new row",
            *(_D, "table", ALL, False, S.DIFFERENT_STEPS),
            measure=S.different_steps(ROWS, K),
        ),
        Aspect("a row for each new row", _D, "table", ALL, False, S.REPEATED, measure=S.repeated(ROWS, K)),
        Aspect(
            "each row is a start equally often, k = 1",
            *(_D, "nearest", ALL, False, S.share_tolerance(NEW * CALLS // 2, 1 / 4)),
            measure=S.pairs_taken(8, 1),
        ),
        Aspect(
            "one new row in each call, k = 1",
            *(_D, "one by one", ALL, True, S.share_tolerance(ONES, 1 / 4)),
            measure=S.pairs_taken(8, 1),
        ),
        Aspect(
            "all pairs of a small table",
            *(_D, "few", ALL, True, S.share_tolerance(400, 1 / 6)),
            measure=S.pairs_taken(4, 3),
        ),
        Aspect(
            "rows and neighbours equally often, k = 5",
            *(_D, "default", ALL, True, S.share_tolerance(NEW * CALLS // 2, 2 / 60)),
            measure=S.pairs_taken(12, 5),
        ),
        Aspect("torch.manual_seed decides", _D, "small", (SAME_SEED,)),
        Aspect("another seed, other rows", _D, "small", (OTHER_SEED,)),
    ),
    misconceptions=tuple(MISTAKES),
    shortcuts=("imblearn",),
)
