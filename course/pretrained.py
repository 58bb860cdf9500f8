"""The weights of ResNet-18 that torchvision publishes, trained on the 1.28 million images of ImageNet.

They are looked up in the folder ``COURSE_DATA``, in the course's cache and in torch.hub's, and else
downloaded once (45 MB). The file is the one of torchvision's ``resnet18(weights="IMAGENET1K_V1")``; its name
ends in the first digits of its SHA-256, and it is trusted only when the whole checksum is right.
"""

import io
from pathlib import Path

import torch
from torch import Tensor

from course.fetch import CorruptFile, DataUnavailable, RemoteFile, fetch, find_local, read_verified

__all__ = ["RESNET18", "resnet18_state_dict"]

RESNET18 = RemoteFile(
    "pretrained",
    "resnet18-f37072fd.pth",
    "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    ("https://download.pytorch.org/models/resnet18-f37072fd.pth",),
)


def resnet18_state_dict(*, download: bool = True, progress: bool = True) -> dict[str, Tensor]:
    """Return torchvision's published ``state_dict`` of ResNet-18: 122 tensors, on the CPU.

    With ``download=False`` only this machine is searched.

    Raises:
        DataUnavailable: the file is not on this machine, and is not to be had; the message says what to do.
    """
    content = find_local(RESNET18)
    if content is None:
        content = _from_torch_hub()
    if content is None:
        content = _downloaded(progress) if download else None
    if content is None:
        raise DataUnavailable(f"{RESNET18.name} is not on this machine, and nothing was downloaded.")
    # weights_only: a file of weights may hold tensors, and no code that runs when it is opened
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _from_torch_hub() -> bytes | None:
    """Return the file from the cache of torch.hub, where torchvision keeps it; None where it is not whole."""
    try:
        return read_verified(Path(torch.hub.get_dir()) / "checkpoints" / RESNET18.name, RESNET18.sha256)
    except (FileNotFoundError, CorruptFile):
        return None


def _downloaded(progress: bool) -> bytes:
    try:
        return fetch(RESNET18, progress=progress)
    except DataUnavailable as problem:
        tried = next(
            (line.strip() for line in str(problem).splitlines() if line.startswith("  ")), "no mirror"
        )
        raise DataUnavailable(
            f"{RESNET18.name} is not on this machine and could not be downloaded ({tried}). Connect to the "
            f"network and try again, or copy the file to a folder and set COURSE_DATA to that folder."
        ) from None
