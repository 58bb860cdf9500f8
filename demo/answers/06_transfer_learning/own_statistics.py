"""Each split is centred with its own mean, and the first components count as all of the variance."""

import torch


def pca_project(train, x, k):
    centred = train - train.mean(dim=0)
    _, s, v = torch.linalg.svd(centred, full_matrices=False)
    ratio = s[:k] ** 2 / (s[:k] ** 2).sum()
    return (x - x.mean(dim=0)) @ v[:k].T, ratio
