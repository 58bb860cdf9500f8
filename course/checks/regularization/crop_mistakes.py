"""How students get `random_crop` wrong."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from course.checks.collect import Mistakes

CROP = Mistakes()


class _Crop:
    """A right answer, in steps; a mistake overrides one of them."""

    def __call__(self, x, padding, generator=None):
        self.check(padding)
        rows, columns = self.corners(len(x), padding, self.generator(generator))
        return self.cut(x, padding, rows, columns)

    def check(self, padding):
        if padding < 0:
            raise ValueError(padding)

    def generator(self, generator):
        return generator

    def places(self, padding):
        return 2 * padding + 1

    def corners(self, n, padding, generator):
        return torch.randint(0, self.places(padding), (2, n), generator=generator)

    def padded(self, x, padding):
        return F.pad(x, (padding,) * 4)

    def cut(self, x, padding, rows, columns):
        height, width = x.shape[-2:]
        padded = self.padded(x, padding)
        i = rows[:, None, None, None] + torch.arange(height)[:, None]
        j = columns[:, None, None, None] + torch.arange(width)
        n = torch.arange(len(x))[:, None, None, None]
        return padded[n, torch.arange(x.shape[1])[:, None, None], i, j]


def _mistake(message, section=None):
    """The class's instance is the wrong function; the class's name is the mistake's."""

    def collect(steps):
        steps = steps()

        def wrong(x, padding, generator=None):
            return steps(x, padding, generator)

        wrong.__name__ = type(steps).__name__
        return CROP.add(message, section)(wrong)

    return collect


@_mistake("one window for the whole batch: each picture needs a corner of its own.")
class one_window_for_all(_Crop):
    def corners(self, n, padding, generator):
        return super().corners(1, padding, generator).expand(2, n)


@_mistake("the row is drawn once for the batch; only the column is each picture's own.")
class one_row_for_all(_Crop):
    def corners(self, n, padding, generator):
        rows, columns = super().corners(n, padding, generator)
        return rows[:1].expand(n), columns


@_mistake("the column is drawn once for the batch; only the row is each picture's own.")
class one_column_for_all(_Crop):
    def corners(self, n, padding, generator):
        rows, columns = super().corners(n, padding, generator)
        return rows, columns[:1].expand(n)


@_mistake("one number serves as row and as column: pictures move along the diagonal only. Draw two.")
class diagonal_only(_Crop):
    def corners(self, n, padding, generator):
        rows, _ = super().corners(n, padding, generator)
        return rows, rows


@_mistake("pictures move up and down only. Draw a column, too.")
class rows_only(_Crop):
    def corners(self, n, padding, generator):
        rows, columns = super().corners(n, padding, generator)
        return rows, torch.full_like(columns, padding)


@_mistake("pictures move left and right only. Draw a row, too.")
class columns_only(_Crop):
    def corners(self, n, padding, generator):
        rows, columns = super().corners(n, padding, generator)
        return torch.full_like(rows, padding), columns


@_mistake(
    "the last place is never drawn: torch.randint leaves its upper end out. There are 2 * padding + 1 places."
)
class last_place_left_out(_Crop):
    def places(self, padding):
        return max(2 * padding, 1)


@_mistake("pictures move one way only: corners 0 … padding. They go from 0 to 2 * padding.")
class one_way_only(_Crop):
    def places(self, padding):
        return padding + 1


@_mistake("only the first window is ever taken, or the last: corners between 0 and 2 * padding are missing.")
class ends_only(_Crop):
    def corners(self, n, padding, generator):
        return 2 * padding * torch.randint(0, 2, (2, n), generator=generator)


@_mistake("the window in the middle comes too often: rounding makes the ends rare. Use torch.randint.")
class rounded_numbers(_Crop):
    def corners(self, n, padding, generator):
        return (torch.rand(2, n, generator=generator) * 2 * padding).round().long()


@_mistake("the corners are normal numbers: the middle comes too often. Draw them uniformly: torch.randint.")
class normal_corners(_Crop):
    def corners(self, n, padding, generator):
        numbers = torch.randn(2, n, generator=generator) * padding / 2
        return (numbers.round().long() + padding).clamp(0, 2 * padding)


@_mistake("nothing moves: each picture comes back as it was.")
class nothing_moves(_Crop):
    def corners(self, n, padding, generator):
        return torch.full((2, n), padding)


@_mistake("the window at the top left is always taken. Draw the corner.")
class always_the_first(_Crop):
    def corners(self, n, padding, generator):
        return torch.zeros(2, n, dtype=torch.long)


@_mistake("what leaves on one side comes in on the other (torch.roll). Pad with zeros.")
class rolled(_Crop):
    def padded(self, x, padding):
        height, width = x.shape[-2:]
        i = torch.arange(-padding, height + padding) % height
        return x[..., i, :][..., torch.arange(-padding, width + padding) % width]


@_mistake("the padding mirrors the picture (reflect). Pad with zeros.")
class reflected(_Crop):
    def padded(self, x, padding):
        return x[..., _mirror(x.shape[-2], padding), :][..., _mirror(x.shape[-1], padding)]


def _mirror(size, padding):
    places = torch.arange(-padding, size + padding).abs() % (2 * size - 2)
    return torch.where(places < size, places, 2 * size - 2 - places)


@_mistake("the padding repeats the edge (replicate). Pad with zeros.")
class replicated(_Crop):
    def padded(self, x, padding):
        return F.pad(x, (padding,) * 4, mode="replicate")


@_mistake("the padding is white: it holds 1, or the largest pixel. Pad with zeros.")
class padded_with_white(_Crop):
    def padded(self, x, padding):
        return F.pad(x - x.max(), (padding,) * 4) + x.max()


@_mistake("only the width is padded: F.pad(x, (left, right)) is about the last axis. Give it four numbers.")
class only_the_width_padded(_Crop):
    def padded(self, x, padding):
        wide = F.pad(x, (padding,) * 2)
        return torch.cat([wide, wide[..., -1:, :].expand(*wide.shape[:2], 2 * padding, wide.shape[3])], 2)


@_mistake("the window is smaller than the picture: without padding you crop only. Keep the shape.")
class smaller(_Crop):
    def cut(self, x, padding, rows, columns):
        out = super().cut(x, padding, rows, columns)
        return out[..., : max(out.shape[-2] - padding, 1), : max(out.shape[-1] - padding, 1)]


@_mistake("the padded pictures come back. Cut a window of the old size out of them.")
class padded_returned(_Crop):
    def cut(self, x, padding, rows, columns):
        return self.padded(x, padding)


@_mistake("height and width are mixed up: (N, C, H, W), and pictures need not be square.")
class height_and_width_swapped(_Crop):
    def cut(self, x, padding, rows, columns):
        out = super().cut(x, padding, rows, columns)
        height, width = x.shape[-2:]
        padded = F.pad(out, (0, abs(height - width), 0, abs(height - width)))
        return padded[..., :width, :height]


@_mistake("each channel moves by itself: the colours come apart. One corner for all channels of a picture.")
class each_channel_by_itself(_Crop):
    def cut(self, x, padding, rows, columns):
        channels = []
        for c in range(x.shape[1]):
            order = torch.randperm(len(x)) if c else torch.arange(len(x))
            channels.append(super().cut(x[:, c : c + 1], padding, rows[order], columns[order]))
        return torch.cat(channels, 1)


@_mistake("windows are cut out of another picture of the batch. Each picture stays at its place.")
class of_another_picture(_Crop):
    def cut(self, x, padding, rows, columns):
        return super().cut(x.flip(0), padding, rows, columns)


@_mistake("the pixels of a window are drawn one by one. A window is contiguous: one corner for all of it.")
class pixels_drawn(_Crop):
    def cut(self, x, padding, rows, columns):
        out = super().cut(x, padding, rows, columns)
        return torch.where(torch.rand_like(out) < 0.5, out, x)


@_mistake("x itself is changed. Write into a new tensor.")
class in_place(_Crop):
    def cut(self, x, padding, rows, columns):
        return x.copy_(super().cut(x, padding, rows, columns))


@_mistake("generator is ignored: pass it on to torch.randint.")
class generator_ignored(_Crop):
    def generator(self, generator):
        return None


@_mistake("your corners do not come from torch (numpy, random): torch.manual_seed must decide them.")
class another_generator(_Crop):
    def generator(self, generator):
        return generator or torch.Generator().manual_seed(int(np.random.default_rng().integers(2**31)))


@_mistake("every call draws the same windows: you seed inside. Leave the seed to the caller.")
class seeded_inside(_Crop):
    def generator(self, generator):
        return torch.Generator().manual_seed(0)


@_mistake("a generator that was passed starts again in each call: its seed is used, not its state.")
class generator_starts_again(_Crop):
    def generator(self, generator):
        return generator and torch.Generator().manual_seed(generator.initial_seed())


@_mistake("the result is float32 whatever x is. Keep the dtype.")
class float32_returned(_Crop):
    def cut(self, x, padding, rows, columns):
        out = super().cut(x, padding, rows, columns)
        return out.float() if out.dtype == torch.float64 else out.double()


@_mistake("a negative padding is accepted: raise ValueError.")
class negative_accepted(_Crop):
    def check(self, padding):
        pass

    def corners(self, n, padding, generator):
        return super().corners(n, max(padding, 0), generator)

    def padded(self, x, padding):
        return super().padded(x, max(padding, 0))


@_mistake("padding 0 fails. Nothing moves then: return the pictures as they were.")
class zero_fails(_Crop):
    def check(self, padding):
        if padding <= 0:
            raise ValueError(padding)
