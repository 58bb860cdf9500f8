"""How students get `retrieve` wrong."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from course.checks.collect import Mistakes

RETRIEVE = Mistakes()


def _similarity(query, gallery, metric):
    if metric == "cosine":
        return F.normalize(query, dim=1) @ F.normalize(gallery, dim=1).T
    if metric == "euclidean":
        return -torch.cdist(query, gallery, compute_mode="donot_use_mm_for_euclid_dist")
    raise ValueError(metric)


def _rank(similarity, k, **options):
    """Indices in order of falling similarity, equal ones by index: the part of the work that is right."""
    return similarity.argsort(dim=1, **({"descending": True, "stable": True} | options))[:, :k]


@RETRIEVE.add("the least similar come first. Sort in falling order of similarity.")
def least_similar(query, gallery, k, metric="cosine"):
    return _rank(_similarity(query, gallery, metric), k, descending=False)


@RETRIEVE.add("the farthest rows come first: a small distance means similar. Sort distances in rising order.")
def farthest(query, gallery, k, metric="cosine"):
    sign = -1 if metric == "euclidean" else 1
    return _rank(sign * _similarity(query, gallery, metric), k)


@RETRIEVE.add("the vectors are not divided by their lengths: this is the dot product. Long vectors win then.")
def dot_product(query, gallery, k, metric="cosine"):
    similarity = query @ gallery.T if metric == "cosine" else _similarity(query, gallery, metric)
    return _rank(similarity, k)


@RETRIEVE.add(
    "only the query is divided by its length, which changes no order. The rows of the gallery need it."
)
def only_query_normalized(query, gallery, k, metric="cosine"):
    query = F.normalize(query, dim=1)
    return _rank(query @ gallery.T if metric == "cosine" else _similarity(query, gallery, metric), k)


@RETRIEVE.add("each column is normalized (dim=0). A vector is a row: dim=1.")
def columns_normalized(query, gallery, k, metric="cosine"):
    if metric == "cosine":
        return _rank(F.normalize(query, dim=0) @ F.normalize(gallery, dim=0).T, k)
    return _rank(_similarity(query, gallery, metric), k)


@RETRIEVE.add("metric is not used: you always compare directions.")
def always_cosine(query, gallery, k, metric="cosine"):
    return _rank(_similarity(query, gallery, "cosine"), k)


@RETRIEVE.add("metric is not used: you always compare distances.")
def always_euclidean(query, gallery, k, metric="cosine"):
    return _rank(_similarity(query, gallery, "euclidean"), k)


@RETRIEVE.add(
    "your distance is the sum of absolute differences. Euclidean is the root of the sum of squares."
)
def manhattan(query, gallery, k, metric="cosine"):
    if metric == "euclidean":
        return _rank(-torch.cdist(query, gallery, p=1), k)
    return _rank(_similarity(query, gallery, metric), k)


@RETRIEVE.add("the cosine of centred vectors is a correlation. Do not subtract the mean.")
def correlation(query, gallery, k, metric="cosine"):
    if metric == "cosine":
        query, gallery = query - query.mean(1, keepdim=True), gallery - gallery.mean(1, keepdim=True)
    return _rank(_similarity(query, gallery, metric), k)


@RETRIEVE.add("these are similarities or distances. Return the indices of the rows.")
def values(query, gallery, k, metric="cosine"):
    return _similarity(query, gallery, metric).sort(dim=1, descending=True, stable=True).values[:, :k]


@RETRIEVE.add("for each row of the gallery you look for queries. Each query gets k rows of the gallery.")
def transposed(query, gallery, k, metric="cosine"):
    return _rank(_similarity(query, gallery, metric).T, k)


@RETRIEVE.add("the best match is left out, as if it were the query itself. The gallery is taken as it is.")
def first_skipped(query, gallery, k, metric="cosine"):
    similarity = _similarity(query, gallery, metric)
    order = _rank(similarity, len(gallery))
    return torch.cat([order[:, 1 : k + 1], order[:, :1]], dim=1)[:, :k]


@RETRIEVE.add(
    "torch.topk promises no order among equals. Use a stable sort, so that the smaller index comes first."
)
def topk(query, gallery, k, metric="cosine"):
    return _similarity(query, gallery, metric).topk(k, dim=1).indices


@RETRIEVE.add("among equals the larger index comes first: flipping a sorted order also flips ties.")
def flipped(query, gallery, k, metric="cosine"):
    return _similarity(query, gallery, metric).argsort(dim=1, stable=True).flip(1)[:, :k]


@RETRIEVE.add("a zero vector gives 0 / 0 = nan, which sorts before everything. Its similarity is 0.")
def zero_vector_nan(query, gallery, k, metric="cosine"):
    return _over_lengths(query, gallery, k, metric, eps=0.0)


def _over_lengths(query, gallery, k, metric, eps):
    if metric != "cosine":
        return _rank(_similarity(query, gallery, metric), k)
    lengths = query.norm(dim=1, keepdim=True) * gallery.norm(dim=1)
    return _rank(query @ gallery.T / (lengths + eps), k)


@RETRIEVE.add(
    "an eps that is added to |q| |g| breaks ties: a long row comes nearer to 1 than a short one. "
    "Use clamp(min=eps), or F.normalize."
)
def eps_added(query, gallery, k, metric="cosine"):
    return _over_lengths(query, gallery, k, metric, eps=1e-8)


@RETRIEVE.add(
    "x / (|x| + eps) gives long rows a larger length than short ones, which breaks ties. "
    "Use clamp(min=eps), or F.normalize."
)
def eps_added_to_each(query, gallery, k, metric="cosine"):
    if metric != "cosine":
        return _rank(_similarity(query, gallery, metric), k)
    query, gallery = (x / (x.norm(dim=1, keepdim=True) + 1e-8) for x in (query, gallery))
    return _rank(query @ gallery.T, k)


@RETRIEVE.add(
    "distances from |q|^2 - 2 q.g + |g|^2: two large numbers cancel and the digits of near neighbours are "
    "gone. Subtract first."
)
def distance_from_squares(query, gallery, k, metric="cosine"):
    if metric == "euclidean":
        squares = query.square().sum(1, keepdim=True) - 2 * query @ gallery.T + gallery.square().sum(1)
        return _rank(-squares, k)
    return _rank(_similarity(query, gallery, metric), k)


@RETRIEVE.add(
    "torch.cdist multiplies matrices when there are many rows, and loses the digits of near neighbours. "
    'Give it compute_mode="donot_use_mm_for_euclid_dist".'
)
def cdist_as_it_is(query, gallery, k, metric="cosine"):
    if metric == "euclidean":
        return _rank(-torch.cdist(query, gallery), k)
    return _rank(_similarity(query, gallery, metric), k)


@RETRIEVE.add(
    "any other metric is taken for euclidean, a misspelt one too. Raise a ValueError for an unknown metric."
)
def any_metric(query, gallery, k, metric="cosine"):
    return _rank(_similarity(query, gallery, "cosine" if metric == "cosine" else "euclidean"), k)


@RETRIEVE.add("an unknown metric ends in a KeyError. Ask first whether it is known, and raise a ValueError.")
def key_error(query, gallery, k, metric="cosine"):
    known = {name: name for name in ("cosine", "euclidean")}
    return _rank(_similarity(query, gallery, known[metric]), k)


@RETRIEVE.add("assert raises an AssertionError, and python -O leaves it out. Raise a ValueError.")
def asserted(query, gallery, k, metric="cosine"):
    assert metric in ("cosine", "euclidean")
    return _rank(_similarity(query, gallery, metric), k)


@RETRIEVE.add("all rows are returned in order. Keep the first k.")
def all_rows(query, gallery, k, metric="cosine"):
    return _rank(_similarity(query, gallery, metric), len(gallery))


@RETRIEVE.add(
    "an unknown metric passes every `if`, and no ValueError is raised. Write `else: raise ValueError(...)`."
)
def no_else(query, gallery, k, metric="cosine"):
    if metric in ("cosine", "euclidean"):
        similarity = _similarity(query, gallery, metric)
    return _rank(similarity, k)
