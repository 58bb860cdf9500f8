"""Put the inputs on one scale: the first thing that a network's training asks for.

Features in different units make a long, narrow valley of the loss: a learning rate that is safe across the
valley is far too small along it. One shift and one factor per feature widen it (LeCun, Bottou, Orr and
Müller, 1998, "Efficient BackProp", section 4.3).

Shift and factor come from the training split alone. A test example is seen later, one at a time, and must be
treated by the same numbers.
"""

import torch
from torch import Tensor

__all__ = ["min_max_scale", "standardize"]


def standardize(x_train: Tensor, x_test: Tensor) -> tuple[Tensor, Tensor]:
    """Give each feature of the training split mean 0 and standard deviation 1.

    x_train: (N, ...), x_test: (M, ...), floating point, examples along axis 0; every other position is a
    feature. Returns the two scaled splits, in the same shapes and dtypes:

        (x − mean) / std     with mean and std over the N training examples

    The standard deviation divides by N, as numpy's and scikit-learn's StandardScaler do. A feature that is
    constant in the training split is divided by 1: it becomes 0 there, and a test value that differs keeps
    its difference, in the feature's own units.

    Raises ValueError when the features differ in shape or a training example is missing.
    """
    _require_same_features(x_train, x_test)
    mean = x_train.mean(dim=0)
    std = (x_train - mean).square().mean(dim=0).sqrt()
    constant = x_train.amax(dim=0) == x_train.amin(dim=0)  # rounding in the mean can make std 1e-17
    mean = torch.where(constant, x_train[0], mean)
    std = torch.where(constant, 1.0, std)
    return (x_train - mean) / std, (x_test - mean) / std


def min_max_scale(x_train: Tensor, x_test: Tensor) -> tuple[Tensor, Tensor]:
    """Map each feature of the training split to the interval from 0 to 1.

    Shapes as for `standardize`. With the smallest and the largest value of each feature over the training
    examples:

        (x − min) / (max − min)

    Test values may fall outside of [0, 1]; they are not clipped. A constant feature is divided by 1, so it
    becomes 0.

    Raises ValueError when the features differ in shape or a training example is missing.
    """
    _require_same_features(x_train, x_test)
    low = x_train.amin(dim=0)
    span = x_train.amax(dim=0) - low
    span = torch.where(span == 0, 1.0, span)
    return (x_train - low) / span, (x_test - low) / span


def _require_same_features(x_train: Tensor, x_test: Tensor) -> None:
    if len(x_train) == 0:
        raise ValueError("There is no training example to take statistics from.")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise ValueError(
            f"Both splits must have the same features, got {tuple(x_train.shape[1:])} "
            f"and {tuple(x_test.shape[1:])}."
        )
