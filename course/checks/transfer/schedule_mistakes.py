"""How students get `parameter_groups` and `gradual_unfreeze` wrong."""

from __future__ import annotations

from course.checks.collect import Mistakes
from course.transfer import freeze

GROUPS = Mistakes()
UNFREEZE = Mistakes()


def _layers(model):
    """Children that hold parameters: the part of the work that is right."""
    return [child for child in model.children() if any(True for _ in child.parameters())]


def _groups(model, rate, layers=None, wanted=lambda parameter: parameter.requires_grad):
    """Groups with the rate of each layer; `rate` gets the layer's distance from the last one."""
    layers = _layers(model) if layers is None else layers
    groups, taken = [], set()
    for position, layer in enumerate(layers):
        params = [p for p in layer.parameters() if wanted(p) and id(p) not in taken]
        taken.update(map(id, params))
        if params:
            groups.append({"params": params, "lr": rate(len(layers) - 1 - position)})
    return groups


@GROUPS.add(
    "the first layer has the largest rate and the head the smallest. It is the other way round: "
    "the first layer should move least."
)
def rates_reversed(model, lr, decay):
    depth = len(_layers(model)) - 1
    return _groups(model, lambda distance: lr * decay ** (depth - distance))


@GROUPS.add("every layer has the same rate: decay is not used.")
def one_rate(model, lr, decay):
    return _groups(model, lambda distance: lr)


@GROUPS.add("the last layer has lr * decay. The head gets lr itself: the exponent starts at 0.")
def starts_at_one(model, lr, decay):
    return _groups(model, lambda distance: lr * decay ** (distance + 1))


@GROUPS.add("all layers but the last have the same rate. It falls by the factor decay from layer to layer.")
def two_rates(model, lr, decay):
    return _groups(model, lambda distance: lr * decay if distance else lr)


@GROUPS.add(
    "the rate falls by a fixed amount (lr * decay * distance). It falls by a factor: lr * decay**distance."
)
def linear_in_the_distance(model, lr, decay):
    return _groups(model, lambda distance: lr * decay * distance if distance else lr)


@GROUPS.add("the rate is divided by decay towards the first layer, so that it grows. Multiply.")
def divided(model, lr, decay):
    return _groups(model, lambda distance: lr / decay**distance)


@GROUPS.add("frozen parameters are in the groups. Leave out those with requires_grad False.")
def frozen_ones_too(model, lr, decay):
    return _groups(model, lambda distance: lr * decay**distance, wanted=lambda parameter: True)


@GROUPS.add(
    "a frozen layer does not count for the exponent, so the rates of the others jump when it is thawed. "
    "Count every layer that has parameters."
)
def frozen_layers_not_counted(model, lr, decay):
    layers = [layer for layer in _layers(model) if any(p.requires_grad for p in layer.parameters())]
    return _groups(model, lambda distance: lr * decay**distance, layers)


@GROUPS.add("a ReLU, a Flatten or a Dropout counts as a layer. Only children that hold parameters do.")
def counts_children_without_parameters(model, lr, decay):
    return _groups(model, lambda distance: lr * decay**distance, list(model.children()))


@GROUPS.add("a frozen layer has an empty group. Leave it out.")
def empty_groups(model, lr, decay):
    layers, taken, groups = _layers(model), set(), []
    for i, layer in enumerate(layers):
        wanted = [p for p in layer.parameters() if p.requires_grad]
        params = [p for p in wanted if id(p) not in taken]
        taken.update(map(id, params))
        if params or not wanted:
            groups.append({"params": params, "lr": lr * decay ** (len(layers) - 1 - i)})
    return groups


@GROUPS.add(
    "a parameter that two layers share is in two groups, which torch's optimizers refuse. "
    "Take it once, in the first of its layers."
)
def shared_parameter_twice(model, lr, decay):
    layers = _layers(model)
    groups = []
    for i, layer in enumerate(layers):
        params = [p for p in layer.parameters() if p.requires_grad]
        if params:
            groups.append({"params": params, "lr": lr * decay ** (len(layers) - 1 - i)})
    return groups


@GROUPS.add("a parameter that two layers share is in the last of them. It belongs to the first.")
def shared_parameter_in_the_last(model, lr, decay):
    layers, taken, groups = _layers(model), set(), []
    for distance, layer in enumerate(reversed(layers)):
        params = [p for p in layer.parameters() if p.requires_grad and id(p) not in taken]
        taken.update(map(id, params))
        if params:
            groups.insert(0, {"params": params, "lr": lr * decay**distance})
    return groups


@GROUPS.add(
    "parameters with equal numbers are taken for one: a second new batch norm is left out. "
    "Compare identities: id(parameter)."
)
def equal_is_shared(model, lr, decay):
    layers, taken, groups = _layers(model), [], []
    for distance, layer in zip(reversed(range(len(layers))), layers, strict=True):
        params = [p for p in layer.parameters() if p.requires_grad and not any(map(p.equal, taken))]
        taken += params
        if params:
            groups.append({"params": params, "lr": lr * decay**distance})
    return groups


@GROUPS.add("the groups begin with the head. They are in the order of the model: the first layer first.")
def head_first(model, lr, decay):
    return _groups(model, lambda distance: lr * decay**distance)[::-1]


@GROUPS.add("each parameter has a group of its own. Make one group per layer.")
def one_group_per_parameter(model, lr, decay):
    return [
        {"params": [p], "lr": group["lr"]}
        for group in _groups(model, lambda distance: lr * decay**distance)
        for p in group["params"]
    ]


@GROUPS.add(
    "the rate falls with every parameter (weight, bias). It falls with every layer: both belong together."
)
def rate_per_parameter(model, lr, decay):
    params = [p for p in model.parameters() if p.requires_grad]
    return [{"params": [p], "lr": lr * decay ** (len(params) - 1 - i)} for i, p in enumerate(params)]


@GROUPS.add("only weights are in the groups: the biases would never be trained.")
def biases_left_out(model, lr, decay):
    weights = {id(p) for name, p in model.named_parameters() if name.endswith("weight")}
    return _groups(
        model, lambda distance: lr * decay**distance, wanted=lambda p: p.requires_grad and id(p) in weights
    )


@GROUPS.add(
    "layers inside a block are layers of their own here. A layer is a direct child of the model; "
    "a block has one rate."
)
def innermost_layers(model, lr, decay):
    layers = [m for m in model.modules() if next(m.parameters(recurse=False), None) is not None]
    return _groups(model, lambda distance: lr * decay**distance, layers)


# --- gradual_unfreeze ---------------------------------------------------------------------------------------


def _names(model):
    return [name for name, child in model.named_children() if any(True for _ in child.parameters())]


def _thaw(model, count, hold=freeze):
    """Let the last `count` layers train."""
    names = _names(model)
    still = max(0, len(names) - count)
    for position, name in enumerate(names):
        hold(model.get_submodule(name), position < still)
    return names[still:]


@UNFREEZE.add("in epoch 0 nothing trains. The head trains from the start: 1 + epoch // every layers.")
def one_too_few(model, epoch, every=1):
    return _thaw(model, epoch // every)


@UNFREEZE.add("in epoch 0 two layers train. Only the head does: 1 + epoch // every layers.")
def one_too_many(model, epoch, every=1):
    return _thaw(model, 2 + epoch // every)


@UNFREEZE.add("everything trains from epoch 1 on. One more layer is let go at a time.")
def all_at_once(model, epoch, every=1):
    return _thaw(model, 1 if epoch < every else len(_names(model)))


@UNFREEZE.add("you begin with the first layer. Begin with the head and go towards the input.")
def from_the_first_layer(model, epoch, every=1):
    names = _names(model)
    train = names[: 1 + epoch // every]
    for name in names:
        freeze(model.get_submodule(name), name not in train)
    return train


@UNFREEZE.add(
    "frozen batch norm still moves: requires_grad_(False) does not stop its running statistics. Use freeze.",
    "6.3",
)
def running_statistics_move(model, epoch, every=1):
    return _thaw(model, 1 + epoch // every, lambda layer, frozen: layer.requires_grad_(not frozen))


@UNFREEZE.add("layers are only thawed, never frozen: what trains must follow from the epoch alone.")
def never_freezes(model, epoch, every=1):
    return _thaw(model, 1 + epoch // every, lambda layer, frozen: None if frozen else freeze(layer, False))


@UNFREEZE.add("layers are only frozen, never thawed: they go on standing still in later epochs.")
def never_thaws(model, epoch, every=1):
    return _thaw(model, 1 + epoch // every, lambda layer, frozen: freeze(layer) if frozen else None)


@UNFREEZE.add("only the newest layer trains. The layers after it go on training.")
def one_layer_at_a_time(model, epoch, every=1):
    names = _names(model)
    chosen = max(0, len(names) - 1 - epoch // every)
    for position, name in enumerate(names):
        freeze(model.get_submodule(name), position != chosen)
    return names[chosen : chosen + 1]


@UNFREEZE.add("every is not used: a layer is thawed in each epoch.")
def every_ignored(model, epoch, every=1):
    return _thaw(model, 1 + epoch)


@UNFREEZE.add("epoch is multiplied by every. A new layer comes every `every` epochs: divide, epoch // every.")
def multiplied_by_every(model, epoch, every=1):
    return _thaw(model, 1 + epoch * every)


@UNFREEZE.add("epoch % every is the remainder, so that the schedule starts again. Divide: epoch // every.")
def remainder(model, epoch, every=1):
    return _thaw(model, 1 + epoch % every)


@UNFREEZE.add(
    "layers[-0:] is the whole list, so in epoch 0 all layers train. The last 1 + epoch // every do."
)
def slice_of_zero(model, epoch, every=1):
    train = _names(model)[-(epoch // every) :]
    for name in _names(model):
        freeze(model.get_submodule(name), name not in train)
    return train


@UNFREEZE.add(
    "freeze(model) holds the model itself and its dropout too, and nobody thaws them. "
    "Freeze the layers, one by one."
)
def freezes_the_model(model, epoch, every=1):
    names = _names(freeze(model))[-(1 + epoch // every) :]
    for name in names:
        freeze(model.get_submodule(name), False)
    return names


@UNFREEZE.add(
    "children without parameters are frozen for ever, for their names are not among those that train: "
    "dropout stays off. Freeze layers only."
)
def freezes_what_is_no_layer(model, epoch, every=1):
    train = _names(model)[-(1 + epoch // every) :]
    for name, child in model.named_children():
        freeze(child, name not in train)
    return train


@UNFREEZE.add("a ReLU or a Dropout counts as a layer. Only children that hold parameters do.")
def counts_every_child(model, epoch, every=1):
    children = list(model.named_children())
    still = max(0, len(children) - (1 + epoch // every))
    for position, (_, child) in enumerate(children):
        freeze(child, position < still)
    return [name for name, child in children[still:] if any(True for _ in child.parameters())]


@UNFREEZE.add("when all layers train and epochs go on, your slice wraps around and they freeze again.")
def wraps_around(model, epoch, every=1):
    names = _names(model)
    still = len(names) - (1 + epoch // every)  # below 0 after the last layer
    train = names[still:]
    for name in names:
        freeze(model.get_submodule(name), name not in train)
    return train


@UNFREEZE.add("these are the names of the frozen layers. Return those that train.")
def names_of_the_frozen(model, epoch, every=1):
    train = _thaw(model, 1 + epoch // every)
    return [name for name in _names(model) if name not in train]


@UNFREEZE.add("the names begin with the head. They are in the order of the model.")
def names_reversed(model, epoch, every=1):
    return _thaw(model, 1 + epoch // every)[::-1]


@UNFREEZE.add(
    "these are names of parameters. Return the names of the layers: 'block2', not 'block2.linear.weight'."
)
def names_of_parameters(model, epoch, every=1):
    _thaw(model, 1 + epoch // every)
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]
