"""Two losses: the squared error for numbers, the cross-entropy for classes.

Both are what is left of −log p(target) when the network's output describes a distribution: a normal
distribution around the output gives the squared error, a softmax gives the cross-entropy (Goodfellow, Bengio
& Courville, 2016, "Deep Learning", section 6.2).
"""

import torch
from torch import Tensor

__all__ = ["cross_entropy", "mse_loss"]


def mse_loss(input: Tensor, target: Tensor) -> Tensor:
    """Return the mean of the squared differences, over all entries.

    input, target: the same shape. Returns a tensor without dimensions.

    Raises ValueError when the shapes differ. Broadcasting would not: (N, 1) against (N,) gives the N × N
    differences of every output to every target, a number that looks like a loss.
    """
    if input.shape != target.shape:
        raise ValueError(
            f"input and target must have one shape, got {tuple(input.shape)} and {tuple(target.shape)}"
        )
    return (input - target).square().mean()


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean over the batch of −log softmax(logits)[target], in nats.

    logits: (N, C), any real numbers. target: (N,), int64, the index of each example's class. Returns a tensor
    without dimensions:

        (1/N) Σₙ ( log Σⱼ exp(zₙⱼ) − zₙ[targetₙ] )

    exp(z) is infinite from z = 89 in float32 (from 710 in float64). Subtracting each row's maximum first
    changes nothing in exact arithmetic, and keeps every exponential at most 1: the log-sum-exp trick. Divided
    by log 2, the loss is in bits: log2(C) of them when every class is equally likely.
    """
    top = logits.amax(dim=1, keepdim=True).detach()  # a constant: it cancels, and needs no gradient
    log_sum = (logits - top).exp().sum(dim=1).log() + top.squeeze(1)
    right = logits[torch.arange(len(target), device=logits.device), target]
    return (log_sum - right).mean()
