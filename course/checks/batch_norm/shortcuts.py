"""What would do the whole work in this lesson: torch's fused norms, by any of their names."""

NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm")
"""Parts of operator and class names; any of them could stand in for another after a reshape."""
