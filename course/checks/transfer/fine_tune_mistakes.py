"""How students get `fine_tune` wrong."""

from __future__ import annotations

import copy

import torch
from torch.nn import functional as F

from course.checks.collect import Mistakes

FINE_TUNE = Mistakes()


class Recipe:
    """A right fine-tuning, one step a method; each mistake overrides one of them."""

    def __call__(self, model, head, batches, epochs, lr=1e-4, head_lr=1e-2, momentum=0.9):
        model = self.prepare(model, head)
        optimizer = self.optimizer(model, head, lr, head_lr, momentum)
        self.mode(model)
        batches, history = self.once(batches), []
        for _ in range(epochs):
            optimizer = self.next_epoch(optimizer, model, head, lr, head_lr, momentum)
            losses, sizes = [], []
            for x, y in batches:
                losses.append(self.step(model, optimizer, x, y))
                sizes.append(len(y))
            history.append(self.epoch_loss(losses, sizes))
        return self.result(history, model)

    def prepare(self, model, head):
        return model

    def groups(self, model, head, lr, head_lr):
        new = {id(p) for p in model.get_submodule(head).parameters()}
        trainable = [p for p in model.parameters() if p.requires_grad]
        return [
            {"params": [p for p in trainable if id(p) in new], "lr": head_lr},
            {"params": [p for p in trainable if id(p) not in new], "lr": lr},
        ]

    def optimizer(self, model, head, lr, head_lr, momentum):
        return torch.optim.SGD(self.groups(model, head, lr, head_lr), lr=lr, momentum=momentum)

    def mode(self, model):
        model.train()

    def once(self, batches):
        return batches

    def next_epoch(self, optimizer, *_):
        return optimizer

    def loss(self, model, x, y):
        return F.cross_entropy(model(x), y)

    def step(self, model, optimizer, x, y):
        loss = self.loss(model, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def epoch_loss(self, losses, sizes):
        return sum(loss * n for loss, n in zip(losses, sizes, strict=True)) / sum(sizes)

    def result(self, history, model):
        return history


def _collect(mistakes, message, section=None):
    """Collect a recipe with one wrong step; a student would have written it as a function."""

    def collect(recipe):
        run = recipe()

        def fine_tune(model, head, batches, epochs, lr=1e-4, head_lr=1e-2, momentum=0.9):
            return run(model, head, batches, epochs, lr, head_lr, momentum)

        fine_tune.__name__ = recipe.__name__
        mistakes.add(message, section)(fine_tune)
        return recipe

    return collect


@_collect(FINE_TUNE, "head and body have the same rate. The head is new: it gets head_lr, the others lr.")
class one_rate(Recipe):
    def groups(self, model, head, lr, head_lr):
        return [{"params": [p for p in model.parameters() if p.requires_grad], "lr": lr}]


@_collect(
    FINE_TUNE, "the rates are swapped: the body has head_lr and moves far away from what it has learned."
)
class rates_swapped(Recipe):
    def groups(self, model, head, lr, head_lr):
        return super().groups(model, head, head_lr, lr)


@_collect(FINE_TUNE, "only the head is trained. That is a linear probe: the rest trains too, at the rate lr.")
class head_alone(Recipe):
    def groups(self, model, head, lr, head_lr):
        return super().groups(model, head, lr, head_lr)[:1]


@_collect(FINE_TUNE, "the head is not in the optimizer: it stays as it was drawn.")
class head_forgotten(Recipe):
    def groups(self, model, head, lr, head_lr):
        return super().groups(model, head, lr, head_lr)[1:]


@_collect(
    FINE_TUNE,
    "the last child of the model gets head_lr. The head is the layer called `head`, wherever it stands.",
)
class last_child_is_the_head(Recipe):
    def groups(self, model, head, lr, head_lr):
        return super().groups(model, list(model.named_children())[-1][0], lr, head_lr)


@_collect(FINE_TUNE, "frozen parameters are thawed. What asks for no gradient stays as it is.")
class thaws(Recipe):
    def prepare(self, model, head):
        return model.requires_grad_(True)


@_collect(FINE_TUNE, "the head is thawed. What is frozen stays frozen, in the head too.")
class thaws_the_head(Recipe):
    def prepare(self, model, head):
        model.get_submodule(head).requires_grad_(True)
        return model


class Named(Recipe):
    """The head's parameters are found by their names."""

    def groups(self, model, head, lr, head_lr):
        trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        return [
            {"params": [p for name, p in trainable if self.of_head(name, head)], "lr": head_lr},
            {"params": [p for name, p in trainable if not self.of_head(name, head)], "lr": lr},
        ]


@_collect(
    FINE_TUNE,
    '"fc2.weight".startswith("fc") is true too, so that other layers get head_lr. '
    "Take model.get_submodule(head).parameters().",
)
class names_begin_alike(Named):
    def of_head(self, name, head):
        return name.startswith(head)


@_collect(
    FINE_TUNE,
    "`head in name` is true for other layers too, whose names hold the head's. "
    "Take model.get_submodule(head).parameters().",
)
class names_hold_the_head(Named):
    def of_head(self, name, head):
        return head in name


@_collect(FINE_TUNE, "the body is frozen by fine_tune itself. What trains is the caller's decision.")
class freezes(Recipe):
    def prepare(self, model, head):
        model.requires_grad_(False)
        model.get_submodule(head).requires_grad_(True)
        return model


@_collect(FINE_TUNE, "a copy is trained; the caller's model stays as it was. Train the model in place.")
class trains_a_copy(Recipe):
    def prepare(self, model, head):
        return copy.deepcopy(model)


@_collect(
    FINE_TUNE,
    "the model is never put in training mode: batch norm does not learn the new data. Call train().",
)
class no_train_mode(Recipe):
    def mode(self, model):
        pass


@_collect(FINE_TUNE, "the model trains in evaluation mode. Call train() before the loop.")
class evaluation_mode_while_training(Recipe):
    def mode(self, model):
        model.eval()


@_collect(
    FINE_TUNE,
    "the loss is taken after the step, by a second forward pass, which moves the running statistics again. "
    "Keep the loss of the first one.",
)
class second_forward_pass(Recipe):
    def step(self, model, optimizer, x, y):
        super().step(model, optimizer, x, y)
        return self.loss(model, x, y).item()


@_collect(FINE_TUNE, "the gradients of all steps add up: optimizer.zero_grad() is missing.")
class no_zero_grad(Recipe):
    def step(self, model, optimizer, x, y):
        loss = self.loss(model, x, y)
        loss.backward()
        optimizer.step()
        return loss.item()


@_collect(
    FINE_TUNE, "nothing is learned: step() is missing, or zero_grad() stands between backward() and step()."
)
class nothing_learned(Recipe):
    def step(self, model, optimizer, x, y):
        loss = self.loss(model, x, y)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        return loss.item()


@_collect(FINE_TUNE, "a softmax stands in front of cross_entropy, which takes logits and has its own.")
class softmax_first(Recipe):
    def loss(self, model, x, y):
        return F.cross_entropy(model(x).softmax(dim=1), y)


@_collect(FINE_TUNE, "the loss is a sum over the batch, so that the steps grow with its size. Take the mean.")
class summed_loss(Recipe):
    def loss(self, model, x, y):
        return F.cross_entropy(model(x), y, reduction="sum")


@_collect(FINE_TUNE, "each epoch has a new optimizer, which forgets the momentum. Make one before the loop.")
class optimizer_in_the_loop(Recipe):
    def next_epoch(self, optimizer, *arguments):
        return self.optimizer(*arguments)


@_collect(
    FINE_TUNE,
    "the batches are put in a list before the first epoch, so that a DataLoader does not shuffle again. "
    "Go through `batches` in each epoch.",
)
class one_order(Recipe):
    def once(self, batches):
        return list(batches)


@_collect(FINE_TUNE, "momentum is not used: SGD(..., momentum=momentum).")
class no_momentum(Recipe):
    def optimizer(self, model, head, lr, head_lr, momentum):
        return super().optimizer(model, head, lr, head_lr, 0.0)


@_collect(FINE_TUNE, "momentum is 0.9 whatever the argument says.")
class momentum_fixed(Recipe):
    def optimizer(self, model, head, lr, head_lr, momentum):
        return super().optimizer(model, head, lr, head_lr, 0.9)


@_collect(
    FINE_TUNE, "the optimizer is not SGD with momentum (Adam's steps do not depend on the gradient's size)."
)
class other_optimizer(Recipe):
    def optimizer(self, model, head, lr, head_lr, momentum):
        return torch.optim.Adam(self.groups(model, head, lr, head_lr))


@_collect(
    FINE_TUNE,
    "you average the means of the batches. A smaller last batch counts less: weigh each with its size.",
)
class mean_of_batch_means(Recipe):
    def epoch_loss(self, losses, sizes):
        return sum(losses) / len(losses)


@_collect(FINE_TUNE, "this is the sum over the batches. Divide by the number of examples.")
class sum_over_the_epoch(Recipe):
    def epoch_loss(self, losses, sizes):
        return sum(loss * n for loss, n in zip(losses, sizes, strict=True))


@_collect(FINE_TUNE, "this is the loss of the last batch. Return the mean over all examples of the epoch.")
class last_batch(Recipe):
    def epoch_loss(self, losses, sizes):
        return losses[-1]


@_collect(FINE_TUNE, "the losses are tensors, which keep their graphs in memory. Store loss.item().")
class history_of_tensors(Recipe):
    def epoch_loss(self, losses, sizes):
        return torch.tensor(super().epoch_loss(losses, sizes))


@_collect(FINE_TUNE, "one number for all epochs. Return one mean loss per epoch, in a list.")
class one_number(Recipe):
    def result(self, history, model):
        return sum(history) / len(history)


@_collect(FINE_TUNE, "the model is returned. It is trained in place; return the list of losses.")
class returns_the_model(Recipe):
    def result(self, history, model):
        return model
