"""Submissions that try to win what they did not earn, and honest ones that look as if they did.

Each module has a tuple `ATTACKS`; `attack.py` says what an attack is, `arena.py` where they take place.
"""

from __future__ import annotations

from . import (
    archives,
    broken_files,
    channel,
    delegating,
    dying,
    exhausting,
    forging,
    gradebook,
    hard_coding,
    hidden_work,
    honest,
    lingering,
    links,
    lying,
    network,
    peeking,
    reading,
    reference,
    rewriting,
    shadowing,
    showing,
    strange_answers,
    tampering,
    unusual,
    wasting_time,
)
from .attack import ROWS, Attack

GROUPS: dict[str, tuple[Attack, ...]] = {
    module.__name__.rpartition(".")[2]: module.ATTACKS
    for module in (
        lying,
        rewriting,
        gradebook,
        reading,
        peeking,
        links,
        dying,
        wasting_time,
        exhausting,
        network,
        shadowing,
        lingering,
        forging,
        channel,
        strange_answers,
        tampering,
        broken_files,
        showing,
        archives,
        hard_coding,
        delegating,
        hidden_work,
        reference,
        honest,
        unusual,
    )
}
ATTACKS: tuple[Attack, ...] = tuple(sorted(sum(GROUPS.values(), ()), key=lambda attack: attack.row))

__all__ = ["ATTACKS", "GROUPS", "ROWS", "Attack"]
