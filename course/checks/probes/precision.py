"""Probes of a training step in mixed precision: where autocast was on, in which order things happened.

A *witness* in the middle of the network passes everything on and writes down the dtype that arrives, and
whether autocast is on during the backward pass. The scaler is torch's own `GradScaler`, which works on a CPU
as well, and the optimizer torch's SGD; both tell what is called. The probe holds no tensor: an oracle in
float64 would have no use for autocast.

Autocast for "cpu" works on a computer without a GPU, and does nothing for data on a GPU. So in one probe all
tensors *claim* to be on a GPU: whoever asks them where they are gets an autocast that leaves float32 alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course.checks.plain import trouble
from course.checks.probes.traces import Notes
from course.checks.surroundings import unlogged

FEATURES, HIDDEN, CLASSES = 6, 8, 4


@dataclass(frozen=True)
class PrecisionProbe:
    """Let a function do one training step of a small network.

    Args:
        seed: where the weights and the batch come from.
        scale: the scaler's scale before the step; 0 without a scaler.
        max_norm: argument of the function; 0 leaves it out.
        precision: "bfloat16", "float16" or "" for the function's default.
        leftovers: whether the gradients of an earlier step are still there.
        lr: of the optimizer.
        claims: "cuda": the batch and the weights say that they are on a GPU; empty for the truth.
        note: what the student should know.
        looks_at: beginnings of the keys under which something is written down.
    """

    seed: int
    scale: float = 0.0
    max_norm: float = 0.0
    precision: str = ""
    leftovers: bool = False
    lr: float = 0.5
    claims: str = ""
    note: str = ""
    looks_at: tuple[str, ...] = ("",)

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return torch.float32


RECORDS = (PrecisionProbe,)
"""The dataclasses that may travel to another process."""


@dataclass
class _Diary:
    """What the witnesses write down."""

    events: list[str] = field(default_factory=list)
    arrives: str = "nothing"
    passes: int = 0
    training: bool = False
    backward_under_autocast: bool = False
    norm_at_step: Tensor | None = None


class _Pass(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, diary: _Diary) -> Tensor:
        ctx.diary = diary
        diary.arrives = str(x.dtype).removeprefix("torch.")
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        ctx.diary.events.append("backward")
        ctx.diary.backward_under_autocast |= torch.is_autocast_enabled("cpu")
        return gradients[0], None


class _Witness(nn.Module):
    """Passes everything on."""

    def __init__(self, diary: _Diary) -> None:
        super().__init__()
        self.diary = diary

    def forward(self, x: Tensor) -> Tensor:
        """X itself."""
        self.diary.passes += 1
        self.diary.training = self.training
        out: Tensor = _Pass.apply(x, self.diary)
        return out


class _OnCuda(Tensor):
    """A tensor that says it is on a GPU."""

    device = property(lambda self: torch.device("cuda"))
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)


class _ParameterOnCuda(nn.Parameter):
    """A parameter that says it is on a GPU."""

    device = _OnCuda.device
    is_cuda = _OnCuda.is_cuda
    is_cpu = _OnCuda.is_cpu


def _claim(model: nn.Module) -> None:
    """Let the parameters say that they are on a GPU."""
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, _ParameterOnCuda(parameter.detach()))


class _Scaler(torch.amp.GradScaler):
    """torch's scaler, and it tells what is called. Its scale doubles at each update after a good step."""

    def __init__(self, diary: _Diary, scale: float) -> None:
        super().__init__("cpu", init_scale=scale, growth_interval=1)
        self._diary = diary

    def scale(self, outputs: Any) -> Any:
        self._diary.events.append("scale")
        return super().scale(outputs)

    def unscale_(self, optimizer: Any) -> None:
        self._diary.events.append("unscale_")
        super().unscale_(optimizer)

    def step(self, optimizer: Any, *given: Any, **options: Any) -> Any:
        self._diary.events.append("scaler.step")
        return super().step(optimizer, *given, **options)

    def update(self, new_scale: Any = None) -> None:
        self._diary.events.append("update")
        super().update(new_scale)


def get_ready() -> None:
    """Let torch import its compiler, which optimizers and the device meta need: seconds, not the student's.

    A time limit that interrupts this import would leave half a module behind.
    """
    torch.optim.SGD([torch.zeros(1)], lr=1.0)


def observe_precision(train: Callable[..., Any], probe: PrecisionProbe, notes: Notes) -> None:
    """Let the function do its step, and look at what became of the network."""
    diary = _Diary()
    generator = torch.Generator().manual_seed(probe.seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    model = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.Tanh(), _Witness(diary), nn.Linear(HIDDEN, CLASSES))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.5 * normal(*parameter.shape))
            if probe.leftovers:
                parameter.grad = normal(*parameter.shape)
    x, y = normal(7, FEATURES), torch.arange(7) % CLASSES
    if probe.claims:
        _claim(model)
        x, y = x.as_subclass(_OnCuda), y.as_subclass(_OnCuda)
    optimizer = torch.optim.SGD(model.parameters(), lr=probe.lr, foreach=False)

    def note_step(*_: Any) -> None:
        diary.events.append("step")
        with unlogged(), torch.no_grad():
            gradients = [p.grad.flatten().float() for p in model.parameters() if p.grad is not None]
            diary.norm_at_step = torch.cat(gradients).norm() if gradients else None

    optimizer.register_step_pre_hook(note_step)
    options: dict[str, Any] = {}
    scaler = _Scaler(diary, probe.scale) if probe.scale else None
    if scaler is not None:
        options["scaler"] = scaler
    if probe.max_norm:
        options["max_norm"] = probe.max_norm
    if probe.precision:
        options["dtype"] = getattr(torch, probe.precision)
    calls = notes.log.calls() if notes.log else contextlib.nullcontext()
    left_on = torch.is_autocast_enabled("cpu")
    try:
        with notes.logged(), calls:
            returned = train(model, x, y, optimizer, **options)
        left_on = torch.is_autocast_enabled("cpu")
    finally:
        torch.set_autocast_enabled("cpu", False)
        torch.set_autocast_dtype("cpu", torch.bfloat16)
    notes.write("autocast is left on", left_on)
    _record_loss(returned, notes)
    _record_events(diary, probe, notes)
    _record_state(model, scaler, notes)


def _record_loss(returned: Any, notes: Notes) -> None:
    if returned is None or not isinstance(returned, Tensor):
        kind = "none" if returned is None else "count"
        what = trouble(kind, "" if returned is None else f"a {type(returned).__name__}, not a tensor")
        for key in ("loss", "the loss has a graph"):
            notes.write(key, what)
        return
    notes.write("the loss has a graph", returned.requires_grad)
    notes.write("dtype of the loss", str(returned.dtype).removeprefix("torch."))
    notes.take("loss", returned.float())


def _record_events(diary: _Diary, probe: PrecisionProbe, notes: Notes) -> None:
    events = diary.events
    if not probe.max_norm:  # then the scaler may unscale by itself
        events = [event for event in events if event != "unscale_"]
    notes.write("events", events)
    notes.write("autocast: what arrives inside the network", diary.arrives)
    notes.write("forward passes", str(diary.passes))
    notes.write("mode: training", diary.training)
    notes.write("autocast: on in the backward pass", diary.backward_under_autocast)
    norm = diary.norm_at_step
    notes.write("norm of the gradients at the step", "no step" if norm is None else norm.clone())


def _record_state(model: nn.Module, scaler: _Scaler | None, notes: Notes) -> None:
    state: Mapping[str, Tensor] = model.state_dict()
    kinds = [f"{name}: {str(value.dtype).removeprefix('torch.')}" for name, value in state.items()]
    notes.write("dtypes of the parameters", kinds)
    for name, value in state.items():
        notes.take(f"weights: {name}", value.float())
    if scaler is not None:
        notes.write("scale afterwards", torch.tensor(scaler.get_scale()))
