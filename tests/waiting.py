"""Wait for something that happens in another process or thread."""

import time
from collections.abc import Callable

__all__ = ["wait_until"]


def wait_until(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Return as soon as it has happened. The limit is for what never does: a busy machine may be slow."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"it did not happen within {seconds:g} seconds"
        time.sleep(0.02)
