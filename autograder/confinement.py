"""Whether submissions can be confined on this machine; if not, a sentence instead of a run."""

from __future__ import annotations

import sys

from autograder.sandbox import SandboxUnavailable, probe, usable


def require_sandbox() -> None:
    """Do nothing where the sandbox works.

    Raises:
        SandboxUnavailable: it does not; the text says what is missing and what can be done.
    """
    layers = probe()
    if usable(layers):
        return
    missing = [layer.sentence for layer in layers if layer.required and not layer.available]
    missing = missing or [layer.sentence for layer in layers if not layer.available]
    raise SandboxUnavailable(
        f"This machine cannot confine submissions. {' '.join(missing)} "
        "Nothing was run. --no-sandbox grades without; then submissions run with your rights, "
        "and every report says so."
    )


def sandbox_problem() -> str:
    """Why submissions cannot be confined here; empty where they can."""
    try:
        require_sandbox()
    except SandboxUnavailable as error:
        return str(error)
    return ""


def main() -> None:
    """Print the option that `autograder grade` needs here: none, or --no-sandbox (the reason is on stderr).

    For a class whose submissions you wrote yourself, as the demo's.
    """
    if problem := sandbox_problem():
        print(problem, file=sys.stderr)
        print("--no-sandbox")


if __name__ == "__main__":
    main()
