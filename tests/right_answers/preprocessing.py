"""Right answers to channel_statistics and pca_whiten."""

import torch


def statistics_with_var_mean(images):
    variance, mean = torch.var_mean(images, dim=(0, 2, 3), correction=0)
    return images.mean(0), mean, variance.sqrt()


def statistics_by_flattening_channels(images):
    n, c = images.shape[:2]
    channels = images.permute(1, 0, 2, 3).reshape(c, -1)
    mean = channels.mean(1)
    std = ((channels - mean[:, None]) ** 2).mean(1) ** 0.5
    return images.sum(0) / n, mean, std


def statistics_with_loops(images):
    n, c, h, w = images.shape
    mean_image = torch.zeros(c, h, w, dtype=images.dtype)
    for image in images:
        mean_image += image / n
    means, stds = [], []
    for channel in range(c):
        values = images[:, channel]
        means.append(values.mean())
        stds.append(values.std(unbiased=False))
    return mean_image, torch.stack(means), torch.stack(stds)


def statistics_with_einsum(images):
    n, c, h, w = images.shape
    channel_mean = torch.einsum("nchw->c", images) / (n * h * w)
    centered = images - channel_mean.reshape(c, 1, 1)
    channel_var = torch.einsum("nchw,nchw->c", centered, centered) / (n * h * w)
    return torch.einsum("nchw->chw", images) / n, channel_mean, torch.sqrt(channel_var)


def statistics_as_a_list(images):
    mean_image = images.mean(dim=0)
    # The mean of the mean image's channels is the channels' mean: every image has equally many pixels.
    channel_mean = mean_image.mean(dim=(1, 2))
    return [mean_image, channel_mean, torch.std(images, dim=(0, 2, 3), correction=0)]


def whiten_with_eigh(train, x, eps=1e-5):
    mean = train.mean(dim=0)
    centered = train - mean
    covariance = centered.T @ centered / (len(train) - 1)
    values, vectors = torch.linalg.eigh(covariance)
    order = values.argsort(descending=True)
    values, vectors = values[order], vectors[:, order]
    return (x - mean) @ vectors / torch.sqrt(values + eps)


def whiten_with_svd(train, x, eps=1e-5):
    mean = train.mean(0, keepdim=True)
    _, singular_values, vt = torch.linalg.svd(train - mean, full_matrices=False)
    variances = singular_values**2 / (train.size(0) - 1)
    return ((x - mean) @ vt.T) * (variances + eps).rsqrt()


def whiten_with_cov(train, x, eps=1e-5):
    covariance = torch.cov(train.T)
    values, vectors = torch.linalg.eigh(covariance)
    scale = torch.diag(1 / torch.sqrt(values + eps))
    return torch.fliplr((x - train.mean(0)) @ vectors @ scale)


def whiten_with_svd_of_the_covariance(train, x, eps=1e-5):
    mean = train.sum(0) / train.shape[0]
    centered = train - mean
    u, s, _ = torch.linalg.svd(torch.einsum("ni,nj->ij", centered, centered) / (train.shape[0] - 1))
    return torch.einsum("md,dk->mk", x - mean, u) / (s + eps) ** 0.5


def whiten_with_other_signs(train, x, eps=1e-5):
    """Signs are free: here the largest entry of every direction is positive."""
    mean = train.mean(0)
    values, vectors = torch.linalg.eigh((train - mean).T.cov())
    values, vectors = values.flip(0), vectors.flip(1)
    largest = vectors.abs().argmax(0)
    vectors = vectors * vectors[largest, torch.arange(len(largest))].sign()
    return (x - mean) @ vectors / (values + eps).sqrt()


RIGHT = {
    "channel_statistics": {
        "var_mean": statistics_with_var_mean,
        "flattened channels": statistics_by_flattening_channels,
        "loops": statistics_with_loops,
        "einsum": statistics_with_einsum,
        "list, mean of the mean image": statistics_as_a_list,
    },
    "pca_whiten": {
        "eigh and argsort": whiten_with_eigh,
        "svd of the data": whiten_with_svd,
        "torch.cov and fliplr": whiten_with_cov,
        "svd of the covariance": whiten_with_svd_of_the_covariance,
        "other signs": whiten_with_other_signs,
    },
}
