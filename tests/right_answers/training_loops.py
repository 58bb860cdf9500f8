"""Right answers to overfit_small_batch and train."""

import random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from course.training import evaluation_mode

# --- overfit_small_batch ------------------------------------------------------------------------------------


def overfit_zeroing_first(model, x, y, optimizer, steps):
    losses = []
    for _ in range(steps):
        model.train()
        optimizer.zero_grad()
        logits = model(x)
        loss = nn.CrossEntropyLoss()(logits, y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def overfit_zeroing_last(model, x, y, optimizer, steps):
    model.train(True)
    history = [0.0] * steps
    for i in range(steps):
        z = model(x)
        loss = (z.logsumexp(1) - z[torch.arange(len(y)), y]).mean()
        history[i] = float(loss)
        loss.backward()
        optimizer.step()
        model.zero_grad()
    return history


def overfit_with_autograd(model, x, y, optimizer, steps):
    model.train()
    params = list(model.parameters())
    losses = ()
    while len(losses) < steps:
        loss = F.nll_loss(F.log_softmax(model(x), 1), y)
        for p, g in zip(params, torch.autograd.grad(loss, params), strict=True):
            p.grad = g
        optimizer.step()
        losses += (loss.detach().tolist(),)
    return list(losses)


# --- train --------------------------------------------------------------------------------------------------


def train_with_a_loader(
    model, x_train, y_train, x_val, y_val, optimizer, epochs, batch_size, scheduler=None, seed=0
):
    loader = DataLoader(
        TensorDataset(x_train, y_train),
        batch_size=batch_size,
        shuffle=True,
        generator=torch.Generator().manual_seed(seed),
    )
    history = {"train_loss": [], "val_loss": [], "val_accuracy": []}
    for _ in range(epochs):
        model.train()
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * x.size(0)
        history["train_loss"].append(total / len(loader.dataset))
        model.eval()
        with torch.no_grad():
            logits = model(x_val)
            history["val_loss"].append(F.cross_entropy(logits, y_val).item())
            history["val_accuracy"].append((logits.argmax(1) == y_val).float().mean().item())
        if scheduler:
            scheduler.step()
    return history


def train_with_slices(
    model, x_train, y_train, x_val, y_val, optimizer, epochs, batch_size, scheduler=None, seed=0
):
    """torch's global generator; the validation in batches; more in the history than is asked for."""
    torch.manual_seed(seed)
    train_losses, val_losses, accuracies, rates = [], [], [], []
    criterion = nn.CrossEntropyLoss()
    for _epoch in range(epochs):
        order = torch.randperm(x_train.shape[0])
        x, y = x_train[order], y_train[order]
        each = []
        for start in range(0, len(x), batch_size):
            model.train()
            xb, yb = x[start : start + batch_size], y[start : start + batch_size]
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            each += [loss.item()] * len(xb)
        train_losses.append(sum(each) / len(each))
        model.eval()
        loss_sum, right = 0.0, 0
        with torch.inference_mode():
            for xb, yb in zip(x_val.split(batch_size), y_val.split(batch_size), strict=True):
                logits = model(xb)
                loss_sum += F.cross_entropy(logits, yb, reduction="sum").item()
                right += (logits.max(dim=1).indices == yb).sum().item()
        val_losses.append(loss_sum / len(x_val))
        accuracies.append(right / len(x_val))
        rates.append(optimizer.param_groups[0]["lr"])
        if scheduler is not None:
            scheduler.step()
    model.train()
    return dict(train_loss=train_losses, val_loss=val_losses, val_accuracy=accuracies, lr=rates)


def train_with_numpys_order(
    model, x_train, y_train, x_val, y_val, optimizer, epochs, batch_size, scheduler=None, seed=0
):
    """The training accuracy too, in evaluation mode; modes put back afterwards."""
    rng = np.random.default_rng(seed)
    history = {key: [] for key in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")}
    n = len(y_train)
    for _ in range(epochs):
        model.train()
        order = torch.from_numpy(rng.permutation(n))
        mean = 0.0
        for batch in torch.tensor_split(order, tuple(range(batch_size, n, batch_size))):
            loss = F.cross_entropy(model(x_train[batch]), y_train[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            mean += float(loss.detach()) * len(batch) / n
        history["train_loss"].append(mean)
        with evaluation_mode(model), torch.no_grad():
            for name, x, y in (("train", x_train, y_train), ("val", x_val, y_val)):
                logits = model(x)
                history[f"{name}_accuracy"].append(float((logits.argmax(-1) == y).double().mean()))
                if name == "val":
                    history["val_loss"].append(float(F.cross_entropy(logits, y)))
        if scheduler is not None:
            scheduler.step()
    return history


def train_with_pythons_order(
    model, x_train, y_train, x_val, y_val, optimizer, epochs, batch_size, scheduler=None, seed=0
):
    indices, shuffler = list(range(len(x_train))), random.Random(seed)
    result = {"train_loss": [], "val_loss": [], "val_accuracy": []}

    def one_batch(rows):
        optimizer.zero_grad()
        logits = model(x_train[rows])
        losses = F.cross_entropy(logits, y_train[rows], reduction="none")
        losses.mean().backward()
        optimizer.step()
        return losses.tolist()

    @torch.no_grad()
    def look():
        model.eval()
        losses = [F.cross_entropy(model(x[None]), y[None]).item() for x, y in zip(x_val, y_val, strict=True)]
        right = [model(x[None]).argmax().item() == int(y) for x, y in zip(x_val, y_val, strict=True)]
        return sum(losses) / len(losses), sum(right) / len(right)

    for _ in range(epochs):
        model.train()
        shuffler.shuffle(indices)
        losses, rest = [], indices[:]
        while rest:
            losses += one_batch(rest[:batch_size])
            rest = rest[batch_size:]
        loss, accuracy = look()
        result["train_loss"].append(sum(losses) / len(losses))
        result["val_loss"].append(loss)
        result["val_accuracy"].append(accuracy)
        if scheduler is not None:
            scheduler.step()
    return result


RIGHT = {
    "overfit_small_batch": {
        "zeroed first": overfit_zeroing_first,
        "zeroed last": overfit_zeroing_last,
        "autograd.grad": overfit_with_autograd,
    },
    "train": {
        "a DataLoader": train_with_a_loader,
        "slices": train_with_slices,
        "numpy's order": train_with_numpys_order,
        "Python's order": train_with_pythons_order,
    },
}
