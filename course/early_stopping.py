"""Early stopping: end the training when the validation loss has stopped falling, and go back to its minimum.

The training loss falls as long as one trains. The loss on data that the network does not train on falls,
turns and rises: from there on the network learns its training examples by heart. Prechelt, 1998, "Early
Stopping, But When?".
"""

import copy
import math
from typing import Any

from torch import nn

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """Remember the best weights, and say when there was no better loss for ``patience`` epochs.

        stopping = EarlyStopping(patience=5)
        for epoch in range(epochs):
            train(model)
            if stopping.step(validation_loss(model), model):
                break
        stopping.restore(model)

    A loss is *better* when it is below the best one so far by more than ``min_delta``:
    ``loss < best - min_delta``. The first loss is better than none. An equal loss is not better, and neither
    is nan: after a diverged epoch the best weights are still the old ones.

    Raises ValueError when patience is below 1 or min_delta is negative.
    """

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        if patience < 1 or min_delta < 0:
            raise ValueError(f"expected patience >= 1 and min_delta >= 0, got {patience} and {min_delta}")
        self.patience = patience
        self.min_delta = min_delta
        self.best_loss = math.inf
        self.epochs_without = 0
        self._best_state: dict[str, Any] | None = None

    def step(self, loss: float, model: nn.Module) -> bool:
        """Take note of an epoch's validation loss; return True when training should stop.

        That is the case when the last ``patience`` losses, in a row, were not better. With patience=1 the
        first loss that is not better stops the training. A better loss starts the count again, and the
        model's parameters and buffers are copied. The model stays as it is.
        """
        if loss < self.best_loss - self.min_delta:
            self.best_loss = loss
            self.epochs_without = 0
            # state_dict holds references: without a copy they would go on changing as the model trains.
            self._best_state = copy.deepcopy(model.state_dict())
        else:
            self.epochs_without += 1
        return self.epochs_without >= self.patience

    def restore(self, model: nn.Module) -> None:
        """Give ``model`` the parameters and buffers of the best epoch.

        They are copied into the tensors that the model has, so an optimizer goes on working. The copy is
        kept, so this can be done again.

        Raises RuntimeError when no loss was ever better than none (before the first step, or all were nan).
        """
        if self._best_state is None:
            raise RuntimeError("There is nothing to restore yet: call step(loss, model) after each epoch.")
        model.load_state_dict(self._best_state)
