"""Exercises `extract_features` and `replace_head`: what is drawn, what is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from course import transfer as reference
from course.checks.framework import SINGLE, Aspect, Draw, Exercise, Probe
from course.checks.probes.networks import Call, Evaluate, Load, Look, Network, NetworkProbe, Train
from course.checks.transfer.common import (
    CLASSES,
    block,
    dropout,
    inside,
    linear,
    pictures,
    relu,
    rows,
    values,
)
from course.checks.transfer.extract_mistakes import EXTRACT
from course.checks.transfer.head_mistakes import REPLACE

# --- extract_features ---------------------------------------------------------------------------------------


def _extract(name: str, x: Tensor, layer: str, raises: bool = False) -> Call:
    return Call(name, "tensor", {"x": x, "layer": layer}, raises=raises)


def _skipping() -> Network:
    body = Network({"linear": linear(4, 4), "inner": block(4, 4)}, "Residual")
    return Network({"body": body, "relu": relu(inplace=True), "head": linear(4, CLASSES)})


def _dropping() -> Network:
    return Network({"linear": linear(4, 4), "drop": dropout(), "head": linear(4, CLASSES)})


def _alike() -> Network:
    """A network of which other parts have names that end or begin like "head"."""
    first = Network({"head": linear(4, 4), "relu": relu()})
    parts = {"first": first, "head": linear(4, 4), "head2": linear(4, 4)}
    return Network({**parts, "last": linear(4, CLASSES)})


def _extract_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(network: Network, *steps: Call, **options: Any) -> Probe:
        return NetworkProbe(network, values(draw, network), steps, **options)

    x, image = draw.normal(3, 4), draw.normal(3, 1, 4, 4)
    wrong = draw.normal(3, 2, 4, 4)  # two channels, where the first convolution wants one
    return {
        "pictures": probe(
            pictures(),
            _extract("features.1", image, "features.1"),
            note="features: conv, batch norm, in-place ReLU, pooling; then a flatten and fc",
        ),
        "nested": probe(pictures(), _extract("features.3", image, "features.3")),
        "head": probe(pictures(), _extract("fc", image, "fc")),
        "part": probe(pictures(), _extract("features", image, "features")),
        "skip": probe(_skipping(), _extract("skip", x, "body"), _extract("inside", x, "body.inner.norm")),
        "dropout": probe(_dropping(), _extract("dropout", x, "drop"), _extract("head", x, "head")),
        "evaluating": probe(rows(), _extract("evaluation", x, "block2"), training=False),
        "mixed": probe(rows(), _extract("mixed", x, "block2.relu"), evaluating=("block1", "block2.norm")),
        "frozen": probe(rows(), _extract("frozen", x, "block1"), frozen=("head.weight",)),
        "hooked": probe(rows(), _extract("hooked", x, "block2"), hooked=("block1.norm", "block2")),
        "again": probe(rows(), _extract("first", x, "head"), _extract("second", draw.normal(2, 4), "head")),
        "one row": probe(rows(), _extract("one row", draw.normal(1, 4), "block1")),
        "error": probe(
            pictures(), _extract("error", wrong, "features.2", raises=True), evaluating=("features.1",)
        ),
        # The convolution takes one picture without a batch, and batch norm raises a ValueError.
        "other error": probe(
            pictures(), _extract("error", image[0], "features.2", raises=True), evaluating=("features.1",)
        ),
        "no_grad": probe(rows(), Call("no_grad", "tensor", {"x": x, "layer": "block2"}, grad_enabled=False)),
        "alike": probe(_alike(), _extract("alike", x, "head")),
        "float32": NetworkProbe(
            rows(),
            values(single, rows()),
            (_extract("float32", single.normal(3, 4), "block2"),),
            dtype=torch.float32,
        ),
    }


def _trace(name: str) -> tuple[str, ...]:
    """Keys of what a call should leave alone."""
    return tuple(f"{name}: {key}" for key in ("moved", "modes", "hooks", "gradients enabled", "other wishes"))


EXTRACT_FEATURES = Exercise(
    name="extract_features",
    kind="function",
    signature="model, x, layer",
    section="6.2",
    oracle=reference.extract_features,
    probes=_extract_probes,
    aspects=(
        Aspect("batch norm before an in-place ReLU", "features", "pictures", ("features.1: returns",)),
        Aspect("a layer in a block, before a flatten", "features", "nested", ("features.3: returns",)),
        Aspect("the head, after a flatten", "features", "head", ("fc: returns",)),
        Aspect("a whole block", "features", "part", ("features: returns",)),
        Aspect("a network with a skip connection", "features", "skip", ("skip: returns", "inside: returns")),
        Aspect("a network with dropout", "features", "dropout", ("dropout: returns", "head: returns")),
        Aspect("no graph", "features", "pictures", ("features.1: asks for a gradient",)),
        Aspect("a tensor to train on", "features", "pictures", ("features.1: from inference mode",)),
        Aspect("parts with names like the layer's", "features", "alike", ("alike: returns",), hidden=True),
        Aspect("called twice", "features", "again", ("first: returns", "second: returns"), hidden=True),
        Aspect("a batch of one", "features", "one row", ("one row: returns",), hidden=True),
        Aspect("a model in evaluation mode", "features", "evaluating", ("evaluation: returns",), hidden=True),
        Aspect("float32", "features", "float32", ("float32: returns",), hidden=True, tolerance=SINGLE),
        Aspect("modes as before", "no-trace", "nested", ("features.3: modes",)),
        Aspect("modes of a model with a part in evaluation mode", "no-trace", "mixed", ("mixed: modes",)),
        Aspect("no hook stays", "no-trace", "nested", ("features.3: hooks",)),
        Aspect("hooks of others stay", "no-trace", "hooked", ("hooked: hooks",)),
        Aspect("the model's values as before", "no-trace", "nested", ("features.3: moved",)),
        Aspect("gradients are on again", "no-trace", "nested", ("features.3: gradients enabled",)),
        Aspect("what asks for gradients", "no-trace", "frozen", ("frozen: other wishes",)),
        Aspect("an error passes through", "no-trace", "error", ("error: raises",)),
        Aspect("modes and hooks after an error", "no-trace", "error", ("error: modes", "error: hooks")),
        Aspect("x as before", "no-trace", "nested", ("input x",)),
        Aspect("after an error, all the rest", "no-trace", "error", _trace("error"), hidden=True),
        Aspect(
            "another kind of error",
            "no-trace",
            "other error",
            ("error: raises", *_trace("error")),
            hidden=True,
        ),
        Aspect("gradients stay off", "no-trace", "no_grad", ("no_grad: gradients enabled",), hidden=True),
        Aspect(
            "a model in evaluation mode as before",
            "no-trace",
            "evaluating",
            _trace("evaluation"),
            hidden=True,
        ),
    ),
    misconceptions=tuple(EXTRACT),
)

# --- replace_head -------------------------------------------------------------------------------------------

NEW = 2
"""Classes of the new task."""


def _deep() -> Network:
    classifier = Network({"0": linear(4, 6), "1": relu(), "2": linear(6, CLASSES)})
    return Network({"body": block(4, 4), "classifier": classifier, "scale": Network({"relu": relu()})})


def _without_bias() -> Network:
    return Network({"body": block(4, 5), "fc": linear(5, 4, bias=False)})


def _replace_probes(seed: int) -> dict[str, Probe]:
    draw, single = Draw(seed), Draw(seed, torch.float32)

    def probe(
        network: Network, name: str, x: Tensor, classes: int = NEW, source: Draw = draw, **options: Any
    ) -> Probe:
        state = values(source, network)
        inputs = state[f"{name}.weight"].shape[1]
        head: Mapping[str, Tensor] = {
            f"{name}.weight": source.normal(classes, inputs),
            f"{name}.bias": source.normal(classes),
        }
        steps = (
            Call("call", "model", {"name": name, "num_classes": classes}),
            Look("new", of="returned"),
            Look("given"),
            Load(head),
            Evaluate("evaluation", x, of="returned"),
            Train("step", x, source.normal(len(x), classes), of="returned"),
            Call("again", "model", {"name": name, "num_classes": classes}),
        )
        return NetworkProbe(network, state, steps, **options)

    x, image = draw.normal(3, 4), draw.normal(3, 1, 4, 4)
    return {
        "pictures": probe(
            pictures(), "fc", image, note="features: conv, batch norm, ReLU, pooling; then a flatten and fc"
        ),
        "deep": probe(_deep(), "classifier.2", x),
        "more classes": probe(rows(), "head", x, 5),
        "without bias": probe(_without_bias(), "fc", x),
        "frozen": probe(pictures(), "fc", image, frozen=("features.0.weight", "fc.weight", "fc.bias")),
        "mixed": probe(pictures(), "fc", image, evaluating=("features.1", "fc")),
        "float32": probe(rows(), "head", single.normal(3, 4), source=single, dtype=torch.float32),
        "inside": probe(inside(), "classifier.1", x, CLASSES),
    }


def _new(*keys: str) -> tuple[str, ...]:
    return tuple(f"new: {key}" for key in keys)


REPLACE_HEAD = Exercise(
    name="replace_head",
    kind="function",
    signature="model, name, num_classes",
    section="6.2",
    oracle=reference.replace_head,
    probes=_replace_probes,
    aspects=(
        Aspect("returns a model", "head", "pictures", ("call: a model",)),
        Aspect("names and shapes", "head", "pictures", _new("state_dict")),
        Aspect("a head inside a block", "head", "deep", _new("state_dict")),
        Aspect("more classes than before", "head", "more classes", _new("state_dict")),
        Aspect("an old head without bias", "head", "without bias", _new("state_dict")),
        Aspect("everything else has its old values", "head", "pictures", _new("value of features")),
        Aspect("the head has values of its own", "head", "pictures", _new("rows of the given model")),
        Aspect("output of the new model", "head", "pictures", ("evaluation: output", "step: output")),
        Aspect("output, a head inside a block", "head", "deep", ("evaluation: output", "step: output")),
        Aspect("what asks for gradients", "head", "frozen", _new("asks for gradients")),
        Aspect(
            "a head that is not the last layer",
            "head",
            "inside",
            _new("state_dict", "rows of the given model"),
            hidden=True,
        ),
        Aspect("modes", "head", "mixed", _new("training")),
        Aspect("the layers themselves", "head", "deep", _new("modules"), hidden=True),
        Aspect(
            "float32",
            "head",
            "float32",
            (*_new("value of block"), "evaluation: output"),
            hidden=True,
            tolerance=SINGLE,
        ),
        Aspect("the head's dtype", "head", "pictures", _new("dtypes")),
        Aspect("a copy is returned", "original", "pictures", ("call: returns",)),
        Aspect(
            "the given model right after the call",
            "original",
            "pictures",
            ("call: moved", "given: state_dict"),
        ),
        Aspect(
            "training the new one leaves it alone", "original", "pictures", ("step, the given model: moved",)
        ),
        Aspect("a second call has a head of its own", "original", "pictures", ("again: shared",)),
        Aspect("no memory is shared", "original", "pictures", _new("shared")),
        Aspect(
            "the given model, a head inside a block",
            "original",
            "deep",
            ("call: moved", "given: ", "step, the given model: moved"),
        ),
        Aspect(
            "its modes and wishes for gradients",
            "original",
            "frozen",
            ("call: modes", "call: other wishes"),
            hidden=True,
        ),
    ),
    misconceptions=tuple(REPLACE),
)
