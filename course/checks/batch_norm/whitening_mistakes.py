"""How students get `pca_whiten` wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

PCA_WHITEN = Mistakes()


def _directions(train, correction=1):
    """Variances and directions of train in order of falling variance: the part of the work that is right."""
    values, vectors = torch.linalg.eigh(torch.cov(train.T, correction=correction))
    return values.flip(0).clamp(min=0), vectors.flip(1)


@PCA_WHITEN.add(
    "you take mean and covariance of x. They come from train; otherwise the test data would normalize itself."
)
def statistics_of_x(train, x, eps=1e-5):
    values, vectors = _directions(x)
    return (x - x.mean(0)) @ vectors / torch.sqrt(values + eps)


@PCA_WHITEN.add("you subtract the mean of x. Subtract the mean of train, also when x is the test data.")
def mean_of_x(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (x - x.mean(0)) @ vectors / torch.sqrt(values + eps)


@PCA_WHITEN.add("you return the whitened training data. Apply the rotation and the scaling to x.")
def whitens_train(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (train - train.mean(0)) @ vectors / torch.sqrt(values + eps)


@PCA_WHITEN.add("you take the statistics of train and x together. They come from train alone.")
def statistics_of_both(train, x, eps=1e-5):
    both = torch.cat([train, x])
    values, vectors = _directions(both)
    return (x - both.mean(0)) @ vectors / torch.sqrt(values + eps)


@PCA_WHITEN.add("the mean is not subtracted from x before the rotation.")
def x_not_centred(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return x @ vectors / torch.sqrt(values + eps)


@PCA_WHITEN.add("your covariance is train.T @ train without the mean subtracted first.")
def covariance_not_centred(train, x, eps=1e-5):
    values, vectors = torch.linalg.eigh(train.T @ train / (len(train) - 1))
    return ((x - train.mean(0)) @ vectors / torch.sqrt(values + eps)).flip(1)


@PCA_WHITEN.add("your covariance divides by n. The covariance of a sample divides by n - 1.")
def biased_covariance(train, x, eps=1e-5):
    values, vectors = _directions(train, correction=0)
    return (x - train.mean(0)) @ vectors / torch.sqrt(values + eps)


@PCA_WHITEN.add("your covariance is a sum: divide it by n - 1.")
def covariance_not_divided(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (x - train.mean(0)) @ vectors / torch.sqrt(values * (len(train) - 1) + eps)


@PCA_WHITEN.add(
    "the components are in order of rising variance, as eigh returns them. Turn the order around."
)
def rising_order(train, x, eps=1e-5):
    values, vectors = torch.linalg.eigh(torch.cov(train.T))
    return (x - train.mean(0)) @ vectors / torch.sqrt(values + eps)


@PCA_WHITEN.add("you reversed the eigenvalues, but not the eigenvectors. They belong together.")
def only_values_reversed(train, x, eps=1e-5):
    values, vectors = torch.linalg.eigh(torch.cov(train.T))
    return (x - train.mean(0)) @ vectors / torch.sqrt(values.flip(0) + eps)


@PCA_WHITEN.add("you reversed the eigenvectors, but not the eigenvalues. They belong together.")
def only_vectors_reversed(train, x, eps=1e-5):
    values, vectors = torch.linalg.eigh(torch.cov(train.T))
    return (x - train.mean(0)) @ vectors.flip(1) / torch.sqrt(values + eps)


@PCA_WHITEN.add("you reversed the rows of the eigenvector matrix. The eigenvectors are its columns: flip(1).")
def rows_reversed(train, x, eps=1e-5):
    values, vectors = torch.linalg.eigh(torch.cov(train.T))
    return (x - train.mean(0)) @ vectors.flip(0) / torch.sqrt(values.flip(0) + eps)


@PCA_WHITEN.add(
    "you multiply by the transposed eigenvector matrix. The eigenvectors are its columns: (x - mean) @ V."
)
def rows_as_eigenvectors(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (x - train.mean(0)) @ vectors.T / torch.sqrt(values + eps)


@PCA_WHITEN.add("you rotate, but do not scale: that is PCA. Divide each component by sqrt(lambda + eps).")
def rotated_only(train, x, eps=1e-5):
    _, vectors = _directions(train)
    return (x - train.mean(0)) @ vectors


@PCA_WHITEN.add("you give each feature variance 1, but do not rotate. The features stay correlated.")
def standardized_only(train, x, eps=1e-5):
    return (x - train.mean(0)) / torch.sqrt(train.var(0) + eps)


@PCA_WHITEN.add("you rotate back at the end (ZCA whitening). Here the components themselves are asked for.")
def rotated_back(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (x - train.mean(0)) @ vectors / torch.sqrt(values + eps) @ vectors.T


@PCA_WHITEN.add(
    "you give each feature variance 1 before the rotation. Take the covariance of the centred data itself."
)
def standardized_first(train, x, eps=1e-5):
    mean, std = train.mean(0), train.std(0)
    values, vectors = _directions((train - mean) / std)
    return (x - mean) / std @ vectors / torch.sqrt(values + eps)


@PCA_WHITEN.add("you divide by the variances. Divide by the standard deviations sqrt(lambda + eps).")
def no_root(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (x - train.mean(0)) @ vectors / (values + eps)


@PCA_WHITEN.add("you multiply by sqrt(lambda + eps). Divide by it, so that each component gets variance 1.")
def multiplied(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (x - train.mean(0)) @ vectors * torch.sqrt(values + eps)


@PCA_WHITEN.add("eps is missing. Without it a direction of variance 0 is divided by 0.")
def no_eps(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (x - train.mean(0)) @ vectors / torch.sqrt(values)


@PCA_WHITEN.add("eps is added after the root. It belongs to the variance: sqrt(lambda + eps).")
def eps_outside_root(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (x - train.mean(0)) @ vectors / (torch.sqrt(values) + eps)


@PCA_WHITEN.add("eps is 1e-5 whatever the argument says. Use the argument.")
def eps_fixed(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (x - train.mean(0)) @ vectors / torch.sqrt(values + 1e-5)


@PCA_WHITEN.add("eps replaces small variances (clamp). It is added to every variance: sqrt(lambda + eps).")
def eps_as_lower_bound(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (x - train.mean(0)) @ vectors / torch.sqrt(values.clamp(min=eps))


@PCA_WHITEN.add(
    "you take the singular values for variances. With S from svd, the variances are S^2 / (n - 1)."
)
def singular_values_as_variances(train, x, eps=1e-5):
    mean = train.mean(0)
    _, singular_values, vt = torch.linalg.svd(train - mean, full_matrices=False)
    return (x - mean) @ vt.T / torch.sqrt(singular_values / (len(train) - 1) + eps)


@PCA_WHITEN.add("your covariance has the shape (N, N): torch.cov wants the features in rows. Use train.T.")
def covariance_of_examples(train, x, eps=1e-5):
    values, vectors = torch.linalg.eigh(torch.cov(train))
    return (x - train.mean(0)) @ vectors.flip(1) / torch.sqrt(values.flip(0) + eps)


@PCA_WHITEN.add(
    "you average each example over its features. The mean has one number per feature: train.mean(dim=0)."
)
def mean_of_each_example(train, x, eps=1e-5):
    values, vectors = _directions(train)
    return (x - x.mean(1, keepdim=True)) @ vectors / torch.sqrt(values + eps)


@PCA_WHITEN.add(
    "your covariance is mean(x xT) - mean meanT. With a large mean two large numbers cancel and the digits "
    "are gone: subtract the mean first."
)
def moments_not_centred(train, x, eps=1e-5):
    mean, n = train.mean(0), len(train)
    covariance = (train.T @ train / n - torch.outer(mean, mean)) * n / (n - 1)
    values, vectors = torch.linalg.eigh(covariance)
    return ((x - mean) @ vectors / torch.sqrt(values.clamp(min=0) + eps)).flip(1)


@PCA_WHITEN.add(
    "you subtract the mean in place (`x -= mean`). "
    "The caller still needs x and train: write into new tensors."
)
def changes_its_input(train, x, eps=1e-5):
    mean = train.mean(0)
    train -= mean
    x -= mean
    values, vectors = _directions(train)
    return x @ vectors / torch.sqrt(values + eps)


@PCA_WHITEN.add("you drop components of variance 0. y has as many columns as x; eps takes care of the zeros.")
def components_dropped(train, x, eps=1e-5):
    values, vectors = _directions(train)
    kept = values > 1e-10
    return (x - train.mean(0)) @ vectors[:, kept] / torch.sqrt(values[kept] + eps)


@PCA_WHITEN.add("you divide by the std of the rotated x. The scale comes from train: sqrt(lambda + eps).")
def scaled_by_x(train, x, eps=1e-5):
    _, vectors = _directions(train)
    rotated = (x - train.mean(0)) @ vectors
    return rotated / torch.sqrt(rotated.var(0, correction=0) + eps)


@PCA_WHITEN.add("you whiten with the correlations (corrcoef). Use the covariance of the centred data.")
def correlation_for_covariance(train, x, eps=1e-5):
    values, vectors = torch.linalg.eigh(torch.corrcoef(train.T))
    return (x - train.mean(0)) @ vectors.flip(1) / torch.sqrt(values.flip(0) + eps)
