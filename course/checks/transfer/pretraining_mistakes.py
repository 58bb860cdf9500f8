"""How students get `pretrain_layerwise` wrong."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional as F

from course.checks.collect import Mistakes

PRETRAIN = Mistakes()


def _loss(layer, inputs, bias, code=torch.sigmoid):
    return F.mse_loss(code(layer(inputs)) @ layer.weight + bias, inputs)


def _train(
    layer,
    inputs,
    steps,
    lr,
    loss=_loss,
    others=(),
    decoder=True,
    make=torch.optim.SGD,
    clears=True,
    measures_late=False,
):
    """Train one layer as an autoencoder: the part of the work that is right."""
    bias = nn.Parameter(torch.zeros(layer.in_features, dtype=inputs.dtype))
    optimizer = make([*layer.parameters(), *([bias] if decoder else []), *others], lr=lr)
    losses = []
    for _ in range(steps):
        value = loss(layer, inputs, bias)
        if clears:
            optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append((loss(layer, inputs, bias) if measures_late else value).item())
    return losses


def _encode(layer, inputs):
    with torch.no_grad():
        return torch.sigmoid(layer(inputs))


def _stack(layers, x, steps, lr, encode=_encode, **options):
    losses = []
    for layer in layers:
        losses.append(_train(layer, x, steps, lr, **options))
        x = encode(layer, x)
    return losses


@PRETRAIN.add("the next layer gets the layer's linear output. Its code is sigmoid(layer(h)).")
def codes_without_sigmoid(layers, x, steps, lr):
    return _stack(layers, x, steps, lr, encode=lambda layer, h: layer(h).detach())


@PRETRAIN.add("no sigmoid in the autoencoder: code = sigmoid(layer(h)).")
def no_sigmoid(layers, x, steps, lr):
    return _stack(layers, x, steps, lr, loss=lambda layer, h, c: _loss(layer, h, c, code=lambda z: z))


@PRETRAIN.add("a sigmoid after the decoder too. The reconstruction is linear: code @ weight + c.")
def sigmoid_twice(layers, x, steps, lr):
    def loss(layer, h, c):
        return F.mse_loss(torch.sigmoid(torch.sigmoid(layer(h)) @ layer.weight + c), h)

    return _stack(layers, x, steps, lr, loss=loss)


@PRETRAIN.add(
    "the codes for the next layer come from the layer before it was trained. Compute them after its training."
)
def codes_before_training(layers, x, steps, lr):
    inputs = [x]
    for layer in layers:
        inputs.append(_encode(layer, inputs[-1]))
    return [_train(layer, h, steps, lr) for layer, h in zip(layers, inputs, strict=False)]


@PRETRAIN.add(
    "the next layer gets the codes of the last step, made before the layer's last update. Compute them once "
    "more, after the training."
)
def codes_of_the_last_step(layers, x, steps, lr):
    codes = []

    def loss(layer, h, c):
        codes.append(torch.sigmoid(layer(h)))
        return F.mse_loss(codes[-1] @ layer.weight + c, h)

    return _stack(layers, x, steps, lr, encode=lambda layer, h: codes[-1].detach(), loss=loss)


@PRETRAIN.add("the gradients of all steps add up: optimizer.zero_grad() is missing.")
def no_zero_grad(layers, x, steps, lr):
    return _stack(layers, x, steps, lr, clears=False)


@PRETRAIN.add(
    "earlier layers go on moving while later ones train. Compute the codes under no_grad and give the "
    "optimizer one layer's parameters."
)
def earlier_layers_move(layers, x, steps, lr):
    losses, before = [], []
    for layer in layers:

        def loss(layer, _, c, before=tuple(before)):
            h = x
            for each in before:
                h = torch.sigmoid(each(h))
            return _loss(layer, h, c)

        losses.append(
            _train(layer, x, steps, lr, loss=loss, others=[p for each in before for p in each.parameters()])
        )
        before.append(layer)
    return losses


@PRETRAIN.add(
    "all layers train at once, through one deep autoencoder. Greedy means: one layer after the other."
)
def all_together(layers, x, steps, lr):
    biases = [nn.Parameter(torch.zeros(layer.in_features, dtype=x.dtype)) for layer in layers]
    optimizer = torch.optim.SGD([*(p for layer in layers for p in layer.parameters()), *biases], lr=lr)
    losses = [[] for _ in layers]
    for _ in range(steps):
        h, total = x, 0.0
        for layer, bias, kept in zip(layers, biases, losses, strict=True):
            value = _loss(layer, h, bias)
            kept.append(value.item())
            total = total + value
            h = torch.sigmoid(layer(h))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return losses


@PRETRAIN.add(
    "finished layers ask for no gradient any more, so that nobody can fine-tune them. "
    "no_grad for the codes is enough."
)
def frozen_for_good(layers, x, steps, lr):
    losses = _stack(layers, x, steps, lr)
    for layer in layers:
        layer.requires_grad_(False)
    return losses


@PRETRAIN.add("the last layer is not trained. Each layer has its autoencoder, the last one too.")
def last_layer_left_out(layers, x, steps, lr):
    return _stack(layers[:-1], x, steps, lr)


@PRETRAIN.add("only the first layer is trained. Go on with its codes as inputs of the next one.")
def first_layer_only(layers, x, steps, lr):
    return _stack(layers[:1], x, steps, lr)


@PRETRAIN.add(
    "the decoder has weights of its own. Here they are tied: reconstruction = code @ layer.weight + c."
)
def untied(layers, x, steps, lr):
    losses = []
    for layer in layers:
        decoder = nn.Parameter(layer.weight.detach().clone())
        losses.append(
            _train(
                layer,
                x,
                steps,
                lr,
                loss=lambda each, h, c, w=decoder: F.mse_loss(torch.sigmoid(each(h)) @ w + c, h),
                others=[decoder],
            )
        )
        x = _encode(layer, x)
    return losses


@PRETRAIN.add(
    "no gradient passes through the decoder: its weight is detached. Tied weights learn from both sides."
)
def decoder_detached(layers, x, steps, lr):
    def loss(layer, h, c):
        return F.mse_loss(torch.sigmoid(layer(h)) @ layer.weight.detach() + c, h)

    return _stack(layers, x, steps, lr, loss=loss)


@PRETRAIN.add(
    "the decoder's bias c is not trained. It is a parameter of the autoencoder, like the layer's own."
)
def decoder_bias_fixed(layers, x, steps, lr):
    return _stack(layers, x, steps, lr, decoder=False)


@PRETRAIN.add("the layers' own biases are not trained: give the optimizer weight, bias and c.")
def bias_fixed(layers, x, steps, lr):
    kept = [layer.bias.detach().clone() for layer in layers]
    losses = []
    for layer, bias in zip(layers, kept, strict=True):

        def loss(each, h, c, bias=bias):
            return F.mse_loss(torch.sigmoid(h @ each.weight.T + bias) @ each.weight + c, h)

        losses.append(_train(layer, x, steps, lr, loss=loss))
        x = _encode(layer, x)
    return losses


@PRETRAIN.add("the loss is a sum over the features (or everything). Take the mean over all entries.")
def summed(layers, x, steps, lr):
    def loss(layer, h, c):
        return (torch.sigmoid(layer(h)) @ layer.weight + c - h).square().sum(dim=1).mean()

    return _stack(layers, x, steps, lr, loss=loss)


@PRETRAIN.add("copies are trained; the given layers stay as they were. Train them in place.")
def trains_copies(layers, x, steps, lr):
    return _stack([copy.deepcopy(layer) for layer in layers], x, steps, lr)


@PRETRAIN.add("the optimizer is not plain SGD. `steps` steps of torch.optim.SGD(..., lr=lr) are asked for.")
def adam(layers, x, steps, lr):
    return _stack(layers, x, steps, lr, make=torch.optim.Adam)


@PRETRAIN.add("you return only the last loss of each layer. Return all of them: losses[layer][step].")
def last_losses(layers, x, steps, lr):
    return [losses[-1] for losses in _stack(layers, x, steps, lr)]


@PRETRAIN.add("the losses stand in one long list. Return one list per layer.")
def one_long_list(layers, x, steps, lr):
    return [loss for losses in _stack(layers, x, steps, lr) for loss in losses]


@PRETRAIN.add("these are the losses after the steps. Take each one before its step.")
def losses_after_the_step(layers, x, steps, lr):
    return _stack(layers, x, steps, lr, measures_late=True)
