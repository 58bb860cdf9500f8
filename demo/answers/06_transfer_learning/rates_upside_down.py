"""The first layer gets the largest rate; unfreezing begins there, too."""


def parameter_groups(model, lr, decay):
    layers = [child for child in model.children() if list(child.parameters())]
    return [
        {"params": list(layer.parameters()), "lr": lr * decay**number} for number, layer in enumerate(layers)
    ]


def gradual_unfreeze(model, epoch, every=1):
    layers = [(name, child) for name, child in model.named_children() if list(child.parameters())]
    training = layers[: 1 + epoch // every]
    for _, layer in layers:
        layer.requires_grad_(False)
    for _, layer in training:
        layer.requires_grad_(True)
    return [name for name, _ in training]
