"""How students get `pca_project`, `linear_probe` and `retrieve` wrong."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from course.checks.collect import Mistakes

PCA = Mistakes()
PROBE = Mistakes()
RETRIEVE = Mistakes()


# --- pca_project --------------------------------------------------------------------------------------------


def _directions(centered):
    """Variances and directions in order of falling variance: the part of the work that is right."""
    _, singular_values, vt = torch.linalg.svd(centered, full_matrices=False)
    return singular_values.square(), vt.T


@PCA.add("mean and directions come from x. They come from train; x may be a single row.")
def statistics_of_x(train, x, k):
    variances, directions = _directions(x - x.mean(0))
    return (x - x.mean(0)) @ directions[:, :k], variances[:k] / variances.sum()


@PCA.add("you subtract the mean of x. Subtract the mean of train, so that equal rows stay equal.")
def mean_of_x(train, x, k):
    variances, directions = _directions(train - train.mean(0))
    return (x - x.mean(0)) @ directions[:, :k], variances[:k] / variances.sum()


@PCA.add("the mean is not subtracted from x before the projection.")
def x_not_centred(train, x, k):
    variances, directions = _directions(train - train.mean(0))
    return x @ directions[:, :k], variances[:k] / variances.sum()


@PCA.add("train is not centred before the decomposition: the first direction points to the mean.")
def train_not_centred(train, x, k):
    variances, directions = _directions(train)
    return (x - train.mean(0)) @ directions[:, :k], variances[:k] / variances.sum()


@PCA.add("you project train. Project x.")
def projects_train(train, x, k):
    centered = train - train.mean(0)
    variances, directions = _directions(centered)
    return centered @ directions[:, :k], variances[:k] / variances.sum()


@PCA.add(
    "these are the directions of smallest variance: eigh sorts from small to large. Turn the order around."
)
def smallest_first(train, x, k):
    values, vectors = torch.linalg.eigh(torch.cov(train.T))
    return (x - train.mean(0)) @ vectors[:, :k], values[:k] / values.sum()


@PCA.add("the last k eigenvectors are right, but in rising order. The largest variance comes first.")
def rising_order(train, x, k):
    values, vectors = torch.linalg.eigh(torch.cov(train.T))
    return (x - train.mean(0)) @ vectors[:, -k:], values[-k:] / values.sum()


@PCA.add(
    "you take rows of the matrix of eigenvectors. eigh has the eigenvectors in its columns, svd's Vh in its "
    "rows."
)
def rows_for_columns(train, x, k):
    values, vectors = torch.linalg.eigh(torch.cov(train.T))
    return (x - train.mean(0)) @ vectors.flip(1)[:k].T, values.flip(0)[:k] / values.sum()


@PCA.add("the ratio divides by the k variances that you kept. Divide by the total variance of train.")
def ratio_of_the_kept(train, x, k):
    variances, directions = _directions(train - train.mean(0))
    return (x - train.mean(0)) @ directions[:, :k], variances[:k] / variances[:k].sum()


@PCA.add("these are the variances themselves. Divide by their sum over all directions.")
def variances_not_ratios(train, x, k):
    variances, directions = _directions(train - train.mean(0))
    return (x - train.mean(0)) @ directions[:, :k], variances[:k] / (len(train) - 1)


@PCA.add("the ratio is made of singular values. Variances are their squares.")
def singular_values_for_variances(train, x, k):
    variances, directions = _directions(train - train.mean(0))
    singular_values = variances.sqrt()
    return (x - train.mean(0)) @ directions[:, :k], singular_values[:k] / singular_values.sum()


@PCA.add("the ratios are summed up (cumsum). Return the share of each component.")
def cumulative(train, x, k):
    variances, directions = _directions(train - train.mean(0))
    return (x - train.mean(0)) @ directions[:, :k], variances[:k].cumsum(0) / variances.sum()


@PCA.add("the ratio is that of the projected x. It belongs to train, on which the directions were chosen.")
def ratio_of_x(train, x, k):
    _, directions = _directions(train - train.mean(0))
    projected = (x - train.mean(0)) @ directions[:, :k]
    return projected, projected.var(0, correction=0) / x.var(0, correction=0).sum()


@PCA.add("each feature is divided by its standard deviation first. PCA takes the centred data as it is.")
def standardized(train, x, k):
    mean, std = train.mean(0), train.std(0).clamp_min(1e-12)
    variances, directions = _directions((train - mean) / std)
    return (x - mean) / std @ directions[:, :k], variances[:k] / variances.sum()


@PCA.add(
    "the components are divided by their standard deviations: that is whitening. A projection keeps the "
    "lengths."
)
def whitened(train, x, k):
    variances, directions = _directions(train - train.mean(0))
    scale = (variances[:k] / (len(train) - 1)).sqrt()
    return (x - train.mean(0)) @ directions[:, :k] / scale, variances[:k] / variances.sum()


@PCA.add("all components are returned. Keep the first k columns.")
def all_components(train, x, k):
    variances, directions = _directions(train - train.mean(0))
    return (x - train.mean(0)) @ directions, variances / variances.sum()


@PCA.add("the projection is turned back into the space of x. Return the k coordinates.")
def turned_back(train, x, k):
    mean = train.mean(0)
    variances, directions = _directions(train - mean)
    kept = directions[:, :k]
    return (x - mean) @ kept @ kept.T + mean, variances[:k] / variances.sum()


@PCA.add("x -= mean changes the caller's data. Write into a new tensor.")
def in_place(train, x, k):
    mean = train.mean(0)
    x -= mean
    train -= mean
    variances, directions = _directions(train)
    return x @ directions[:, :k], variances[:k] / variances.sum()


# --- linear_probe -------------------------------------------------------------------------------------------


def _penalty(layer, weight_decay):
    return weight_decay / 2 * layer.weight.square().sum()


def _fit(features, labels, weight_decay, penalty=_penalty, loss=F.cross_entropy, bias=True, iterations=100):
    """Fit a layer by LBFGS: the part of the work that is right."""
    layer = nn.Linear(features.shape[1], int(labels.max()) + 1, bias=bias, dtype=features.dtype)
    nn.init.zeros_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(
        layer.parameters(),
        max_iter=iterations,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        value = loss(layer(features), labels) + penalty(layer, weight_decay)
        value.backward()
        return value

    optimizer.step(closure)
    optimizer.zero_grad()
    return layer


@PROBE.add("no penalty: weight_decay is not used, so the weights grow as long as you train.")
def no_penalty(features, labels, weight_decay=1e-3):
    return _fit(features, labels, weight_decay, lambda layer, decay: 0.0, iterations=60)


@PROBE.add("weight_decay is not used: the penalty is that of the default.")
def penalty_fixed(features, labels, weight_decay=1e-3):
    return _fit(features, labels, 1e-3)


@PROBE.add("the bias is penalized too. Only the weights are: weight_decay / 2 * (weight**2).sum().")
def bias_penalized(features, labels, weight_decay=1e-3):
    return _fit(
        features,
        labels,
        weight_decay,
        lambda layer, decay: decay / 2 * sum(p.square().sum() for p in layer.parameters()),
    )


@PROBE.add(
    "the penalty is twice as large: weight_decay / 2 * (weight**2).sum(), so that its gradient is "
    "weight_decay * w."
)
def penalty_without_half(features, labels, weight_decay=1e-3):
    return _fit(features, labels, 2 * weight_decay)


@PROBE.add("the penalty is the mean of the squared weights. Take their sum.")
def penalty_averaged(features, labels, weight_decay=1e-3):
    return _fit(features, labels, weight_decay, lambda layer, decay: decay / 2 * layer.weight.square().mean())


@PROBE.add("the penalty is the norm of the weights, without the square.")
def penalty_not_squared(features, labels, weight_decay=1e-3):
    return _fit(
        features,
        labels,
        weight_decay,
        lambda layer, decay: decay / 2 * (layer.weight.square().sum() + 1e-12).sqrt(),
    )


@PROBE.add("the penalty is the sum of the absolute weights (L1). weight_decay is about squares.")
def penalty_absolute(features, labels, weight_decay=1e-3):
    def smooth(layer, decay):
        return decay / 2 * (layer.weight.square() + 1e-8).sqrt().sum()

    return _fit(features, labels, weight_decay, smooth)


@PROBE.add("the loss is a sum over the examples, so that the penalty hardly counts. Take the mean.")
def summed_loss(features, labels, weight_decay=1e-3):
    return _fit(features, labels, weight_decay / len(labels))


@PROBE.add("squared errors against one-hot labels. A probe here is a logistic regression: cross-entropy.")
def least_squares(features, labels, weight_decay=1e-3):
    def loss(logits, labels):
        return F.mse_loss(logits, F.one_hot(labels).to(logits.dtype))

    return _fit(features, labels, weight_decay, loss=loss)


@PROBE.add("a softmax stands in front of cross_entropy, which takes logits.")
def softmax_first(features, labels, weight_decay=1e-3):
    return _fit(
        features, labels, weight_decay, loss=lambda logits, labels: F.cross_entropy(logits.softmax(1), labels)
    )


@PROBE.add("each class has a problem of its own (sigmoid). All classes share one softmax: cross_entropy.")
def one_against_the_rest(features, labels, weight_decay=1e-3):
    def loss(logits, labels):
        return F.binary_cross_entropy_with_logits(logits, F.one_hot(labels).to(logits.dtype))

    return _fit(features, labels, weight_decay, loss=loss)


@PROBE.add("not trained to the end: more steps still change the answer. Use LBFGS, or many more steps.")
def stops_early(features, labels, weight_decay=1e-3):
    layer = nn.Linear(features.shape[1], int(labels.max()) + 1, dtype=features.dtype)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        (F.cross_entropy(layer(features), labels) + _penalty(layer, weight_decay)).backward()
        optimizer.step()
    return layer


@PROBE.add("the layer was made and never trained.")
def untrained(features, labels, weight_decay=1e-3):
    return nn.Linear(features.shape[1], int(labels.max()) + 1, dtype=features.dtype)


@PROBE.add("the layer has no bias: the classes would all be separated by planes through 0.")
def no_bias(features, labels, weight_decay=1e-3):
    return _fit(features, labels, weight_decay, bias=False)


@PROBE.add(
    "the probe was fitted to standardized features, but gets raw ones in use. Fit it to the features as they "
    "are."
)
def standardized_features(features, labels, weight_decay=1e-3):
    return _fit((features - features.mean(0)) / features.std(0).clamp_min(1e-9), labels, weight_decay)


@PROBE.add("each row of features was divided by its length. Fit the probe to the features as they are.")
def normalized(features, labels, weight_decay=1e-3):
    return _fit(F.normalize(features, dim=1), labels, weight_decay)


@PROBE.add("the returned layer asks for no gradient. It should be ready to be fine-tuned with the network.")
def frozen(features, labels, weight_decay=1e-3):
    return _fit(features, labels, weight_decay).requires_grad_(False)


@PROBE.add("a Sequential comes back. Return the nn.Linear itself.")
def in_a_sequential(features, labels, weight_decay=1e-3):
    return nn.Sequential(_fit(features, labels, weight_decay))


@PROBE.add("the layer has one output for each example. It needs one for each class.")
def outputs_per_example(features, labels, weight_decay=1e-3):
    layer = nn.Linear(features.shape[1], len(labels), dtype=features.dtype)
    nn.init.zeros_(layer.weight)
    return layer


# --- retrieve -----------------------------------------------------------------------------------------------


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
    if metric == "euclidean":
        return _rank(_similarity(F.normalize(query, dim=1), gallery, metric), k)
    return _rank(F.normalize(query, dim=1) @ gallery.T, k)


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
    if metric == "euclidean":
        return _rank(_similarity(query, gallery, metric), k)
    lengths = query.norm(dim=1, keepdim=True) * gallery.norm(dim=1)
    return _rank(query @ gallery.T / lengths, k)


@RETRIEVE.add(
    "distances from |q|^2 - 2 q.g + |g|^2: two large numbers cancel and the digits of near neighbours are "
    "gone. Subtract first."
)
def distance_from_squares(query, gallery, k, metric="cosine"):
    if metric == "euclidean":
        squares = query.square().sum(1, keepdim=True) - 2 * query @ gallery.T + gallery.square().sum(1)
        return _rank(-squares, k)
    return _rank(_similarity(query, gallery, metric), k)


@RETRIEVE.add("all rows are returned in order. Keep the first k.")
def all_rows(query, gallery, k, metric="cosine"):
    return _rank(_similarity(query, gallery, metric), len(gallery))
