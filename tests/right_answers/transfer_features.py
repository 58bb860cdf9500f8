"""Right answers to pca_project, linear_probe and retrieve."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# --- pca_project --------------------------------------------------------------------------------------------


def project_by_svd(train, x, k):
    mean = train.mean(dim=0, keepdim=True)
    _, s, vh = torch.linalg.svd(train - mean)
    return (x - mean) @ vh[:k].mH, (s**2 / (s**2).sum())[:k]


def project_by_eigh(train, x, k):
    mu = train.sum(0) / len(train)
    covariance = torch.cov(train.T)
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0), vectors.flip(1)
    return torch.einsum("nd,dk->nk", x - mu, vectors[:, :k]), values[:k] / torch.trace(covariance)


def project_in_numpy(train, x, k):
    data, rows = train.detach().numpy(), x.detach().numpy()
    mean = data.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(data, rowvar=False))
    order = np.argsort(values)[::-1]
    scores = (rows - mean) @ vectors[:, order[:k]]
    ratio = values[order[:k]] / values.sum()
    return torch.from_numpy(scores).to(x.dtype), torch.from_numpy(ratio).to(x.dtype)


# --- linear_probe -------------------------------------------------------------------------------------------


def probe_by_lbfgs(features, labels, weight_decay=1e-3):
    layer = nn.Linear(features.shape[1], int(labels.max()) + 1).to(features.dtype)
    optimizer = torch.optim.LBFGS(layer.parameters(), lr=1, max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(layer(features), labels) + 0.5 * weight_decay * (layer.weight**2).sum()
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)
    return layer


def probe_by_newton(features, labels, weight_decay=1e-3):
    """Newton's method on all parameters at once, in float64."""
    n, d = features.shape
    classes = len(labels.unique())
    x = torch.cat([features.double(), torch.ones(n, 1, dtype=torch.float64)], 1)
    y = F.one_hot(labels, classes).double()
    penalty = torch.full((classes, d + 1), weight_decay, dtype=torch.float64)
    penalty[:, -1] = 0
    w = torch.zeros(classes, d + 1, dtype=torch.float64)

    def loss(w):
        return F.cross_entropy(x @ w.T, labels) + (penalty * w**2).sum() / 2

    for _ in range(50):
        p = (x @ w.T).softmax(1)
        gradient = (p - y).T @ x / n + penalty * w
        curvature = torch.diag_embed(p) - p[:, :, None] * p[:, None]
        hessian = torch.einsum("nab,ni,nj->aibj", curvature, x, x).reshape(w.numel(), -1) / n
        # The biases may all grow by the same number: a little on the diagonal makes the answer unique.
        hessian += torch.diag(penalty.flatten() + 1e-9)
        step = torch.linalg.solve(hessian, gradient.flatten()).view_as(w)
        size = 1.0
        while loss(w - size * step) > loss(w) and size > 1e-6:
            size /= 2
        w = w - size * step
        if gradient.abs().max() < 1e-9:
            break
    layer = nn.Linear(d, classes, dtype=features.dtype)
    with torch.no_grad():
        layer.weight.copy_(w[:, :-1])
        layer.bias.copy_(w[:, -1])
    return layer


def probe_by_gradient_descent(features, labels, weight_decay=1e-3):
    """Plain descent by hand, on centred features; the mean goes into the bias afterwards."""
    mean = features.mean(0)
    x = features - mean
    classes = int(labels.max()) + 1
    y = F.one_hot(labels, classes).to(x.dtype)
    w, b = x.new_zeros(classes, x.shape[1]), x.new_zeros(classes)
    lipschitz = torch.linalg.matrix_norm(x, 2) ** 2 / (2 * len(x)) + 0.5 + weight_decay
    previous_w, previous_b = w, b
    for i in range(3000):
        # Nesterov's look-ahead: thousands of plain steps become hundreds.
        m = i / (i + 3)
        at_w, at_b = w + m * (w - previous_w), b + m * (b - previous_b)
        error = (torch.softmax(x @ at_w.T + at_b, 1) - y) / len(x)
        step_w, step_b = error.T @ x + weight_decay * at_w, error.sum(0)
        previous_w, previous_b = w, b
        w, b = at_w - step_w / lipschitz, at_b - step_b / lipschitz
        if max(step_w.abs().max(), step_b.abs().max()) < 1e-8:
            break
    layer = nn.Linear(x.shape[1], classes, device=x.device, dtype=x.dtype)
    layer.load_state_dict({"weight": w, "bias": b - w @ mean})
    return layer


# --- retrieve -----------------------------------------------------------------------------------------------


def retrieve_by_argsort(query, gallery, k, metric="cosine"):
    if metric == "cosine":
        score = F.cosine_similarity(query[:, None], gallery[None], dim=-1)
    elif metric == "euclidean":
        score = -(query[:, None] - gallery[None]).pow(2).sum(-1)
    else:
        raise ValueError(f"no metric {metric!r}")
    return torch.argsort(score, dim=-1, descending=True, stable=True)[:, :k]


def retrieve_by_sort(query, gallery, k, metric="cosine"):
    if metric not in ("cosine", "euclidean"):
        raise ValueError(metric)
    if metric == "cosine":
        # Unit vectors: the nearest has the largest cosine.
        query = query / query.norm(dim=1, keepdim=True).clamp_min(1e-12)
        gallery = gallery / gallery.norm(dim=1, keepdim=True).clamp_min(1e-12)
        distances = -(query @ gallery.T)
    else:
        distances = torch.cdist(query, gallery, compute_mode="donot_use_mm_for_euclid_dist")
    return torch.sort(distances, dim=1, stable=True)[1].narrow(1, 0, k)


def retrieve_one_by_one(query, gallery, k, metric="cosine"):
    rows = []
    for q in query:
        scores = []
        for i, g in enumerate(gallery):
            if metric == "cosine":
                lengths = (q.norm() * g.norm()).item()
                scores.append((-(q @ g).item() / lengths if lengths else 0.0, i))
            elif metric == "euclidean":
                scores.append(((q - g).norm().item(), i))
            else:
                raise ValueError(metric)
        rows.append([i for _, i in sorted(scores)[:k]])
    return torch.tensor(rows)


RIGHT = {
    "pca_project": {
        "svd": project_by_svd,
        "eigh of torch.cov": project_by_eigh,
        "numpy": project_in_numpy,
    },
    "linear_probe": {
        "LBFGS": probe_by_lbfgs,
        "Newton": probe_by_newton,
        "Nesterov by hand": probe_by_gradient_descent,
    },
    "retrieve": {
        "cosine_similarity, argsort": retrieve_by_argsort,
        "cdist, sort": retrieve_by_sort,
        "two loops": retrieve_one_by_one,
    },
}
