"""One crop and one flip for the whole batch."""

import torch
from torch.nn import functional as F


def random_crop(x, padding, generator=None):
    if padding < 0:
        raise ValueError("padding must not be negative")
    height, width = x.shape[-2:]
    padded = F.pad(x, (padding, padding, padding, padding))
    top, left = torch.randint(0, 2 * padding + 1, (2,), generator=generator).tolist()
    return padded[..., top : top + height, left : left + width].clone()


def horizontal_flip(x, p=0.5, generator=None):
    if not 0 <= p <= 1:
        raise ValueError("p must be between 0 and 1")
    return x.flip(-1) if torch.rand(1, generator=generator) < p else x.clone()
