"""How students get `linear_probe` wrong."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from course.checks.collect import Mistakes

PROBE = Mistakes()


def _penalty(layer, weight_decay):
    return weight_decay / 2 * layer.weight.square().sum()


def _fit(features, labels, weight_decay, penalty=_penalty, loss=F.cross_entropy, bias=True, iterations=100):
    """Fit a layer by LBFGS: the part of the work that is right."""
    layer = nn.Linear(features.shape[1], int(labels.max()) + 1, bias=bias, dtype=features.dtype)
    nn.init.zeros_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(
        layer.parameters(),
        max_iter=iterations,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        value = loss(layer(features), labels) + penalty(layer, weight_decay)
        value.backward()
        return value

    optimizer.step(closure)
    optimizer.zero_grad()
    return layer


@PROBE.add("no penalty: weight_decay is not used, so the weights grow as long as you train.")
def no_penalty(features, labels, weight_decay=1e-3):
    return _fit(features, labels, weight_decay, lambda layer, decay: 0.0, iterations=60)


@PROBE.add("weight_decay is not used: the penalty is that of the default.")
def penalty_fixed(features, labels, weight_decay=1e-3):
    return _fit(features, labels, 1e-3)


@PROBE.add("the bias is penalized too. Only the weights are: weight_decay / 2 * (weight**2).sum().")
def bias_penalized(features, labels, weight_decay=1e-3):
    return _fit(
        features,
        labels,
        weight_decay,
        lambda layer, decay: decay / 2 * sum(p.square().sum() for p in layer.parameters()),
    )


@PROBE.add(
    "the penalty is twice as large: weight_decay / 2 * (weight**2).sum(), so that its gradient is "
    "weight_decay * w."
)
def penalty_without_half(features, labels, weight_decay=1e-3):
    return _fit(features, labels, 2 * weight_decay)


@PROBE.add("the penalty is the mean of the squared weights. Take their sum.")
def penalty_averaged(features, labels, weight_decay=1e-3):
    return _fit(features, labels, weight_decay, lambda layer, decay: decay / 2 * layer.weight.square().mean())


@PROBE.add("the penalty is the norm of the weights, without the square.")
def penalty_not_squared(features, labels, weight_decay=1e-3):
    return _fit(
        features,
        labels,
        weight_decay,
        lambda layer, decay: decay / 2 * (layer.weight.square().sum() + 1e-12).sqrt(),
    )


@PROBE.add("the penalty is the sum of the absolute weights (L1). weight_decay is about squares.")
def penalty_absolute(features, labels, weight_decay=1e-3):
    def smooth(layer, decay):
        return decay / 2 * (layer.weight.square() + 1e-8).sqrt().sum()

    return _fit(features, labels, weight_decay, smooth)


@PROBE.add("the loss is a sum over the examples, so that the penalty hardly counts. Take the mean.")
def summed_loss(features, labels, weight_decay=1e-3):
    return _fit(features, labels, weight_decay / len(labels))


@PROBE.add("squared errors against one-hot labels. A probe here is a logistic regression: cross-entropy.")
def least_squares(features, labels, weight_decay=1e-3):
    def loss(logits, labels):
        return F.mse_loss(logits, F.one_hot(labels).to(logits.dtype))

    return _fit(features, labels, weight_decay, loss=loss)


@PROBE.add("a softmax stands in front of cross_entropy, which takes logits.")
def softmax_first(features, labels, weight_decay=1e-3):
    return _fit(
        features, labels, weight_decay, loss=lambda logits, labels: F.cross_entropy(logits.softmax(1), labels)
    )


@PROBE.add("each class has a problem of its own (sigmoid). All classes share one softmax: cross_entropy.")
def one_against_the_rest(features, labels, weight_decay=1e-3):
    def loss(logits, labels):
        return F.binary_cross_entropy_with_logits(logits, F.one_hot(labels).to(logits.dtype))

    return _fit(features, labels, weight_decay, loss=loss)


@PROBE.add("not trained to the end: more steps still change the answer. Use LBFGS, or many more steps.")
def stops_early(features, labels, weight_decay=1e-3):
    layer = nn.Linear(features.shape[1], int(labels.max()) + 1, dtype=features.dtype)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        (F.cross_entropy(layer(features), labels) + _penalty(layer, weight_decay)).backward()
        optimizer.step()
    return layer


@PROBE.add("the layer was made and never trained.")
def untrained(features, labels, weight_decay=1e-3):
    return nn.Linear(features.shape[1], int(labels.max()) + 1, dtype=features.dtype)


@PROBE.add(
    "the layer is float32, torch's default, and the features may be float64. Make the layer in their dtype: "
    "nn.Linear(..., dtype=features.dtype)."
)
def float32_layer(features, labels, weight_decay=1e-3):
    layer = nn.Linear(features.shape[1], int(labels.max()) + 1)
    F.cross_entropy(layer(features), labels)
    return _fit(features, labels, weight_decay)


@PROBE.add("the layer has no bias: the classes would all be separated by planes through 0.")
def no_bias(features, labels, weight_decay=1e-3):
    return _fit(features, labels, weight_decay, bias=False)


@PROBE.add(
    "the probe was fitted to standardized features, but gets raw ones in use. Fit it to the features as they "
    "are."
)
def standardized_features(features, labels, weight_decay=1e-3):
    return _fit((features - features.mean(0)) / features.std(0).clamp_min(1e-9), labels, weight_decay)


@PROBE.add(
    "the probe was fitted to standardized features and then turned back: the penalty weighed other numbers. "
    "Fit it to the features as they are."
)
def standardized_and_turned_back(features, labels, weight_decay=1e-3):
    mean, std = features.mean(0), features.std(0).clamp_min(1e-9)
    layer = _fit((features - mean) / std, labels, weight_decay)
    with torch.no_grad():
        layer.weight /= std
        layer.bias -= layer.weight @ mean
    return layer


@PROBE.add("each row of features was divided by its length. Fit the probe to the features as they are.")
def normalized(features, labels, weight_decay=1e-3):
    return _fit(F.normalize(features, dim=1), labels, weight_decay)


@PROBE.add("the returned layer asks for no gradient. It should be ready to be fine-tuned with the network.")
def frozen(features, labels, weight_decay=1e-3):
    return _fit(features, labels, weight_decay).requires_grad_(False)


@PROBE.add("a Sequential comes back. Return the nn.Linear itself.")
def in_a_sequential(features, labels, weight_decay=1e-3):
    return nn.Sequential(_fit(features, labels, weight_decay))


@PROBE.add("the layer has one output for each example. It needs one for each class.")
def outputs_per_example(features, labels, weight_decay=1e-3):
    layer = nn.Linear(features.shape[1], len(labels), dtype=features.dtype)
    nn.init.zeros_(layer.weight)
    return layer
