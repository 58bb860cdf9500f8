"""Forgets to clear the gradients, and adds the losses up."""

import torch
from torch.nn import functional as F


def fine_tune(model, head, batches, epochs, lr=1e-4, head_lr=1e-2, momentum=0.9):
    body = [p for name, p in model.named_parameters() if not name.startswith(head)]
    groups = [
        {"params": body, "lr": lr},
        {"params": list(model.get_submodule(head).parameters()), "lr": head_lr},
    ]
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=momentum)
    history = []
    for _ in range(epochs):
        total = 0.0
        for x, y in batches:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        history.append(total)
    return history
