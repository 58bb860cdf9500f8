"""Exercises `sigmoid`, `tanh` and their derivatives: what is drawn, what is looked at."""

from __future__ import annotations

from functools import partial

import torch

from course.checks.framework import Exercise
from course.checks.initialization import saturating_mistakes as mistakes
from course.checks.initialization.common import (
    AUTOGRAD,
    FORWARD,
    autograd,
    backward,
    backward_probes,
    derivative,
    forward_probes,
)

SIGMOID = Exercise(
    name="sigmoid",
    kind="function",
    signature="x",
    section="2.2",
    oracle=torch.sigmoid,
    probes=forward_probes,
    aspects=(*FORWARD, *autograd("autograd", smooth=True)),
    misconceptions=tuple(mistakes.SIGMOID),
    shortcuts=("sigmoid", "expit"),
)

SIGMOID_BACKWARD = Exercise(
    name="sigmoid_backward",
    kind="function",
    signature="grad_output, x",
    section="2.2",
    oracle=derivative(torch.sigmoid),
    probes=backward_probes,
    aspects=backward(smooth=True),
    misconceptions=tuple(mistakes.SIGMOID_BACKWARD),
    shortcuts=("sigmoid_backward", *AUTOGRAD),
)

TANH = Exercise(
    name="tanh",
    kind="function",
    signature="x",
    section="2.2",
    oracle=torch.tanh,
    probes=forward_probes,
    aspects=(*FORWARD, *autograd("autograd", smooth=True)),
    misconceptions=tuple(mistakes.TANH),
    shortcuts=("tanh",),
)

TANH_BACKWARD = Exercise(
    name="tanh_backward",
    kind="function",
    signature="grad_output, x",
    section="2.2",
    oracle=derivative(torch.tanh),
    probes=partial(backward_probes, flat=7.5),
    aspects=backward(smooth=True),
    misconceptions=tuple(mistakes.TANH_BACKWARD),
    shortcuts=("tanh_backward", *AUTOGRAD),
)
