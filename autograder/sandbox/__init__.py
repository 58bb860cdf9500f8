"""Isolates forked Python processes, so that what a submission does stays in it.

bubblewrap and containers isolate a program when it is started. A submission is a fork of a process that has
imported torch already, so it isolates itself, with the same calls of the kernel. The story has three steps::

    fork server    enter_base(visible)                once, before it imports anything big:
                   │                                  own namespaces; a root of a few read-only folders
                   │ import torch, course …
                   │
                   ├─ next_child_gets_pid_namespace() before each fork
                   │  os.fork()
                   │  └─ child  confine(limits)       some milliseconds: namespaces, /tmp, /proc of its own;
                   │            run the submission    nobody without rights; limits, Landlock, seccomp
                   └─ …

The fork server runs trusted code only. Neither it nor anything else outside exists for a child: no file but
the visible ones, no process, no network, no socket, no key. When a child ends, everything that it started and
wrote is gone; when the fork server ends, so do its children.

What a child inherits is up to the caller: start the fork server with `environment()`, keep secrets out of its
memory, and close what a child should not have (`close_other_descriptors`). A pipe that a child gets should be
shared with nobody else: options like O_NONBLOCK belong to the pipe, not to the process.

The parts: `isolation` (the three steps), `namespaces` (who), `filesystem` (what is there), `limits` and
`usage` (how much), `landlock` and `seccomp` (what may be asked of the kernel), `libc` and `syscalls` (the
calls themselves), `layers`, `probe` and `reasons` (whether it works on this machine, and why not).
"""

from __future__ import annotations

from autograder.sandbox.filesystem import HOME, WORK, interpreter
from autograder.sandbox.isolation import (
    close_other_descriptors,
    confine,
    enter_base,
    environment,
    limit_only,
    next_child_gets_pid_namespace,
)
from autograder.sandbox.layers import Layer, SandboxUnavailable, usable
from autograder.sandbox.limits import Limits
from autograder.sandbox.probe import probe
from autograder.sandbox.usage import memory_megabytes

__all__ = [
    "HOME",
    "WORK",
    "Layer",
    "Limits",
    "SandboxUnavailable",
    "close_other_descriptors",
    "confine",
    "enter_base",
    "environment",
    "interpreter",
    "limit_only",
    "memory_megabytes",
    "next_child_gets_pid_namespace",
    "probe",
    "usable",
]
