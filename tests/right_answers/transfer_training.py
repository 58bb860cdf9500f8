"""Right answers to parameter_groups, gradual_unfreeze, fine_tune and pretrain_layerwise."""

import torch
from torch import nn
from torch.nn import functional as F

from course.transfer import freeze
from right_answers.transfer_surgery import freeze_by_a_method, freeze_by_hooks

# --- parameter_groups ---------------------------------------------------------------------------------------


def groups_from_the_front(model, lr, decay):
    layers = [child for child in model.children() if list(child.parameters())]
    groups, seen = [], set()
    for i, layer in enumerate(layers):
        params = []
        for p in layer.parameters():
            if p.requires_grad and p not in seen:
                seen.add(p)
                params.append(p)
        if params:
            groups.append({"params": params, "lr": lr * decay ** (len(layers) - i - 1)})
    return groups


def groups_by_name(model, lr, decay):
    """named_parameters() has each shared parameter once, under its first name."""
    blocks = {name: [] for name, child in model.named_children() if any(True for _ in child.parameters())}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            blocks[name.partition(".")[0]].append(parameter)
    rates = [lr]
    for _ in range(len(blocks) - 1):
        rates.insert(0, rates[0] * decay)
    return [
        {"params": params, "lr": rate, "name": name}
        for (name, params), rate in zip(blocks.items(), rates, strict=True)
        if params
    ]


def groups_from_the_back(model, lr, decay):
    order = {id(p): i for i, p in enumerate(model.parameters())}
    first_layer, count = {}, 0
    for child in model.children():
        inside = list(child.parameters())
        for p in inside:
            first_layer.setdefault(id(p), count)
        count += bool(inside)
    groups = []
    for position in reversed(range(count)):
        members = [p for p in model.parameters() if first_layer[id(p)] == position and p.requires_grad]
        if members:
            groups.append(dict(params=tuple(sorted(members, key=lambda p: order[id(p)])), lr=lr))
        lr = lr * decay
    groups.reverse()
    return groups


# --- gradual_unfreeze ---------------------------------------------------------------------------------------


def unfreeze_with_two_slices(model, epoch, every=1):
    names = [name for name, child in model.named_children() if len(list(child.parameters())) > 0]
    n = min(len(names), 1 + epoch // every)
    for name in names[: len(names) - n]:
        freeze(getattr(model, name))
    for name in names[len(names) - n :]:
        freeze(getattr(model, name), False)
    return names[len(names) - n :]


def unfreeze_all_then_freeze(model, epoch, every=1):
    freeze_by_a_method(model, frozen=False)
    names = [name for name, child in model.named_children() if next(child.parameters(), None) is not None]
    training = []
    for distance, name in enumerate(reversed(names)):
        if distance * every <= epoch:
            training = [name, *training]
        else:
            freeze_by_a_method(model.get_submodule(name))
    return training


def unfreeze_from_the_back(model, epoch, every=1):
    left, training = 1 + int(epoch / every), []
    for name, child in reversed(list(model.named_children())):
        if not list(child.parameters()):
            continue
        freeze_by_hooks(child, left <= 0)
        if left > 0:
            training.append(name)
        left -= 1
    return training[::-1]


# --- fine_tune ----------------------------------------------------------------------------------------------


def tune_with_two_groups(model, head, batches, epochs, lr=1e-4, head_lr=1e-2, momentum=0.9):
    inside = {id(p) for p in model.get_submodule(head).parameters()}
    body = [p for p in model.parameters() if id(p) not in inside]
    optimizer = torch.optim.SGD(
        [{"params": body}, {"params": model.get_submodule(head).parameters(), "lr": head_lr}],
        lr=lr,
        momentum=momentum,
    )
    history = []
    for _epoch in range(epochs):
        model.train()
        losses = []
        for inputs, targets in batches:
            optimizer.zero_grad()
            each = nn.CrossEntropyLoss(reduction="none")(model(inputs), targets)
            each.mean().backward()
            optimizer.step()
            losses.extend(each.tolist())
        history.append(sum(losses) / len(losses))
    return history


def tune_with_two_optimizers(model, head, batches, epochs, lr=1e-4, head_lr=1e-2, momentum=0.9):
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    body = [p for name, p in named if not name.startswith(head + ".")]
    new = [p for name, p in named if name.startswith(head + ".")]
    optimizers = [
        torch.optim.SGD(params, lr=rate, momentum=momentum)
        for params, rate in ((body, lr), (new, head_lr))
        if params
    ]
    model.train()
    means = []
    for _ in range(epochs):
        total = count = 0
        for x, y in batches:
            model.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            total += float(loss.detach()) * x.shape[0]
            count += x.shape[0]
        means.append(total / count)
    return means


def tune_by_hand(model, head, batches, epochs, lr=1e-4, head_lr=1e-2, momentum=0.9):
    """SGD written out: v = momentum v + g, p = p - rate v."""
    rates = {p: lr for p in model.parameters()}
    rates.update({p: head_lr for p in model.get_submodule(head).parameters()})
    params = [p for p in model.parameters() if p.requires_grad]
    velocity = [torch.zeros_like(p) for p in params]
    history = []
    for _ in range(epochs):
        sums = []
        model.train(True)
        for x, y in batches:
            log_p = torch.log_softmax(model(x), dim=1)
            loss = -log_p[torch.arange(len(y)), y].mean()
            gradients = torch.autograd.grad(loss, params)
            with torch.no_grad():
                for p, v, g in zip(params, velocity, gradients, strict=True):
                    v.mul_(momentum).add_(g)
                    p.sub_(rates[p] * v)
            sums.append((loss.item() * len(y), len(y)))
        history.append(sum(s for s, _ in sums) / sum(n for _, n in sums))
    return history


# --- pretrain_layerwise -------------------------------------------------------------------------------------


def pretrain_with_optim(layers, x, steps, lr):
    history, h = [], x
    for layer in layers:
        c = torch.zeros(layer.in_features, dtype=x.dtype, requires_grad=True)
        sgd = torch.optim.SGD([layer.weight, layer.bias, c], lr=lr)
        curve = []
        for _ in range(steps):
            code = torch.sigmoid(layer(h))
            loss = ((F.linear(code, layer.weight.T, c) - h) ** 2).mean()
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            curve.append(loss.item())
        history.append(curve)
        h = torch.sigmoid(layer(h)).detach()
    return history


class TiedAutoencoder(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.encoder = layer
        self.c = nn.Parameter(torch.zeros(layer.in_features).to(layer.weight))

    def encode(self, h):
        return self.encoder(h).sigmoid()

    def forward(self, h):
        return self.encode(h) @ self.encoder.weight + self.c


def pretrain_with_a_module(layers, x, steps, lr):
    losses = []
    for layer in layers:
        autoencoder = TiedAutoencoder(layer)
        optimizer = torch.optim.SGD(autoencoder.parameters(), lr)
        losses.append([])
        for _ in range(steps):
            optimizer.zero_grad()
            loss = nn.MSELoss()(autoencoder(x), x)
            loss.backward()
            optimizer.step()
            losses[-1].append(float(loss))
        with torch.no_grad():
            x = autoencoder.encode(x)
    return losses


@torch.no_grad()
def pretrain_by_hand(layers, x, steps, lr):
    """The gradients written out; the weight has one from the encoder and one from the decoder."""
    h, all_losses = x, []
    for layer in layers:
        w, b = layer.weight, layer.bias
        c, losses = h.new_zeros(h.shape[1]), []
        for _ in range(steps):
            a = 1 / (1 + torch.exp(-(h @ w.T + b)))
            error = a @ w + c - h
            losses.append(error.square().mean().item())
            g = 2 * error / error.numel()
            dz = (g @ w.T) * a * (1 - a)
            dw = a.T @ g + dz.T @ h
            w -= lr * dw
            b -= lr * dz.sum(0)
            c = c - lr * g.sum(0)
        all_losses.append(losses)
        h = 1 / (1 + torch.exp(-(h @ w.T + b)))
    return all_losses


RIGHT = {
    "parameter_groups": {
        "from the front": groups_from_the_front,
        "named_parameters": groups_by_name,
        "from the back": groups_from_the_back,
    },
    "gradual_unfreeze": {
        "two slices": unfreeze_with_two_slices,
        "all, then freeze": unfreeze_all_then_freeze,
        "from the back": unfreeze_from_the_back,
    },
    "fine_tune": {
        "two groups": tune_with_two_groups,
        "two optimizers": tune_with_two_optimizers,
        "SGD by hand": tune_by_hand,
    },
    "pretrain_layerwise": {
        "torch.optim": pretrain_with_optim,
        "a module": pretrain_with_a_module,
        "gradients by hand": pretrain_by_hand,
    },
}
