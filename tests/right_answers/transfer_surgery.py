"""Right answers to extract_features, replace_head and freeze."""

import contextlib
import copy
import types
from functools import partial

import torch
from torch import nn

# --- extract_features ---------------------------------------------------------------------------------------


def features_with_a_hook(model, x, layer):
    modes = {module: module.training for module in model.modules()}
    kept = {}

    def hook(module, inputs, output):
        kept["features"] = output.detach().clone()

    handle = dict(model.named_modules())[layer].register_forward_hook(hook)
    try:
        model.eval()
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
        for module, mode in modes.items():
            module.training = mode
    return kept["features"]


def features_of_a_copy(model, x, layer):
    """A copy may be left in any state."""
    spare = copy.deepcopy(model).eval()
    outputs = []
    spare.get_submodule(layer).register_forward_hook(lambda m, i, o: outputs.append(o.clone()))
    with torch.inference_mode():
        spare(x.clone())
    return outputs[0].clone()


class _Enough(Exception):
    pass


def features_that_stop_early(model, x, layer):
    """What comes after the layer is not computed at all."""
    before = [(module, module.training) for module in model.modules()]
    found = []

    def stop(module, inputs, output):
        found.append(output)
        raise _Enough

    target = model
    for step in layer.split("."):
        target = getattr(target, step)
    handle = target.register_forward_hook(stop)
    for module, _ in before:
        module.training = False
    try:
        with torch.no_grad(), contextlib.suppress(_Enough):
            model(x)
    finally:
        handle.remove()
        for module, training in before:
            module.training = training
    return found[0]


def features_by_a_wrapped_forward(model, x, layer):
    """No hook: the layer's forward is shadowed for one call."""
    target, modes = model.get_submodule(layer), [m.training for m in model.modules()]
    forward, kept = target.forward, []

    def listening(*inputs):
        out = forward(*inputs)
        kept.append(out.detach().clone())
        return out

    grad = torch.is_grad_enabled()
    try:
        target.forward = listening
        model.train(False)
        torch.set_grad_enabled(False)
        model(x)
    finally:
        torch.set_grad_enabled(grad)
        del target.forward
        for module, training in zip(model.modules(), modes, strict=True):
            module.training = training
    return kept[-1]


# --- replace_head -------------------------------------------------------------------------------------------


def head_by_setattr(model, name, num_classes):
    new = copy.deepcopy(model)
    *path, last = name.split(".")
    parent = new
    for step in path:
        parent = getattr(parent, step)
    old = getattr(parent, last)
    head = nn.Linear(old.in_features, num_classes, bias=old.bias is not None).to(old.weight)
    head.train(old.training)
    setattr(parent, last, head)
    return new


def head_by_set_submodule(model, name, num_classes):
    new = copy.deepcopy(model)
    old = new.get_submodule(name)
    weight = old.weight
    fresh = nn.Linear(weight.size(1), num_classes, old.bias is not None, weight.device, weight.dtype)
    fresh.training = old.training
    parent = new.get_submodule(name.rpartition(".")[0])
    parent._modules[name.rpartition(".")[2]] = fresh
    return new


def head_from_zero(model, name, num_classes):
    """The copied layer gets new tensors: a linear classifier may start from 0."""
    new = copy.deepcopy(model)
    head = new.get_submodule(name)
    head.weight = nn.Parameter(head.weight.new_zeros(num_classes, head.in_features))
    if head.bias is not None:
        head.bias = nn.Parameter(head.bias.new_zeros(num_classes))
    head.out_features = num_classes
    return new


# --- freeze -------------------------------------------------------------------------------------------------


def freeze_by_a_method(module, frozen=True):
    """`train` is shadowed on each module, as a bound method."""

    def train(self, mode=True):
        for child in self.children():
            child.train(mode)
        return self

    for parameter in module.parameters():
        parameter.requires_grad = not frozen
    for part in module.modules():
        if frozen:
            part.training = False
            part.train = types.MethodType(train, part)
        elif "train" in vars(part):
            del part.train
    return module


def _evaluate_first(module, inputs):
    module.training = False


def freeze_by_hooks(module, frozen=True):
    """A hook puts each module in evaluation mode before it runs."""
    for part in module.modules():
        part.requires_grad_(not frozen)
        if frozen and getattr(part, "freezer", None) is None:
            part.training = False
            part.freezer = part.register_forward_pre_hook(_evaluate_first)
        elif not frozen and getattr(part, "freezer", None) is not None:
            part.freezer.remove()
            part.freezer = None
    return module


def freeze_by_class(module, frozen=True):
    """Each module becomes one of a subclass whose mode cannot be changed."""
    module.requires_grad_(not frozen)
    for part in module.modules():
        kind = type(part)
        if frozen and not hasattr(kind, "thawed"):
            part.training = False
            part.__class__ = type(
                f"Frozen{kind.__name__}", (kind,), {"train": _train_children, "thawed": kind}
            )
        elif not frozen and hasattr(kind, "thawed"):
            part.__class__ = kind.thawed
    return module


def _train_children(self, mode=True):
    for child in self.children():
        child.train(mode)
    return self


def freeze_what_has_a_mode(module, frozen=True):
    """Only leaves that look at `training` need to be held; the mode of the others means nothing."""
    module.requires_grad_(not frozen)
    for part in module.modules():
        if not list(part.children()):
            part.__dict__.pop("train", None)
            if frozen:
                part.train(False).train = partial(_same, part)
    return module


def _same(part, mode=True):
    return part


RIGHT = {
    "extract_features": {
        "hook and finally": features_with_a_hook,
        "deepcopy": features_of_a_copy,
        "stops early": features_that_stop_early,
        "wrapped forward": features_by_a_wrapped_forward,
    },
    "replace_head": {
        "getattr and setattr": head_by_setattr,
        "_modules": head_by_set_submodule,
        "zeros in the copied layer": head_from_zero,
    },
    "freeze": {
        "bound methods": freeze_by_a_method,
        "hooks": freeze_by_hooks,
        "subclasses": freeze_by_class,
        "leaves only": freeze_what_has_a_mode,
    },
}
