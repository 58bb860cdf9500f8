"""What the sandbox consists of on this machine: one sentence for each layer, there or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autograder.errors import AutograderError

LANDLOCK, SECCOMP, OWN_USER, OWN_PROC = "Landlock", "seccomp", "user namespace", "own /proc"


class SandboxUnavailable(AutograderError):
    """This machine cannot isolate submissions, or a step of it failed. The text says what to do."""


@dataclass(frozen=True)
class Layer:
    """One thing that holds a submission.

    Attributes:
        name: what it is called.
        available: whether it was tried here and worked.
        required: whether nothing may be graded without it (unless the instructor says so).
        sentence: what it does, or why it is missing and what to do about it.
    """

    name: str
    available: bool
    required: bool
    sentence: str


def usable(layers: Iterable[Layer]) -> bool:
    """Whether all required layers are there, and at least one of the two that filter system calls."""
    found = {layer.name: layer.available for layer in layers}
    missing = [layer for layer in layers if layer.required and not layer.available]
    return not missing and (found.get(LANDLOCK, False) or found.get(SECCOMP, False))
