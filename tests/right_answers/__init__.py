"""Right answers, written in different ways: the checks must give every one of them full marks.

`RIGHT[exercise][way of writing it]` is the function or class, as a student might hand it in.
"""

from right_answers import (
    activations,
    adversarial,
    augmentation,
    batch_norm_functions,
    batch_norm_layers,
    capstone,
    fusing,
    gpu,
    initialization,
    optimization_basics,
    optimizers,
    other_norms,
    preprocessing,
    regularization,
    residual_blocks,
    residual_networks,
    training_loops,
    transfer_features,
    transfer_surgery,
    transfer_training,
)

MODULES = (
    *(optimization_basics, optimizers, training_loops),
    *(activations, initialization),
    *(preprocessing, batch_norm_functions, batch_norm_layers, other_norms, fusing),
    *(residual_blocks, residual_networks),
    *(regularization, augmentation, adversarial),
    *(transfer_surgery, transfer_features, transfer_training),
    gpu,
    capstone,
)

RIGHT = {exercise: ways for module in MODULES for exercise, ways in module.RIGHT.items()}
