"""The data sets of the course, as tensors in [0, 1].

`digits` and `glyphs` need no network and are what every lesson uses by default. `mnist` and `fashion_mnist`
are looked up in the folder that the environment variable ``COURSE_DATA`` names, then in the cache, and else
downloaded (see `course.fetch`).

- digits: 1,797 handwritten digits, 8×8 (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998)
- glyphs: 3,200 printed digits, 8×8, drawn from fonts (see `course.glyphs`)
- MNIST: 70,000 handwritten digits, 28×28 (Y. LeCun, C. Cortes, C. J. C. Burges)
- Fashion-MNIST: 70,000 pictures of clothes, 28×28 (H. Xiao, K. Rasul, R. Vollgraf, 2017, arXiv:1708.07747)
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from course.fetch import DataUnavailable, RemoteFile, fetch, find_local
from course.glyphs import render_glyphs

__all__ = ["DataUnavailable", "ImageData", "available", "digits", "fashion_mnist", "glyphs", "mnist"]

DIGIT_NAMES = tuple("0123456789")
FASHION_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FASHION_MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def _idx_files(dataset: str, mirrors: tuple[str, ...], checksums: dict[str, str]) -> dict[str, RemoteFile]:
    return {
        role: RemoteFile(dataset, name, checksums[role], tuple(f"{mirror}{name}.gz" for mirror in mirrors))
        for role, name in IDX_NAMES.items()
    }


REGISTRY = {
    "mnist": _idx_files(
        "mnist",
        MNIST_MIRRORS,
        {
            "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ),
    "fashion_mnist": _idx_files(
        "fashion_mnist",
        FASHION_MIRRORS,
        {
            "x_train": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "y_train": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "x_test": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "y_test": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ),
}


@dataclass(frozen=True)
class ImageData:
    """Images and labels, split into training and test.

    ``x_train``, ``x_test``: float32 in [0, 1], (N, 1, H, W). ``y_train``, ``y_test``: int64, (N,), an index
    into ``classes``.
    """

    name: str
    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    classes: tuple[str, ...]

    def to(self, device: torch.device | str) -> "ImageData":
        """Return the same data on ``device``."""
        tensors = {role: getattr(self, role).to(device) for role in IDX_NAMES}
        return replace(self, **tensors)

    def __repr__(self) -> str:
        return (
            f"ImageData({self.name!r}, {len(self.x_train)} + {len(self.x_test)} images of "
            f"{tuple(self.x_train.shape[1:])}, {len(self.classes)} classes, on {self.x_train.device})"
        )


def digits(device: torch.device | str = "cpu") -> ImageData:
    """Return scikit-learn's handwritten digits, 8×8: 1,438 to train with, 359 to test; no network needed."""
    from sklearn.datasets import load_digits  # takes a second to import; most lessons do not need it

    x, y = load_digits(return_X_y=True)
    return _split("digits", x.reshape(-1, 8, 8) / 16, y).to(device)


def glyphs(device: torch.device | str = "cpu") -> ImageData:
    """Return printed digits, 8×8, drawn from fonts: 2,560 to train with, 640 to test; no network needed."""
    x, y = render_glyphs()
    return _split("glyphs", x / 16, y).to(device)


def mnist(device: torch.device | str = "cpu") -> ImageData:
    """Return MNIST, 28×28: 60,000 to train with and 10,000 to test.

    Raises:
        DataUnavailable: it is neither on this machine nor to be had; the message says what to do.
    """
    return _load_idx("mnist", DIGIT_NAMES).to(device)


def fashion_mnist(device: torch.device | str = "cpu") -> ImageData:
    """Return Fashion-MNIST, 28×28: 60,000 to train with and 10,000 to test.

    Raises:
        DataUnavailable: it is neither on this machine nor to be had; the message says what to do.
    """
    return _load_idx("fashion_mnist", FASHION_NAMES).to(device)


LOADERS: dict[str, Callable[..., ImageData]] = {
    "digits": digits,
    "glyphs": glyphs,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
}


def available(name: str) -> bool:
    """Say whether data set ``name`` can be loaded without a network; nothing is downloaded.

    A damaged file counts as not available; when it lies in ``COURSE_DATA``, a warning names it.

    Raises:
        ValueError: there is no data set of this name.
    """
    if name not in LOADERS:
        raise ValueError(f"There is no data set {name!r}; choose one of {', '.join(LOADERS)}.")
    files = REGISTRY.get(name, {}).values()
    try:
        return all(find_local(file, others=_known_checksums()) is not None for file in files)
    except DataUnavailable as problem:
        warnings.warn(str(problem), stacklevel=2)
        return False


def _load_idx(dataset: str, classes: tuple[str, ...]) -> ImageData:
    arrays = {
        role: parse_idx(fetch(file, others=_known_checksums()), file.label)
        for role, file in REGISTRY[dataset].items()
    }
    return ImageData(
        dataset,
        _as_images(arrays["x_train"], 255),
        torch.from_numpy(arrays["y_train"].astype(np.int64)),
        _as_images(arrays["x_test"], 255),
        torch.from_numpy(arrays["y_test"].astype(np.int64)),
        classes,
    )


def parse_idx(content: bytes, label: str) -> NDArray[np.uint8]:
    """Return the array in an IDX file.

    Its header: two zeros, the type (8: uint8), the number of dimensions, sizes as big-endian 32-bit numbers.

    Raises:
        ValueError: the header is not that of an IDX file of uint8, or the length is not what the header says.
    """
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(
            f"{label} is not an IDX file of bytes: it starts with {content[:4].hex(' ') or 'nothing'}."
        )
    dimensions = content[3]
    start = 4 + 4 * dimensions
    shape = tuple(np.frombuffer(content[4:start].ljust(4 * dimensions, b"\x00"), dtype=">u4").tolist())
    expected = start + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected:
        raise ValueError(
            f"{label} has {len(content):,} bytes, but its header says {shape}, which is {expected:,} bytes."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _split(name: str, x: NDArray, y: NDArray, test_share: float = 0.2) -> ImageData:
    """Split images (N, H, W) into training and test, equal shares of each class, always the same way."""
    rng = np.random.default_rng(0)
    train, test = [], []
    for label in range(10):
        members = rng.permutation(np.flatnonzero(y == label))
        cut = round(len(members) * test_share)
        test.append(members[:cut])
        train.append(members[cut:])
    train_index = rng.permutation(np.concatenate(train))
    test_index = rng.permutation(np.concatenate(test))
    labels = torch.from_numpy(y.astype(np.int64))
    return ImageData(
        name,
        _as_images(x[train_index], 1),
        labels[train_index],
        _as_images(x[test_index], 1),
        labels[test_index],
        DIGIT_NAMES,
    )


def _as_images(x: NDArray, scale: float) -> Tensor:
    """Turn an array (N, H, W) into a float32 tensor (N, 1, H, W), divided by ``scale``."""
    return torch.from_numpy(x.astype(np.float32) / np.float32(scale)).unsqueeze(1)


def _known_checksums() -> frozenset[str]:
    return frozenset(file.sha256 for files in REGISTRY.values() for file in files.values())
