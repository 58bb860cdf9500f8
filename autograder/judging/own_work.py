"""What of a submission is the student's own: its fingerprints, and what is unusual in its text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from autograder.flags import Flag
from autograder.flags.fingerprints import Hashes, fingerprint, know, package_texts
from autograder.flags.source import Lesson, scan
from autograder.task import Terms


def fingerprints_of(cells: Mapping[str, str], terms: Terms) -> dict[str, Any]:
    """Fingerprints of the student's own cells, as plain data."""
    return fingerprint(cells, known_to_all(terms.given, terms.packages)).to_json()


def suspicions(cells: Mapping[str, str], files: Iterable[str], terms: Terms) -> list[Flag]:
    """What is unusual in the text of the student's own cells.

    Args:
        cells: the student's own, by name.
        files: names of what lies beside the notebook; its modules are the student's own as well.
        terms: of the run.

    The course's module of checks may have a function ``counterparts()``: exercise → parts of names that do
    its whole work.
    """
    module = terms.check.partition(":")[0]
    counterparts = getattr(sys.modules.get(module), "counterparts", None)
    words: Mapping[str, Sequence[str]] = counterparts() if counterparts else {}
    modules = [name.removesuffix(".py").partition("/")[0] for name in files if name.endswith(".py")]
    return scan(cells, Lesson(words, terms.given, module.rpartition(".")[0], modules))


@lru_cache(maxsize=4)
def known_to_all(texts: tuple[str, ...], packages: tuple[str, ...]) -> Hashes:
    """Fingerprints of these texts and of all modules of these packages."""

    def everything() -> Iterator[str]:
        yield from texts
        for package in packages:
            yield from package_texts(package)

    return know(everything())
