"""How students get `replace_head` wrong."""

from __future__ import annotations

import copy

import torch
from torch import nn

from course.checks.collect import Mistakes

REPLACE = Mistakes()


def _new(old, num_classes, **options):
    """A fresh layer like the old one: the part of the work that is right."""
    arguments = {"bias": old.bias is not None, "device": old.weight.device, "dtype": old.weight.dtype}
    return nn.Linear(old.in_features, num_classes, **(arguments | options)).train(old.training)


def _put(model, name, layer):
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, layer)
    return model


@REPLACE.add(
    "you change the given model itself: its own head is gone. Work on a copy (copy.deepcopy), for A is still "
    "needed."
)
def in_place(model, name, num_classes):
    return _put(model, name, _new(model.get_submodule(name), num_classes))


@REPLACE.add(
    "the copy is shallow: the layers are shared, so training the new model changes the old one. Use "
    "copy.deepcopy."
)
def shallow_copy(model, name, num_classes):
    new = copy.copy(model)
    new._modules = dict(model._modules)
    parent, _, child = name.rpartition(".")
    inner, path = new, parent.split(".") if parent else []
    for step in path:
        inner._modules[step] = copy.copy(inner._modules[step])
        inner = inner._modules[step]
        inner._modules = dict(inner._modules)
    inner._modules[child] = _new(model.get_submodule(name), num_classes)
    return new


@REPLACE.add(
    "the new head is wrapped in a Sequential, which changes its names (fc.0.weight). "
    "Put the nn.Linear itself in the old one's place."
)
def head_in_a_sequential(model, name, num_classes):
    new = copy.deepcopy(model)
    return _put(new, name, nn.Sequential(_new(new.get_submodule(name), num_classes)))


@REPLACE.add(
    "Sequential(*children[:-1], head) is another network: what forward did between the layers is lost, the "
    "names too, and the layers are shared with the given model."
)
def sequential_of_the_rest(model, name, num_classes):
    *body, _ = model.children()
    old = model.get_submodule(name)
    return nn.Sequential(*body, nn.Flatten(), _new(old, num_classes))


@REPLACE.add("the new layer stands behind the old head, which is still there. It takes the old one's place.")
def head_appended(model, name, num_classes):
    new = copy.deepcopy(model)
    old = new.get_submodule(name)
    return _put(
        new,
        name,
        nn.Sequential(
            old,
            _new(old, num_classes, bias=True).__class__(
                old.out_features, num_classes, dtype=old.weight.dtype
            ),
        ),
    )


@REPLACE.add(
    "out_features is only a number to read: the weight still has its old shape. Make a new nn.Linear."
)
def only_the_number(model, name, num_classes):
    new = copy.deepcopy(model)
    new.get_submodule(name).out_features = num_classes
    return new


@REPLACE.add(
    "the new head starts from rows of the old one, which know other classes. Start from a fresh nn.Linear."
)
def old_rows_kept(model, name, num_classes):
    new = copy.deepcopy(model)
    old = new.get_submodule(name)
    head = _new(old, num_classes)
    n = min(num_classes, old.out_features)
    with torch.no_grad():
        head.weight[:n] = old.weight[:n]
        if old.bias is not None:
            head.bias[:n] = old.bias[:n]
    return _put(new, name, head)


@REPLACE.add("the new head has no bias although the old one has one.")
def bias_lost(model, name, num_classes):
    new = copy.deepcopy(model)
    return _put(new, name, _new(new.get_submodule(name), num_classes, bias=False))


@REPLACE.add("the new head has a bias although the old one has none: bias=old.bias is not None.")
def bias_added(model, name, num_classes):
    new = copy.deepcopy(model)
    return _put(new, name, _new(new.get_submodule(name), num_classes, bias=True))


@REPLACE.add("the new head is float32 inside a float64 network. Make it with dtype=old.weight.dtype.")
def other_dtype(model, name, num_classes):
    new = copy.deepcopy(model)
    return _put(new, name, _new(new.get_submodule(name), num_classes, dtype=torch.float32))


@REPLACE.add(
    "setattr with a dot in the name puts the new layer beside the old one, where forward never looks. Set it "
    'on its parent: name.rpartition(".").'
)
def dot_in_the_name(model, name, num_classes):
    new = copy.deepcopy(model)
    setattr(new, name, _new(new.get_submodule(name), num_classes))
    return new


@REPLACE.add("you replace the layer `fc` whatever the name says. Use the argument.")
def always_fc(model, name, num_classes):
    new = copy.deepcopy(model)
    old = new.get_submodule(name)
    new.fc = _new(old, num_classes)
    return new


@REPLACE.add(
    "you replace the last child of the model. The head is the layer of the given name, which may lie deeper."
)
def last_child(model, name, num_classes):
    new = copy.deepcopy(model)
    last, _ = list(new.named_children())[-1]
    setattr(new, last, _new(new.get_submodule(name), num_classes))
    return new


@REPLACE.add("you replace the last nn.Linear of the model. The head is the layer of the given name.")
def last_linear(model, name, num_classes):
    new = copy.deepcopy(model)
    last = [each for each, part in new.named_modules() if isinstance(part, nn.Linear)][-1]
    return _put(new, last, _new(new.get_submodule(last), num_classes))


@REPLACE.add("the whole network starts anew: what the given model has learned is lost. Only the head is new.")
def all_anew(model, name, num_classes):
    new = copy.deepcopy(model)
    for module in new.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return _put(new, name, _new(new.get_submodule(name), num_classes))


@REPLACE.add("the copy is frozen altogether. Replacing the head freezes nothing; that is another decision.")
def all_frozen(model, name, num_classes):
    new = copy.deepcopy(model).requires_grad_(False)
    return _put(new, name, _new(new.get_submodule(name), num_classes))


@REPLACE.add("the new head asks for no gradient, as the old one did. A new head must be able to learn.")
def head_frozen_as_before(model, name, num_classes):
    new = copy.deepcopy(model)
    old = new.get_submodule(name)
    return _put(new, name, _new(old, num_classes).requires_grad_(old.weight.requires_grad))


@REPLACE.add("the frozen parameters of the model ask for gradients in the copy. Only the head is new.")
def thawed(model, name, num_classes):
    new = copy.deepcopy(model).requires_grad_(True)
    return _put(new, name, _new(new.get_submodule(name), num_classes))


@REPLACE.add("in_features and num_classes are swapped: nn.Linear(in_features, out_features).")
def sizes_swapped(model, name, num_classes):
    new = copy.deepcopy(model)
    old = new.get_submodule(name)
    return _put(new, name, nn.Linear(num_classes, old.in_features, dtype=old.weight.dtype))


@REPLACE.add(
    "the new head is not in the mode of the old one (a new layer is in training mode). "
    "Use new.train(old.training)."
)
def mode_forgotten(model, name, num_classes):
    new = copy.deepcopy(model)
    return _put(new, name, _new(new.get_submodule(name), num_classes).train())


@REPLACE.add(
    "train(...) gives all parts of the copy one mode, and a part may have its own. "
    "deepcopy keeps the modes: set that of the new head only."
)
def one_mode_for_all(model, name, num_classes):
    new = copy.deepcopy(model)
    return _put(new, name, _new(new.get_submodule(name), num_classes)).train(model.training)
