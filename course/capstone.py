"""Lesson 8: a small CNN for digits, trained within a budget, and how sure we can be of its accuracy.

The network follows the recipe of the lessons before: convolutions without a bias, each followed by batch
normalization (Ioffe and Szegedy, 2015) and a ReLU, pooling in between, dropout before the head. The training
is AdamW with a learning rate that rises and falls once (Smith and Topin, 2019, "super-convergence"), on
pictures that are distorted anew in each epoch (Simard et al., 2003).

Papers: S. Ioffe, C. Szegedy. Batch normalization. ICML 2015, arXiv:1502.03167.
L. Smith, N. Topin. Super-convergence. 2019, arXiv:1708.07120.
E. B. Wilson. Probable inference, the law of succession, and statistical inference. JASA 22, 1927.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.capstone_data import distort

__all__ = [
    "accuracy_with_error",
    "build_model",
    "build_network",
    "confusion_matrix",
    "count_parameters",
    "train_model",
    "train_network",
]

EPOCHS = 20
BATCH = 64
RATE = 0.01


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers of ``model`` a training can change: each once, the frozen ones not at all."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def confusion_matrix(predictions: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return an int64 matrix (num_classes, num_classes): how often class ``row`` was taken for ``column``.

    Args:
        predictions: (N,), int64, the classes that a model chose.
        labels: (N,), int64, the true classes.
        num_classes: also of classes that do not occur.
    """
    cells = labels * num_classes + predictions
    counts = torch.bincount(cells, minlength=num_classes * num_classes)
    return counts.reshape(num_classes, num_classes)


def accuracy_with_error(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the accuracy of N answers and its standard error :math:`\sqrt{a(1-a)/N}`.

    Args:
        logits: (N, classes); the largest one of a row is the answer.
        labels: (N,), int64.

    Returns:
        Two tensors without dimensions, of the dtype of ``logits``.
    """
    right = (logits.argmax(dim=1) == labels).to(logits.dtype)
    accuracy = right.mean()
    return accuracy, (accuracy * (1 - accuracy) / len(labels)).sqrt()


def _stage(in_channels: int, out_channels: int) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(out_channels), nn.ReLU()]


def build_network(width: int, dropout: float = 0.2) -> nn.Sequential:
    """Return a CNN (N, 1, 8, 8) → (N, 10): three stages of ``width`` channels, and twice as many."""
    return nn.Sequential(
        *_stage(1, width),
        *_stage(width, 2 * width),
        nn.MaxPool2d(2),  # 8×8 → 4×4
        *_stage(2 * width, 2 * width),
        nn.MaxPool2d(2),  # 4×4 → 2×2
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(2 * width * 2 * 2, 10),
    )


def build_model() -> nn.Sequential:
    """Return a new CNN for pictures (N, 1, 8, 8) with 10 outputs and 15,418 parameters."""
    return build_network(16)


def train_model(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int = EPOCHS,
    rate: float = RATE,
    seed: int = 0,
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    on_epoch: Callable[[int], object] | None = None,
) -> list[float]:
    """Train ``model`` on pictures (N, 1, H, W) and labels (N,); return the mean loss of each epoch.

    Mini-batches of 64 in a new order each epoch, AdamW, one cycle of the learning rate up to ``rate``.
    ``augment(x, generator)`` makes the pictures of each epoch; ``on_epoch(epoch)`` is called after each of
    them (1, 2, …), and the model is in training mode again afterwards.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-3)
    steps = epochs * len(torch.arange(len(x)).split(BATCH))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    history = []
    for epoch in range(1, epochs + 1):
        model.train()
        pictures = augment(x, generator) if augment else x
        total = 0.0
        for batch in torch.randperm(len(x), generator=generator).split(BATCH):
            loss = F.cross_entropy(model(pictures[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        history.append(total / len(x))
        if on_epoch:
            on_epoch(epoch)
    return history


def train_network(x_train: Tensor, y_train: Tensor) -> nn.Module:
    """Return a network trained on pictures (N, 1, 8, 8) with labels (N,), in evaluation mode."""
    model = build_model()
    train_model(model, x_train, y_train, augment=distort)
    return model.eval()
