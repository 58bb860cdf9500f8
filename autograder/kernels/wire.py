"""Messages between a Jupyter process and the fork server: JSON, and open files beside it (SCM_RIGHTS).

A message is its length (8 bytes, which also carry the files), then JSON. Both ends belong to the same user.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

_LENGTH = struct.Struct("!Q")
_CREDENTIALS = struct.Struct("3i")
_MAX_BYTES = 2**24  # an environment is some kilobytes


def send(connection: socket.socket, message: dict[str, Any], files: Sequence[int] = ()) -> None:
    """Send a message and file descriptors; waits as long as the socket's timeout."""
    body = json.dumps(message).encode("utf-8", "surrogateescape")
    socket.send_fds(connection, [_LENGTH.pack(len(body))], files)
    connection.sendall(body)


def receive(connection: socket.socket, max_files: int = 0) -> tuple[dict[str, Any], list[int]]:
    """The next message and its file descriptors, which the caller owns and closes.

    Raises:
        OSError: the other end closed the connection, was too slow, or sent something else.
    """
    head, files, _, _ = socket.recv_fds(connection, _LENGTH.size, max_files)
    try:
        for file in files:
            os.set_inheritable(file, False)
        head += _receive_bytes(connection, _LENGTH.size - len(head))
        (length,) = _LENGTH.unpack(head)
        if length > _MAX_BYTES:
            raise ConnectionError(f"a message of {length} bytes")
        message = json.loads(_receive_bytes(connection, length).decode("utf-8", "surrogateescape"))
        if not isinstance(message, dict):
            raise ConnectionError("a message that is not a JSON object")
    except (OSError, ValueError) as error:
        for file in files:
            os.close(file)
        raise error if isinstance(error, OSError) else ConnectionError(str(error)) from error
    return message, files


def peer(connection: socket.socket) -> tuple[int, int]:
    """Process id and user id of the other end of a Unix socket, as the kernel knows them (Linux)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return pid, uid


def _receive_bytes(connection: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = connection.recv(count)
        if not part:
            raise ConnectionResetError("the other end closed the connection")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
