"""How students get `horizontal_flip` wrong."""

from __future__ import annotations

import numpy as np
import torch

from course.checks.collect import Mistakes

FLIP = Mistakes()


class _Flip:
    """A right answer, in steps; a mistake overrides one of them."""

    def __call__(self, x, p=0.5, generator=None):
        self.check(p)
        return self.choose(x, self.flags(x, p, self.generator(generator)))

    def check(self, p):
        if not 0 <= p <= 1:
            raise ValueError(p)

    def generator(self, generator):
        return generator

    def flags(self, x, p, generator):
        return torch.rand(len(x), generator=generator) < p

    def mirror(self, x):
        return x.flip(-1)

    def choose(self, x, flags):
        return torch.where(flags[:, None, None, None], self.mirror(x), x)


def _mistake(message, section=None):
    """The class's instance is the wrong function; the class's name is the mistake's."""

    def collect(steps):
        steps = steps()

        def wrong(x, p=0.5, generator=None):
            return steps(x, p, generator)

        wrong.__name__ = type(steps).__name__
        return FLIP.add(message, section)(wrong)

    return collect


@_mistake("one draw for the whole batch: all pictures are mirrored, or none. Draw for each picture.")
class whole_batch(_Flip):
    def flags(self, x, p, generator):
        return super().flags(x[:1], p, generator).expand(len(x))


@_mistake("exactly the share p of each batch is mirrored. Each picture is drawn by itself.")
class exact_count(_Flip):
    def flags(self, x, p, generator):
        order = torch.randperm(len(x), generator=generator)
        return order < round(p * len(x))


@_mistake("every second picture is mirrored, always the same ones. Draw for each picture.")
class every_second(_Flip):
    def flags(self, x, p, generator):
        super().flags(x, p, generator)
        return torch.arange(len(x)) % max(round(1 / p), 1) == 0 if p else torch.zeros(len(x)).bool()


@_mistake("all pictures are mirrored, whatever p is. Only the share p of them should be.")
class always(_Flip):
    def flags(self, x, p, generator):
        return super().flags(x, 1.0, generator)


@_mistake("no picture is mirrored.")
class never(_Flip):
    def flags(self, x, p, generator):
        return super().flags(x, 0.0, generator)


@_mistake("p is ignored: half of the pictures are mirrored whatever it is.")
class p_ignored(_Flip):
    def flags(self, x, p, generator):
        return super().flags(x, 0.5, generator)


@_mistake("p is the probability to stay in your code (rand > p mirrors). It is the one to be mirrored.")
class p_reversed(_Flip):
    def flags(self, x, p, generator):
        return ~super().flags(x, p, generator)


@_mistake("the random numbers are normal (randn): of those, 69 % are below 0.5. Use torch.rand.")
class normal_numbers(_Flip):
    def flags(self, x, p, generator):
        return torch.randn(len(x), generator=generator) < p


@_mistake("the pictures stand on their heads: axis -2 is the height. Left to right is axis -1.")
class upside_down(_Flip):
    def mirror(self, x):
        return x.flip(-2)


@_mistake("pictures are turned by 180°: flip the last axis only.")
class both_axes(_Flip):
    def mirror(self, x):
        return x.flip(-1, -2)


@_mistake("the channels are reversed: axis 1 is C. Left to right is axis -1.")
class channels_reversed(_Flip):
    def mirror(self, x):
        return x.flip(1)


@_mistake("the order of the pictures is reversed: axis 0 is the batch. Left to right is axis -1.")
class batch_reversed(_Flip):
    def mirror(self, x):
        return x.flip(0)


@_mistake("everything is reversed (x.flip() without axes, or over all of them). Flip the last axis only.")
class everything_reversed(_Flip):
    def mirror(self, x):
        return x.flip(0, 1, 2, 3)


@_mistake("pixels are moved around by one (roll). A mirror reverses their order: x.flip(-1).")
class rolled(_Flip):
    def mirror(self, x):
        return x.roll(1, -1)


@_mistake("each channel is drawn by itself: the colours come apart. One draw for all channels.")
class each_channel_by_itself(_Flip):
    def choose(self, x, flags):
        other = torch.rand(x.shape[:2]) < 0.5
        flags = torch.where(torch.arange(x.shape[1]) > 0, flags[:, None] ^ other, flags[:, None])
        return torch.where(flags[:, :, None, None], self.mirror(x), x)


@_mistake("each row of pixels is drawn by itself. One draw for the whole picture.")
class each_row_by_itself(_Flip):
    def choose(self, x, flags):
        rows = torch.rand(x.shape[:3]) < 0.5
        return torch.where(flags[:, None, None, None] ^ rows[..., None], self.mirror(x), x)


@_mistake("each pixel is drawn by itself. One draw for the whole picture.")
class each_pixel_by_itself(_Flip):
    def choose(self, x, flags):
        return torch.where(torch.rand_like(x) < 0.5, self.mirror(x), x)


@_mistake("only the mirrored pictures come back. Return all of them, in their order.")
class mirrored_ones_only(_Flip):
    def choose(self, x, flags):
        return self.mirror(x)[flags]


@_mistake("the pictures come back in another order: first those that stay, then the mirrored ones.")
class order_lost(_Flip):
    def choose(self, x, flags):
        return torch.cat([x[~flags], self.mirror(x)[flags]])


@_mistake("picture and mirror picture are added up, in shares. Take the one or the other.")
class blended(_Flip):
    def choose(self, x, flags):
        share = flags.to(x.dtype)[:, None, None, None] * 0.5
        return (1 - share) * x + share * self.mirror(x)


@_mistake("x itself is changed (x[flags] = ...). Write into a copy: x.clone().")
class in_place(_Flip):
    def choose(self, x, flags):
        x[flags] = self.mirror(x)[flags]
        return x


@_mistake("generator is ignored: pass it on to torch.rand.")
class generator_ignored(_Flip):
    def generator(self, generator):
        return None


@_mistake("your numbers do not come from torch (numpy, random): torch.manual_seed must decide them.")
class another_generator(_Flip):
    def generator(self, generator):
        return generator or torch.Generator().manual_seed(int(np.random.default_rng().integers(2**31)))


@_mistake("every call draws the same: you seed inside. Leave the seed to the caller.")
class seeded_inside(_Flip):
    def generator(self, generator):
        return torch.Generator().manual_seed(0)


@_mistake("a generator that was passed starts again in each call: its seed is used, not its state.")
class generator_starts_again(_Flip):
    def generator(self, generator):
        return generator and torch.Generator().manual_seed(generator.initial_seed())


@_mistake("the result is float32 whatever x is. Keep the dtype.")
class float32_returned(_Flip):
    def choose(self, x, flags):
        out = super().choose(x, flags)
        return out.float() if out.dtype == torch.float64 else out.double()


@_mistake("p = 1.5 is accepted: raise ValueError outside of [0, 1].")
class anything_goes(_Flip):
    def check(self, p):
        pass
