"""SMOTE in which a row is its own nearest neighbour, so that rows are repeated; TTA that averages logits."""

import torch


def smote(x, n_new, k=5):
    if x.dim() != 2 or len(x) < 2 or k < 1:
        raise ValueError("need a table with two rows")
    k = min(k, len(x) - 1)
    neighbours = torch.cdist(x, x).topk(k, largest=False).indices
    rows = torch.randint(len(x), (n_new,))
    chosen = neighbours[rows, torch.randint(k, (n_new,))]
    return x[rows] + torch.rand(n_new, 1, dtype=x.dtype) * (x[chosen] - x[rows])


def predict_with_tta(model, x, transforms):
    if len(transforms) == 0:
        raise ValueError("no transforms")
    model.eval()
    with torch.no_grad():
        logits = torch.stack([model(transform(x)) for transform in transforms]).mean(dim=0)
    return logits.softmax(dim=1)
