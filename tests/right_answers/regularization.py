"""Right answers to l2_penalty, Dropout and EarlyStopping."""

import io
from copy import deepcopy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# --- l2_penalty ---------------------------------------------------------------------------------------------


def penalty_in_a_loop(parameters, weight_decay):
    total = 0.0
    for p in parameters:
        total = total + (p**2).sum()
    return 0.5 * weight_decay * total


def penalty_of_one_vector(parameters, weight_decay):
    flat = torch.cat([p.reshape(-1) for p in parameters])
    return weight_decay * (flat @ flat) / 2


def penalty_by_mse(parameters, weight_decay):
    return sum(weight_decay / 2 * F.mse_loss(p, torch.zeros_like(p), reduction="sum") for p in parameters)


def penalty_by_norms(parameters, weight_decay):
    norms = [torch.linalg.vector_norm(p) for p in parameters]
    return torch.stack(norms).pow(2).sum().mul(weight_decay / 2)


# --- Dropout ------------------------------------------------------------------------------------------------


class DropoutByBernoulli(nn.Module):
    def __init__(self, p=0.5):
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError("dropout probability has to be between 0 and 1, but got {}".format(p))  # noqa: UP032
        self.p = p

    def forward(self, x):
        if self.training and self.p > 0:
            keep = 1 - self.p
            mask = torch.bernoulli(torch.full_like(x, keep))
            return x * mask / keep if keep > 0 else x * mask
        return x


class DropoutByWhere(nn.Module):
    def __init__(self, p: float = 0.5):
        super().__init__()
        if not (0.0 <= p <= 1.0):
            raise ValueError(p)
        self.p = p
        self.scale = 0.0 if p == 1.0 else 1.0 / (1.0 - p)

    def forward(self, x):
        if not self.training:
            return x
        dropped = torch.rand(x.shape, dtype=torch.float32, device=x.device) < self.p
        return torch.where(dropped, torch.zeros((), dtype=x.dtype), x * self.scale)


class DropoutByMaskedFill(nn.Module):
    def __init__(self, p=0.5):
        super().__init__()
        if p > 1 or p < 0:
            raise ValueError("p")
        self.p = p

    def forward(self, x):
        if self.training:
            x = x.masked_fill(torch.empty_like(x).uniform_() < self.p, 0.0)
            if self.p < 1:
                x = x / (1 - self.p)
        return x


class _DropFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, p):
        mask = (torch.rand(x.size()) > p).to(x) / max(1 - p, 1e-12) if p < 1 else torch.zeros_like(x)
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, grad_output):
        (mask,) = ctx.saved_tensors
        return grad_output * mask, None


class DropoutByHand(nn.Module):
    def __init__(self, p=0.5):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError
        self.drop_rate = p

    def forward(self, input):
        return _DropFunction.apply(input, self.drop_rate) if self.training else input * 1


# --- EarlyStopping ------------------------------------------------------------------------------------------


class StoppingByDeepCopy:
    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError("patience")
        if min_delta < 0:
            raise ValueError("min_delta")
        self.patience, self.min_delta = patience, min_delta
        self.best_loss, self.wait, self.best = None, 0, None

    def step(self, loss, model):
        better = loss == loss and (self.best_loss is None or self.best_loss - loss > self.min_delta)
        if better:
            self.best_loss, self.wait = loss, 0
            self.best = deepcopy(model)
        else:
            self.wait += 1
        return self.wait >= self.patience

    def restore(self, model):
        model.load_state_dict(self.best.state_dict())


class StoppingByClones:
    def __init__(self, patience, min_delta=0):
        assert_positive(patience, min_delta)
        self.left = self.patience = patience
        self.target = float("inf")
        self.min_delta = min_delta
        self.weights = {}

    def step(self, loss, model):
        if loss < self.target:
            self.target = loss - self.min_delta
            self.left = self.patience
            self.weights = {key: value.detach().clone() for key, value in model.state_dict().items()}
            return False
        self.left -= 1
        return self.left <= 0

    @torch.no_grad()
    def restore(self, model):
        for key, value in model.state_dict().items():
            value.copy_(self.weights[key])


def assert_positive(patience, min_delta):
    if patience <= 0 or min_delta < 0:
        raise ValueError(f"patience={patience}, min_delta={min_delta}")


class StoppingByFile:
    """Counts epochs, and keeps the state as torch.save writes it."""

    def __init__(self, patience: int, min_delta: float = 0.0):
        assert_positive(patience, min_delta)
        self.patience = patience
        self.min_delta = min_delta
        self.epoch = 0
        self.best_epoch = 0
        self.best = np.inf

    def step(self, loss: float, model: nn.Module):
        self.epoch += 1
        if loss < self.best - self.min_delta:
            self.best, self.best_epoch = loss, self.epoch
            self.file = io.BytesIO()
            torch.save(model.state_dict(), self.file)
        return np.bool_(self.epoch - self.best_epoch >= self.patience)

    def restore(self, model: nn.Module):
        self.file.seek(0)
        model.load_state_dict(torch.load(self.file, weights_only=True))
        return model


RIGHT = {
    "l2_penalty": {
        "loop": penalty_in_a_loop,
        "one vector": penalty_of_one_vector,
        "mse_loss": penalty_by_mse,
        "norms": penalty_by_norms,
    },
    "Dropout": {
        "bernoulli": DropoutByBernoulli,
        "where": DropoutByWhere,
        "masked_fill": DropoutByMaskedFill,
        "autograd.Function": DropoutByHand,
    },
    "EarlyStopping": {
        "deepcopy of the model": StoppingByDeepCopy,
        "clones": StoppingByClones,
        "a file in memory": StoppingByFile,
    },
}
