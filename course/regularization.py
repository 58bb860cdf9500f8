"""Regularization inside the network: a price on large weights, and dropout.

Both make the network pay for relying too much on single numbers. The penalty adds a multiple of the squared
weights to the loss; its gradient pulls every weight towards 0, which is why torch's optimizers call it
``weight_decay``. Dropout switches units off at random while training, so that no unit can count on another.

Krogh & Hertz, 1992, "A Simple Weight Decay Can Improve Generalization"; Srivastava et al., 2014, "Dropout: A
Simple Way to Prevent Neural Networks from Overfitting".

Input dropout is no layer of its own: it is `Dropout` in front of the first layer, with a small p (Srivastava
et al. take 0.2).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["Dropout", "l2_penalty"]


def l2_penalty(parameters: Iterable[Tensor], weight_decay: float) -> Tensor:
    """Return the L2 penalty of some parameters: a scalar to add to the loss.

        penalty = weight_decay / 2 · Σ p²     over every number of every parameter

    Its gradient with respect to p is ``weight_decay * p``, and that is what torch.optim.SGD adds to the
    gradient of the loss when it has a ``weight_decay``. So both train in the same way, momentum included.
    (Adam and AdamW differ here: Loshchilov & Hutter, 2019, "Decoupled Weight Decay Regularization".) Biases
    count like all others, as they do in torch.

    ``parameters`` is anything that can be gone through once: ``model.parameters()`` is a generator. Returns a
    tensor of shape (), with the parameters' dtype, through which gradients flow. The parameters stay as they
    are.

    Raises ValueError when there is no parameter.
    """
    squares = [parameter.square().sum() for parameter in parameters]
    if not squares:
        raise ValueError("There is no parameter. Was a generator used up before?")
    return weight_decay / 2 * torch.stack(squares).sum()


class Dropout(nn.Module):
    """Set each number of the input to 0 with probability p while training (``torch.nn.Dropout``).

    The numbers that stay are divided by 1 − p ("inverted dropout"), so that every output has the mean of its
    input and nothing needs to be done in evaluation mode: there the layer is the identity. Each number of
    each example is drawn by itself, with torch's generator, anew in each call. The backward pass uses the
    mask of its forward pass.

    x: any shape, floating point. Returns the same shape and dtype, and leaves x as it is. The layer has
    neither parameters nor buffers. With p = 0 it does nothing, with p = 1 all numbers become 0.

    Raises ValueError when p is not in [0, 1].
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"p is a probability, between 0 and 1, got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop and scale in training mode; return x in evaluation mode."""
        if not self.training or self.p == 0:
            return x
        if self.p == 1:
            return x * 0  # 1 / (1 - p) has no value here
        kept = torch.rand_like(x) >= self.p
        return x * kept / (1 - self.p)

    def extra_repr(self) -> str:
        """What stands in the brackets when the layer is printed."""
        return f"p={self.p}"
