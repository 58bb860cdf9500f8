"""Transfer learning: take a trained network apart, hold parts of it still, and train the rest.

The pieces are small and meet in every recipe. `extract_features` reads what a layer knows, `replace_head`
makes a network for another task, `freeze` turns a part into a fixed function, and `parameter_groups`,
`gradual_unfreeze` and `fine_tune` decide how fast each layer may move away from where it started.

Donahue et al., 2014, "DeCAF: A Deep Convolutional Activation Feature for Generic Visual Recognition";
Yosinski et al., 2014, "How transferable are features in deep neural networks?"; Howard & Ruder, 2018,
"Universal Language Model Fine-tuning for Text Classification" (discriminative learning rates,
gradual unfreezing).

A *layer* of a model is here one of its direct children that holds parameters, in the order in which the model
defines them: "conv1", "layer1", "fc". An activation, a pooling or a dropout is no layer in this sense.
"""

import copy
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.training import evaluation_mode

__all__ = [
    "extract_features",
    "fine_tune",
    "freeze",
    "gradual_unfreeze",
    "parameter_groups",
    "replace_head",
]


def extract_features(model: nn.Module, x: Tensor, layer: str) -> Tensor:
    """Return what the submodule called ``layer`` puts out while ``model`` looks at the batch x.

    x: (N, ...), as the model takes it. ``layer`` is a name from ``model.named_modules()``: "fc",
    "features.3". Returns (N, ...), whatever shape the submodule's output has, as a copy without a graph.

    The model runs as a whole, in evaluation mode: calling its children one after the other would leave out
    what ``forward`` does between them (a flatten, a skip connection). The output is copied because the next
    layer may overwrite it, as ``nn.ReLU(inplace=True)`` does. Afterwards nothing is left behind, even when
    the forward pass raises: no hook, and each module is back in the mode that it had. One mode for the whole
    model would not do: a frozen batch norm stands in evaluation mode inside a model that trains.

    Raises:
        AttributeError: the model has no submodule of this name.
        RuntimeError: the forward pass did not come by this layer.
    """
    seen: list[Tensor] = []

    def remember(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        seen.append(output.detach().clone())

    handle = model.get_submodule(layer).register_forward_hook(remember)
    try:
        with evaluation_mode(model), torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not seen:
        raise RuntimeError(f"The forward pass of this model does not use its layer {layer!r}.")
    return seen[-1]


def replace_head(model: nn.Module, name: str, num_classes: int) -> nn.Module:
    """Return a copy of ``model`` whose linear layer ``name`` is a new one with ``num_classes`` outputs.

    ``name`` may have dots: "classifier.2". The new layer starts from torch's own random weights and has the
    old one's number of inputs, device, dtype and mode, and a bias if that had one. Everything else is equal
    to the model's, bit by bit, and shares no memory with it.

    A copy, because the model is still needed. Two models that share layers cannot be trained apart: training
    the new one would change the old one, silently (which is what happens with ``Sequential(*layers_of_A[:-1],
    head)``).

    Raises:
        AttributeError: the model has no submodule of this name.
        TypeError: the submodule is not an nn.Linear.
    """
    adapted = copy.deepcopy(model)
    old = adapted.get_submodule(name)
    if not isinstance(old, nn.Linear):
        raise TypeError(f"{name!r} is a {type(old).__name__}; replace_head replaces an nn.Linear.")
    new = nn.Linear(
        old.in_features,
        num_classes,
        bias=old.bias is not None,
        device=old.weight.device,
        dtype=old.weight.dtype,
    )
    new.train(old.training)
    parent, _, child = name.rpartition(".")
    setattr(adapted.get_submodule(parent), child, new)
    return adapted


def freeze(module: nn.Module, frozen: bool = True) -> nn.Module:
    """Make ``module`` a fixed function, in place, and return it; ``frozen=False`` undoes that.

    A frozen module gives the same output for the same input, in training too. So its parameters ask for no
    gradient, and it stays in evaluation mode whatever ``train()`` says later, to it or to a model around it.
    The mode matters as much as the gradients: a batch norm in training mode moves its running statistics in
    the *forward* pass, and no ``requires_grad_(False)`` keeps it from that. Gradients still flow through a
    frozen module to what lies before it.

    Undone for ``module`` and everything in it: the parameters ask for gradients again, and from the next
    ``train()`` on the modules are in training mode. A part of a frozen module can be thawed alone. One
    function with a switch, like ``requires_grad_(False)`` and ``train(False)``, because gradual unfreezing
    needs the way back.
    """
    module.requires_grad_(not frozen)
    for part in module.modules():
        if frozen:
            part.training = False
            # Shadows the method of the class, for this one object. A partial can be copied and pickled.
            part.train = partial(_stay, part)  # type: ignore[method-assign]
        else:
            part.__dict__.pop("train", None)
    return module


def _stay(module: nn.Module, mode: bool = True) -> nn.Module:
    """`train` of a frozen module: its own mode stays; what is in it answers for itself."""
    for child in module.children():
        child.train(mode)
    return module


def _layers(model: nn.Module) -> dict[str, nn.Module]:
    """The model's layers by name: its direct children that hold parameters, in its own order."""
    children = model.named_children()
    return {name: child for name, child in children if next(child.parameters(), None) is not None}


def parameter_groups(model: nn.Module, lr: float, decay: float) -> list[dict[str, Any]]:
    """Return parameter groups for an optimizer, one per layer, with a rate that grows from layer to layer.

    The last of L layers gets ``lr``, the one before it ``lr * decay``, the first ``lr * decay**(L - 1)``:
    early layers know general things, which should change least (Howard & Ruder, 2018, section 3.2, with decay
    1/2.6). The groups are in the order of the layers, each ``{"params": [...], "lr": ...}``.

    Parameters that do not ask for a gradient are left out, and a layer without any other has no group. It
    still counts for the exponent, so that the rate of a layer does not jump when another one is thawed. A
    parameter that layers share is there once, in the first of them: torch takes it in no second group.
    Parameters that the model holds itself, outside of its layers, are treated as a layer before the first.
    """
    blocks = [list(layer.parameters()) for layer in _layers(model).values()]
    own = list(model.parameters(recurse=False))
    if own:
        blocks.insert(0, own)
    groups: list[dict[str, Any]] = []
    taken: set[int] = set()
    for position, block in enumerate(blocks):
        params = [p for p in block if p.requires_grad and id(p) not in taken]
        taken.update(id(p) for p in params)
        if params:
            groups.append({"params": params, "lr": lr * decay ** (len(blocks) - 1 - position)})
    return groups


def gradual_unfreeze(model: nn.Module, epoch: int, every: int = 1) -> list[str]:
    """Let the last layers of ``model`` train and freeze the others; one more layer every ``every`` epochs.

    Called at the start of each epoch (0, 1, 2, …). In epoch 0 only the last layer trains, in the end all of
    them do (Howard & Ruder, 2018, section 3.3): the last ``1 + epoch // every``. The head is new and its
    first gradients are large and say nothing yet; they should not reach the rest. What trains follows from
    ``epoch`` alone, so that training can be resumed. Parameters that the model holds itself, outside of its
    layers, are left alone.

    Returns the names of the layers that train, in the model's order.

    Raises ValueError when epoch is negative or every is below 1.
    """
    if epoch < 0 or every < 1:
        raise ValueError(f"epoch counts from 0 and every from 1, got epoch={epoch}, every={every}")
    training = list(_layers(model))[-1 - epoch // every :]
    frozen = True
    for name, child in model.named_children():
        # What stands before the first layer that trains is frozen, a dropout between the layers too.
        frozen = frozen and name not in training
        freeze(child, frozen)
    return training


def fine_tune(
    model: nn.Module,
    head: str,
    batches: Iterable[tuple[Tensor, Tensor]],
    epochs: int,
    lr: float = 1e-4,
    head_lr: float = 1e-2,
    momentum: float = 0.9,
) -> list[float]:
    """Train ``model`` in place with one learning rate for its head and another for the rest.

    ``head`` is the name of the new last layer, as in `replace_head`. ``batches`` gives pairs of inputs (N,
    ...) and labels (N,), and is gone through once per epoch: a list or a DataLoader. The optimizer is SGD
    with momentum, the loss is cross-entropy. The head is random and needs large steps; the rest is already
    good and should move little. Parameters that ask for no gradient stay as they are, and a frozen part stays
    frozen.

    Returns the mean training loss per example (in nats) of each epoch, taken while the weights change. A
    last, smaller batch counts less than the others.
    """
    new = set(model.get_submodule(head).parameters())
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(
        [
            {"params": [p for p in trainable if p in new], "lr": head_lr},
            {"params": [p for p in trainable if p not in new], "lr": lr},
        ],
        momentum=momentum,
    )
    model.train()
    history = []
    for _ in range(epochs):
        total, examples = 0.0, 0
        for x, y in batches:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
            examples += len(y)
        history.append(total / examples)
    return history
