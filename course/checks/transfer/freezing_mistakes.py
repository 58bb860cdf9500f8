"""How students get `freeze` wrong. The first one is everybody's."""

from __future__ import annotations

import copy
from functools import partial

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from course.checks.collect import Mistakes

FREEZE = Mistakes()


def _stay(part, mode=True):
    for child in part.children():
        child.train(mode)
    return part


def _hold(part, train=_stay):
    """Keep one submodule in evaluation mode: the part of the work that is right, with the right train."""
    part.training = False
    part.train = partial(train, part)


def _release(part):
    part.__dict__.pop("train", None)


def _right(module, frozen=True, hold=_hold, release=_release):
    module.requires_grad_(not frozen)
    for part in module.modules():
        (hold if frozen else release)(part)
    return module


@FREEZE.add(
    "frozen batch norm still moves: its running statistics change in the forward pass, without any gradient. "
    "Keep the module in evaluation mode too."
)
def running_statistics_move(module, frozen=True):
    return module.requires_grad_(not frozen)


@FREEZE.add(
    "eval() holds only until the next model.train(), which every epoch calls. "
    "The frozen part must stay in evaluation mode by itself."
)
def eval_is_called_once(module, frozen=True):
    module.requires_grad_(not frozen)
    return module.train(not frozen)


@FREEZE.add(
    "the module stays in evaluation mode, but its parameters are still trained. Use requires_grad_(False)."
)
def parameters_still_train(module, frozen=True):
    for part in module.modules():
        (_hold if frozen else _release)(part)
    return module


@FREEZE.add(
    "module.requires_grad = False sets an attribute that nobody reads (trainable = False is Keras). "
    "Call module.requires_grad_(False)."
)
def sets_an_attribute(module, frozen=True):
    module.requires_grad = not frozen
    for part in module.modules():
        part.trainable = not frozen
    return module


@FREEZE.add("only weights are frozen; the biases still train. Take all of module.parameters().")
def biases_still_train(module, frozen=True):
    _right(module, frozen)
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            parameter.requires_grad_(True)
    return module


@FREEZE.add(
    "weight and bias of batch norm still train. A frozen part has no parameter that asks for gradients."
)
def norm_parameters_still_train(module, frozen=True):
    _right(module, frozen)
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.requires_grad_(True)
    return module


@FREEZE.add("only BatchNorm2d is kept in evaluation mode. BatchNorm1d moves its running statistics as well.")
def only_pictures(module, frozen=True):
    module.requires_grad_(not frozen)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.Dropout):
            (_hold if frozen else _release)(part)
    return module


@FREEZE.add(
    "a batch norm inside a block inside the module still moves. children() goes one level deep; "
    "modules() goes all the way."
)
def direct_children_only(module, frozen=True):
    module.requires_grad_(not frozen)
    for part in module.children():
        (_hold if frozen else _release)(part)
    return module


@FREEZE.add(
    "momentum = 0 keeps mean and variance, but the output still uses the batch's statistics, and "
    "num_batches_tracked counts on. Use evaluation mode."
)
def momentum_is_zero(module, frozen=True):
    module.requires_grad_(not frozen)
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.momentum = 0.0 if frozen else 0.1
        elif isinstance(part, nn.Dropout):
            (_hold if frozen else _release)(part)
    return module


@FREEZE.add(
    "without track_running_stats the batch's own statistics are used, so the frozen part is no fixed "
    "function. Use evaluation mode."
)
def statistics_not_tracked(module, frozen=True):
    module.requires_grad_(not frozen)
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.forward = partial(_by_the_batch, part) if frozen else partial(type(part).forward, part)
        elif isinstance(part, nn.Dropout):
            (_hold if frozen else _release)(part)
    return module


def _by_the_batch(part, x):
    return nn.functional.batch_norm(x, None, None, part.weight, part.bias, True, 0.0, part.eps)


@FREEZE.add(
    "batch norm is still, but dropout goes on dropping: the frozen part gives other features in each step. "
    "Keep all its modules in evaluation mode."
)
def dropout_goes_on(module, frozen=True):
    module.requires_grad_(not frozen)
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            (_hold if frozen else _release)(part)
    return module


@FREEZE.add(
    "only batch norm and dropout are kept still. Other layers have two modes too (nn.RReLU): "
    "keep every part in evaluation mode."
)
def two_kinds_of_layer(module, frozen=True):
    module.requires_grad_(not frozen)
    for part in module.modules():
        if isinstance(part, _BatchNorm | nn.Dropout):
            (_hold if frozen else _release)(part)
    return module


@FREEZE.add(
    "no gradient passes through your frozen part (no_grad or detach), so that what lies before it cannot "
    "learn. Only its own parameters need none."
)
def gradient_cut_off(module, frozen=True):
    _right(module, frozen)
    if frozen:
        forward = type(module).forward
        module.forward = lambda x: forward(module, x.detach())
    else:
        module.__dict__.pop("forward", None)
    return module


@FREEZE.add(
    "you freeze a copy; the network that holds the module goes on training. Change the module in place."
)
def freezes_a_copy(module, frozen=True):
    return _right(copy.deepcopy(module), frozen)


@FREEZE.add("freeze(module, False) does nothing. It undoes the freezing: look at the argument.")
def cannot_be_undone(module, frozen=True):
    return _right(module)


@FREEZE.add(
    "undone, the parameters train again, but the module stays in evaluation mode. "
    "Let train() work again too.",
)
def mode_not_undone(module, frozen=True):
    module.requires_grad_(not frozen)
    if frozen:
        for part in module.modules():
            _hold(part)
    return module


@FREEZE.add("undone, the module is in training mode again, but its parameters still ask for no gradient.")
def gradients_not_undone(module, frozen=True):
    if frozen:
        return _right(module)
    for part in module.modules():
        _release(part)
    return module


@FREEZE.add(
    "`del part.train` raises where nothing is frozen: there is nothing to delete. "
    'Use part.__dict__.pop("train", None).'
)
def deletes_what_is_not_there(module, frozen=True):
    return _right(module, frozen, release=lambda part: delattr(part, "train"))


@FREEZE.add(
    "you keep the old train() to put it back. Frozen twice, the old one is frozen too. "
    'Undo with part.__dict__.pop("train", None).'
)
def keeps_the_old_train(module, frozen=True):
    module.requires_grad_(not frozen)
    for part in module.modules():
        if frozen:
            part.old_train = part.train
            _hold(part)
        elif hasattr(part, "old_train"):
            part.train = part.old_train
    return module


@FREEZE.add(
    "the train() of a frozen part returns nothing, so that model.eval() does not return the model. "
    "Return the part."
)
def train_returns_nothing(module, frozen=True):
    return _right(module, frozen, hold=partial(_hold, train=_stay_silently))


def _stay_silently(part, mode=True):
    _stay(part, mode)


@FREEZE.add(
    "the frozen train() always tells the children train(True). Pass on the mode that it is given: "
    "child.train(mode)."
)
def always_passes_true(module, frozen=True):
    return _right(module, frozen, hold=partial(_hold, train=_stay_and_train))


def _stay_and_train(part, mode=True):
    return _stay(part)


@FREEZE.add(
    "a part of a frozen network that was thawed is never told to train: the frozen train() must pass the "
    "call on to the children."
)
def train_stops_at_the_frozen_module(module, frozen=True):
    module.requires_grad_(not frozen)
    if frozen:
        module.eval()
    for part in module.modules():
        if frozen:
            part.train = partial(_nothing, part)
        else:
            _release(part)
    return module


@FREEZE.add(
    "the functions made in the loop all use its last `part`: a lambda looks the variable up when it is "
    "called. Use functools.partial(stay, part)."
)
def remembers_the_variable(module, frozen=True):
    module.requires_grad_(not frozen)
    for part in module.modules():
        if frozen:
            part.training = False
            part.train = lambda mode=True: _stay(part, mode)  # noqa: B023 (the mistake)
        else:
            _release(part)
    return module


def _nothing(part, mode=True):
    return part


@FREEZE.add(
    "only the frozen module itself holds still: the train() of a part of it still works. Every module inside "
    "must hold still."
)
def parts_still_listen(module, frozen=True):
    module.requires_grad_(not frozen)
    for part in module.modules():
        part.held = frozen
        _release(part)
    if frozen:
        module.eval()
        module.train = partial(_train_what_is_not_held, module)
    return module


def _train_what_is_not_held(module, mode=True):
    type(module).train(module, mode)
    for part in module.modules():
        if part.held:
            part.training = False
    return module


@FREEZE.add(
    "the function that keeps the mode belongs to the old module, so that a deep copy is not frozen. "
    "Take the module from its own argument (self)."
)
def copy_is_not_frozen(module, frozen=True):
    module.requires_grad_(not frozen)
    for part in module.modules():
        if frozen:
            part.eval()
            part.still = part.register_forward_pre_hook(lambda _, inputs, own=part: _off(own))
        elif hasattr(part, "still"):
            part.still.remove()
    return module


def _off(part):
    part.training = False


@FREEZE.add("the running statistics are thrown away. A frozen batch norm goes on using those it has.")
def statistics_reset(module, frozen=True):
    for part in module.modules():
        if frozen and isinstance(part, _BatchNorm):
            part.reset_running_stats()
    return _right(module, frozen)


@FREEZE.add("the parameters are filled with zeros. Freezing keeps their values; only their gradients go.")
def values_lost(module, frozen=True):
    if frozen:
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.zero_()
    return _right(module, frozen)
