"""SMOTE: new rows for the class of which a table has too few.

Repeating the rare rows teaches a network these rows. SMOTE puts new ones between a row and one of its nearest
neighbours of the same class: Chawla et al., 2002, "SMOTE: Synthetic Minority Over-sampling Technique". It is
made for tables; between two pictures lies no picture.
"""

import torch
from torch import Tensor

__all__ = ["smote"]


def smote(x: Tensor, n_new: int, k: int = 5) -> Tensor:
    """Return n_new new rows, each between a row of x and one of its k nearest neighbours.

        new = x_i + λ (x_j − x_i),   j among the k nearest neighbours of i,   λ uniform in [0, 1)

    x: (N, D), the rows of the rare class and no others. For each new row, i is a row of x, j one of its
    neighbours (Euclidean distance; a row is no neighbour of itself), and λ a number: all drawn anew, all
    equally likely, with torch's own generator. One λ for all features keeps the new row on the line between
    the two. (The paper's text says so; its pseudo-code draws one for each feature, and fills a box.) With
    fewer than k + 1 rows, all the others are neighbours.

    Returns (n_new, D), the new rows alone; x stays as it is. Scale the features first: distances count.

    Raises ValueError when x is not (N, D) with N >= 2, or k is below 1.
    """
    if x.dim() != 2 or len(x) < 2 or k < 1:
        raise ValueError(f"expected at least 2 rows and k >= 1, got {tuple(x.shape)} and k={k}")
    distances = torch.linalg.vector_norm(x[:, None] - x, dim=2)
    distances.fill_diagonal_(torch.inf)  # no row is its own neighbour
    k = min(k, len(x) - 1)
    neighbours = distances.topk(k, largest=False).indices  # (N, k)
    rows = torch.randint(len(x), (n_new,), device=x.device)
    chosen = neighbours[rows, torch.randint(k, (n_new,), device=x.device)]
    share = torch.rand(n_new, 1, dtype=x.dtype, device=x.device)
    return x[rows] + share * (x[chosen] - x[rows])
