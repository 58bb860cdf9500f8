"""What the features of a trained network are good for when the network itself is not trained any more.

A projection to look at them (PCA), a linear classifier that says what they know (a *probe*: Alain & Bengio,
2016, "Understanding intermediate layers using linear classifier probes"), and a search for similar pictures.
Features come as a matrix with one example per row: flatten those of a convolution first.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["linear_probe", "pca_project", "retrieve"]


def pca_project(train: Tensor, x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Project x to the k directions in which train varies most.

    train: (N, D), x: (M, D). Returns (projected, explained_variance_ratio) of shapes (M, k) and (k,): with m
    the mean of train and V_k the first k eigenvectors of its covariance, in order of falling variance λ,

        projected = (x − m) V_k,   explained_variance_ratio = λ_k / Σ λ

    The sum goes over all D directions. The sign of a column is free, for if v is an eigenvector, so is −v. N
    may be smaller than D, as it is for features and few labels: then at most N − 1 directions vary.

    Raises ValueError when train and x are not (N, D) and (M, D), N < 2, or k is not in 1 … min(N, D).
    """
    if train.dim() != 2 or x.dim() != 2 or train.shape[1] != x.shape[1]:
        raise ValueError(f"expected shapes (N, D) and (M, D), got {tuple(train.shape)} and {tuple(x.shape)}")
    if train.shape[0] < 2 or not 1 <= k <= min(train.shape):
        raise ValueError(f"{k} components cannot be had from {tuple(train.shape)} numbers")
    mean = train.mean(dim=0)
    # The right singular vectors of the centred data are the eigenvectors of its covariance, in falling order,
    # and no D × D matrix has to be made for them.
    _, singular_values, directions = torch.linalg.svd(train - mean, full_matrices=False)
    variances = singular_values.square()
    return (x - mean) @ directions[:k].T, variances[:k] / variances.sum()


def linear_probe(features: Tensor, labels: Tensor, weight_decay: float = 1e-3) -> nn.Linear:
    """Fit a linear classifier to fixed features and return it: multinomial logistic regression.

    features: (N, D), labels: int64 (N,) with every class 0 … C − 1 present. Returns a new ``nn.Linear(D, C)``
    of the features' device and dtype, trained until it changes no more:

        minimize  mean cross-entropy + weight_decay / 2 · Σ weight²

    The penalty makes the answer unique where few examples can be separated in many ways, and is what
    ``weight_decay`` of torch's SGD means; the bias is not penalized. The problem is convex, so the start does
    not matter. The layer can stand on the network whose features it was fitted to, and be fine-tuned with it
    (Kumar et al., 2022, "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution").

    Raises ValueError when the shapes do not fit or a class has no example (its bias would run to −∞).
    """
    if features.dim() != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f"expected (N, D) features and (N,) labels, got {tuple(features.shape)} and {tuple(labels.shape)}"
        )
    counts = torch.bincount(labels)
    if (counts == 0).any():
        raise ValueError(f"class {int(counts.argmin())} has no example")
    probe = nn.Linear(features.shape[1], len(counts), device=features.device, dtype=features.dtype)
    nn.init.zeros_(probe.weight)
    nn.init.zeros_(probe.bias)
    features = features.detach()
    # The curvature is worked out from the last steps, so tens of iterations do what takes SGD thousands.
    optimizer = torch.optim.LBFGS(
        probe.parameters(),
        max_iter=500,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(probe(features), labels) + weight_decay / 2 * probe.weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    optimizer.zero_grad()
    return probe


def retrieve(query: Tensor, gallery: Tensor, k: int, metric: str = "cosine") -> Tensor:
    """Find the k rows of the gallery that are most similar to each query.

    query: (Q, D), gallery: (G, D). Returns int64 indices into the gallery, (Q, k), the most similar first. Of
    equally similar rows the one with the smaller index comes first, so that the answer does not depend on how
    a sorting routine works.

    metric "cosine" compares directions: q·g / (|q| |g|), and a zero vector has similarity 0 to everything.
    "euclidean" compares positions: small |q − g| is similar.

    Raises ValueError for another metric, and when k is not in 1 … G.
    """
    if not 1 <= k <= len(gallery):
        raise ValueError(f"k must be between 1 and the {len(gallery)} rows of the gallery, got {k}")
    if metric == "cosine":
        similarity = F.normalize(query, dim=1) @ F.normalize(gallery, dim=1).T
    elif metric == "euclidean":
        # From the differences themselves: |q|² − 2 q·g + |g|² would lose the digits of near neighbours.
        similarity = -torch.cdist(query, gallery, compute_mode="donot_use_mm_for_euclid_dist")
    else:
        raise ValueError(f"metric must be 'cosine' or 'euclidean', got {metric!r}")
    return similarity.argsort(dim=1, descending=True, stable=True)[:, :k]
