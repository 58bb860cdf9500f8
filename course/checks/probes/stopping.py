"""Probe of an object that watches a training: it is told the losses, and asked for the best weights.

Nothing is trained. The observer writes new values into a small network before each loss, in place, as an
optimizer does, so that whoever kept a reference has the last ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course.checks.plain import Value, trouble, type_name
from course.checks.probes.drawing import modes_kept
from course.checks.probes.traces import Notes, bits, moved
from course.checks.surroundings import unlogged


@dataclass(frozen=True)
class StopProbe:
    """Build a watcher and tell it the losses of a training, one after the other.

    Args:
        losses: of the epochs; the network's values follow from the epoch's number (from 1).
        patience: the constructor's argument.
        options: its keyword arguments.
        restores: whether the best weights are asked for in the end.
        frozen: whether the network's first layer asks for no gradient.
        dtype: of the network.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    losses: tuple[float, ...]
    patience: int
    options: Mapping[str, Any] = field(default_factory=dict)
    restores: bool = True
    frozen: bool = False
    dtype: torch.dtype = torch.float64
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


LATER, EVEN_LATER, ELSEWHERE = 50, 60, 70
"""Epochs whose numbers stand in the network when the best ones are asked for."""


def observe_stopping(make: Callable[..., Any], probe: StopProbe, notes: Notes) -> None:
    """Take a class through the probe."""
    with modes_kept():
        _observe(make, probe, notes)


def _observe(make: Callable[..., Any], probe: StopProbe, notes: Notes) -> None:
    model = _network(probe)
    watcher = make(probe.patience, **probe.options)
    said: list[str] = []
    touched: dict[str, None] = {}
    epochs: list[str] = []
    same_modes = gradients = True
    looks = notes.wants("each step")
    for epoch, loss in enumerate(probe.losses, 1):
        _train(model, epoch)
        model.train(epoch % 2 == 0)  # some test in evaluation mode and stay in it
        before, training = bits(model) if looks else {}, model.training
        with notes.logged():
            answer = _word(watcher.step(loss, model))
        if not isinstance(answer, str):
            notes.write("stops", answer)
            break
        said.append(answer)
        changed = moved(before, model)
        touched.update(dict.fromkeys(changed))
        epochs += [f"in epoch {epoch}"] if changed else []
        same_modes = same_modes and all(module.training is training for module in model.modules())
        gradients = gradients and torch.is_grad_enabled()
    else:
        notes.write("stops", said)
    notes.write("each step: moved", [*touched])
    notes.write("each step: when", epochs)
    notes.write("each step: modes as before", same_modes)
    notes.write("each step: gradients enabled", gradients)
    if not probe.restores:
        return
    _train(model, LATER)
    model.train()
    parameters = list(model.parameters())
    memory = [value.data_ptr() for value in model.state_dict().values()]
    with notes.logged():
        watcher.restore(model)
    _record(model, "restored", notes)
    notes.write(
        "kept: the parameters are the same objects", [*map(id, parameters)] == [*map(id, model.parameters())]
    )
    notes.write("kept: in their memory", memory == [v.data_ptr() for v in model.state_dict().values()])
    asking = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    notes.write("kept: asks for gradients", asking)
    notes.write("kept: training mode", all(module.training for module in model.modules()))
    # Who handed the kept tensors over to the network has lost them with its next step.
    _train(model, EVEN_LATER)
    watcher.restore(model)
    _record(model, "restored again", notes)
    other = _network(probe)
    _train(other, ELSEWHERE)
    watcher.restore(other)
    _record(other, "another network", notes)
    before = bits(other)
    _train(model, LATER)
    notes.write("another network: moved", moved(before, other))


def _network(probe: StopProbe) -> nn.Module:
    """Parameters, running statistics, a counter, and a buffer that no layer of torch has."""
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).to(probe.dtype)
    model.register_buffer("average", torch.zeros(2, dtype=probe.dtype))
    model[0].requires_grad_(not probe.frozen)
    return model


@torch.no_grad()
def _train(model: nn.Module, epoch: int) -> None:
    """Write the values of an epoch into the network, in place."""
    with unlogged():
        for place, value in enumerate(model.state_dict().values()):
            if value.is_floating_point():
                value.fill_(epoch + 0.1 * place)
            else:
                value.fill_(epoch)


def _record(model: nn.Module, when: str, notes: Notes) -> None:
    buffers = {name for name, _ in model.named_buffers()}
    for name, value in model.state_dict().items():
        notes.take(f"{when}: {'buffer' if name in buffers else 'parameter'} {name}", value)


def _word(answer: Any) -> Value:
    """Yes or no in words; whatever is as good as a bool counts."""
    if answer is None:
        return trouble("none")
    if isinstance(answer, Tensor) and answer.numel() == 1:
        answer = answer.item()
    if isinstance(answer, bool | np.bool_ | int):
        return "stop" if answer else "go on"
    return trouble("count", f"{type_name(answer)}, not True or False")
