"""Networks as plain data, and what a probe does with them.

A function that takes a network apart, freezes a part of it or trains it cannot be judged by one returned
value. So the observer builds a network from its description, hands it to the student's function, and goes on
using it: it trains it for a step, asks what moved and what did not, bit by bit, and looks for what was left
behind. `train_steps.py` does that; nothing here runs a student's code.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Part:
    """A layer from torch.nn: its class name and constructor arguments."""

    layer: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """A network of named parts.

    Args:
        parts: what it is made of, in order; parts may be networks.
        kind: what its forward does with them, a name in `KINDS`.
        shared: part → earlier part whose parameters it uses (the same objects).
    """

    parts: Mapping[str, Part | Network]
    kind: str = "Sequential"
    shared: Mapping[str, str] = field(default_factory=dict)


def in_a_row(*parts: Part | Network) -> Network:
    """The network nn.Sequential(*parts) as plain data: its parts are called "0", "1", …"""
    return Network({str(index): part for index, part in enumerate(parts)})


@dataclass(frozen=True)
class Call:
    """Step: call the student's function on the model and write down what comes back and what it left behind.

    Args:
        name: what the keys of the observation begin with.
        returns: what is expected back: "module", "model", "tensor", "groups", "names", "number" or "numbers".
        arguments: what follows the model, by name, in order.
        options: keyword arguments.
        part: name of the submodule that is passed instead of the model.
        as_list: whether the model's children are passed, as a list.
        raises: whether the call should fail; what is left behind then counts too.
        grad_enabled: False calls it as a caller does who has switched gradients off.
        of: "model", or "returned" for the network that an earlier call returned.
    """

    name: str
    returns: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""
    as_list: bool = False
    raises: bool = False
    grad_enabled: bool = True
    of: str = "model"


@dataclass(frozen=True)
class Train:
    """Step: one training step as anybody would do it: train(), forward, backward, SGD over all parameters.

    The optimizer has a weight decay: a parameter with a gradient of zero moves, one without a gradient does
    not. Without `switch`, train() is not called: the network is in the mode that the student's function left
    it in.
    """

    name: str
    x: Tensor
    grad_output: Tensor
    lr: float = 0.1
    of: str = "model"
    switch: bool = True


@dataclass(frozen=True)
class Evaluate:
    """Step: the network's output in evaluation mode; it is back in training mode afterwards."""

    name: str
    x: Tensor
    of: str = "model"


@dataclass(frozen=True)
class Look:
    """Step: names, values, modes of the network, and which parameters ask for a gradient."""

    name: str
    of: str = "model"


@dataclass(frozen=True)
class Switch:
    """Step: train(mode) on the network or a part of it; "train(True): returns" says what came back."""

    mode: bool
    part: str = ""


@dataclass(frozen=True)
class Load:
    """Step: copy values into a network, by the names of its state_dict."""

    state: Mapping[str, Tensor]
    of: str = "returned"


@dataclass(frozen=True)
class Duplicate:
    """Step: go on with a deep copy of the model."""


@dataclass(frozen=True)
class Views:
    """Argument of a call: a list of functions on a batch of pictures, by their names in `VIEWS`."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Loader:
    """Argument of a call: what gives these batches as a DataLoader does, in another order each time."""

    batches: tuple[tuple[Tensor, Tensor], ...]


@dataclass(frozen=True)
class Accumulate:
    """Step: backpropagate once and leave the gradients in the parameters."""

    x: Tensor
    grad_output: Tensor


NetworkStep = Call | Accumulate | Train | Evaluate | Look | Switch | Load | Duplicate


@dataclass(frozen=True)
class NetworkProbe:
    """Build a network and take it through some steps, calls of the student's function among them.

    Args:
        network: its description.
        state: its complete state_dict.
        steps: what to do, in order.
        training: its mode before the first step.
        evaluating: submodules that are in evaluation mode in spite of that.
        frozen: parameters that ask for no gradient.
        hooked: submodules on which somebody else has a hook.
        dtype: of the network.
        note: what the student should know about the network.
        looks_at: beginnings of the keys under which something is written down.
    """

    network: Network
    state: Mapping[str, Tensor]
    steps: tuple[NetworkStep, ...]
    training: bool = True
    evaluating: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    hooked: tuple[str, ...] = ()
    dtype: torch.dtype = torch.float64
    note: str = ""
    looks_at: tuple[str, ...] = ("",)


RECORDS = (
    *(NetworkProbe, Network, Part, Views, Loader),
    *(Call, Accumulate, Train, Evaluate, Look, Switch, Load, Duplicate),
)
"""The dataclasses of a probe that may travel to another process."""


# --- Building -----------------------------------------------------------------------------------------------


class Flattening(nn.Module):
    """Children in order, with a flatten in front of the last one that no child stands for (as in ResNet)."""

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Tensor:
        """The children, the flatten, the last child."""
        *body, head = self.children()
        for part in body:
            x = part(x)
        out: Tensor = head(x.flatten(1))
        return out


class Residual(Flattening):
    """Children in order, and what went in is added to what comes out."""

    def forward(self, x: Tensor) -> Tensor:
        """The sum."""
        out = x
        for part in self.children():
            out = part(out)
        return x + out


KINDS = {
    "Sequential": lambda parts: nn.Sequential(OrderedDict(parts)),
    "Flattening": Flattening,
    "Residual": Residual,
}
"""Kind of network → its constructor."""


def _broken(x: Tensor) -> Tensor:
    raise RuntimeError("this transform cannot be had")


VIEWS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "as it is": lambda x: x,
    "mirrored": lambda x: x.flip(-1),
    "shifted": lambda x: x.roll(1, -2),
    "brighter": lambda x: x + 1,
    "negative": lambda x: -2 * x,
    "broken": _broken,
}
"""Functions that a `Views` names."""


def make(network: Network | Part) -> nn.Module:
    """A module from its description."""
    if isinstance(network, Part):
        module: nn.Module = getattr(nn, network.layer)(*network.arguments, **network.options)
        return module
    parts = {name: make(part) for name, part in network.parts.items()}
    for name, source in network.shared.items():
        for key, parameter in parts[source].named_parameters(recurse=False):
            setattr(parts[name], key, parameter)
    return KINDS[network.kind](parts)


def build(probe: NetworkProbe) -> nn.Module:
    """The probe's network, with its values and modes."""
    model = make(probe.network).to(probe.dtype)
    model.load_state_dict(dict(probe.state))
    for name in probe.frozen:
        model.get_parameter(name).requires_grad_(False)
    model.train(probe.training)
    for name in probe.evaluating:
        model.get_submodule(name).eval()
    for name in probe.hooked:
        model.get_submodule(name).register_forward_hook(_somebody_else)
    return model


def _somebody_else(module: nn.Module, inputs: Any, output: Any) -> None:
    """A hook that does nothing and should stay where it is."""


# --- Words --------------------------------------------------------------------------------------------------

_LISTS = {
    "moved": ("Did not change, but should", "Changed, but should stay bit by bit as it was"),
    "modes": ("", "Left in another mode than before"),
    "hooks": ("A hook of somebody else is gone from", "Your hook is still there on"),
    "asks for gradients": ("Asks for no gradient, but should", "Asks for a gradient, but should not"),
    "training": ("In evaluation mode, but should be in training mode", "In training mode, but should not be"),
    "learning rates": ("Missing rates", "Wrong rates"),
    "left": ("", "Still has a gradient after zero_grad()"),
    "how": ("It should be", "It is"),
    "sizes": ("Missing sizes", "Other sizes"),
    "validation examples": ("", "A step was taken on validation examples"),
    "returns": ("Missing", "Not expected"),
    "shared": ("", "Shares memory with the given model"),
    "rows of the given model": ("", "Has rows of the given model"),
    "gradients": ("", "Another .grad than before"),
    "containers": ("Missing", "Not expected"),
    "tensors": ("Missing", "Not expected"),
    "other values": ("Missing", "Not expected"),
    "copies": ("", "Copied without need"),
    "graphs": ("Without graph", "With a graph"),
    "ways of copying": ("Missing", "Not expected"),
    "events": ("Missing", "Too many"),
    "state_dict": ("Missing in the state_dict", "New in the state_dict"),
}


def explain(key: str, expected: list[str], got: list[str]) -> str:
    """A sentence about a list of names that is not as expected; empty when there is nothing to say."""
    lacks = ", ".join(name for name in expected if name not in got)
    adds = ", ".join(name for name in got if name not in expected)
    missing, extra = _LISTS.get(key.rpartition(": ")[2], ("", ""))
    if extra and not lacks and not adds:
        return f"The {len(expected)} that were expected, in another order or number: {', '.join(got)}."
    said = [f"{text}: {names}." for text, names in ((missing, lacks), (extra, adds)) if text and names]
    return " ".join(said)
