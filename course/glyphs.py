"""Printed digits, drawn from matplotlib's own fonts and reduced as the UCI handwritten digits were.

The handwritten digits of scikit-learn started as 32×32 bitmaps; each 4×4 block was then replaced by the
number of its black pixels, 0 … 16, which leaves 8×8 pictures (E. Alpaydin and C. Kaynak, "Optical Recognition
of Handwritten Digits", UCI Machine Learning Repository, 1998). The same reduction of printed digits gives a
related task with different pictures: a source to transfer from that needs no download.
"""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

__all__ = ["FONTS", "SIDE", "VARIANTS", "block_counts", "outline", "rasterize", "render_glyphs"]

FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSans-BoldOblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "STIXGeneralBolIta",
    "cmr10",
    "cmb10",
    "cmss10",
    "cmtt10",
    "cmti10",
)
SIDE = 32  # pixels of the bitmap, before the reduction
VARIANTS = 16  # pictures per font and digit: sizes, rotations and shifts


def render_glyphs(seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw every digit in every font, ``VARIANTS`` times with another size, rotation and shift.

    Returns:
        Block counts (N, 8, 8) from 0 to 16 and labels (N,), with N = fonts × 10 × ``VARIANTS``; equal on
        every call with the same seed.
    """
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for font in FONTS:
        for digit in range(10):
            for _ in range(VARIANTS):
                polygons = _place(outline(font, digit), rng)
                images.append(block_counts(rasterize(polygons)))
                labels.append(digit)
    return np.stack(images), np.array(labels, dtype=np.int64)


@cache
def outline(font: str, digit: int) -> tuple[NDArray[np.float64], ...]:
    """Return the closed polygons of a digit, (points, 2) each, scaled to the bounding box [-1, 1]²."""
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font}.ttf")
    # 100 points high: curves become line segments of about one point, far below a pixel of the bitmap.
    path = TextPath((0, 0), str(digit), size=100, prop=FontProperties(fname=str(file)))
    polygons = path.to_polygons(closed_only=True)
    points = np.concatenate(polygons)
    low, high = points.min(axis=0), points.max(axis=0)
    return tuple((polygon - (low + high) / 2) / ((high - low) / 2) for polygon in polygons)


def _place(polygons: tuple[NDArray[np.float64], ...], rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Scale, rotate and shift an outline into a bitmap of ``SIDE`` pixels (rows count downwards)."""
    height = rng.uniform(0.82, 1.0) * SIDE / 2
    width = rng.uniform(0.5, 0.8) * SIDE / 2
    angle = np.deg2rad(rng.uniform(-10, 10))
    shift = rng.uniform(-1.5, 1.5, size=2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = []
    for polygon in polygons:
        points = polygon * (width, -height)  # a font's y axis points up, a picture's rows go down
        placed.append(points @ turn.T + SIDE / 2 + shift)
    return placed


def rasterize(polygons: list[NDArray[np.float64]], side: int = SIDE) -> NDArray[np.bool_]:
    """Return the bitmap (side, side) of closed polygons by the even-odd rule.

    A pixel is black when a ray from its centre to the right crosses the outline an odd number of times, which
    leaves the holes of 0, 6, 8 and 9 white.
    """
    centres = np.arange(side) + 0.5
    bitmap = np.zeros((side, side), dtype=bool)
    for polygon in polygons:
        start, end = polygon, np.roll(polygon, -1, axis=0)
        (x0, y0), (x1, y1) = start.T, end.T
        rows = centres[:, None]
        crosses = (y0 <= rows) != (y1 <= rows)  # (side, edges): does this edge cut this row's line?
        height = np.where(y1 == y0, 1.0, y1 - y0)  # a flat edge cuts no row
        x_cut = x0 + (rows - y0) / height * (x1 - x0)
        right_of_pixel = crosses[:, None, :] & (x_cut[:, None, :] > centres[None, :, None])
        bitmap ^= right_of_pixel.sum(axis=2) % 2 == 1
    return bitmap


def block_counts(bitmap: NDArray[np.bool_], block: int = 4) -> NDArray[np.uint8]:
    """Count the black pixels of each ``block``×``block`` square: (32, 32) → (8, 8) with values 0 … 16."""
    side = bitmap.shape[0] // block
    return bitmap.reshape(side, block, side, block).sum(axis=(1, 3)).astype(np.uint8)
