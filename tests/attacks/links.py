"""Row 8: links instead of files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .attack import LESSON, SEE_ABOVE, Attack, code
from .reading import READ_SOURCE


def _link_to(target: str) -> object:
    def damage(path: Path) -> None:
        workspace = path.parents[3]
        path.unlink()
        path.symlink_to(target.replace("WORKSPACE", str(workspace)))

    return damage


def _link_folder(path: Path) -> None:
    other = path.parents[2] / "ada" / LESSON
    shutil.rmtree(path.parent)
    path.parent.symlink_to(other)


def _link_beside(path: Path) -> None:
    (path.parent / "notes.py").symlink_to(path.parents[4] / "source_notebooks" / LESSON / f"{LESSON}.ipynb")


def _link_folder_beside(path: Path) -> None:
    (path.parent / "all").symlink_to(path.parents[4])


def _hard_link_beside(path: Path) -> None:
    os.link(path.parents[4] / "source_notebooks" / LESSON / f"{LESSON}.ipynb", path.parent / "notes.py")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


_LINKS = (
    Attack(
        "linked-notebook",
        8,
        "the notebook is a link to another student's",
        refused=True,
        damage=_link_to(f"WORKSPACE/submitted/ada/{LESSON}/{LESSON}.ipynb"),
        says="link",
    ),  # type: ignore[arg-type]
    Attack(
        "linked-device",
        8,
        "the notebook is a link to /dev/zero",
        refused=True,
        damage=_link_to("/dev/zero"),
        says="link",
    ),  # type: ignore[arg-type]
    Attack(
        "linked-nowhere",
        8,
        "the notebook is a link to nothing",
        refused=True,
        damage=_link_to("/nowhere"),
        says="link",
    ),  # type: ignore[arg-type]
    Attack(
        "linked-folder",
        8,
        "the folder is a link to another student's",
        refused=True,
        damage=_link_folder,
        says="link",
    ),
    Attack(
        "linked-helper",
        8,
        "a file beside the notebook is a link to the source notebook",
        says="link",
        damage=_link_beside,
        first=code(READ_SOURCE) + '\nsolve_from("notes.py")',
        answers=SEE_ABOVE,
    ),
    Attack(
        "linked-around",
        8,
        "a folder beside the notebook is a link to the whole course",
        says="link",
        damage=_link_folder_beside,
        answers=SEE_ABOVE,
        first=code(READ_SOURCE) + f'\nsolve_from("all/source_notebooks/{LESSON}/{LESSON}.ipynb")',
    ),
    Attack(
        "pipe", 8, "the notebook is a named pipe: who reads it waits for ever", refused=True, damage=_pipe
    ),
)

ATTACKS = _LINKS
