"""How students get `overfit_small_batch` wrong."""

from __future__ import annotations

import copy

import torch
from torch.nn import functional as F

from course.checks.collect import Mistakes

OVERFIT = Mistakes()


def _step(model, x, y, optimizer):
    """One right step; returns the loss before it."""
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@OVERFIT.add("the gradients are never zeroed: each step adds to those of all steps before it.")
def never_zeroed(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@OVERFIT.add("zero_grad() comes between backward() and step(): the optimizer finds no gradients.")
def zeroed_before_the_step(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss.item())
    return losses


@OVERFIT.add("no step is taken: optimizer.step() is missing, so that the loss stays.")
def no_step(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
    return losses


@OVERFIT.add("the step comes before backward(): it uses the gradients of the step before.")
def step_before_backward(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x), y)
        optimizer.step()
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
    return losses


@OVERFIT.add(
    "the list holds the loss after each step. Note it down before: the first one says where it started."
)
def loss_after_the_step(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        _step(model, x, y, optimizer)
        with torch.no_grad():
            losses.append(F.cross_entropy(model(x), y).item())
    return losses


@OVERFIT.add("the last loss is one too many: one per step, taken before it.")
def one_loss_more(model, x, y, optimizer, steps):
    model.train()
    losses = [_step(model, x, y, optimizer) for _ in range(steps)]
    with torch.no_grad():
        return [*losses, F.cross_entropy(model(x), y).item()]


@OVERFIT.add("one step too many: range(steps) has `steps` of them.")
def one_step_more(model, x, y, optimizer, steps):
    model.train()
    return [_step(model, x, y, optimizer) for _ in range(steps + 1)]


@OVERFIT.add("one step is missing: range(steps) has `steps` of them.")
def one_step_less(model, x, y, optimizer, steps):
    model.train()
    return [_step(model, x, y, optimizer) for _ in range(steps - 1)]


@OVERFIT.add("the model is in evaluation mode. Call model.train() first.")
def evaluation_mode(model, x, y, optimizer, steps):
    model.eval()
    return [_step(model, x, y, optimizer) for _ in range(steps)]


@OVERFIT.add("the model stays in the mode that it had. Call model.train() first.")
def mode_left(model, x, y, optimizer, steps):
    return [_step(model, x, y, optimizer) for _ in range(steps)]


@OVERFIT.add("the list holds tensors, and each keeps its graph alive. Take the number: loss.item().")
def tensors(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss)
    return losses


@OVERFIT.add("only the last loss comes back. Return the list of all of them.")
def last_loss(model, x, y, optimizer, steps):
    model.train()
    return [_step(model, x, y, optimizer) for _ in range(steps)][-1]


@OVERFIT.add("the `return` stands inside the loop: it ends after the first step.")
def returns_in_the_loop(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        losses.append(_step(model, x, y, optimizer))
        return losses


@OVERFIT.add("one example is shown at a time. Each step takes the whole batch.")
def one_example_at_a_time(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for i in range(steps):
        k = i % len(x)
        losses.append(_step(model, x[k : k + 1], y[k : k + 1], optimizer))
    return losses


@OVERFIT.add("only half of the batch is used. Each step takes the whole batch.")
def half_of_the_batch(model, x, y, optimizer, steps):
    model.train()
    half = len(x) // 2
    return [_step(model, x[:half], y[:half], optimizer) for _ in range(steps)]


@OVERFIT.add("the losses of the batch are added up. Take their mean, or the step grows with the batch.")
def summed_loss(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x), y, reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@OVERFIT.add("softmax comes before the cross-entropy, which has its own. Give it the logits.")
def softmax_before_the_loss(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x).softmax(dim=1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@OVERFIT.add(
    "the squared error of one-hot targets is used. For classes take the cross-entropy of the logits."
)
def squared_error(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        logits = model(x)
        loss = F.mse_loss(logits, F.one_hot(y, logits.shape[1]).to(logits))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@OVERFIT.add("the predictions are computed once, before the loop. The model changes: run it in each step.")
def predicted_once(model, x, y, optimizer, steps):
    model.train()
    loss = F.cross_entropy(model(x), y)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.step()
        losses.append(loss.item())
    return losses


@OVERFIT.add(
    "a copy of the model is trained, whose parameters the optimizer does not hold. Use the model itself."
)
def trains_a_copy(model, x, y, optimizer, steps):
    model = copy.deepcopy(model).train()
    return [_step(model, x, y, optimizer) for _ in range(steps)]


@OVERFIT.add("the loop stops when the loss is small. Take all `steps` steps.")
def stops_early(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        losses.append(_step(model, x, y, optimizer))
        if losses[-1] < 0.1:
            break
    return losses


@OVERFIT.add("a new optimizer is made, with a rate of its own. Use the one that is given.")
def optimizer_of_its_own(model, x, y, optimizer, steps):
    model.train()
    mine = type(optimizer)(model.parameters(), 0.01, optimizer._record)
    return [_step(model, x, y, mine) for _ in range(steps)]


@OVERFIT.add("the forward pass runs twice in a step, and batch norm's statistics move twice. Use one pass.")
def forward_twice(model, x, y, optimizer, steps):
    model.train()
    losses = []
    for _ in range(steps):
        with torch.no_grad():
            losses.append(F.cross_entropy(model(x), y).item())
        _step(model, x, y, optimizer)
    return losses


@OVERFIT.add("nothing comes back. Return the list of losses.")
def returns_nothing(model, x, y, optimizer, steps):
    model.train()
    for _ in range(steps):
        _step(model, x, y, optimizer)


@OVERFIT.add(
    "gradients are switched off and stay off afterwards. Only the training itself should be seen here."
)
def gradients_left_off(model, x, y, optimizer, steps):
    model.train()
    losses = [_step(model, x, y, optimizer) for _ in range(steps)]
    torch.set_grad_enabled(False)
    return losses
