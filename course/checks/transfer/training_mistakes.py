"""How students get `fine_tune` and `pretrain_layerwise` wrong."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional as F

from course.checks.collect import Mistakes

FINE_TUNE = Mistakes()
PRETRAIN = Mistakes()


class Recipe:
    """A right fine-tuning, one step a method; each mistake overrides one of them."""

    def __call__(self, model, head, batches, epochs, lr=1e-4, head_lr=1e-2, momentum=0.9):
        model = self.prepare(model, head)
        optimizer = self.optimizer(model, head, lr, head_lr, momentum)
        self.mode(model)
        history = []
        for _ in range(epochs):
            optimizer = self.next_epoch(optimizer, model, head, lr, head_lr, momentum)
            losses, sizes = [], []
            for x, y in batches:
                losses.append(self.step(model, optimizer, x, y))
                sizes.append(len(y))
            history.append(self.epoch_loss(losses, sizes))
        return self.result(history, model)

    def prepare(self, model, head):
        return model

    def groups(self, model, head, lr, head_lr):
        new = {id(p) for p in model.get_submodule(head).parameters()}
        trainable = [p for p in model.parameters() if p.requires_grad]
        return [
            {"params": [p for p in trainable if id(p) in new], "lr": head_lr},
            {"params": [p for p in trainable if id(p) not in new], "lr": lr},
        ]

    def optimizer(self, model, head, lr, head_lr, momentum):
        return torch.optim.SGD(self.groups(model, head, lr, head_lr), lr=lr, momentum=momentum)

    def mode(self, model):
        model.train()

    def next_epoch(self, optimizer, *_):
        return optimizer

    def loss(self, model, x, y):
        return F.cross_entropy(model(x), y)

    def step(self, model, optimizer, x, y):
        loss = self.loss(model, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def epoch_loss(self, losses, sizes):
        return sum(loss * n for loss, n in zip(losses, sizes, strict=True)) / sum(sizes)

    def result(self, history, model):
        return history


def _collect(mistakes, message, section=None):
    """Collect a recipe with one wrong step; a student would have written it as a function."""

    def collect(recipe):
        run = recipe()

        def fine_tune(model, head, batches, epochs, lr=1e-4, head_lr=1e-2, momentum=0.9):
            return run(model, head, batches, epochs, lr, head_lr, momentum)

        fine_tune.__name__ = recipe.__name__
        mistakes.add(message, section)(fine_tune)
        return recipe

    return collect


@_collect(FINE_TUNE, "head and body have the same rate. The head is new: it gets head_lr, the others lr.")
class one_rate(Recipe):
    def groups(self, model, head, lr, head_lr):
        return [{"params": [p for p in model.parameters() if p.requires_grad], "lr": lr}]


@_collect(
    FINE_TUNE, "the rates are swapped: the body has head_lr and moves far away from what it has learned."
)
class rates_swapped(Recipe):
    def groups(self, model, head, lr, head_lr):
        return super().groups(model, head, head_lr, lr)


@_collect(FINE_TUNE, "only the head is trained. That is a linear probe: the rest trains too, at the rate lr.")
class head_alone(Recipe):
    def groups(self, model, head, lr, head_lr):
        return super().groups(model, head, lr, head_lr)[:1]


@_collect(FINE_TUNE, "the head is not in the optimizer: it stays as it was drawn.")
class head_forgotten(Recipe):
    def groups(self, model, head, lr, head_lr):
        return super().groups(model, head, lr, head_lr)[1:]


@_collect(
    FINE_TUNE,
    "the last child of the model gets head_lr. The head is the layer called `head`, wherever it stands.",
)
class last_child_is_the_head(Recipe):
    def groups(self, model, head, lr, head_lr):
        return super().groups(model, list(model.named_children())[-1][0], lr, head_lr)


@_collect(FINE_TUNE, "frozen parameters are thawed. What asks for no gradient stays as it is.")
class thaws(Recipe):
    def prepare(self, model, head):
        return model.requires_grad_(True)


@_collect(FINE_TUNE, "the body is frozen by fine_tune itself. What trains is the caller's decision.")
class freezes(Recipe):
    def prepare(self, model, head):
        model.requires_grad_(False)
        model.get_submodule(head).requires_grad_(True)
        return model


@_collect(FINE_TUNE, "a copy is trained; the caller's model stays as it was. Train the model in place.")
class trains_a_copy(Recipe):
    def prepare(self, model, head):
        return copy.deepcopy(model)


@_collect(
    FINE_TUNE,
    "the model is never put in training mode: batch norm does not learn the new data. Call train().",
)
class no_train_mode(Recipe):
    def mode(self, model):
        pass


@_collect(FINE_TUNE, "the model trains in evaluation mode. Call train() before the loop.")
class evaluation_mode_while_training(Recipe):
    def mode(self, model):
        model.eval()


@_collect(FINE_TUNE, "the gradients of all steps add up: optimizer.zero_grad() is missing.")
class no_zero_grad(Recipe):
    def step(self, model, optimizer, x, y):
        loss = self.loss(model, x, y)
        loss.backward()
        optimizer.step()
        return loss.item()


@_collect(
    FINE_TUNE, "nothing is learned: step() is missing, or zero_grad() stands between backward() and step()."
)
class nothing_learned(Recipe):
    def step(self, model, optimizer, x, y):
        loss = self.loss(model, x, y)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        return loss.item()


@_collect(FINE_TUNE, "a softmax stands in front of cross_entropy, which takes logits and has its own.")
class softmax_first(Recipe):
    def loss(self, model, x, y):
        return F.cross_entropy(model(x).softmax(dim=1), y)


@_collect(FINE_TUNE, "the loss is a sum over the batch, so that the steps grow with its size. Take the mean.")
class summed_loss(Recipe):
    def loss(self, model, x, y):
        return F.cross_entropy(model(x), y, reduction="sum")


@_collect(FINE_TUNE, "each epoch has a new optimizer, which forgets the momentum. Make one before the loop.")
class optimizer_in_the_loop(Recipe):
    def next_epoch(self, optimizer, *arguments):
        return self.optimizer(*arguments)


@_collect(FINE_TUNE, "momentum is not used: SGD(..., momentum=momentum).")
class no_momentum(Recipe):
    def optimizer(self, model, head, lr, head_lr, momentum):
        return super().optimizer(model, head, lr, head_lr, 0.0)


@_collect(FINE_TUNE, "momentum is 0.9 whatever the argument says.")
class momentum_fixed(Recipe):
    def optimizer(self, model, head, lr, head_lr, momentum):
        return super().optimizer(model, head, lr, head_lr, 0.9)


@_collect(
    FINE_TUNE, "the optimizer is not SGD with momentum (Adam's steps do not depend on the gradient's size)."
)
class other_optimizer(Recipe):
    def optimizer(self, model, head, lr, head_lr, momentum):
        return torch.optim.Adam(self.groups(model, head, lr, head_lr))


@_collect(
    FINE_TUNE,
    "you average the means of the batches. A smaller last batch counts less: weigh each with its size.",
)
class mean_of_batch_means(Recipe):
    def epoch_loss(self, losses, sizes):
        return sum(losses) / len(losses)


@_collect(FINE_TUNE, "this is the sum over the batches. Divide by the number of examples.")
class sum_over_the_epoch(Recipe):
    def epoch_loss(self, losses, sizes):
        return sum(loss * n for loss, n in zip(losses, sizes, strict=True))


@_collect(FINE_TUNE, "this is the loss of the last batch. Return the mean over all examples of the epoch.")
class last_batch(Recipe):
    def epoch_loss(self, losses, sizes):
        return losses[-1]


@_collect(FINE_TUNE, "the losses are tensors, which keep their graphs in memory. Store loss.item().")
class history_of_tensors(Recipe):
    def epoch_loss(self, losses, sizes):
        return torch.tensor(super().epoch_loss(losses, sizes))


@_collect(FINE_TUNE, "one number for all epochs. Return one mean loss per epoch, in a list.")
class one_number(Recipe):
    def result(self, history, model):
        return sum(history) / len(history)


@_collect(FINE_TUNE, "the model is returned. It is trained in place; return the list of losses.")
class returns_the_model(Recipe):
    def result(self, history, model):
        return model


# --- pretrain_layerwise -------------------------------------------------------------------------------------


def _loss(layer, inputs, bias, code=torch.sigmoid):
    return F.mse_loss(code(layer(inputs)) @ layer.weight + bias, inputs)


def _train(layer, inputs, steps, lr, loss=_loss, others=(), decoder=True, make=torch.optim.SGD):
    """Train one layer as an autoencoder: the part of the work that is right."""
    bias = nn.Parameter(torch.zeros(layer.in_features, dtype=inputs.dtype))
    optimizer = make([*layer.parameters(), *([bias] if decoder else []), *others], lr=lr)
    losses = []
    for _ in range(steps):
        value = loss(layer, inputs, bias)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
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
    losses = []
    for layer in layers:
        bias = nn.Parameter(torch.zeros(layer.in_features, dtype=x.dtype))
        optimizer = torch.optim.SGD([*layer.parameters(), bias], lr=lr)
        losses.append([])
        for _ in range(steps):
            optimizer.zero_grad()
            _loss(layer, x, bias).backward()
            optimizer.step()
            losses[-1].append(_loss(layer, x, bias).item())
        x = _encode(layer, x)
    return losses
