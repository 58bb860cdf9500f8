"""Probes and observations as a message: a header that JSON can hold, and the bytes of the tensors.

Unlike a pickle, a message names no code: reading it can make nothing but tensors, numbers, strings,
containers and the frozen dataclasses listed in `RECORDS`. An observation comes from a process that runs a
student's code, so whoever wrote a message may have meant harm. Whatever does not fit raises `WireError`, and
reading never takes more memory than a few times the message's own length.

    header  null, true, 3, 0.5, "text"     themselves
            ["float", "nan"]               nan, inf and -inf, which JSON does not have
            ["list", a, b]                 also "tuple"
            ["dict", key, value, ...]      keys are strings
            ["CallProbe", value, ...]      the fields in their order
            ["dtype", "float64"]
            ["tensor", "float64", [3, 4]]  its numbers are next in the buffer; a third entry [1, 0] lists the
                                           axes in the order of memory, so that a transposed tensor stays so
    buffer  the numbers of the tensors one after the other, each padded to 16 bytes
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from math import inf, isfinite, nan, prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course.checks.framework import (
    CallProbe,
    ChangeProbe,
    DeepCopy,
    Describe,
    Forward,
    LayerSpec,
    ModuleProbe,
    Reload,
)
from course.checks.plain import DTYPES, LONGEST_INT
from course.checks.probes import (
    batches,
    drawing,
    looping,
    networks,
    optimizing,
    precision,
    sampling,
    scheduling,
    timing,
    training_run,
)
from course.checks.probes.building import Fill, Outline, Spread, StandIn
from course.checks.probes.penalties import PenaltyProbe
from course.checks.probes.stopping import StopProbe

Message = tuple[Any, list[bytes]]
"""A header that JSON can hold, and a list of one buffer."""

_MODULES = (
    *(batches, drawing, looping, networks, optimizing),
    *(precision, sampling, scheduling, timing, training_run),
)

RECORDS = {
    kind.__name__: kind
    for kind in (
        *(CallProbe, ModuleProbe, LayerSpec, Forward, Describe, Reload, DeepCopy),
        *(ChangeProbe, StandIn, Fill, Outline, Spread, PenaltyProbe, StopProbe),
        *(kind for module in _MODULES for kind in module.RECORDS),
    )
}
"""The dataclasses that may travel."""

DEEPEST = 16
"""How many containers may lie in one another; a probe needs five."""

_ALIGNMENT = 16
_LARGEST_EMPTY = 2**31
_MOST_AXES = 16
_FIELDS = {name: tuple(f.name for f in dataclasses.fields(kind)) for name, kind in RECORDS.items()}
_NAMES = {kind: name for name, kind in RECORDS.items()}
_DTYPE_NAMES = {dtype: str(dtype).removeprefix("torch.") for dtype in DTYPES}
_DTYPES = {name: dtype for dtype, name in _DTYPE_NAMES.items()}
_STORED = {
    dtype: np.dtype(np.int16 if dtype == torch.bfloat16 else name)  # numpy does not know bfloat16
    for name, dtype in _DTYPES.items()
}
_THEMSELVES = frozenset((str, int, bool, type(None)))
_FLOATS = {"nan": nan, "inf": inf, "-inf": -inf}


class WireError(ValueError):
    """A message that does not hold what it should."""


# --- Writing ------------------------------------------------------------------------------------------------


def pack(value: object) -> Message:
    """Turn a value into a message.

    Raises:
        TypeError: something in the value cannot travel.
    """
    buffer = bytearray()
    header = _pack(value, buffer)
    return header, [bytes(buffer)]


def _pack(value: Any, buffer: bytearray) -> Any:
    kind = type(value)
    if kind in _THEMSELVES:
        return value
    if kind is Tensor:
        return _pack_tensor(value, buffer)
    if kind is list or kind is tuple:
        packed: list[Any] = [kind.__name__]
        packed += [item if type(item) in _THEMSELVES else _pack(item, buffer) for item in value]
        return packed
    if kind is float:
        return value if isfinite(value) else ["float", str(value)]
    if kind in _NAMES:
        packed = [_NAMES[kind]]
        packed += [_pack(getattr(value, name), buffer) for name in _FIELDS[packed[0]]]
        return packed
    if kind is torch.dtype and value in _DTYPE_NAMES:
        return ["dtype", _DTYPE_NAMES[value]]
    if isinstance(value, Mapping):
        packed = ["dict"]
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"the key {key!r} cannot travel: keys are strings")
            packed += (key, _pack(item, buffer))
        return packed
    raise TypeError(f"a {kind.__name__} cannot travel")


def _pack_tensor(tensor: Tensor, buffer: bytearray) -> list[Any]:
    name = _DTYPE_NAMES.get(tensor.dtype)
    if name is None:
        raise TypeError(f"a tensor of {tensor.dtype} cannot travel")
    packed: list[Any] = ["tensor", name, list(tensor.shape)]
    if not tensor.is_contiguous():
        # A clone fills the gaps of a slice and keeps the order of the axes; the other side clones it anyway.
        tensor = tensor.clone()
        order = sorted(range(tensor.dim()), key=lambda axis: -tensor.stride(axis))
        tensor = tensor.permute(order).contiguous()
        packed.append(order)
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.view(torch.int16)
    buffer += tensor.numpy().tobytes()
    if len(buffer) % _ALIGNMENT:
        buffer += bytes(-len(buffer) % _ALIGNMENT)
    return packed


# --- Reading ------------------------------------------------------------------------------------------------


def unpack(message: object) -> Any:
    """The value in a message.

    Raises:
        WireError: it is not one that `pack` makes.
    """
    if not isinstance(message, tuple | list) or len(message) != 2:
        raise WireError("a message is a header and a list of buffers")
    header, buffers = message
    if not isinstance(buffers, tuple | list) or len(buffers) != 1 or not isinstance(buffers[0], bytes):
        raise WireError("a message has one buffer of bytes")
    reader = _Reader(buffers[0])
    value = reader.read(header, 0)
    reader.finish()
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = bytearray(data)  # torch wants bytes that may be written to
        self._offset = 0

    def read(self, header: Any, depth: int) -> Any:
        kind = type(header)
        if kind is str or kind is bool or header is None:
            return header
        if kind is list and header and type(header[0]) is str:
            if depth == DEEPEST:
                raise WireError("containers lie too deep in one another")
            return self._read_tagged(header, depth + 1)
        if kind is int and header.bit_length() <= LONGEST_INT:
            return header
        if kind is float and isfinite(header):
            return header
        raise WireError(f"a {kind.__name__} that means nothing here")

    def finish(self) -> None:
        """Everything must have been read: bytes that nothing names do not belong there."""
        if self._offset != len(self._data):
            raise WireError("the buffer is longer than its tensors")

    def _read_tagged(self, header: list[Any], depth: int) -> Any:
        tag = header[0]
        if tag == "tensor":
            return self._read_tensor(header)
        if tag == "dict":
            return self._read_pairs(header, depth)
        if tag == "list":
            return self._read_items(header, depth)
        if tag == "tuple":
            return tuple(self._read_items(header, depth))
        if tag in RECORDS:
            if len(header) != 1 + len(_FIELDS[tag]):
                raise WireError(f"a {tag} has another number of fields")
            return RECORDS[tag](*self._read_items(header, depth))
        if len(header) != 2 or type(header[1]) is not str:
            raise WireError("a header has an unknown entry")
        if tag == "dtype" and header[1] in _DTYPES:
            return _DTYPES[header[1]]
        if tag == "float" and header[1] in _FLOATS:
            return _FLOATS[header[1]]
        raise WireError("a header has an unknown entry")

    def _read_items(self, header: list[Any], depth: int) -> list[Any]:
        return [item if type(item) is str else self.read(item, depth) for item in header[1:]]

    def _read_pairs(self, header: list[Any], depth: int) -> dict[str, Any]:
        keys, items = header[1::2], header[2::2]
        if len(keys) != len(items) or set(map(type, keys)) - {str}:
            raise WireError("keys are strings, and each has a value")
        if len(set(keys)) != len(keys):
            raise WireError("a key is there twice")
        return dict(zip(keys, [self.read(item, depth) for item in items], strict=True))

    def _read_tensor(self, header: list[Any]) -> Tensor:
        if len(header) not in (3, 4) or type(header[1]) is not str or header[1] not in _DTYPES:
            raise WireError("a tensor has a dtype and a shape")
        shape, count = header[2], 1
        if type(shape) is not list or len(shape) > _MOST_AXES:
            raise WireError("a shape is a list of whole numbers")
        for n in shape:
            if type(n) is not int or n < 0:
                raise WireError("a shape is a list of whole numbers")
            count *= n
        if len(header) == 3:
            return self._take(_DTYPES[header[1]], shape, count)
        order = header[3]
        if type(order) is not list or not all(type(axis) is int for axis in order):
            raise WireError("the order of the axes is a list of whole numbers")
        if sorted(order) != list(range(len(shape))):
            raise WireError("the order of the axes names each of them once")
        tensor = self._take(_DTYPES[header[1]], [shape[axis] for axis in order], count)
        return tensor.permute([order.index(axis) for axis in range(len(order))])

    def _take(self, dtype: torch.dtype, shape: list[int], count: int) -> Tensor:
        """The next numbers of the buffer."""
        start, size = self._offset, count * dtype.itemsize
        self._offset = start + size + -size % _ALIGNMENT
        if self._offset > len(self._data):
            raise WireError("the buffer is shorter than its tensors")
        if count == 0 and prod(n or 1 for n in shape) > _LARGEST_EMPTY:
            raise WireError("an empty tensor has no such shape")
        # A bool is 0 or 1; torch would make anything of another byte.
        if dtype == torch.bool and max(self._data[start : start + size], default=0) > 1:
            raise WireError("a bool is neither true nor false")
        stored = np.ndarray(shape, _STORED[dtype], self._data, start)  # twice as fast as torch.frombuffer
        tensor = torch.from_numpy(stored)
        return tensor.view(dtype) if dtype == torch.bfloat16 else tensor
