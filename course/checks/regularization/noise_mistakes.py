"""How students get `add_noise` wrong."""

from __future__ import annotations

import numpy as np
import torch

from course.checks.collect import Mistakes

NOISE = Mistakes()


class _Noise:
    """A right answer, in steps; a mistake overrides one of them."""

    def __call__(self, x, std, generator=None):
        return self.add(x, self.numbers(x, self.generator(generator)) * self.size(std))

    def generator(self, generator):
        return generator

    def numbers(self, x, generator):
        return torch.randn(x.shape, generator=generator, dtype=x.dtype)

    def size(self, std):
        return std

    def add(self, x, noise):
        return x + noise


def _mistake(message, section=None):
    """The class's instance is the wrong function; the class's name is the mistake's."""

    def collect(steps):
        steps = steps()

        def wrong(x, std, generator=None):
            return steps(x, std, generator)

        wrong.__name__ = type(steps).__name__
        return NOISE.add(message, section)(wrong)

    return collect


@_mistake("the noise is uniform between 0 and 1 (rand): it makes pictures lighter. Normal numbers: randn.")
class uniform_above_zero(_Noise):
    def numbers(self, x, generator):
        return torch.rand(x.shape, generator=generator, dtype=x.dtype)


@_mistake("the noise is uniform between -std and std. Draw normal numbers: torch.randn.")
class uniform_both_ways(_Noise):
    def numbers(self, x, generator):
        return 2 * torch.rand(x.shape, generator=generator, dtype=x.dtype) - 1


@_mistake("the noise is uniform, though of the right size. Draw normal numbers: torch.randn.")
class uniform_of_the_same_std(_Noise):
    def numbers(self, x, generator):
        return (2 * torch.rand(x.shape, generator=generator, dtype=x.dtype) - 1) * 3**0.5


@_mistake("std is taken as a variance: the noise is multiplied by its root. Multiply by std.")
class root_of_std(_Noise):
    def size(self, std):
        return std**0.5


@_mistake("the noise is multiplied by std², the variance. Multiply by std.")
class std_squared(_Noise):
    def size(self, std):
        return std**2


@_mistake("std is ignored: the noise has standard deviation 1.")
class std_ignored(_Noise):
    def size(self, std):
        return float(std > 0)


@_mistake("std is the noise's mean in your code, not its spread.")
class std_as_mean(_Noise):
    def add(self, x, noise):
        return x + self.shift + self.plain

    def __call__(self, x, std, generator=None):
        self.shift, self.plain = std, self.numbers(x, generator) * float(std > 0)
        return self.add(x, None)


@_mistake("the pictures are multiplied by the noise. Add it.")
class multiplied(_Noise):
    def add(self, x, noise):
        return x * (1 + noise)


@_mistake("the noise comes back without the picture. Return x + noise.")
class noise_alone(_Noise):
    def add(self, x, noise):
        return noise


@_mistake("the result is cut off at 0 and 1. The contract leaves that to the caller: nothing is clipped.")
class clipped(_Noise):
    def add(self, x, noise):
        return (x + noise).clamp(0, 1)


@_mistake("the absolute value of the noise is added: pictures get lighter. Noise goes both ways.")
class absolute(_Noise):
    def add(self, x, noise):
        return x + noise.abs()


@_mistake("one noise picture for the whole batch. Each picture needs its own: draw numbers of x's shape.")
class one_for_all_pictures(_Noise):
    def numbers(self, x, generator):
        return super().numbers(x[:1], generator).expand_as(x)


@_mistake("one number is added to the whole picture. Each pixel needs its own.")
class one_for_each_picture(_Noise):
    def numbers(self, x, generator):
        return super().numbers(x[:, :1, :1, :1], generator).expand_as(x)


@_mistake("one number is added to the whole batch. Each pixel needs its own.")
class one_for_all(_Noise):
    def numbers(self, x, generator):
        return super().numbers(x[:1, :1, :1, :1], generator).expand_as(x)


@_mistake("the channels of a picture share their noise. Each number needs its own.")
class one_for_all_channels(_Noise):
    def numbers(self, x, generator):
        return super().numbers(x[:, :1], generator).expand_as(x)


@_mistake("one number for each channel of each picture. Each pixel needs its own.")
class one_for_each_channel(_Noise):
    def numbers(self, x, generator):
        return super().numbers(x[:, :, :1, :1], generator).expand_as(x)


@_mistake("the rows of a picture share their noise (stripes). Each pixel needs its own.")
class stripes_down(_Noise):
    def numbers(self, x, generator):
        return super().numbers(x[:, :, :1], generator).expand_as(x)


@_mistake("the columns of a picture share their noise (stripes). Each pixel needs its own.")
class stripes_across(_Noise):
    def numbers(self, x, generator):
        return super().numbers(x[..., :1], generator).expand_as(x)


@_mistake("the noise is centred: in each picture it has exactly mean 0. Just draw; its mean is random, too.")
class centred(_Noise):
    def numbers(self, x, generator):
        numbers = super().numbers(x, generator)
        return numbers - numbers.mean((1, 2, 3), keepdim=True)


@_mistake("only every tenth pixel or so gets noise. All of them do.")
class some_pixels(_Noise):
    def numbers(self, x, generator):
        numbers = super().numbers(x, generator)
        return numbers * (torch.rand_like(x) < 0.1)


@_mistake("x itself is changed (x += noise). Write into a new tensor.")
class in_place(_Noise):
    def add(self, x, noise):
        return x.add_(noise)


@_mistake("generator is ignored: pass it on. randn_like and normal_ of a new tensor: see what takes one.")
class generator_ignored(_Noise):
    def generator(self, generator):
        return None


@_mistake("your numbers do not come from torch (numpy, random): torch.manual_seed must decide them.")
class another_generator(_Noise):
    def generator(self, generator):
        return generator or torch.Generator().manual_seed(int(np.random.default_rng().integers(2**31)))


@_mistake("every call adds the same noise: you seed inside. Leave the seed to the caller.")
class seeded_inside(_Noise):
    def generator(self, generator):
        return torch.Generator().manual_seed(0)


@_mistake("a generator that was passed starts again in each call: its seed is used, not its state.")
class generator_starts_again(_Noise):
    def generator(self, generator):
        return generator and torch.Generator().manual_seed(generator.initial_seed())


@_mistake("the result is float32 or float64 whatever x is. Draw with dtype=x.dtype.")
class other_dtype(_Noise):
    def add(self, x, noise):
        out = x + noise
        return out.float() if out.dtype == torch.float64 else out.double()
