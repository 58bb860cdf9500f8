"""Probes of a function that brings a batch to a device: containers, and where their tensors are.

The device `meta` is on every machine: its tensors have a shape and no numbers. A tensor that has got there
was moved; one that was moved to the CPU, where it was before, must be the same tensor. So nothing here needs
a GPU.
"""

from __future__ import annotations

import contextlib
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from course.checks.plain import cut, trouble
from course.checks.probes.traces import Notes


@dataclass(frozen=True)
class Named:
    """Becomes a named tuple of this name, with these fields and values."""

    name: str
    fields: tuple[str, ...]
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Thing:
    """Becomes an object that nobody knows."""


@dataclass(frozen=True)
class BatchProbe:
    """Let a function move a batch.

    Args:
        batch: tensors, numbers, text, None, `Thing`, in lists, tuples, dictionaries and `Named`.
        device: "meta" or "cpu".
        as_text: whether the device is passed as text instead of as a torch.device.
        options: keyword arguments of the function.
        with_graph: whether the floating-point tensors have a graph.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    batch: Any
    device: str = "meta"
    as_text: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    with_graph: bool = False
    note: str = ""
    looks_at: tuple[str, ...] = ("",)

    @property
    def dtype(self) -> torch.dtype:
        """Of the tensors that hold no whole numbers."""
        return torch.float64


RECORDS = (BatchProbe, Named, Thing)
"""The dataclasses that may travel to another process."""


class _Copies(TorchDispatchMode):
    """Notes how tensors are copied from one device to another: `non_blocking` or not."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # as `OperatorLog`

    def __init__(self) -> None:
        super().__init__()
        self.ways: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.__name__.partition(".")[0]
        if name in ("_to_copy", "copy_"):
            given = kwargs.get("non_blocking", name == "copy_" and len(args) > 2 and args[2])
            self.ways.add("non_blocking" if given else "blocking")
        return func(*args, **kwargs)


def observe_batch(move: Callable[..., Any], probe: BatchProbe, notes: Notes) -> None:
    """Let the function move the batch, and look at what came back and at what was given."""
    batch = _materialize(probe.batch, probe.with_graph)
    before = list(_parts(batch))
    device = probe.device if probe.as_text else torch.device(probe.device)
    calls = notes.log.calls() if notes.log else contextlib.nullcontext()
    copies = _Copies()
    with copies, notes.logged(), calls:
        returned = move(batch, device, **probe.options)
    keys = ("containers", "tensors", "other values", "copies", "graphs")
    if returned is None:
        for key in keys:
            notes.write(key, trouble("none"))
    else:
        given = dict(before)
        seen = list(_parts(returned))
        of_tensors = [(path, value) for path, value in seen if isinstance(value, Tensor)]
        notes.write("containers", [_container(*part) for part in seen if _is_container(part[1])])
        notes.write("tensors", [_tensor(*part) for part in of_tensors])
        notes.write("other values", [_other(*part, given) for part in seen if _is_other(part[1])])
        notes.write("copies", [path for path, value in of_tensors if not _is_itself(value, given.get(path))])
        notes.write("graphs", [path for path, value in of_tensors if value.grad_fn is not None])
    notes.write("ways of copying", sorted(copies.ways))
    after = list(_parts(batch))
    same = [path for path, _ in before] == [path for path, _ in after]
    stays = same and all(one is other for (_, one), (_, other) in zip(before, after, strict=True))
    notes.write("the batch is as it was", stays)


def _materialize(value: Any, with_graph: bool) -> Any:
    match value:
        case Tensor():
            tensor = value.detach().clone()
            if with_graph and tensor.is_floating_point():
                return tensor.requires_grad_() * 1.0
            return tensor
        case Named():
            kind = namedtuple(value.name, value.fields)
            return kind(*(_materialize(item, with_graph) for item in value.values))
        case Thing():
            return object()
        case dict():
            return {key: _materialize(item, with_graph) for key, item in value.items()}
        case list() | tuple():
            return type(value)(_materialize(item, with_graph) for item in value)
        case _:
            return value


def _parts(value: Any, path: str = "batch", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """A value and, where it is a container, all that is in it, with their paths: "batch['image'][0]"."""
    yield cut(path), value
    if depth == 10 or not _is_container(value):
        return
    if isinstance(value, dict):
        inside = [(f"{path}[{key!r}]", item) for key, item in value.items()]
    elif hasattr(value, "_fields"):
        inside = [(f"{path}.{name}", item) for name, item in zip(value._fields, value, strict=True)]
    else:
        inside = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    for name, item in inside:
        yield from _parts(item, name, depth + 1)


def _is_container(value: Any) -> bool:
    return isinstance(value, list | tuple | dict)


def _is_other(value: Any) -> bool:
    return not isinstance(value, Tensor) and not _is_container(value)


def _container(path: str, value: Any) -> str:
    kind = type(value).__name__
    return cut(f"{path}: {kind} of {len(value)}")


def _tensor(path: str, value: Tensor) -> str:
    return cut(f"{path}: {str(value.dtype).removeprefix('torch.')} {tuple(value.shape)} on {value.device}")


def _other(path: str, value: Any, given: Mapping[str, Any]) -> str:
    if path in given and (
        value is given[path] or (type(value) is type(given[path]) and _plain_equal(value, given[path]))
    ):
        return cut(f"{path}: as given")
    return cut(f"{path}: {type(value).__name__}")


def _plain_equal(one: Any, other: Any) -> bool:
    return isinstance(one, int | float | str) and bool(one == other)


def _is_itself(value: Tensor, given: Any) -> bool:
    """Whether no memory was copied. On `meta` there is no memory, and every tensor is another one."""
    if value is given:
        return True
    if not isinstance(given, Tensor) or value.is_meta:
        return False
    return value.data_ptr() == given.data_ptr() and value.shape == given.shape
