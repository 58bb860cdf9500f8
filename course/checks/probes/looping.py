"""Probes of a training loop: a network, the data, an optimizer, and a record of what the loop did with them.

A loop that shuffles has no one right result. So the probes have problems in which the order makes no
difference to the numbers (all examples in one batch; examples that are all the same), and one in which the
observer writes down which examples went by, in which batches, and in which mode.

Optimizer and scheduler are plain objects of this module, so that broken ones of the student's cost nothing.

    key of the observation          what it holds
    returns, history: NAME          the list of numbers that came back
    after: value of NAME            of the network's state_dict, in the end
    batches: sizes                  examples between one step of the optimizer and the next
    batches: examples               how many of the training examples each epoch saw
    batches: ...                    whether the order changes, and with what
    batches: how                    the modes of the passes that the steps came from
    validation: ...                 the same of the passes over validation examples
    rates                           the learning rate at each step of the optimizer
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course.checks.plain import trouble, type_name
from course.checks.probes.networks import Network, make
from course.checks.probes.traces import Notes, instead, numbers
from course.checks.surroundings import unlogged

# --- Plain data ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LoopProbe:
    """Let a function train a network.

    Args:
        network: its description.
        state: its complete state_dict.
        data: what follows the model, by name: x and y, or x_train, y_train, x_val and y_val.
        rest: what follows the optimizer.
        options: keyword arguments.
        lr: of the optimizer.
        decay: factor by which each call of the scheduler changes the rate; None for no scheduler.
        returns: "numbers", or "history" for a dict of such.
        training: the network's mode before the call.
        dtype: of the network.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    network: Network
    state: Mapping[str, Tensor]
    data: Mapping[str, Tensor]
    rest: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    lr: float = 0.1
    decay: float | None = None
    returns: str = "history"
    training: bool = True
    dtype: torch.dtype = torch.float64
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


RECORDS = (LoopProbe,)
"""What may travel."""

KEYS = ("train_loss", "val_loss", "val_accuracy")
"""Of a history."""


# --- What the loop is given ---------------------------------------------------------------------------------


class Descent:
    """An optimizer: gradient descent. It tells the record when it takes a step."""

    def __init__(self, params: Iterator[nn.Parameter], lr: float, record: Record) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(params), "lr": lr}]
        self._record = record

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients."""
        for p in self.param_groups[0]["params"]:
            p.grad = None if set_to_none else p.grad if p.grad is None else torch.zeros_like(p.grad)

    def step(self) -> None:
        """Go down."""
        group = self.param_groups[0]
        self._record.step(group["lr"])
        with torch.no_grad():
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * p.grad)


class Decay:
    """A scheduler: it multiplies the rate at each call."""

    def __init__(self, optimizer: Descent, factor: float) -> None:
        self.optimizer, self.factor, self.calls = optimizer, factor, 0

    def step(self) -> None:
        """Go on to the next rate."""
        self.calls += 1
        self.optimizer.param_groups[0]["lr"] *= self.factor


class Record:
    """What went by: the rows of each pass, the mode, and after which of them the optimizer took a step.

    Without `watching` it keeps the rates alone: to find the rows takes longer than the pass.
    """

    def __init__(self, data: Mapping[str, Tensor], watching: bool) -> None:
        first, *others = [value for value in data.values() if value.is_floating_point()]
        self.train = first.flatten(1)
        self.val = others[0].flatten(1) if others else first[:0].flatten(1)
        self.batches: list[list[int]] = []
        self.modes: set[str] = set()
        self.validation: list[tuple[list[int], str]] = []
        self.watching = watching
        self.rates: list[float] = []
        self.trained_on: set[int] = set()
        self._waiting: list[tuple[list[int], list[int], str]] = []

    def see(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """A pass; a forward pre-hook of the network."""
        x = inputs[0]
        if not isinstance(x, Tensor) or not self.watching:
            return
        with unlogged():
            rows = x.detach().flatten(1) if x.dim() > 1 else x.detach()[None]
            train, val = _found(rows, self.train), _found(rows, self.val)
        mode = "training mode" if all(m.training for m in module.modules()) else "evaluation mode"
        if torch.is_grad_enabled():
            self._waiting.append((train, val, mode))
        if val:
            gradients = "with gradients" if torch.is_grad_enabled() else "without gradients"
            self.validation.append((val, f"{mode}, {gradients}"))

    def step(self, rate: float) -> None:
        """The optimizer takes a step."""
        train = [row for rows, _, _ in self._waiting for row in rows]
        self.modes.update(mode for rows, _, mode in self._waiting if rows)
        self.batches.append(train)
        self.rates.append(float(rate))
        last = self._waiting[-1] if self._waiting else ([], [], "")
        self.trained_on.update(last[1])
        self._waiting = []

    def epochs(self) -> list[list[int]]:
        """The training examples in the order of the steps, cut into epochs."""
        rows = [row for batch in self.batches for row in batch]
        n = len(self.train)
        return [rows[i : i + n] for i in range(0, len(rows), n)]


def _found(rows: Tensor, among: Tensor) -> list[int]:
    """Positions of the rows; what is not there is left out."""
    if rows.shape[1:] != among.shape[1:] or not len(among):
        return []
    same = (rows[:, None].to(among.dtype) == among[None]).all(dim=2)
    return [int(row.int().argmax()) for row in same if bool(row.any())]


# --- Observing ----------------------------------------------------------------------------------------------


def observe_loop(train: Callable[..., Any], probe: LoopProbe, notes: Notes) -> None:
    """Let a function train the probe's network."""
    model, record, scheduler, given = _run(train, probe, notes, probe.options, logged=True)
    returned = given.pop("returned")
    if probe.returns == "numbers":
        notes.write("returns", numbers(returned, probe.dtype))
    else:
        _write_history(returned, probe, notes)
    for name, value in given.items():
        notes.take(f"input {name}", value)
    for name, value in model.state_dict().items():
        notes.take(f"after: value of {name}", value)
    notes.write("rates", torch.tensor(record.rates, dtype=torch.float64))
    notes.write("scheduler: calls", scheduler.calls if scheduler else 0)
    notes.write("left as it was: grad mode", torch.is_grad_enabled())
    _write_batches(record, notes)
    _write_validation(record, notes)
    for key, shift in (("batches: same seed, same order", 0), ("batches: another seed, another order", 1)):
        if notes.wants(key):
            options = {**probe.options, "seed": probe.options.get("seed", 0) + shift}
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(99)  # whatever others have drawn in between
                again = _run(train, probe, notes, options, logged=False)[1]
            notes.write(key, (again.batches == record.batches) is (shift == 0))


def _run(
    train: Callable[..., Any], probe: LoopProbe, notes: Notes, options: Mapping[str, Any], logged: bool
) -> tuple[nn.Module, Record, Decay | None, dict[str, Any]]:
    with unlogged():
        model = make(probe.network).to(probe.dtype)
        model.load_state_dict(dict(probe.state))
        model.train(probe.training)
        given: dict[str, Any] = {name: value.clone() for name, value in probe.data.items()}
        watching = any(not key or key.startswith(("batches", "validation")) for key in probe.looks_at)
        record = Record(probe.data, watching)
    hook = model.register_forward_pre_hook(record.see)
    optimizer = Descent(model.parameters(), probe.lr, record)
    scheduler = None if probe.decay is None else Decay(optimizer, probe.decay)
    extra = {} if scheduler is None else {"scheduler": scheduler}
    grad_enabled = torch.is_grad_enabled()
    try:
        if logged:
            with notes.logged():
                given["returned"] = train(model, *given.values(), optimizer, *probe.rest, **extra, **options)
        else:
            train(model, *given.values(), optimizer, *probe.rest, **extra, **options)
    finally:
        if not logged:
            torch.set_grad_enabled(grad_enabled)
    hook.remove()
    return model, record, scheduler, given


def _write_history(returned: Any, probe: LoopProbe, notes: Notes) -> None:
    for key in KEYS:
        name = f"history: {key}"
        if not isinstance(returned, Mapping):
            notes.write(name, instead(returned, "a dict of lists"))
        elif key not in returned:
            notes.write(name, trouble("said", f"The history has no {key!r}."))
        else:
            value = returned[key]
            if isinstance(value, Tensor | float | int):
                value = trouble(
                    "said", f"history[{key!r}] is a {type_name(value)}; it should be a list of floats."
                )
                notes.write(name, value)
            else:
                notes.write(name, numbers(value, probe.dtype))


def _write_batches(record: Record, notes: Notes) -> None:
    epochs, n = record.epochs(), len(record.train)
    notes.write("batches: sizes", [str(len(batch)) for batch in record.batches])
    seen = [f"epoch {i}: {len(set(rows))} of {n} examples" for i, rows in enumerate(epochs, 1)]
    notes.write("batches: examples", seen)
    notes.write("batches: how", sorted(record.modes))
    in_order = [rows == sorted(rows) for rows in epochs]
    notes.write("batches: shuffled", bool(epochs) and not any(in_order))
    differ = all(one != other for one, other in itertools.pairwise(epochs))
    notes.write("batches: a new order in each epoch", differ)
    notes.write("batches: put together anew", _put_together_anew(record))
    notes.write("batches: validation examples", [f"example {i}" for i in sorted(record.trained_on)])


def _put_together_anew(record: Record) -> bool:
    """Whether no two epochs have the same batches in another order."""
    per_epoch = -(-len(record.train) // max(1, max((len(b) for b in record.batches), default=1)))
    sets = [
        {frozenset(batch) for batch in record.batches[i : i + per_epoch]}
        for i in range(0, len(record.batches), per_epoch)
    ]
    return all(one != other for one, other in itertools.combinations(sets, 2))


def _write_validation(record: Record, notes: Notes) -> None:
    modes = sorted({mode for _, mode in record.validation})
    notes.write("validation: how", modes)
    seen = {row for rows, _ in record.validation for row in rows}
    notes.write("validation: examples", f"{len(seen)} of {len(record.val)}")
