"""Switches the gradients off and forgets batch norm, whose running statistics go on moving."""


def freeze(module, frozen=True):
    for parameter in module.parameters():
        parameter.requires_grad_(not frozen)
    return module
