"""Who is in the made-up class, lesson by lesson, and what they hand in.

The class of lesson 3 has all that can happen to a notebook and its file; in the others it is the answers that
differ.
"""

from __future__ import annotations

from demo.students import Student, copy_a_test_and_raise_its_points, cut_off, rename

CLASSES = {
    "03_batch_norm": (
        Student("ada", "everything is right"),
        Student("alan", "a loop that never ends", own=("endless_loop",)),
        Student("bruno", "stopped half way", solved=5, writes=False),
        Student("chen", "running_var from the biased variance", own=("biased_running_var",)),
        Student("dalia", "momentum the wrong way round", own=("momentum_reversed",)),
        Student("emre", "statistics without a graph, eps outside the root", own=("no_graph",)),
        Student("fatima", "statistics over the wrong axes", own=("wrong_axes",)),
        Student("goran", "GroupNorm without groups", own=("no_groups",)),
        Student("hana", "fused layer without the old bias", own=("bias_forgotten",)),
        Student("ivan", "backward without the mean terms", own=("constants", "biased_running_var")),
        Student("jun", "n - 1 instead of n, eps outside the root", own=("wrong_divisor",), solved=6),
        Student("kofi", "right, with other torch functions", own=("other_functions",)),
        Student("lena", "right, with loops and a base class", own=("other_routes",)),
        Student("mateo", "cells that raise", own=("crash",), writes=False),
        Student("nora", "the file is cut off", damage=cut_off),
        Student("olga", "the notebook has another name", damage=rename),
        Student("pavel", "right, but prints and warns", own=("talkative",)),
        Student(
            "rosa",
            "a pasted test, edited points",
            own=("biased_running_var",),
            spoil=copy_a_test_and_raise_its_points,
        ),
        Student("sami", "handed in as released", solved=0, writes=False),
    ),
}
"""Lesson → its students."""

WRITTEN = {
    "03_batch_norm": (
        "Batch norm keeps the mean and variance of each layer's inputs fixed while the layers before it "
        "change. But noise after batch norm brings the shift back, and the network still trains well: "
        "this cannot be the whole reason."
    ),
}
"""Lesson → what those who answer its written question write."""
