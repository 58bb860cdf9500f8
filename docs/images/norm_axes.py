"""Draw README's picture, norm-axes.png: `python docs/images/norm_axes.py`.

The same experiment as in lesson 3.8: change one number and see which outputs of each norm change.
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import torch

from course import diagrams, plotting
from course.normalization import BatchNorm2d, GroupNorm, InstanceNorm2d, LayerNorm

NORMS = {
    "batch norm": BatchNorm2d(6),
    "layer norm": LayerNorm((6, 2, 2)),
    "instance norm": InstanceNorm2d(6),
    "group norm, 2 groups": GroupNorm(2, 6),
}

plotting.use_course_style()
torch.manual_seed(0)
x = torch.randn(5, 6, 2, 2, dtype=torch.float64)  # (N, C, H, W)
poked = x.clone()
poked[0, 5, 0, 0] += 1

fig, axes = plt.subplots(1, 4, figsize=(12, 3.2))
for ax, (name, norm) in zip(axes, NORMS.items(), strict=True):
    norm.double()
    changed = norm(poked) != norm(x)
    diagrams.norm_cube(changed.detach().flatten(2), ax=ax)
    ax.set_title(name)
fig.savefig(Path(__file__).with_name("norm-axes.png"), dpi=110, facecolor="white")
