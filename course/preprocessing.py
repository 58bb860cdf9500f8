"""Statistics of a data set, and the two oldest ways to normalize it: standardize and whiten.

A network learns fastest when its inputs have mean 0, similar scales and no correlation (LeCun, Bottou, Orr
and Müller, 1998, "Efficient BackProp", section 4.3). Batch normalization, in `course.normalization`, carries
the first two of these wishes on into the hidden layers.

Every statistic here comes from the training split alone: the test split must stay unseen.
"""

import torch
from torch import Tensor

__all__ = ["channel_statistics", "pca_whiten"]


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean image and each channel's mean and standard deviation.

    images: (N, C, H, W), floating point. Returns (mean_image, channel_mean, channel_std) of shapes (C, H, W),
    (C,) and (C,), in the images' units. The mean image averages over the N images only; the channel
    statistics average over N, H and W, and the standard deviation divides by n = N·H·W, not by n − 1.

    Raises ValueError when images is not 4-dimensional or holds no image.
    """
    if images.dim() != 4 or images.shape[0] == 0:
        raise ValueError(
            f"expected at least one image in a tensor (N, C, H, W), got shape {tuple(images.shape)}"
        )
    mean_image = images.mean(dim=0)
    channel_mean = images.mean(dim=(0, 2, 3))
    centered = images - channel_mean.view(1, -1, 1, 1)
    channel_std = centered.square().mean(dim=(0, 2, 3)).sqrt()
    return mean_image, channel_mean, channel_std


def pca_whiten(train: Tensor, x: Tensor, eps: float = 1e-5) -> Tensor:
    """Rotate x to the principal components of train and give each of them variance 1.

    train: (N, D), x: (M, D). Returns (M, D): with m the mean of train and V Λ Vᵀ its covariance (divided by n
    − 1),

        (x − m) V (Λ + eps)^(−1/2)

    Column 0 is the component of largest variance. The sign of a column is free, for if v is an eigenvector,
    so is −v. eps keeps directions without variance (a pixel that is always black) from being blown up to
    infinity.

    Raises ValueError when train and x are not (N, D) and (M, D), or when N < 2: one row has no covariance.
    """
    if train.dim() != 2 or x.dim() != 2 or train.shape[1] != x.shape[1]:
        raise ValueError(f"expected shapes (N, D) and (M, D), got {tuple(train.shape)} and {tuple(x.shape)}")
    if train.shape[0] < 2:
        raise ValueError("a covariance needs at least 2 training rows, got 1 or none")
    mean = train.mean(dim=0)
    centered = train - mean
    covariance = centered.T @ centered / (train.shape[0] - 1)
    variances, directions = torch.linalg.eigh(covariance)  # in order of rising variance
    variances = variances.flip(0).clamp_min(0)  # rounding makes a zero variance slightly negative
    directions = directions.flip(1)
    return (x - mean) @ directions / torch.sqrt(variances + eps)
