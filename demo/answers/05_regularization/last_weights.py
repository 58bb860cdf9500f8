"""Remembers a reference to the weights instead of a copy, so the last ones come back."""


class EarlyStopping:
    """Stops in time."""

    def __init__(self, patience, min_delta=0.0):
        if patience < 1 or min_delta < 0:
            raise ValueError("patience must be at least 1")
        self.patience = patience
        self.min_delta = min_delta
        self.best = float("inf")
        self.count = 0
        self.state = None

    def step(self, loss, model):
        if loss < self.best - self.min_delta:
            self.best = loss
            self.count = 0
            self.state = model.state_dict()
        else:
            self.count += 1
        return self.count >= self.patience

    def restore(self, model):
        if self.state is None:
            raise RuntimeError("call step first")
        model.load_state_dict(self.state)
