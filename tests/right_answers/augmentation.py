"""Right answers to random_crop, horizontal_flip, add_noise, mixup and smote."""

import torch
from torch.distributions import Beta, Dirichlet
from torch.nn import functional as F

# --- random_crop --------------------------------------------------------------------------------------------


def crop_one_by_one(x, padding, generator=None):
    if padding < 0:
        raise ValueError("padding")
    height, width = x.shape[2:]
    out = torch.empty_like(x)
    padded = F.pad(x, [padding] * 4)
    for i in range(len(x)):
        top = torch.randint(0, 2 * padding + 1, (1,), generator=generator).item()
        left = int(torch.randint(2 * padding + 1, (1,), generator=generator))
        out[i] = padded[i, :, top : top + height, left : left + width]
    return out


def crop_by_gather(x, padding, generator=None):
    if padding < 0:
        raise ValueError(padding)
    n, c, h, w = x.shape
    padded = x.new_zeros(n, c, h + 2 * padding, w + 2 * padding)
    padded[:, :, padding : padding + h, padding : padding + w] = x
    place = (torch.rand(n, 2, generator=generator) * (2 * padding + 1)).long()
    rows = place[:, :1] + torch.arange(h)
    columns = place[:, 1:] + torch.arange(w)
    padded = padded.gather(2, rows[:, None, :, None].expand(n, c, h, padded.shape[3]))
    return padded.gather(3, columns[:, None, None, :].expand(n, c, h, w))


def crop_by_unfold(x, padding, generator=None):
    """All windows at once, as views, and one of them for each picture."""
    if padding < 0:
        raise ValueError(padding)
    h, w = x.shape[-2:]
    windows = F.pad(x, (padding, padding, padding, padding)).unfold(2, h, 1).unfold(3, w, 1)
    side = windows.shape[2]
    choice = torch.randint(side * side, (x.shape[0],), generator=generator)
    return torch.stack([each[:, k // side, k % side] for each, k in zip(windows, choice, strict=True)])


# --- horizontal_flip ----------------------------------------------------------------------------------------


def flip_by_assignment(x, p=0.5, generator=None):
    if p < 0 or p > 1:
        raise ValueError("p")
    out = x.clone()
    chosen = torch.rand(x.size(0), generator=generator) < p
    out[chosen] = torch.flip(x[chosen], dims=[3])
    return out


def flip_one_by_one(x, p=0.5, generator=None):
    if not 0.0 <= p <= 1.0:
        raise ValueError(p)
    pictures = []
    for picture in x:
        if torch.rand(1, generator=generator).item() < p:
            picture = torch.fliplr(picture.permute(1, 2, 0)).permute(2, 0, 1)
        pictures.append(picture)
    return torch.stack(pictures)


def flip_by_index(x, p=0.5, generator=None):
    if not 0 <= p <= 1:
        raise ValueError(p)
    w = x.shape[3]
    flags = torch.bernoulli(torch.full((len(x),), float(p)), generator=generator).long()
    columns = torch.stack([torch.arange(w), torch.arange(w - 1, -1, -1)])[flags]
    return torch.take_along_dim(x, columns[:, None, None, :], dim=3)


# --- add_noise ----------------------------------------------------------------------------------------------


def noise_by_normal(x, std, generator=None):
    noise = torch.empty_like(x).normal_(0, 1, generator=generator)
    return x + noise * std


def noise_by_torch_normal(x, std, generator=None):
    return torch.normal(x, torch.full_like(x, std), generator=generator)


def noise_in_float32(x, std, generator=None):
    return (x + std * torch.randn(x.shape, generator=generator)).to(x.dtype)


# --- mixup --------------------------------------------------------------------------------------------------


def mixup_by_lerp(x, y, alpha, num_classes):
    if alpha < 0:
        raise ValueError("alpha")
    lam = Beta(torch.tensor([float(alpha)]), torch.tensor([float(alpha)])).sample().item() if alpha else 1.0
    index = torch.randperm(x.size(0))
    one_hot = torch.eye(num_classes, dtype=x.dtype)[y]
    return torch.lerp(x[index], x, lam), torch.lerp(one_hot[index], one_hot, lam)


def mixup_with_a_share_for_each(x, y, alpha, num_classes):
    if alpha < 0:
        raise ValueError(alpha)
    n = len(x)
    lam = torch.ones(n)
    if alpha > 0:
        lam = Beta(alpha, alpha).sample((n,))
    lam = lam.to(x.dtype)
    order = torch.randperm(n)
    wide = lam.view(n, *[1] * (x.dim() - 1))
    target = torch.zeros(n, num_classes, dtype=x.dtype)
    rows = torch.arange(n)
    target[rows, y] += lam
    target[rows, y[order]] += 1 - lam
    return wide * x + (1 - wide) * x[order], target


def mixup_as_a_matrix(x, y, alpha, num_classes):
    """λ from a Dirichlet of two, and a shuffle by sorting random numbers."""
    if alpha < 0:
        raise ValueError(alpha)
    weights = Dirichlet(torch.tensor([alpha, alpha])).sample() if alpha > 0 else torch.tensor([1.0, 0.0])
    shuffle = torch.eye(len(x))[torch.argsort(torch.rand(len(x)))]
    mixing = (weights[0] * torch.eye(len(x)) + weights[1] * shuffle).to(x.dtype)
    one_hot = F.one_hot(y, num_classes=num_classes).to(x.dtype)
    return torch.einsum("nm,m...->n...", mixing, x), mixing @ one_hot


# --- smote --------------------------------------------------------------------------------------------------


def smote_one_by_one(x, n_new, k=5):
    n = len(x)
    if n < 2 or k < 1:
        raise ValueError("too few")
    new = []
    for _ in range(n_new):
        i = torch.randint(n, ()).item()
        distance = (x - x[i]).norm(dim=1)
        others = [j for j in distance.argsort().tolist() if j != i][:k]
        j = others[torch.randint(len(others), ()).item()]
        new.append(x[i] + torch.rand((), dtype=x.dtype) * (x[j] - x[i]))
    return torch.stack(new) if new else x[:0].clone()


def smote_by_cdist(x, n_new, k=5):
    if x.shape[0] < 2:
        raise ValueError("one row has no neighbours")
    if k < 1:
        raise ValueError("k")
    k = min(k, x.shape[0] - 1)
    d = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist") + torch.diag(
        x.new_full((len(x),), 1e9)
    )
    _, nearest = torch.topk(d, k, dim=1, largest=False)
    i = torch.randint(0, x.shape[0], (n_new,))
    j = nearest.gather(1, torch.randint(0, k, (x.shape[0], 1)).expand(-1, k))[i, 0]
    j = nearest[i, torch.randint(0, k, (n_new,))]
    gap = torch.rand(n_new, dtype=x.dtype).unsqueeze(1)
    return (1 - gap) * x[i] + gap * x[j]


def smote_by_multinomial(x, n_new, k=5):
    """Draws rows and neighbours as one draws balls, and goes between them by lerp."""
    if len(x) <= 1 or k <= 0:
        raise ValueError(f"{len(x)} rows, k={k}")
    squares = (x[:, None, :] - x[None, :, :]).pow(2).sum(-1)
    order = squares.argsort(dim=1)[:, 1 : 1 + k]
    if n_new == 0:
        return x[:0]
    base = torch.multinomial(torch.ones(len(x)), n_new, replacement=True)
    pick = torch.multinomial(torch.ones(order.shape[1]), n_new, replacement=True)
    return torch.lerp(x[base], x[order[base, pick]], torch.empty(n_new, 1, dtype=x.dtype).uniform_())


RIGHT = {
    "random_crop": {"one by one": crop_one_by_one, "gather": crop_by_gather, "unfold": crop_by_unfold},
    "horizontal_flip": {
        "assignment": flip_by_assignment,
        "one by one": flip_one_by_one,
        "index": flip_by_index,
    },
    "add_noise": {
        "normal_": noise_by_normal,
        "torch.normal": noise_by_torch_normal,
        "drawn in float32": noise_in_float32,
    },
    "mixup": {
        "lerp": mixup_by_lerp,
        "a share for each": mixup_with_a_share_for_each,
        "a matrix": mixup_as_a_matrix,
    },
    "smote": {"one by one": smote_one_by_one, "cdist": smote_by_cdist, "multinomial": smote_by_multinomial},
}
