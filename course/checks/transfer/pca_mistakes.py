"""How students get `pca_project` wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

PCA = Mistakes()


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


@PCA.add("you take columns of svd's Vh. Its rows are the directions: Vh[:k].T.")
def columns_of_vh(train, x, k):
    variances, directions = _directions(train - train.mean(0))
    return (x - train.mean(0)) @ directions.T[:, :k], variances[:k] / variances.sum()


@PCA.add(
    "nothing is centred: neither train before the decomposition nor x. Subtract the mean of train from both."
)
def nothing_centred(train, x, k):
    variances, directions = _directions(train)
    return x @ directions[:, :k], variances[:k] / variances.sum()


@PCA.add("mean and directions come from train and x together: a leak. They come from train alone.")
def statistics_of_both(train, x, k):
    both = torch.cat([train, x])
    variances, directions = _directions(both - both.mean(0))
    return (x - both.mean(0)) @ directions[:, :k], variances[:k] / variances.sum()


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
