"""Fingerprints of a submission's code, by winnowing.

Every run of `GRAM` tokens (see `tokens`) is hashed, and of every `WINDOW` neighbouring hashes the smallest is
kept: two texts that share `GRAM + WINDOW - 1` tokens in a row then share a fingerprint, wherever these stand.
Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting", SIGMOD 2003.

There are two kinds. For the *structure*, a name that a student chose enters a hash by the distance to its
last use in the same run: new names change nothing, but ``(x - m) / s`` is not ``(x - x) / x`` (Baker, "On
finding duplication and near-duplication in large software systems", 1995). For the *wording*, names count as
they are written.

Runs that stand in the released notebook, in the course's own solution or in its package are left out before
the smallest is looked for: only what a student wrote has fingerprints.
"""

from __future__ import annotations

import base64
import binascii
import functools
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.flags.tokens import Token, tokens

GRAM = 10
"""Tokens in a run: about one line. Longer runs agree less often by chance, but an inserted line cuts more."""
WINDOW = 4
"""Neighbouring runs of which one is kept."""
MAX_CHARACTERS = 200_000
"""Of a longer submission only the beginning is looked at: reading it must not take minutes."""

Hashes = NDArray[np.uint64]

_FACTORS: Hashes = np.random.default_rng(20031).integers(0, 2**63, 2 * GRAM, dtype=np.uint64) * 2 + 1
_PLACES = np.arange(GRAM, dtype=np.uint64)
_ZERO = np.uint64(0)
_NOT_KEPT = np.uint64(2**64 - 1)
_NONE = np.zeros(0, np.uint64)


@dataclass(frozen=True)
class Runs:
    """All runs of tokens of a text: both hashes, first and last line of each."""

    structure: Hashes
    wording: Hashes
    first_line: NDArray[np.int64]
    last_line: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """What is the student's own in a submission, as sorted distinct hashes.

    Attributes:
        structure: of all cells together, so that it does not matter in which cell a function stands.
        wording: of each cell.
    """

    structure: Hashes
    wording: Mapping[str, Hashes]

    def to_json(self) -> dict[str, Any]:
        """Plain data; 11 characters a fingerprint."""
        return {
            "structure": _to_text(self.structure),
            "wording": {name: _to_text(hashes) for name, hashes in self.wording.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Fingerprints:
        """The fingerprints that `to_json` wrote down.

        Raises:
            ValueError: the data is damaged.
        """
        try:
            wording = {name: _from_text(text) for name, text in data["wording"].items()}
            return cls(_from_text(data["structure"]), wording)
        except (binascii.Error, AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"These are no fingerprints: {type(error).__name__}: {error}.") from error


def know(texts: Iterable[str]) -> Hashes:
    """What everybody has, as sorted hashes of its structure.

    Args:
        texts: of the released cells, of the course's solution and of its package.
    """
    return np.unique(np.concatenate([_NONE, *(runs(text).structure for text in texts)]))


def package_texts(package: str) -> Iterator[str]:
    """The Python files of a package, which is looked for but not imported; nothing where there is none."""
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(place).rglob("*.py")):
            yield path.read_text(encoding="utf-8")


def fingerprint(cells: Mapping[str, str], known: Hashes) -> Fingerprints:
    """The fingerprints of a submission.

    Args:
        cells: name → text, from `cells.own_cells`.
        known: what everybody has.
    """
    structure, wording = [_NONE], {}
    left = MAX_CHARACTERS
    for name, text in cells.items():
        found = runs(text[:left])
        left -= min(left, len(text))
        given = contained(found.structure, known)
        structure.append(_winnow(found.structure, given))
        wording[name] = _winnow(found.wording, given)
    return Fingerprints(_distinct(np.concatenate(structure)), wording)


def runs(text: str) -> Runs:
    """Every run of `GRAM` tokens."""
    found = tokens(text)
    number = len(found) - GRAM + 1
    if number < 1:
        return Runs(_NONE, _NONE, _NONE.astype(np.int64), _NONE.astype(np.int64))
    kinds = np.array([_code(text) for text, _, _ in found], np.uint64)
    words = np.array([_code(name or text) for text, name, _ in found], np.uint64)
    back = np.lib.stride_tricks.sliding_window_view(_distances(found), GRAM)
    back = np.where(back <= _PLACES, back, _ZERO)  # a use before the run says nothing
    structure = np.correlate(kinds, _FACTORS[:GRAM]) + back @ _FACTORS[GRAM:]
    wording = np.correlate(words, _FACTORS[:GRAM])
    lines = np.array([line for _, _, line in found], np.int64)
    return Runs(_spread(structure), _spread(wording), lines[:number], lines[GRAM - 1 :])


def _distances(found: list[Token]) -> Hashes:
    """For each name of the student's, how many tokens ago it was last used; 0 for other tokens."""
    last: dict[str, int] = {}
    distances = [0] * len(found)
    for index, (_, name, _) in enumerate(found):
        if name:
            distances[index] = index - last.get(name, index - GRAM)
            last[name] = index
    return np.array(distances, np.uint64)


@functools.lru_cache(maxsize=10_000)
def _code(text: str) -> int:
    """A number for a token's text that is the same in every process, unlike `hash`."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def _spread(hashes: Hashes) -> Hashes:
    """The bits are spread, in place, because the low ones of a sum of products depend on little."""
    hashes ^= hashes >> np.uint64(31)
    hashes *= np.uint64(0x9E3779B97F4A7C15)
    hashes ^= hashes >> np.uint64(29)
    return hashes


def _winnow(hashes: Hashes, given: NDArray[np.bool_]) -> Hashes:
    """Of every `WINDOW` neighbouring hashes the smallest; those that everybody was given do not count."""
    if not len(hashes):
        return hashes
    own = np.where(given, _NOT_KEPT, hashes)
    width = min(WINDOW, len(own))
    windows = [own[start : len(own) - width + start + 1] for start in range(width)]
    smallest = _distinct(functools.reduce(np.minimum, windows))
    return smallest[:-1] if smallest[-1] == _NOT_KEPT else smallest


def _distinct(hashes: Hashes) -> Hashes:
    """What `numpy.unique` gives, in a fraction of its time for the few hashes of a cell."""
    hashes = np.sort(hashes)
    is_new = np.ones(len(hashes), bool)
    is_new[1:] = hashes[1:] != hashes[:-1]
    return hashes[is_new]


def contained(hashes: Hashes, known: Hashes) -> NDArray[np.bool_]:
    """Which of the hashes are in a sorted array."""
    if not len(known):
        return np.zeros(len(hashes), bool)
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    found: NDArray[np.bool_] = known[place] == hashes
    return found


def _to_text(hashes: Hashes) -> str:
    return base64.b64encode(hashes.astype("<u8").tobytes()).decode("ascii")


def _from_text(text: str) -> Hashes:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<u8").astype(np.uint64)
