"""How much memory a submission uses with all its processes, seen from outside.

The kernel limits each process by itself; ten of them may use ten times as much. Whoever watches the clock of
a submission can look at this sum as well, a few times a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def family(pid: int) -> Iterator[int]:
    """A process and all that it started and that still run (as this process's /proc numbers them)."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def memory_megabytes(pid: int, enough: float = math.inf) -> float:
    """Memory that only these processes have: what they still share with the fork server is not counted twice.

    It costs milliseconds for a process that has torch imported. A process that has ended uses nothing.

    Args:
        pid: of the first process of a family.
        enough: megabytes from which on the answer is clear; the rest of the family is not looked at.
    """
    kilobytes = 0
    for member in family(pid):
        if kilobytes > enough * 1024:
            break
        with suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                    kilobytes += int(line.split()[1])
    return kilobytes / 1024
