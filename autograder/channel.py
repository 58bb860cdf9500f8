"""The channel between the process that judges and the one that runs a student's code.

A message is a JSON value with raw buffers (the numbers of tensors). On the wire it is one frame:

    length of the rest (8 bytes) | tag (16) | length of the JSON (4) | JSON | buffers, one after the other

The JSON carries the lengths of the buffers. The tag is a keyed BLAKE2b (RFC 7693) over the number of the
frame, its direction and its content, so stray bytes, repeated frames and frames made for another check are
refused. Nothing is unpickled: whatever a student's process sends, the reader gets JSON values and bytes, or a
`ChannelError`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

Message = tuple[Any, list[bytes]]

MEGABYTE = 1 << 20
_LENGTH = struct.Struct(">Q")
_HEAD = struct.Struct(">16sI")


class ChannelError(Exception):
    """What arrived is not a message of this channel; the text says why."""


class ChannelClosed(ChannelError):
    """The other side is gone."""


class ChannelTimeout(ChannelError):
    """Nothing complete arrived in time."""


class Channel:
    """One end of a connected stream socket.

    Args:
        stream: the socket; the channel owns it.
        key: secret that both ends know.
        judge: whether this is the judge's end. Frames of one direction do not count in the other.
        limit: the longest frame that is accepted, in bytes.
        text_limit: the longest JSON in it; as Python objects it takes many times its length.
    """

    def __init__(
        self,
        stream: socket.socket,
        key: bytes,
        judge: bool,
        limit: int = 64 * MEGABYTE,
        text_limit: int = 8 * MEGABYTE,
    ) -> None:
        self._socket = stream
        self._key = key
        self._limit = limit
        self._text_limit = text_limit
        self._directions = (b"judge", b"child") if judge else (b"child", b"judge")
        self._sent = self._received = 0

    def send(self, message: Message, seconds: float | None = None) -> None:
        """Send a message.

        Args:
            message: the message.
            seconds: how long the other side may take to read it; None for ever.

        Raises:
            ChannelTimeout: it did not read all of it in time. The channel is of no use any more.
            ChannelClosed: the other side is gone.
        """
        value, buffers = message
        text = json.dumps([value, [len(buffer) for buffer in buffers]]).encode()
        tag = self._tag(self._directions[0], self._sent, text, buffers)
        self._sent += 1
        head = _HEAD.pack(tag, len(text))
        length = _LENGTH.pack(len(head) + len(text) + sum(map(len, buffers)))
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(b"".join((length, head, text, *buffers)))
        except TimeoutError as error:
            raise ChannelTimeout from error
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def receive(
        self, seconds: float | None = None, while_waiting: Callable[[], None] | None = None
    ) -> Message:
        """The next message.

        Args:
            seconds: how long to wait for the whole of it; None for ever.
            while_waiting: called about ten times a second while nothing arrives; may raise.

        Raises:
            ChannelTimeout: it did not arrive in time.
            ChannelClosed: the other side is gone.
            ChannelError: what arrived is not a message of this channel.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline, while_waiting))
        if not _HEAD.size <= length <= self._limit:
            raise ChannelError(f"a frame of {length} bytes; the limit is {self._limit}")
        frame = memoryview(self._read(length, deadline, while_waiting))
        tag, text_length = _HEAD.unpack_from(frame)
        if text_length > self._text_limit:
            raise ChannelError(f"{text_length} bytes of JSON; the limit is {self._text_limit}")
        text = bytes(frame[_HEAD.size : _HEAD.size + text_length])
        rest = frame[_HEAD.size + text_length :]
        if not hmac.compare_digest(tag, self._tag(self._directions[1], self._received, text, [rest])):
            raise ChannelError("a frame that this channel's other end did not make")
        self._received += 1
        return _decode(text, rest)

    def fileno(self) -> int:
        """The socket's file descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _tag(self, direction: bytes, number: int, text: bytes, buffers: list[Any]) -> bytes:
        digest = hashlib.blake2b(key=self._key, digest_size=16)
        digest.update(direction + struct.pack(">QI", number, len(text)) + text)
        for buffer in buffers:
            digest.update(buffer)
        return digest.digest()

    def _read(self, size: int, deadline: float | None, while_waiting: Callable[[], None] | None) -> bytearray:
        # Grows with what arrives: a frame that only claims to be large takes no memory.
        data = bytearray()
        while len(data) < size:
            self._wait(deadline, while_waiting)
            try:
                part = self._socket.recv(min(size - len(data), MEGABYTE))
            except OSError as error:
                raise ChannelClosed(str(error)) from error
            if not part:
                raise ChannelClosed("the other side closed it")
            data += part
        return data

    def _wait(self, deadline: float | None, while_waiting: Callable[[], None] | None) -> None:
        """Return when something can be read."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise ChannelTimeout
            patience = 0.1 if while_waiting else left
            if left is not None and patience is not None:
                patience = min(patience, left)
            if poll.poll(None if patience is None else max(1, int(patience * 1000))):
                return
            if while_waiting:
                while_waiting()


def _decode(text: bytes, rest: memoryview) -> Message:
    """JSON and buffers of an authentic frame; it still comes from a process that a student may control."""
    try:
        content = json.loads(text)
        value, lengths = content
        if not all(type(length) is int and length >= 0 for length in lengths) or sum(lengths) != len(rest):
            raise ValueError("the lengths of the buffers do not add up")
    except (ValueError, TypeError, RecursionError) as error:
        raise ChannelError(f"a frame that is not well formed: {error}") from error
    buffers, start = [], 0
    for length in lengths:
        buffers.append(bytes(rest[start : start + length]))
        start += length
    return value, buffers
