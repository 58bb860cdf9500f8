"""Greedy layer-wise pre-training: deep fully connected networks before good initialization was known.

Each layer learns, without labels, to describe its input so well that the input can be rebuilt from it; then
the next layer learns to describe that description. Hinton, Osindero & Teh, 2006, "A fast learning algorithm
for deep belief nets", stack restricted Boltzmann machines; Bengio, Lamblin, Popovici & Larochelle, 2007,
"Greedy Layer-Wise Training of Deep Networks", show that autoencoders do as well. This module has the
second form.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["pretrain_layerwise"]


def pretrain_layerwise(layers: Sequence[nn.Linear], x: Tensor, steps: int, lr: float) -> list[list[float]]:
    """Train each layer as an autoencoder of its input, from the first to the last, in place.

    x: (N, D), with D the inputs of the first layer; each later layer takes what the layer before puts out.
    For a layer with weight W (H, D) and bias b, and inputs h (N, D):

        code = sigmoid(h Wᵀ + b),   reconstruction = code W + c,   loss = mean((reconstruction − h)²)

    The decoder has the encoder's own weights (*tied weights*), so that the layer cannot leave the work to it,
    and a bias c of its own that starts at 0 and is thrown away in the end. ``steps`` steps of plain SGD at
    rate ``lr``, on all examples at once, train W, b and c. Then the layer is done: its codes are the inputs
    of the next one, and no gradient comes back from there.

    Returns one list per layer with the loss before each of its steps. Nothing is drawn at random.
    """
    losses = []
    inputs = x.detach()
    for layer in layers:
        losses.append(_train_autoencoder(layer, inputs, steps, lr))
        with torch.no_grad():
            inputs = torch.sigmoid(layer(inputs))
    return losses


def _train_autoencoder(layer: nn.Linear, inputs: Tensor, steps: int, lr: float) -> list[float]:
    decoder_bias = nn.Parameter(inputs.new_zeros(layer.in_features))
    optimizer = torch.optim.SGD([*layer.parameters(), decoder_bias], lr=lr)
    losses = []
    for _ in range(steps):
        reconstruction = torch.sigmoid(layer(inputs)) @ layer.weight + decoder_bias
        loss = F.mse_loss(reconstruction, inputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    optimizer.zero_grad()
    return losses
