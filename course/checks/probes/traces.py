"""What a student's function left behind in a network, bit by bit, and what it gave back, as plain data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from course.checks.plain import Observation, Value, cut, trouble, type_name
from course.checks.surroundings import OperatorLog, unlogged

ROOT = "the model"
"""What a message calls the network itself, whose name in torch is empty."""


class Notes(Protocol):
    """An observation in the making: `observe._Notes`."""

    log: OperatorLog | None
    seen: Observation
    built_by: set[str]

    def logged(self) -> contextlib.AbstractContextManager[Any]:
        """Context for the student's work."""
        ...

    def take(self, key: str, value: object) -> None:
        """Write down a value of the student's."""
        ...

    def write(self, key: str, value: Value) -> None:
        """Write down something of ours."""
        ...


def instead(returned: Any, wanted: str) -> Value:
    """Something else came back than was wanted."""
    return trouble("none") if returned is None else trouble("count", f"{type_name(returned)}, not {wanted}")


def numbers(returned: Any, dtype: torch.dtype) -> Value:
    """A list of floats, or of equally long lists of floats, as a tensor."""
    wanted = "a list of floats"
    if not isinstance(returned, list | tuple):
        return instead(returned, wanted)
    rows = [list(row) if isinstance(row, list | tuple) else row for row in returned]
    flat = [item for row in rows for item in (row if isinstance(row, list) else [row])]
    for item in flat:
        if isinstance(item, bool) or not isinstance(item, int | float):
            return trouble("count", f"a list of {type_name(item)}, not {wanted}")
    with contextlib.suppress(ValueError, TypeError, OverflowError, RuntimeError), unlogged():
        return torch.tensor(rows, dtype=dtype)
    return trouble("count", "lists of different lengths")


def bits(network: nn.Module) -> dict[str, Tensor]:
    """A copy of the network's state_dict."""
    with unlogged():
        return {name: value.detach().clone() for name, value in network.state_dict().items()}


def moved(before: Mapping[str, Tensor], network: nn.Module) -> list[str]:
    """Names whose values are not bit by bit what they were, or are gone."""
    with unlogged():
        now = network.state_dict()
        return [
            cut(key) for key, value in before.items() if key not in now or not torch.equal(now[key], value)
        ]


def shared(network: nn.Module, model: nn.Module) -> list[str]:
    """Names in the network's state_dict that share memory with the model's."""
    with unlogged():
        taken = {value.data_ptr() for value in model.state_dict().values()}
        return [cut(key) for key, value in network.state_dict().items() if value.data_ptr() in taken]


def same_rows(state: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """Names of matrices and vectors with a row that stands, bit by bit, under the same name in given."""
    same = []
    with unlogged():
        for name, value in state.items():
            old = given.get(name)
            if old is None or value.dim() not in (1, 2) or old.shape[1:] != value.shape[1:]:
                continue
            if any(torch.equal(row, each) for row in value for each in old.to(value.dtype)):
                same.append(cut(name))
    return same


class Snapshot:
    """A network before the student's function had it."""

    def __init__(self, network: nn.Module) -> None:
        self._bits = bits(network)
        self._modes = {name: module.training for name, module in network.named_modules()}
        self._asking = {name: p.requires_grad for name, p in network.named_parameters()}
        with unlogged():
            self._gradients = {
                name: None if p.grad is None else p.grad.clone() for name, p in network.named_parameters()
            }

    def compare(self, network: nn.Module, name: str, notes: Notes) -> None:
        """Write down what is different now."""
        modules = dict(network.named_modules())
        parameters = dict(network.named_parameters())
        notes.write(f"{name}: moved", moved(self._bits, network))
        changed = [
            key for key, was in self._modes.items() if key not in modules or modules[key].training != was
        ]
        notes.write(f"{name}: modes", [key or ROOT for key in changed])
        notes.write(f"{name}: hooks", sorted(_hooked(network)))
        notes.write(f"{name}: asks for gradients", [key for key, p in parameters.items() if p.requires_grad])
        other = [
            key
            for key, was in self._asking.items()
            if key not in parameters or parameters[key].requires_grad != was
        ]
        notes.write(f"{name}: other wishes for gradients", other)
        notes.write(
            f"{name}: gradients", [key for key in parameters if self._other_gradient(key, parameters)]
        )

    def _other_gradient(self, key: str, parameters: Mapping[str, Tensor]) -> bool:
        before, now = self._gradients.get(key), parameters[key].grad
        if before is None or now is None:
            return before is not now
        with unlogged():
            return not torch.equal(before, now)


def _hooked(network: nn.Module) -> Iterator[str]:
    """Modules with a hook of any kind."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    for name, module in network.named_modules():
        count = sum(len(getattr(module, kind, None) or ()) for kind in kinds)
        yield from (f"{name or ROOT} (hook {i})" for i in range(1, count + 1))
    if any(getattr(nn.modules.module, f"_global{kind}", None) for kind in kinds):
        yield "all modules"
