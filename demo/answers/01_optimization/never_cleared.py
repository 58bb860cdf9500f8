"""Forgets to clear the gradients, never mixes the examples, and stays in training mode."""

import torch
from torch.nn import functional as F


def overfit_small_batch(model, x, y, optimizer, steps):
    model.train()
    history = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history


def train(model, x_train, y_train, x_val, y_val, optimizer, epochs, batch_size, scheduler=None, seed=0):
    history = {"train_loss": [], "val_loss": [], "val_accuracy": []}
    model.train()
    for _ in range(epochs):
        batch_losses = []
        for x, y in zip(x_train.split(batch_size), y_train.split(batch_size), strict=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            batch_losses.append(loss.item())
        with torch.no_grad():
            logits = model(x_val)
        history["train_loss"].append(sum(batch_losses) / len(batch_losses))
        history["val_loss"].append(F.cross_entropy(logits, y_val).item())
        history["val_accuracy"].append((logits.argmax(dim=1) == y_val).float().mean().item())
        if scheduler is not None:
            scheduler.step()
    return history
