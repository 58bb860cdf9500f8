"""``python -m autograder.kernels`` lists this user's fork servers; with ``stop`` it ends them.

A server that is told to stop starts no more kernels, and ends with the last of those that run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from autograder.errors import AutograderError
from autograder.kernels import client, settings, wire


def ask_all(what: str) -> Iterator[dict[str, Any]]:
    """Ask every fork server of this user for its status, or to stop; yields what each says of itself."""
    folder = settings.socket_folder()
    for path in sorted(folder.iterdir()):
        with settings.locked(folder):
            connection = client.connect(path)
            if connection is None:
                path.unlink(missing_ok=True)  # a server that was killed left it
                continue
        with connection:
            wire.send(connection, {"do": what})
            yield wire.receive(connection)[0]


def main(arguments: list[str]) -> int:
    """Do what the command line says; returns the exit code."""
    if arguments not in ([], ["status"], ["stop"]):
        print("Usage: python -m autograder.kernels [status | stop]", file=sys.stderr)
        return 2
    what = arguments[0] if arguments else "status"
    try:
        for status in ask_all(what):
            kernels = f"kernels: {len(status['kernels'])}"
            print(f"{status['pid']}: {kernels}; preloaded: {', '.join(status['modules']) or 'nothing'}")
            for problem in status["problems"]:
                print(f"    {problem}")
    except (AutograderError, OSError) as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
