"""How large and how expensive a network is: parameters, and multiply-adds of one forward pass.

A multiplication together with the addition of its product is one **multiply-add**. Papers on networks for
images (He et al., 2016, table 1, among them) call this one FLOP; others count two. Only the matrix products
count, which are convolutions and linear layers: norms, activations and pooling are a small part of the work.

The operations themselves are watched, not the modules, so it does not matter how ``forward`` is written. The
count needs shapes only: the network is copied to the device ``meta``, where tensors have a shape and no
numbers. So even VGG is counted in milliseconds.
"""

import copy
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["linear_parameters", "multiply_adds", "parameters"]


def parameters(module: nn.Module) -> int:
    """Return how many numbers the parameters hold, frozen ones too; running means are no parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def linear_parameters(module: nn.Module) -> int:
    """Return how many of the parameters lie in fully connected layers (``nn.Linear``)."""
    return sum(parameters(layer) for layer in module.modules() if isinstance(layer, nn.Linear))


def multiply_adds(module: nn.Module, input_shape: Sequence[int]) -> int:
    """Return the multiply-adds of one forward pass in evaluation mode, for one input of ``input_shape``.

    ``input_shape`` is without the batch axis, such as (3, 224, 224). ``module`` is not changed.
    """
    shadow = copy.deepcopy(module).to("meta").eval()
    x = torch.empty(1, *input_shape, device="meta")
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        shadow(x)
    return counter.get_total_flops() // 2  # torch counts the multiplication and the addition
