"""Row 19: archives beside the notebook, and in its place."""

from __future__ import annotations

import io
import tarfile
import zipfile

from .attack import SOME, Attack
from .broken_files import content


def _zip(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _bomb() -> bytes:
    return _zip({f"{number}.txt": bytes(20_000_000) for number in range(5)})


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("../../gradebook.db", "/tmp/stowaway-from-tar"):
            archive.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(link)
    return buffer.getvalue()


_ARCHIVES = (
    Attack(
        "zip-bomb",
        19,
        "an archive of 100 MB of zeros beside the notebook",
        solves=SOME,
        files={"data.zip": _bomb()},
    ),
    Attack(
        "zip-outside",
        19,
        "an archive with ../ in it beside the notebook",
        solves=SOME,
        files={
            "03_batch_norm.zip": _zip(
                {"../../gradebook.db": b"", "../../../nbgrader_config.py": b"", "/tmp/x": b""}
            )
        },
    ),
    Attack(
        "tar-outside",
        19,
        "a tar archive with links and absolute names",
        solves=SOME,
        files={"a.tar.gz": _tar()},
    ),
    Attack(
        "zip-as-notebook",
        19,
        "the archive under the notebook's name",
        refused=True,
        solves=SOME,
        damage=content(lambda data: _zip({"03_batch_norm.ipynb": data})),
    ),
)

ATTACKS = _ARCHIVES
