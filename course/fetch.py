"""Find a data file: in ``COURSE_DATA``, in the cache, or on one of its mirrors.

A file is trusted for its content, not for its name: the SHA-256 of the *decompressed* bytes must be the known
one. Mirrors and colleagues compress the same content differently, so the checksum of a ``.gz`` says little.
"""

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
from tqdm.auto import tqdm

__all__ = ["CorruptFile", "DataUnavailable", "RemoteFile", "cache_folder", "fetch", "find_local"]

ATTEMPTS = 3  # per mirror: a broken connection is taken up where it broke
TIMEOUT = 20  # seconds without a byte from a mirror
GZIP_MAGIC = b"\x1f\x8b"


class DataUnavailable(RuntimeError):
    """A data set is neither on this machine nor to be had; the message says what was tried and what to do."""


class CorruptFile(Exception):
    """The content of a file is not what it should be."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a data set.

    ``name`` is without ``.gz``, ``sha256`` is of the decompressed content, ``urls`` are mirrors, in order.
    """

    dataset: str
    name: str
    sha256: str
    urls: tuple[str, ...]

    @property
    def label(self) -> str:
        """Data set and file name, for messages and as the place below a data folder."""
        return f"{self.dataset}/{self.name}.gz"


def cache_folder() -> Path:
    """Return where downloads are kept: the operating system's folder for caches."""
    return Path(pooch.os_cache("training-deep-networks"))


def fetch(file: RemoteFile, *, others: frozenset[str] = frozenset(), progress: bool = True) -> bytes:
    """Return the decompressed content of ``file``, from this machine where it is here, else from a mirror.

    ``others`` are checksums of other known files: a file of the same name with such a content is another data
    set's (MNIST and Fashion-MNIST share their file names) and is passed over.

    Raises:
        DataUnavailable: the copy in ``COURSE_DATA`` is damaged, or there is no copy and no mirror answered.
    """
    content = find_local(file, others=others)
    return _download(file, progress) if content is None else content


def find_local(file: RemoteFile, *, others: frozenset[str] = frozenset()) -> bytes | None:
    """Return the content of ``file`` from ``COURSE_DATA`` or the cache, None where neither has it.

    A damaged copy in the cache is removed: the course put it there and can get it again. A damaged copy in
    ``COURSE_DATA`` belongs to the user and is named.

    Raises:
        DataUnavailable: the copy in ``COURSE_DATA`` is damaged.
    """
    for path in _candidates(file):
        try:
            return read_verified(path, file.sha256, others)
        except FileNotFoundError:
            continue
        except CorruptFile as problem:
            raise DataUnavailable(
                f"{path} in COURSE_DATA is damaged: {problem} Copy the file again, or delete it so that the "
                f"course downloads its own copy."
            ) from None
    cached = cache_folder() / file.label
    try:
        return read_verified(cached, file.sha256, frozenset())
    except FileNotFoundError:
        return None
    except CorruptFile:
        cached.unlink()
        return None


def _candidates(file: RemoteFile) -> list[Path]:
    """List the places below ``COURSE_DATA`` where the file may lie, packed or not, in a subfolder or not."""
    folder = os.environ.get("COURSE_DATA")
    if not folder:
        return []
    root = Path(folder).expanduser()
    return [place / name for place in (root / file.dataset, root) for name in (f"{file.name}.gz", file.name)]


def read_verified(path: Path, sha256: str, others: frozenset[str] = frozenset()) -> bytes:
    """Return the decompressed content of ``path`` (gzip or plain) when its SHA-256 is ``sha256``.

    Raises:
        FileNotFoundError: there is no such file, or it holds another known file (see `fetch`).
        CorruptFile: it cannot be decompressed, or its content is not the expected one.
    """
    packed = path.read_bytes()
    try:
        content = gzip.decompress(packed) if packed.startswith(GZIP_MAGIC) else packed
    except (EOFError, OSError, zlib.error) as problem:
        raise CorruptFile(f"it cannot be decompressed ({problem}); {len(packed):,} bytes.") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest == sha256:
        return content
    if digest in others:
        raise FileNotFoundError(path)
    raise CorruptFile(f"the SHA-256 of its content starts with {digest[:12]}, expected {sha256[:12]}.")


def _download(file: RemoteFile, progress: bool) -> bytes:
    """Try each mirror in turn; keep the first download whose content is right."""
    target = cache_folder() / file.label
    failures = []
    for url in file.urls:
        part = target.with_name(f"{target.name}.{_short_hash(url)}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _download_resuming(url, part, file.label, progress)
            content = read_verified(part, file.sha256)
        except CorruptFile as problem:
            part.unlink()  # nothing to resume: what came is complete and wrong
            failures.append(f"  {url}: {problem}")
        except OSError as problem:  # requests' errors are OSErrors too
            failures.append(f"  {url}: {_reason(problem)}")
        else:
            part.replace(target)
            return content
    raise DataUnavailable(
        f"{file.label} is not on this machine and could not be downloaded. Tried:\n"
        + "\n".join(failures)
        + f"\nConnect to the network and try again, or copy {file.name}.gz from another machine to a folder "
        f"and set the environment variable COURSE_DATA to that folder ({_where_looked(file)}). "
        f"Meanwhile digits() and glyphs() work without a network."
    )


def _download_resuming(url: str, part: Path, label: str, progress: bool) -> None:
    """Download ``url`` to ``part``; what ``part`` holds already is not asked for again.

    Raises:
        OSError: the mirror cannot be reached, has no such file, or broke off ``ATTEMPTS`` times.
    """
    for attempt in range(1, ATTEMPTS + 1):
        before = part.stat().st_size if part.exists() else 0
        try:
            _continue_download(url, part, label, progress)
            return
        except OSError:
            came = part.stat().st_size - before if part.exists() else 0
            if came <= 0 or attempt == ATTEMPTS:
                raise


def _continue_download(url: str, part: Path, label: str, progress: bool) -> None:
    with part.open("ab") as output:
        done = output.tell()

        def on_response(response: Any, **_: Any) -> None:
            if response.status_code == 200:  # the whole file, from its start: this mirror cannot resume
                output.truncate(0)
            bar.initial = bar.n = output.tell()

        with tqdm(total=1, desc=label, unit="B", unit_scale=True, leave=False, disable=not progress) as bar:
            download = pooch.HTTPDownloader(
                progressbar=bar if progress else False,
                chunk_size=2**13,
                timeout=TIMEOUT,
                headers={"Range": f"bytes={done}-"} if done else {},
                hooks={"response": on_response},
            )
            download(url, output, None)


def _where_looked(file: RemoteFile) -> str:
    folder = os.environ.get("COURSE_DATA")
    if not folder:
        return "it is not set now"
    if not Path(folder).expanduser().is_dir():
        return f"it is {folder} now, which is not a folder"
    return f"it is {folder} now, and neither it nor {file.dataset}/ in it has the file"


def _reason(problem: OSError) -> str:
    """Say an error in one line, by its innermost cause, which requests writes last."""
    cause = " ".join(str(problem).split()).rpartition("(Caused by ")[2]
    return f"{type(problem).__name__}: {cause[:200] or 'no details'}"


def _short_hash(url: str) -> str:
    """Two mirrors may pack the content differently, so each resumes a part file of its own."""
    return hashlib.sha256(url.encode()).hexdigest()[:8]
