"""Who is in the made-up class, lesson by lesson, and what they hand in.

The class of lesson 3 has all that can happen to a notebook and its file; in the others it is the answers that
differ.
"""

from __future__ import annotations

from demo.students import Student, copy_a_test_and_raise_its_points, cut_off, rename

CLASSES = {
    "02_initialization": (
        Student("ada", "everything is right"),
        Student("bruno", "stopped half way", solved=14, writes=False),
        Student("chen", "overflows, and gradients that are nan", own=("naive_exponentials",)),
        Student("dalia", "fan_in and fan_out swapped", own=("fans_swapped",)),
        Student("emre", "the variance instead of the standard deviation", own=("variance_as_std",)),
        Student("fatima", "returns new tensors, the layer keeps the old ones", own=("new_tensors",)),
        Student("goran", "clips every gradient by its own norm", own=("clips_each_alone",)),
        Student("hana", "derivatives of the output", own=("slopes_of_outputs",), writes=False),
        Student("sami", "handed in as released", solved=0, writes=False),
    ),
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
    "04_resnet": (
        Student("ada", "everything is right"),
        Student("bruno", "stopped half way", solved=2, writes=False),
        Student("chen", "no skip", own=("no_skip",)),
        Student("dalia", "no projection at stride 1", own=("projection_for_stride_only",)),
        Student("emre", "the last ReLU too early", own=("relu_too_early",)),
        Student("fatima", "one block many times", own=("one_block_many_times",)),
        Student("goran", "zeroes the first norm", own=("first_norm_zeroed",)),
        Student("hana", "strides in the wrong place", own=("stride_in_the_wrong_place",), writes=False),
        Student("sami", "handed in as released", solved=0, writes=False),
    ),
    "05_regularization": (
        Student("ada", "everything is right"),
        Student("bruno", "stopped half way", solved=5, writes=False),
        Student("chen", "dropout without scaling, also in evaluation mode", own=("not_scaled",)),
        Student("dalia", "early stopping that brings the last weights back", own=("last_weights",)),
        Student("emre", "one crop and one flip for the whole batch", own=("one_draw_for_all",)),
        Student("fatima", "other partners for the labels, no half", own=("other_partners", "no_half")),
        Student("goran", "a row is its own neighbour, averages logits", own=("own_neighbour",)),
        Student("hana", "an attack that leaves its gradients", own=("gradients_left",), writes=False),
        Student("sami", "handed in as released", solved=0, writes=False),
    ),
    "06_transfer_learning": (
        Student("ada", "everything is right"),
        Student("bruno", "stopped half way", solved=4, writes=False),
        Student("chen", "frozen batch norm that still moves", own=("frozen_but_moving",)),
        Student("dalia", "changes the model that was given", own=("head_on_the_original",)),
        Student("emre", "centres each split by itself", own=("own_statistics",)),
        Student("fatima", "the farthest neighbours", own=("largest_distance",)),
        Student("goran", "rates upside down", own=("rates_upside_down",)),
        Student("hana", "adds gradients and losses up", own=("sum_of_losses",), writes=False),
        Student("sami", "handed in as released", solved=0, writes=False),
    ),
}
"""Lesson → its students."""

WRITTEN = {
    "02_initialization": (
        "The variance of a sum of n products is n times the variance of one. So the weights need the "
        "variance 1/n, or the signal grows or dies by the same factor in every layer. ReLU throws half away: "
        "hence 2/n."
    ),
    "03_batch_norm": (
        "Batch norm keeps the mean and variance of each layer's inputs fixed while the layers before it "
        "change. But noise after batch norm brings the shift back, and the network still trains well: "
        "this cannot be the whole reason."
    ),
    "04_resnet": (
        "The skip adds the input to the branch, so the gradient reaches the first layers without passing "
        "through every weight. A block that is not needed can stay near the identity; a plain layer cannot."
    ),
    "05_regularization": (
        "All three runs reach 100 % on the training set, with true labels and with random ones, so the "
        "training accuracy does not say whether the network understood. I would try early stopping and noise "
        "first, and compare with nothing over several seeds."
    ),
    "06_transfer_learning": (
        "With few labels and a similar task the features are worth more than the data: freeze them and train "
        "a head. With much data, or another task, fine-tune or start from scratch."
    ),
}
"""Lesson → what those who answer its written question write."""
