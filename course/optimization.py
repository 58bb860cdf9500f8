"""Optimizers: gradient descent with momentum, and Adam.

An optimizer holds references to the parameters, in groups that may have rates of their own, and some memory
for each parameter. ``step()`` reads each ``p.grad`` and changes ``p`` in place. That is all; where the
gradients come from is none of its business.

Polyak, 1964, "Some methods of speeding up the convergence of iteration methods" (momentum); Sutskever,
Martens, Dahl & Hinton, 2013, "On the importance of initialization and momentum in deep learning" (Nesterov's
form); Kingma & Ba, 2015, "Adam: A Method for Stochastic Optimization", algorithm 1.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["SGD", "Adam", "Optimizer"]


class Optimizer:
    """What all optimizers share: the groups of parameters, a memory, ``zero_grad()``.

    params: the parameters (any iterable of tensors), or a list of groups. A group is a dict with the key
    "params" and whatever differs from ``defaults`` there: ``{"params": model.fc.parameters(), "lr": 0.1}``.

    ``param_groups`` is a list of dicts in which every option of ``defaults`` has a value. A schedule changes
    ``group["lr"]``; ``step()`` must read it anew each time. ``state[p]`` is the memory of one parameter.

    Raises ValueError when there is no parameter at all.
    """

    def __init__(self, params: Iterable[Tensor] | Iterable[dict[str, Any]], defaults: dict[str, Any]) -> None:
        given = list(params)
        if not given:
            raise ValueError("An optimizer needs at least one parameter.")
        groups = given if isinstance(given[0], dict) else [{"params": given}]
        self.param_groups: list[dict[str, Any]] = [
            {**defaults, **group, "params": list(group["params"])} for group in groups
        ]
        self.state: dict[Tensor, dict[str, Any]] = {}

    def zero_grad(self) -> None:
        """Drop all gradients, so that the next backward pass starts from nothing."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class SGD(Optimizer):
    """Stochastic gradient descent with momentum and weight decay, in torch's form.

    params: see `Optimizer`. lr: the rate η. momentum: μ in [0, 1). weight_decay: λ, added to the gradient.
    nesterov: look ahead by one step of the velocity. Pass the options by keyword: torch has a ``dampening``
    before ``weight_decay``, which this one leaves out.

        g ← p.grad + λ p
        v ← μ v + g                      v = g in the first step
        p ← p − η v                      with nesterov: p − η (g + μ v)

    The rate stands outside the velocity: when it falls, old gradients are scaled down with the new ones.
    A parameter without a gradient is left as it is. Gradients are not changed.

    Raises ValueError when nesterov is asked for without momentum.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        if nesterov and momentum <= 0:
            raise ValueError("Nesterov's form looks ahead along the velocity: it needs momentum > 0.")
        super().__init__(
            params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov}
        )

    @torch.no_grad()
    def step(self) -> None:
        """Change every parameter that has a gradient, in place."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * self._direction(p, group))

    def _direction(self, p: Tensor, group: dict[str, Any]) -> Tensor:
        momentum = group["momentum"]
        gradient = p.grad + group["weight_decay"] * p
        if momentum == 0:
            return gradient
        state = self.state.setdefault(p, {})
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(p)
        velocity = state["velocity"].mul_(momentum).add_(gradient)
        return gradient + momentum * velocity if group["nesterov"] else velocity


class Adam(Optimizer):
    """Adam: a momentum for the gradient, divided by the root of a momentum for its square.

    params: see `Optimizer`. lr: the rate η. betas: (β₁, β₂). eps: ε. weight_decay: λ, added to the gradient
    (what AdamW does differently).

        g ← p.grad + λ p
        m ← β₁ m + (1 − β₁) g            both averages start at 0 …
        v ← β₂ v + (1 − β₂) g²
        m̂ = m / (1 − β₁ᵗ)                … and are too small at first: this makes up for it
        v̂ = v / (1 − β₂ᵗ)
        p ← p − η m̂ / (√v̂ + ε)

    t counts the steps of each parameter, from 1: one without a gradient is left as it is, and its t stands
    still too. Gradients are not changed.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """Change every parameter that has a gradient, in place."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * self._direction(p, group))

    def _direction(self, p: Tensor, group: dict[str, Any]) -> Tensor:
        if p not in self.state:
            self.state[p] = {"t": 0, "mean": torch.zeros_like(p), "square": torch.zeros_like(p)}
        state = self.state[p]
        beta1, beta2 = group["betas"]
        gradient = p.grad + group["weight_decay"] * p
        state["t"] += 1
        state["mean"].mul_(beta1).add_((1 - beta1) * gradient)
        state["square"].mul_(beta2).add_((1 - beta2) * gradient.square())
        mean = state["mean"] / (1 - beta1 ** state["t"])
        square = state["square"] / (1 - beta2 ** state["t"])
        return mean / (square.sqrt() + group["eps"])
