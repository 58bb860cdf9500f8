"""A diary of a training: what a student's function did with losses, batches and optimizers.

It is kept where the student's code runs, and only advice is made of it: no point depends on it. A mode of
torch sees the calls of loss functions, `backward`, convolutions and batch norms; a hook of the optimizers
sees their steps. Everything is read at the end, so the training loses little time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook
from torch.overrides import TorchFunctionMode

from course.checks.plain import Value

MOST_NOTED = 400
"""Batches whose labels are looked at, from the beginning."""

Entries = dict[str, Value]


class Diary(TorchFunctionMode):
    """What was seen of a training; use `writing` around it."""

    def __init__(self) -> None:
        super().__init__()
        self.callers: dict[int, CodeType] = {}
        self._losses: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._logits: list[Tensor] = []
        self._examples = self._steps = self._dirty = self._still = self._norms = 0
        self._rate = 0.0
        self._optimizer: Optimizer | None = None
        self._held: dict[int, Tensor] = {}
        self._first_input: Tensor | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Context of the training."""
        handle = register_optimizer_step_post_hook(self._stepped)
        try:
            with self:
                yield
        finally:
            handle.remove()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        look = _LOOKS.get(getattr(func, "__name__", ""))
        if look is not None and torch.is_grad_enabled():
            look(self, args, kwargs or {})
        return func(*args, **(kwargs or {}))

    def _stepped(self, optimizer: Optimizer, *_: Any) -> None:
        self._steps += 1
        self._rate = max(self._rate, float(optimizer.param_groups[0]["lr"]))
        if optimizer is not self._optimizer:
            self._optimizer = optimizer
            self._held = {id(p): p for group in optimizer.param_groups for p in group["params"]}

    def _backward(self, args: Any, kwargs: Any) -> None:
        loss = args[0] if args else kwargs.get("outputs")
        if not isinstance(loss, Tensor):
            return
        self._losses.append(loss.detach())
        held = next(iter(self._held.values()), None)
        if held is not None and held.grad is not None:
            self._dirty += bool(held.grad.any())
        if len(self._losses) < 20:
            frame = sys._getframe(2)
            while frame is not None:
                self.callers[id(frame.f_code)] = frame.f_code
                frame = frame.f_back  # type: ignore[assignment]

    def _compare(self, args: Any, kwargs: Any) -> None:
        given = dict(zip(("input", "target"), args, strict=False)) | kwargs
        logits, target = given.get("input"), given.get("target")
        if not isinstance(logits, Tensor) or not isinstance(target, Tensor):
            return
        self._examples += len(target)
        if len(self._targets) < MOST_NOTED and target.dim() == 1:
            self._targets.append(target.detach().clone())
        if len(self._logits) < 3 and logits.dim() == 2:
            self._logits.append(logits.detach())

    def _convolve(self, args: Any, kwargs: Any) -> None:
        if self._first_input is None and args and isinstance(args[0], Tensor):
            self._first_input = args[0].detach()

    def _normalize(self, args: Any, kwargs: Any) -> None:
        training = kwargs.get("training", args[5] if len(args) > 5 else False)
        self._norms += 1
        self._still += not training

    def entries(self, network: nn.Module, x: Tensor) -> Entries:
        """What was seen, as plain values.

        Args:
            network: that came out of the training.
            x: the training pictures.
        """
        parameters = [*network.parameters()]
        count = sum(p.numel() for p in parameters)
        trained = sum(p.numel() for p in parameters if id(p) in self._held)
        losses = [float(loss) for loss in self._losses]
        groups = self._optimizer.param_groups if self._optimizer else []
        return {
            "steps": self._steps,
            "backward passes": len(losses),
            "examples": self._examples,
            "first loss": _mean(losses[:5]),
            "last loss": _mean(losses[-10:]),
            "not finite": any(loss != loss or abs(loss) == torch.inf for loss in losses),
            "probabilities": bool(self._logits) and all(map(are_probabilities, self._logits)),
            "gradients not cleared": self._dirty / max(len(losses), 1),
            "different batches": len({tuple(target.tolist()) for target in self._targets}),
            "noted batches": len(self._targets),
            "classes in a batch": _mean([float(len(set(target.tolist()))) for target in self._targets[:20]]),
            "batch": _mean([float(len(target)) for target in self._targets]),
            "norms stood still": self._still / max(self._norms, 1),
            "trained": trained / max(count, 1),
            "of another network": bool(self._held) and trained == 0,
            "rate": self._rate,
            "weight decay": float(groups[0].get("weight_decay", 0.0)) if groups else 0.0,
            "scale": _spread(self._first_input),
            "scale of the pictures": _spread(self._first_of(network, x)),
        }

    def _first_of(self, network: nn.Module, x: Tensor) -> Tensor | None:
        """What the first convolution gets when the network is given the pictures as they are."""
        if self._first_input is None:
            return None
        found, self._first_input = self._first_input, None
        with torch.enable_grad(), self:
            network(x)
        here, self._first_input = self._first_input, found
        return here


def are_probabilities(rows: Tensor) -> bool:
    """Whether rows (N, C) look like probabilities: none negative, sums of 1."""
    return bool((rows >= 0).all()) and bool(((rows.sum(1) - 1).abs() < 1e-3).all())


_LOOKS = {
    "backward": Diary._backward,
    "grad": Diary._backward,
    "cross_entropy": Diary._compare,
    "nll_loss": Diary._compare,
    "conv2d": Diary._convolve,
    "batch_norm": Diary._normalize,
}


def _mean(values: Iterable[float]) -> float:
    numbers = [*values]
    return sum(numbers) / len(numbers) if numbers else 0.0


def _spread(x: Tensor | None) -> float:
    return float(x.double().abs().amax()) if x is not None and x.numel() else 0.0
