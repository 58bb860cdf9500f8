"""Right answers to predict_with_tta and fgsm_attack."""

import contextlib
import copy

import torch
from torch import nn
from torch.nn import functional as F


@contextlib.contextmanager
def evaluating(model):
    before = {module: module.training for module in model.modules()}
    try:
        yield model.eval()
    finally:
        for module, mode in before.items():
            module.training = mode


# --- predict_with_tta ---------------------------------------------------------------------------------------


def tta_in_a_loop(model, x, transforms):
    if not transforms:
        raise ValueError("no transforms")
    modes = [m.training for m in model.modules()]
    total = 0
    try:
        model.eval()
        with torch.no_grad():
            for transform in transforms:
                total = total + torch.softmax(model(transform(x)), dim=1)
    finally:
        for m, mode in zip(model.modules(), modes, strict=True):
            m.training = mode
    return total / len(transforms)


def tta_in_one_batch(model, x, transforms):
    """All views below each other: one pass of the model."""
    if len(transforms) < 1:
        raise ValueError(transforms)
    with evaluating(model), torch.inference_mode():
        views = torch.cat([t(x) for t in transforms])
        probabilities = F.log_softmax(model(views), dim=-1).exp()
    return probabilities.view(len(transforms), len(x), -1).mean(dim=0).clone()


@torch.no_grad()
def tta_on_a_copy(model, x, transforms):
    if transforms == []:
        raise ValueError("nothing to look at")
    twin = copy.deepcopy(model).eval()
    scores = [twin(view(x)) for view in transforms]
    exps = [(s - s.max(1, keepdim=True)[0]).exp() for s in scores]
    return sum(e / e.sum(1, keepdim=True) for e in exps) / len(exps)


# --- fgsm_attack --------------------------------------------------------------------------------------------


def fgsm_by_grad(model, x, y, epsilon):
    x_adv = x.clone().detach().requires_grad_(True)
    with evaluating(model):
        loss = nn.CrossEntropyLoss()(model(x_adv), y)
        grad = torch.autograd.grad(loss, x_adv)[0]
    return torch.clamp(x_adv + epsilon * torch.sign(grad), 0.0, 1.0).detach()


def fgsm_by_backward(model, x, y, epsilon):
    """loss.backward() on parameters that ask for nothing meanwhile."""
    wishes = [p.requires_grad for p in model.parameters()]
    model.requires_grad_(False)
    leaf = x.detach().clone()
    leaf.requires_grad = True
    with evaluating(model):
        F.cross_entropy(model(leaf), y, reduction="sum").backward()
    for parameter, wish in zip(model.parameters(), wishes, strict=True):
        parameter.requires_grad_(wish)
    with torch.no_grad():
        step = leaf.grad.sign().mul(epsilon)
        return (leaf + step).clip(min=0, max=1)


def fgsm_on_a_copy(model, x, y, epsilon):
    twin = copy.deepcopy(model)
    twin.eval()
    delta = torch.zeros_like(x, requires_grad=True)
    log_probabilities = F.log_softmax(twin(x + delta), dim=1)
    loss = -log_probabilities[torch.arange(len(y)), y].mean()
    loss.backward()
    return (x + epsilon * delta.grad.sign()).clamp_(0, 1)


RIGHT = {
    "predict_with_tta": {"loop": tta_in_a_loop, "one batch": tta_in_one_batch, "a copy": tta_on_a_copy},
    "fgsm_attack": {"autograd.grad": fgsm_by_grad, "backward": fgsm_by_backward, "a copy": fgsm_on_a_copy},
}
