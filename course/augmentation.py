"""More pictures from the same pictures: random changes that leave the class what it is.

A batch of pictures (N, C, H, W) goes in, a new batch of the same shape comes out, and the given one stays as
it is. Each picture gets a draw of its own: one draw for the whole batch would be a batch of equal changes.
All channels of a picture share it, or the colours would come apart.

Randomness comes from ``generator`` when one is given (on the device of the pictures), and otherwise from
torch's own, which ``torch.manual_seed`` starts.

Simard et al., 2003, "Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis";
Zhang et al., 2018, "mixup: Beyond Empirical Risk Minimization".
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Beta
from torch.nn import functional as F

from course.training import evaluation_mode

__all__ = ["add_noise", "horizontal_flip", "mixup", "predict_with_tta", "random_crop"]


def random_crop(x: Tensor, padding: int, generator: torch.Generator | None = None) -> Tensor:
    """Pad each picture with zeros, ``padding`` on every side, and cut a window of the old size out of it.

    x: (N, C, H, W). The window's corner is drawn for each picture: one of the 2 · padding + 1 rows and one of
    as many columns, all equally likely and both drawn by themselves. So a picture moves by up to ``padding``
    pixels each way. Returns (N, C, H, W).

    Raises ValueError when padding is negative.
    """
    if padding < 0:
        raise ValueError(f"padding counts pixels, got {padding}")
    n, _, height, width = x.shape
    padded = F.pad(x, (padding, padding, padding, padding))
    corners = torch.randint(0, 2 * padding + 1, (2, n, 1, 1), generator=generator, device=x.device)
    rows = corners[0] + torch.arange(height, device=x.device)[:, None]  # (N, H, 1)
    columns = corners[1] + torch.arange(width, device=x.device)  # (N, 1, W)
    pictures = torch.arange(n, device=x.device)[:, None, None]
    # A slice between two index tensors puts their axes first: (N, H, W, C).
    return padded[pictures, :, rows, columns].permute(0, 3, 1, 2)


def horizontal_flip(x: Tensor, p: float = 0.5, generator: torch.Generator | None = None) -> Tensor:
    """Mirror each picture left to right with probability p, each by a draw of its own.

    x: (N, C, H, W). Returns (N, C, H, W).

    Raises ValueError when p is not in [0, 1].
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p is a probability, between 0 and 1, got {p}")
    flipped = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device) < p
    return torch.where(flipped, x.flip(-1), x)


def add_noise(x: Tensor, std: float, generator: torch.Generator | None = None) -> Tensor:
    """Add normal noise of mean 0 and standard deviation ``std`` to every number, each drawn by itself.

    x: (N, C, H, W). Returns (N, C, H, W), of the dtype of x. Nothing is clipped: numbers may leave [0, 1].
    """
    noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return x + std * noise


def mixup(x: Tensor, y: Tensor, alpha: float, num_classes: int) -> tuple[Tensor, Tensor]:
    """Mix each example with another one of the batch, and their labels in the same proportion.

        x_mixed = λ x + (1 − λ) x[partner],   y_soft = λ onehot(y) + (1 − λ) onehot(y[partner])

    x: (N, ...), y: int64 (N,) with classes 0 … num_classes − 1. ``partner`` is a random permutation of the
    batch (where it leaves an example at its place, that one stays as it is). λ is drawn from
    Beta(alpha, alpha), one for the batch as in the paper; one for each example is as good. For alpha = 0,
    λ is 1 and nothing is mixed. Draw with torch's own generator.

    Returns x_mixed of x's shape and y_soft (N, num_classes), both of x's dtype: targets for
    ``F.cross_entropy``, which takes probabilities as well as classes. Each row of y_soft sums to 1.

    Raises ValueError when alpha is negative.
    """
    if alpha < 0:
        raise ValueError(f"alpha must not be negative, got {alpha}")
    share = Beta(alpha, alpha).sample().item() if alpha > 0 else 1.0
    partner = torch.randperm(len(x), device=x.device)
    onehot = F.one_hot(y, num_classes).to(x.dtype)
    x_mixed = share * x + (1 - share) * x[partner]
    y_soft = share * onehot + (1 - share) * onehot[partner]
    return x_mixed, y_soft


def predict_with_tta(model: nn.Module, x: Tensor, transforms: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
    """Predict from several views of the same pictures and average ("test-time augmentation").

        probabilities = mean over the transforms t of softmax(model(t(x)))

    x: (N, ...), as the model takes it. Each transform gets x and returns a view of it for the model. The
    views are those of ``transforms``, no more: for the picture as it is, put ``lambda x: x`` among them.
    ``model`` returns logits (N, C). Returns probabilities (N, C), whose rows sum to 1, without a graph.

    The model runs in evaluation mode; afterwards each module is back in the mode that it had, even when
    something raises.

    Raises ValueError when there is no transform.
    """
    if len(transforms) == 0:
        raise ValueError("There is no transform, so there is no view to predict from.")
    with evaluation_mode(model), torch.no_grad():
        views = [F.softmax(model(transform(x)), dim=1) for transform in transforms]
    return torch.stack(views).mean(dim=0)
