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
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
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
    return Fingerprints(np.unique(np.concatenate(structure)), wording)


def runs(text: str) -> Runs:
    """Every run of `GRAM` tokens."""
    found = tokens(text)
    number = len(found) - GRAM + 1
    if number < 1:
        return Runs(_NONE, _NONE, _NONE.astype(np.int64), _NONE.astype(np.int64))
    windows = np.lib.stride_tricks.sliding_window_view
    kinds = np.fromiter((_code(token.text) for token in found), np.uint64, len(found))
    names = np.fromiter((_code(token.name or token.text) for token in found), np.uint64, len(found))
    back = windows(_distances(found), GRAM)
    back = np.where(back <= np.arange(GRAM), back, 0).astype(np.uint64)  # a use before the run says nothing
    structure = windows(kinds, GRAM) * _FACTORS[:GRAM] + back * _FACTORS[GRAM:]
    wording = windows(names, GRAM) * _FACTORS[:GRAM]
    lines = np.fromiter((token.line for token in found), np.int64, len(found))
    return Runs(_summed(structure), _summed(wording), lines[:number], lines[GRAM - 1 :])


def _distances(found: list[Token]) -> NDArray[np.int64]:
    """For each name of the student's, how many tokens ago it was last used; 0 for other tokens."""
    last: dict[str, int] = {}
    distances = np.zeros(len(found), np.int64)
    for index, token in enumerate(found):
        if token.name:
            distances[index] = index - last.get(token.name, index - GRAM)
            last[token.name] = index
    return distances


@lru_cache(maxsize=10_000)
def _code(text: str) -> int:
    """A number for a token's text that is the same in every process, unlike `hash`."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def _summed(parts: Hashes) -> Hashes:
    """One hash a run; the bits are spread, because the low ones of a sum of products depend on little."""
    hashes: Hashes = parts.sum(axis=1, dtype=np.uint64)
    hashes ^= hashes >> np.uint64(31)
    hashes *= np.uint64(0x9E3779B97F4A7C15)
    hashes ^= hashes >> np.uint64(29)
    return hashes


def _winnow(hashes: Hashes, given: NDArray[np.bool_]) -> Hashes:
    """Of every `WINDOW` neighbouring hashes the smallest; those that everybody was given do not count."""
    if not len(hashes):
        return hashes
    own = np.where(given, _NOT_KEPT, hashes)
    windows = np.lib.stride_tricks.sliding_window_view(own, min(WINDOW, len(own)))
    smallest = np.unique(windows.min(axis=1))
    kept: Hashes = smallest[smallest != _NOT_KEPT]
    return kept


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
