"""How students get the training wrong, and by what one recognizes it.

A training is not run a second time to compare numbers: each mistake has a *sign* in the evaluation (see
`evaluating.evaluate`). The first mistake whose sign is there is named, so the special ones come first. They
are trained as briefly as shows the sign.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import torch
from torch import nn
from torch.nn import functional as F

from course.capstone import build_network
from course.capstone_data import TRAINING
from course.checks.capstone.bands import PARAMETER_BUDGET, SECONDS
from course.checks.collect import Mistakes
from course.checks.plain import Observation

TRAIN = Mistakes()
Sign = Callable[[Observation], bool]


class Recipe:
    """A right training, one step a method, though a short one; each mistake overrides one of them."""

    epochs = 2
    rate = 0.01

    def __call__(self, x, y):
        x, y = self.prepare(x, y)
        model = self.build()
        optimizer = self.optimizer(model)
        self.mode(model)
        for _ in range(self.epochs):
            for batch in self.batches(y):
                self.step(model, optimizer, x[batch], y[batch])
        return self.result(model, x)

    def prepare(self, x, y):
        return x, y

    def build(self):
        return build_network(4)

    def optimizer(self, model):
        return torch.optim.Adam(model.parameters(), lr=self.rate)

    def mode(self, model):
        model.train()

    def batches(self, y):
        return torch.randperm(len(y)).split(64)

    def loss(self, model, x, y):
        return F.cross_entropy(model(x), y)

    def step(self, model, optimizer, x, y):
        loss = self.loss(model, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def result(self, model, x):
        return model


def _number(seen: Observation, key: str) -> float:
    value = seen.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def _diary(seen: Observation, key: str) -> float:
    return _number(seen, f"diary: {key}")


def _trouble(seen: Observation, kind: str) -> str | None:
    """The text of the trouble with the network, if it is of this kind."""
    trouble = seen.get("network")
    return trouble.get("text", "") if isinstance(trouble, dict) and trouble.get("trouble") == kind else None


def _collect(message: str, sign: Sign, section: str | None = None) -> Callable[[type], type]:
    """Collect a recipe with one wrong step; a student would have written it as a function."""

    def collect(recipe: type) -> type:
        def train_network(x_train, y_train):
            return recipe()(x_train, y_train)

        train_network.__name__ = recipe.__name__
        TRAIN.add(message, section, sign)(train_network)
        return recipe

    return collect


# --- No network ---------------------------------------------------------------------------------------------


@_collect(
    "your function ends without a `return`. Return the trained network.",
    lambda seen: _trouble(seen, "none") is not None,
)
class returns_nothing(Recipe):
    epochs = 0

    def result(self, model, x):
        return None


@_collect(
    "you return several values. Return the network alone; keep the history in a variable of the notebook.",
    lambda seen: _trouble(seen, "count") is not None,
)
class returns_network_and_history(Recipe):
    epochs = 0

    def result(self, model, x):
        return model, [0.1]


@_collect(
    "you return the class and no network. Make one, train it and return it.",
    lambda seen: (_trouble(seen, "no module") or "").startswith("the class"),
)
class returns_the_class(Recipe):
    epochs = 0

    def result(self, model, x):
        return nn.Sequential


@_collect(
    "you return something else than the network: a state_dict, a history or answers. "
    "Return the trained nn.Module.",
    lambda seen: _trouble(seen, "no module") is not None,
)
class returns_state_dict(Recipe):
    epochs = 0

    def result(self, model, x):
        return model.state_dict()


@_collect(
    "the network puts out another shape than (N, 10). It should end with one number for each class, "
    "without argmax.",
    lambda seen: _trouble(seen, "shape") is not None,
    "8.3",
)
class puts_out_classes(Recipe):
    epochs = 0

    def result(self, model, x):
        class Answers(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = model

            def forward(self, x):
                return self.inner(x).argmax(1)

        return Answers()


@_collect(
    "the answers do not come from torch operations on the pictures. What numpy or scikit-learn computes is "
    "not part of a network.",
    lambda seen: _trouble(seen, "unrecordable") is not None,
    "8.3",
)
class asks_somebody_else(Recipe):
    epochs = 0

    def prepare(self, x, y):
        self.x, self.y = x, y
        return x, y

    def result(self, model, x):
        known, labels = self.x.flatten(1), self.y

        class Lookup(nn.Module):
            def forward(self, x):
                rows = x.flatten(1).tolist()
                nearest = [(known - torch.tensor(row)).square().sum(1).argmin() for row in rows[:4]]
                return F.one_hot(labels[torch.stack(nearest)], 10).float().mean(0).expand(len(x), 10)

        return Lookup()


@_collect(
    f"your network is too large: more than {PARAMETER_BUDGET:,} numbers. Use fewer channels, or pool before "
    "the linear layer, which often holds most of them.",
    lambda seen: _number(seen, "parameters") > PARAMETER_BUDGET,
    "8.3",
)
class too_large(Recipe):
    epochs = 1

    def build(self):
        return nn.Sequential(
            nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 40), nn.ReLU(), nn.Linear(40, 10)
        )


# --- Nothing is learned -------------------------------------------------------------------------------------


@_collect(
    "this network was never trained: no backward pass was seen. Building it is only the beginning.",
    lambda seen: _diary(seen, "backward passes") == 0 and _diary(seen, "steps") == 0,
)
class never_trained(Recipe):
    epochs = 0


@_collect(
    "the optimizer never makes a step. backward() only computes the gradients; optimizer.step() uses them.",
    lambda seen: _diary(seen, "steps") == 0 and _diary(seen, "last loss") > _diary(seen, "first loss") - 0.2,
)
class no_step(Recipe):
    def step(self, model, optimizer, x, y):
        optimizer.zero_grad()
        self.loss(model, x, y).backward()


@_collect(
    "the optimizer holds the parameters of another network than the one that you return. "
    "Build the network once, then make the optimizer from it.",
    lambda seen: seen.get("diary: of another network") is True,
)
class optimizer_of_another_network(Recipe):
    def optimizer(self, model):
        return super().optimizer(self.build())


@_collect(
    "the optimizer holds only a part of the network: the other layers stay random. "
    "Give it model.parameters().",
    lambda seen: 0 < _diary(seen, "trained") < 0.95,
)
class trains_the_head_only(Recipe):
    def optimizer(self, model):
        return torch.optim.Adam(model[-1].parameters(), lr=0.01)


@_collect(
    "the loss became nan or infinite: the learning rate is far too large. Divide it by 10 until the loss "
    "falls.",
    lambda seen: seen.get("diary: not finite") is True,
)
class loss_is_nan(Recipe):
    def optimizer(self, model):
        return torch.optim.SGD(model.parameters(), lr=1e6)

    def build(self):
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 10)
        )


@_collect(
    "the gradients of all batches add up: optimizer.zero_grad() is missing.",
    lambda seen: _diary(seen, "gradients not cleared") > 0.5,
)
class gradients_add_up(Recipe):
    epochs = 4

    def step(self, model, optimizer, x, y):
        self.loss(model, x, y).backward()
        optimizer.step()


@_collect(
    "cross_entropy gets probabilities. It takes the softmax itself: give it the logits, "
    "or the gradients become tiny.",
    lambda seen: seen.get("diary: probabilities") is True,
)
class softmax_before_cross_entropy(Recipe):
    def loss(self, model, x, y):
        return F.cross_entropy(F.softmax(model(x), dim=1), y)


@_collect(
    "you train on the same batch again and again. Go through all pictures in each epoch.",
    lambda seen: _diary(seen, "noted batches") >= 20 and _diary(seen, "different batches") <= 2,
)
class one_batch_only(Recipe):
    def batches(self, y):
        chosen = torch.arange(len(y))[::19]
        return [chosen] * 20


# --- Something is in the way --------------------------------------------------------------------------------


@_collect(
    "batch norm stood in evaluation mode during the training, so it normalized with mean 0 and variance 1. "
    "Call model.train() before the loop, and after each evaluation.",
    lambda seen: _diary(seen, "norms stood still") > 0.5,
)
class trains_in_evaluation_mode(Recipe):
    def mode(self, model):
        model.eval()


@_collect(
    "each batch holds only one or two classes: x_train comes sorted by class. Draw a new order in each epoch "
    "with torch.randperm.",
    lambda seen: _diary(seen, "batch") >= 16 and 0 < _diary(seen, "classes in a batch") < 3,
)
class does_not_shuffle(Recipe):
    def batches(self, y):
        return torch.arange(len(y)).split(64)


@_collect(
    "the network still draws random numbers after eval(). "
    "F.dropout needs training=self.training; nn.Dropout knows by itself.",
    lambda seen: seen.get("random") is True,
    "8.3",
)
class dropout_stays_on(Recipe):
    def build(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = build_network(4)

            def forward(self, x):
                return F.dropout(self.inner(x), 0.5)

        return Net()


@_collect(
    "the answers depend on the other pictures of the batch: in evaluation mode a norm still takes the "
    "statistics of the batch. Use the running ones.",
    lambda seen: seen.get("by itself") is False,
    "8.3",
)
class statistics_of_the_batch(Recipe):
    def build(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = build_network(4)

            def forward(self, x):
                out = self.inner(x)
                return (out - out.mean(0)) / out.std(0)

        return Net()


@_collect(
    "the pictures are scaled in the training function, and not where the network is graded. "
    "Scale inside of the network's forward.",
    lambda seen: (
        not 0.6 < _diary(seen, "scale") / max(_diary(seen, "scale of the pictures"), 1e-9) < 1.6
        and _diary(seen, "scale") > 0
    ),
)
class scales_outside(Recipe):
    epochs = 3

    def prepare(self, x, y):
        return (x - x.mean()) / x.std() * 16, y


@_collect(
    "there is no convolution in what you trained. A dense network does not know which pixels are neighbours.",
    lambda seen: _diary(seen, "scale") == 0 and _diary(seen, "steps") > 0,
    "8.3",
)
class dense_layers_only(Recipe):
    epochs = 4

    def build(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


@_collect(
    "the loss stays at 2.30, which is -ln(1/10): guessing. Pictures and labels no longer belong together: "
    "use the same order for both.",
    lambda seen: (
        abs(_diary(seen, "last loss") - log(10)) < 0.12
        and _diary(seen, "examples") >= 2 * TRAINING
        and _diary(seen, "batch") < 500
        and 2e-4 <= _diary(seen, "rate") < 0.1
    ),
)
class labels_lost(Recipe):
    epochs = 3

    def prepare(self, x, y):
        return x[torch.randperm(len(x))], y[torch.randperm(len(y))]


@_collect(
    "the learning rate is too large: the loss jumps and does not come down. Try a tenth of it.",
    lambda seen: _diary(seen, "rate") >= 0.1 and _diary(seen, "last loss") > 1.2,
)
class rate_too_large(Recipe):
    rate = 3.0


@_collect(
    "the learning rate is too small: the loss hardly moves. Try ten times as much.",
    lambda seen: 0 < _diary(seen, "rate") < 2e-4 and _diary(seen, "last loss") > 0.4,
)
class rate_too_small(Recipe):
    rate = 1e-5


@_collect(
    "the weight decay is so strong that it pulls the weights back to zero. Start with 1e-4 to 1e-2.",
    lambda seen: _diary(seen, "weight decay") >= 0.3,
)
class decay_too_strong(Recipe):
    epochs = 3

    def optimizer(self, model):
        return torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1.0)


@_collect(
    "one batch holds all pictures, so an epoch is one step. Take mini-batches of 32 to 128.",
    lambda seen: _diary(seen, "batch") > 500 and _diary(seen, "steps") < 300,
)
class full_batch(Recipe):
    epochs = 5

    def batches(self, y):
        return [torch.randperm(len(y))]


@_collect(
    "you stop after very few epochs, while the loss is still falling. You have 30 seconds; most networks "
    "need 15 epochs and more.",
    lambda seen: 0 < _diary(seen, "examples") < 5.5 * TRAINING,
)
class few_epochs(Recipe):
    epochs = 1


@_collect(
    "the training pictures are learned by heart, others are not. Distort the pictures anew in each epoch, "
    "use dropout or weight decay, or lower the rate towards the end.",
    lambda seen: (
        _number(seen, "accuracy in training") > min(0.99, max(0.97, _number(seen, "accuracy") + 0.04))
    ),
    "8.5",
)
class learned_by_heart(Recipe):
    epochs = 20

    def build(self):
        return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))


@_collect(
    "not even the training pictures are learned: the network is too small, too strongly regularized, "
    "or trained too briefly.",
    lambda seen: 0 < _number(seen, "accuracy in training") <= 0.99 and _number(seen, "seconds") <= SECONDS,
    "8.5",
)
class too_small(Recipe):
    epochs = 6

    def build(self):
        return nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 10))
