"""Training loops: first on one small batch, then on the training split with a look at the validation split.

Both loops train a classifier with cross-entropy. They take any optimizer with ``step()`` and ``zero_grad()``.

Karpathy, 2019, "A Recipe for Training Neural Networks" (overfit one batch); Bottou, 2012, "Stochastic
Gradient Descent Tricks" (shuffle the examples, watch the validation error).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.training import evaluate

__all__ = ["overfit_small_batch", "train"]


def overfit_small_batch(model: nn.Module, x: Tensor, y: Tensor, optimizer: Any, steps: int) -> list[float]:
    """Train ``model`` in place on one batch, again and again, and return its losses.

    x: (N, ...), as the model takes it; y: (N,), int64 classes. ``steps`` times: the cross-entropy of the
    whole batch in training mode, its gradients, one step of the optimizer.

    Returns the loss before each step as ``steps`` Python floats. A model, a loss and an optimizer without
    mistakes bring it close to 0 on a few examples. If it stays up, no amount of data will help.
    """
    model.train()
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def train(
    model: nn.Module,
    x_train: Tensor,
    y_train: Tensor,
    x_val: Tensor,
    y_val: Tensor,
    optimizer: Any,
    epochs: int,
    batch_size: int,
    scheduler: Any = None,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Train ``model`` in place and return what happened, epoch by epoch.

    x_train: (N, ...), y_train: (N,), int64 classes; x_val: (M, ...), y_val: (M,). In each epoch:

    1. In training mode, the N training examples in a new random order, in batches of ``batch_size``; what is
       left over forms a last, smaller batch. For each: the mean cross-entropy, its gradients, one step.
    2. In evaluation mode and without gradients, the validation examples.
    3. ``scheduler.step()``, when there is a scheduler.

    ``seed`` decides the orders of all epochs: with the same seed they are the same.

    Returns a dict of lists with one float per epoch: "train_loss", the mean per training example, taken while
    the weights change; "val_loss", the mean per validation example after the epoch; "val_accuracy", the
    fraction of the validation examples whose largest logit is at their class.
    """
    history: dict[str, list[float]] = {"train_loss": [], "val_loss": [], "val_accuracy": []}
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        model.train()
        total = 0.0
        for batch in torch.randperm(len(x_train), generator=generator).split(batch_size):
            loss = F.cross_entropy(model(x_train[batch]), y_train[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        validation = evaluate(model, x_val, y_val)
        history["train_loss"].append(total / len(x_train))
        history["val_loss"].append(validation.loss)
        history["val_accuracy"].append(validation.accuracy)
        if scheduler is not None:
            scheduler.step()
    return history
