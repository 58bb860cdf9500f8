"""How students get `train` wrong: one step of a right loop each."""

from __future__ import annotations

import copy

import torch
from torch.nn import functional as F

from course.checks.collect import Mistakes

TRAIN = Mistakes()


class _Loop:
    """A right loop in small steps. `train` is what an instance is called as."""

    def __init__(
        self,
        model,
        x_train,
        y_train,
        x_val,
        y_val,
        optimizer,
        epochs,
        batch_size,
        scheduler=None,
        seed=0,
    ):
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.x, self.y, self.x_val, self.y_val = x_train, y_train, x_val, y_val
        self.epochs, self.batch_size, self.seed = epochs, batch_size, seed
        self.generator = torch.Generator().manual_seed(seed)
        self.history = {"train_loss": [], "val_loss": [], "val_accuracy": []}

    def run(self):
        self.before()
        for epoch in range(self.epochs):
            self.epoch(epoch)
        return self.result()

    def before(self):
        """What comes before the first epoch."""

    def epoch(self, epoch):
        self.switch_to_training(epoch)
        losses = [(self.batch(batch), len(batch)) for batch in self.batches(epoch)]
        self.history["train_loss"].append(self.mean(losses))
        self.validate()
        self.schedule()

    def switch_to_training(self, epoch):
        self.model.train()

    def order(self, epoch):
        return torch.randperm(len(self.x), generator=self.generator)

    def batches(self, epoch):
        return self.order(epoch).split(self.batch_size)

    def pairs(self, batch):
        return self.x[batch], self.y[batch]

    def loss(self, logits, y):
        return F.cross_entropy(logits, y)

    def batch(self, batch):
        x, y = self.pairs(batch)
        loss = self.loss(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.after_batch()
        return loss.item()

    def after_batch(self):
        """What comes after a step."""

    def mean(self, losses):
        return sum(loss * n for loss, n in losses) / sum(n for _, n in losses)

    def validate(self):
        self.switch_to_evaluation()
        with self.without_gradients():
            logits = self.model(self.x_val)
            self.history["val_loss"].append(self.val_loss(logits, self.y_val))
            self.history["val_accuracy"].append(self.accuracy(logits, self.y_val))

    def switch_to_evaluation(self):
        self.model.eval()

    def without_gradients(self):
        return torch.no_grad()

    def val_loss(self, logits, y):
        return F.cross_entropy(logits, y).item()

    def accuracy(self, logits, y):
        return (logits.argmax(dim=1) == y).double().mean().item()

    def schedule(self):
        if self.scheduler is not None:
            self.scheduler.step()

    def result(self):
        return self.history


def _add(message):
    """Collect a loop as the function that a student would have written."""

    def collect(kind):
        def train(
            model, x_train, y_train, x_val, y_val, optimizer, epochs, batch_size, scheduler=None, seed=0
        ):
            loop = kind(model, x_train, y_train, x_val, y_val, optimizer, epochs, batch_size, scheduler, seed)
            return loop.run()

        train.__name__ = kind.__name__
        TRAIN.add(message)(train)
        return kind

    return collect


# --- The order ----------------------------------------------------------------------------------------------


@_add("the examples come in the order in which they lie. Draw a new order for each epoch: torch.randperm.")
class not_shuffled(_Loop):
    def order(self, epoch):
        return torch.arange(len(self.x))


@_add("all epochs have one order, which is drawn (or seeded) once more for each. Go on with one generator.")
class one_order(_Loop):
    def order(self, epoch):
        return torch.randperm(len(self.x), generator=torch.Generator().manual_seed(self.seed))


@_add("the batches are put together once and only their order changes. Shuffle the examples in each epoch.")
class batches_shuffled(_Loop):
    def batches(self, epoch):
        if epoch == 0:
            self.fixed = self.order(0).split(self.batch_size)
        *full, last = self.fixed
        first = epoch % max(1, len(full))
        return [*full[first:], *full[:first], last]


@_add("each batch is drawn by itself: some examples come twice, others never. Split one permutation.")
class drawn_with_replacement(_Loop):
    def batches(self, epoch):
        sizes = [len(each) for each in torch.arange(len(self.x)).split(self.batch_size)]
        return [torch.randint(len(self.x) // 2, (n,), generator=self.generator) for n in sizes]


@_add("the seed is not used: the order cannot be repeated. torch.Generator().manual_seed(seed).")
class seed_ignored(_Loop):
    def order(self, epoch):
        return torch.randperm(len(self.x))


@_add("the seed is 0 whatever the argument says. Use the argument.")
class seed_fixed(_Loop):
    def before(self):
        self.generator.manual_seed(0)


@_add("the last, smaller batch is left out. It holds examples too.")
class last_batch_dropped(_Loop):
    def batches(self, epoch):
        full = [each for each in super().batches(epoch) if len(each) == self.batch_size]
        return full or [self.order(epoch)]


@_add("batch_size is taken for the number of batches. It is the number of examples in each.")
class number_of_batches(_Loop):
    def batches(self, epoch):
        return self.order(epoch).chunk(self.batch_size)


@_add("each epoch is one step on all examples. Split the order into batches of batch_size.")
class full_batch(_Loop):
    def batches(self, epoch):
        return [self.order(epoch)]


@_add("each epoch is one batch only. Go through all batches of the epoch.")
class one_batch_per_epoch(_Loop):
    def batches(self, epoch):
        return super().batches(epoch)[:1]


@_add("one epoch is missing: range(epochs) has `epochs` of them.")
class one_epoch_less(_Loop):
    def before(self):
        self.epochs -= 1


@_add("one epoch too many: range(epochs) has `epochs` of them.")
class one_epoch_more(_Loop):
    def before(self):
        self.epochs += 1


@_add("only the inputs are shuffled. The labels must come in the same order: y_train[batch].")
class labels_not_shuffled(_Loop):
    def pairs(self, batch):
        # Stands for labels in an order of their own: none stays with its example.
        return self.x[batch], self.y[(batch + 1) % len(self.y)]


@_add("the validation examples are trained on as well. Then they say nothing about new examples.")
class validation_trained_on(_Loop):
    def validate(self):
        super().validate()
        self.model.train()
        loss = F.cross_entropy(self.model(self.x_val), self.y_val)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


# --- The steps ----------------------------------------------------------------------------------------------


@_add("the gradients are never zeroed: each step adds to those of all steps before it.")
class never_zeroed(_Loop):
    def batch(self, batch):
        x, y = self.pairs(batch)
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()


@_add("the gradients are zeroed once per epoch. Zero them before each backward().")
class zeroed_once_per_epoch(_Loop):
    def switch_to_training(self, epoch):
        self.model.train()
        self.optimizer.zero_grad()

    def batch(self, batch):
        x, y = self.pairs(batch)
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()


@_add("zero_grad() comes between backward() and step(): the optimizer finds no gradients.")
class zeroed_before_the_step(_Loop):
    def batch(self, batch):
        x, y = self.pairs(batch)
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.zero_grad()
        self.optimizer.step()
        return loss.item()


@_add("optimizer.step() is never called, so that nothing is learned.")
class no_step(_Loop):
    def batch(self, batch):
        x, y = self.pairs(batch)
        loss = F.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        return loss.item()


@_add("one step is taken per epoch, with the gradients of all batches added up. Take one per batch.")
class one_step_per_epoch(_Loop):
    def epoch(self, epoch):
        self.model.train()
        losses = []
        self.optimizer.zero_grad()
        for batch in self.batches(epoch):
            x, y = self.pairs(batch)
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()
            losses.append((loss.item(), len(batch)))
        self.optimizer.step()
        self.history["train_loss"].append(self.mean(losses))
        self.validate()
        self.schedule()


@_add("the losses of a batch are added up. Take their mean, or the step grows with the batch.")
class summed_loss(_Loop):
    def loss(self, logits, y):
        return F.cross_entropy(logits, y, reduction="sum")

    def mean(self, losses):
        return sum(loss for loss, _ in losses) / sum(n for _, n in losses)


@_add("a smaller batch gets a smaller step: its sum is divided by batch_size. Divide by its own length.")
class divided_by_batch_size(_Loop):
    def loss(self, logits, y):
        return F.cross_entropy(logits, y, reduction="sum") / self.batch_size


@_add("softmax comes before the cross-entropy, which has its own. Give it the logits.")
class softmax_before_the_loss(_Loop):
    def loss(self, logits, y):
        return F.cross_entropy(logits.softmax(dim=1), y)

    def val_loss(self, logits, y):
        return F.cross_entropy(logits.softmax(dim=1), y).item()


@_add("model.train() is called once, before the first epoch: from the second on the model is in eval mode.")
class training_mode_once(_Loop):
    def before(self):
        self.model.train()

    def switch_to_training(self, epoch):
        pass


@_add("the model is never put in training mode. Call model.train() at the start of each epoch.")
class evaluation_mode_throughout(_Loop):
    def switch_to_training(self, epoch):
        self.model.eval()


@_add("a copy of the model is trained, whose parameters the optimizer does not hold. Use the model itself.")
class trains_a_copy(_Loop):
    def before(self):
        self.model = copy.deepcopy(self.model)


@_add("the model gets back the weights of its best epoch. Here it keeps the last ones.")
class keeps_the_best(_Loop):
    best = float("-inf")

    def validate(self):
        super().validate()
        if self.history["val_loss"][-1] > self.best:  # the worst: a best epoch may be the last
            self.best = self.history["val_loss"][-1]
            self.kept = copy.deepcopy(self.model.state_dict())

    def result(self):
        self.model.load_state_dict(self.kept)
        return self.history


@_add("the training stops when val_loss rises. Here it goes on for all `epochs`.")
class stops_early(_Loop):
    stopped = False

    def epoch(self, epoch):
        if not self.stopped:
            super().epoch(epoch)
            losses = self.history["val_loss"]
            self.stopped = len(losses) > 1 and losses[-1] > losses[-2]


@_add("the gradients stay switched off afterwards. Use `with torch.no_grad():` for the validation alone.")
class gradients_left_off(_Loop):
    def switch_to_training(self, epoch):
        torch.set_grad_enabled(True)
        super().switch_to_training(epoch)

    def result(self):
        torch.set_grad_enabled(False)
        return self.history


# --- The history --------------------------------------------------------------------------------------------


@_add("train_loss is the mean of the batches. The last one is smaller: weigh each by its number of examples.")
class mean_of_batches(_Loop):
    def mean(self, losses):
        return sum(loss for loss, _ in losses) / len(losses)


@_add("the last batch is filled up with examples from the front. It is smaller than the others.")
class last_batch_filled(_Loop):
    # After the mean of the batches: with equal examples their losses are the same.
    def batches(self, epoch):
        *full, last = super().batches(epoch)
        if full:
            last = torch.cat([last, full[0][: self.batch_size - len(last)]])
        return [*full, last]


@_add("train_loss is the sum over the batches. Divide the sum over the examples by their number.")
class sum_of_batches(_Loop):
    def mean(self, losses):
        return sum(loss for loss, _ in losses)


@_add("train_loss is divided by batch_size times the number of batches. The last one is smaller.")
class divided_as_if_full(_Loop):
    def mean(self, losses):
        return sum(loss * n for loss, n in losses) / (len(losses) * min(self.batch_size, len(self.x)))


@_add("train_loss is the loss of the last batch. Take the mean over all examples of the epoch.")
class last_batch_only(_Loop):
    def mean(self, losses):
        return losses[-1][0]


@_add("train_loss grows from epoch to epoch: the sum is not set back to 0 at the start of each.")
class never_set_back(_Loop):
    total = 0.0

    def mean(self, losses):
        self.total += super().mean(losses)
        return self.total


@_add("train_loss is taken after the epoch, on all examples at once. Take it batch by batch, while training.")
class measured_afterwards(_Loop):
    def mean(self, losses):
        self.model.eval()
        with torch.no_grad():
            return F.cross_entropy(self.model(self.x), self.y).item()


@_add("train_loss has an entry for each batch. It has one for each epoch.")
class one_per_batch(_Loop):
    def epoch(self, epoch):
        self.switch_to_training(epoch)
        for batch in self.batches(epoch):
            self.history["train_loss"].append(self.batch(batch))
        self.validate()
        self.schedule()


@_add("the losses are tensors, and each keeps its graph alive. Take the number: loss.item().")
class tensors(_Loop):
    def mean(self, losses):
        return torch.tensor(super().mean(losses))

    def val_loss(self, logits, y):
        return F.cross_entropy(logits, y)


@_add("only the last epoch comes back. The history has a list for each key, one entry per epoch.")
class last_epoch_only(_Loop):
    def result(self):
        return {key: values[-1] for key, values in self.history.items()}


@_add("three lists come back. Return a dict: train_loss, val_loss, val_accuracy.")
class a_tuple(_Loop):
    def result(self):
        return tuple(self.history.values())


@_add("nothing comes back. Return the history.")
class returns_nothing(_Loop):
    def result(self):
        return None


@_add("val_accuracy is missing in the history.")
class no_accuracy(_Loop):
    def result(self):
        return {key: self.history[key] for key in ("train_loss", "val_loss")}


# --- Validation ---------------------------------------------------------------------------------------------


@_add("the validation runs in training mode: batch norm uses (and keeps) its statistics. Call model.eval().")
class validated_in_training_mode(_Loop):
    def switch_to_evaluation(self):
        pass


@_add("the validation builds a graph that nobody needs. Put it under torch.no_grad().")
class validated_with_gradients(_Loop):
    def without_gradients(self):
        return torch.enable_grad()


@_add("the validation comes before the epoch's steps. It comes after them.")
class validated_before(_Loop):
    def epoch(self, epoch):
        self.validate()
        self.switch_to_training(epoch)
        losses = [(self.batch(batch), len(batch)) for batch in self.batches(epoch)]
        self.history["train_loss"].append(self.mean(losses))
        self.schedule()


@_add("the validation runs once, after the last epoch. It runs after each epoch.")
class validated_once(_Loop):
    def validate(self):
        if len(self.history["train_loss"]) == self.epochs:
            super().validate()


@_add("the validation runs after each batch. It runs once per epoch.")
class validated_after_each_batch(_Loop):
    def after_batch(self):
        super().validate()
        self.model.train()

    def validate(self):
        pass


@_add("the validation is made on the training examples. Use x_val and y_val.")
class validated_on_training(_Loop):
    def validate(self):
        self.switch_to_evaluation()
        with torch.no_grad():
            logits = self.model(self.x)
            self.history["val_loss"].append(self.val_loss(logits, self.y))
            self.history["val_accuracy"].append(self.accuracy(logits, self.y))


@_add("only the first batch_size validation examples are used. All of them count.")
class validated_on_a_batch(_Loop):
    def validate(self):
        everything = self.x_val, self.y_val
        n = min(self.batch_size, len(self.x_val) - 1)
        self.x_val, self.y_val = self.x_val[:n], self.y_val[:n]
        super().validate()
        self.x_val, self.y_val = everything


@_add("val_loss is the mean of the batches. The last one is smaller: weigh each by its number of examples.")
class val_loss_mean_of_batches(_Loop):
    def val_loss(self, logits, y):
        parts = zip(logits.split(self.batch_size), y.split(self.batch_size), strict=True)
        losses = [F.cross_entropy(part, labels).item() for part, labels in parts]
        return sum(losses) / len(losses)


@_add("val_accuracy is the mean of the batches. The last one is smaller: count over all examples.")
class accuracy_mean_of_batches(_Loop):
    def accuracy(self, logits, y):
        parts = zip(logits.split(self.batch_size), y.split(self.batch_size), strict=True)
        each = [(part.argmax(dim=1) == labels).double().mean().item() for part, labels in parts]
        return sum(each) / len(each)


@_add("val_loss and val_accuracy are those of the last batch. Go on over all of them.")
class validated_by_last_batch(_Loop):
    def val_loss(self, logits, y):
        n = len(self.x_val) % self.batch_size or self.batch_size
        return super().val_loss(logits[-n:], y[-n:])

    def accuracy(self, logits, y):
        n = len(self.x_val) % self.batch_size or self.batch_size
        return super().accuracy(logits[-n:], y[-n:])


@_add("val_loss is a sum. It is the mean per validation example.")
class val_loss_summed(_Loop):
    def val_loss(self, logits, y):
        return F.cross_entropy(logits, y, reduction="sum").item()


@_add("val_accuracy counts the right answers. It is a fraction: divide by their number.")
class accuracy_counted(_Loop):
    def accuracy(self, logits, y):
        return float((logits.argmax(dim=1) == y).sum())


@_add("val_accuracy is in percent. It is a fraction, between 0 and 1.")
class accuracy_in_percent(_Loop):
    def accuracy(self, logits, y):
        return 100 * super().accuracy(logits, y)


@_add("val_accuracy is the fraction of wrong answers. Count where argmax and label agree.")
class error_rate(_Loop):
    def accuracy(self, logits, y):
        return 1 - super().accuracy(logits, y)


@_add("val_accuracy is divided by batch_size. Divide by the number of validation examples.")
class accuracy_by_batch_size(_Loop):
    def accuracy(self, logits, y):
        return float((logits.argmax(dim=1) == y).sum()) / self.batch_size


@_add("val_accuracy is the mean probability of the right class. It counts where argmax and label agree.")
class mean_probability(_Loop):
    def accuracy(self, logits, y):
        return logits.softmax(dim=1)[torch.arange(len(y)), y].mean().item()


@_add("the accuracy is that of training. Count the validation examples.")
class accuracy_of_training(_Loop):
    def accuracy(self, logits, y):
        return super().accuracy(self.model(self.x), self.y)


# --- The scheduler ------------------------------------------------------------------------------------------


@_add("the scheduler is never called. Call scheduler.step() at the end of each epoch.")
class scheduler_ignored(_Loop):
    def schedule(self):
        pass


@_add("the scheduler is called after each batch. Here its numbers count epochs: once per epoch.")
class scheduler_per_batch(_Loop):
    def after_batch(self):
        super().schedule()

    def schedule(self):
        pass


@_add("the scheduler is called before an epoch's steps: its first rate is lost. Call it at the end.")
class scheduler_first(_Loop):
    def switch_to_training(self, epoch):
        super().switch_to_training(epoch)
        super().schedule()

    def schedule(self):
        pass


@_add("the scheduler is not called after the last epoch. Call it at the end of every epoch.")
class scheduler_not_last(_Loop):
    def schedule(self):
        if len(self.history["train_loss"]) < self.epochs:
            super().schedule()


@_add("scheduler=None fails: it is called although there is none. Ask first whether it is None.")
class scheduler_needed(_Loop):
    def schedule(self):
        self.scheduler.step()
