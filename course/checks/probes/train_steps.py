"""Take a network through the steps of a `NetworkProbe` and write down what moved, bit by bit.

Runs where the student's code lives, like `observe.py`, and knows no answer.

    key of the observation      what it holds
    NAME: returns               what the call gave back: "the module itself", "a new model", a tensor, names
    NAME: moved                 names in the state_dict whose bits are not what they were before the step
    NAME: modes                 modules that are in another mode than before the call
    NAME: hooks                 modules with a hook
    NAME: wishes of ARGUMENT    whether a tensor that was passed asks for a gradient now
    NAME: gradients             parameters whose .grad is not what it was before the call
    NAME: output                what the network put out in a training step
    train(MODE): returns        what train(MODE) of the network or of a part gave back
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Variable

from course.checks.plain import cut, plain, trouble
from course.checks.probes.networks import (
    VIEWS,
    Accumulate,
    Call,
    Duplicate,
    Evaluate,
    Load,
    Loader,
    Look,
    NetworkProbe,
    NetworkStep,
    Switch,
    Train,
    Views,
    build,
)
from course.checks.probes.traces import (
    ROOT,
    Notes,
    Snapshot,
    bits,
    instead,
    moved,
    numbers,
    same_rows,
    shared,
)
from course.checks.surroundings import unlogged

NOTHING_RETURNED = "nothing returned"
"""Key that stands in an observation when a call gave back None, whatever the aspects look at."""


def observe_network(function: Callable[..., Any], probe: NetworkProbe, notes: Notes) -> None:
    """Build the probe's network and take it through the steps."""
    session = _Session(function, build(probe), probe, notes)
    for step in probe.steps:
        with torch.enable_grad(), notes.logged():
            session.take(step)


class _Session:
    """The networks of one probe: the one that was built, and the one that a call returned."""

    def __init__(
        self, function: Callable[..., Any], model: nn.Module, probe: NetworkProbe, notes: Notes
    ) -> None:
        self.function, self.probe, self.notes = function, probe, notes
        self.networks: dict[str, nn.Module] = {"model": model}

    def take(self, step: NetworkStep) -> None:
        match step:
            case Call():
                self._call(step)
            case Switch():
                part = self.networks["model"].get_submodule(step.part)
                self._same_module(f"train({step.mode}): returns", part.train(step.mode), part)
            case Accumulate():
                with unlogged():
                    backpropagate(self.networks["model"](step.x.clone()), step.grad_output)
            case Duplicate():
                self.networks["model"] = copy.deepcopy(self.networks["model"])
            case _ if step.of in self.networks:  # what never came back is not looked at
                self._use(step, self.networks[step.of])

    def _use(self, step: Train | Evaluate | Look | Load, network: nn.Module) -> None:
        match step:
            case Train():
                self._train(step, network)
            case Evaluate():
                network.eval()
                with torch.no_grad():
                    self.notes.take(f"{step.name}: output", network(step.x.clone()))
                network.train()
            case Look():
                self._look(step, network)
            case Load():
                with torch.no_grad():
                    state = network.state_dict()
                    for name, value in step.state.items():
                        if name in state and state[name].shape == value.shape:
                            state[name].copy_(value)

    # --- The student's function -----------------------------------------------------------------------------

    def _call(self, step: Call) -> None:
        notes, name = self.notes, step.name
        if step.of not in self.networks:
            return
        network = self.networks[step.of]
        given = {key: _handed_over(value) for key, value in step.arguments.items()}
        target: Any = list(network.children()) if step.as_list else network.get_submodule(step.part)
        before = Snapshot(self.networks["model"])
        raised, returned = "nothing", None
        with torch.set_grad_enabled(step.grad_enabled):
            try:
                with notes.log.calls() if notes.log else contextlib.nullcontext():
                    returned = self.function(target, *given.values(), **step.options)
            except NotImplementedError:
                raise
            except Exception as error:
                if not step.raises:
                    raise
                raised = type(error).__name__
            notes.write(f"{name}: gradients enabled", torch.is_grad_enabled())
        if returned is None and raised == "nothing":
            notes.seen[NOTHING_RETURNED] = True
        with torch.enable_grad():
            if step.raises:
                notes.write(f"{name}: raises", raised)
            else:
                self._returned(step, returned, target)
            for key, value in given.items():
                if isinstance(value, Tensor):
                    notes.take(f"input {key}, {name}", value)
                    notes.write(f"{name}: wishes of {key}", value.requires_grad)
            before.compare(self.networks["model"], name, notes)

    def _returned(self, step: Call, returned: Any, target: nn.Module) -> None:
        notes, key = self.notes, f"{step.name}: returns"
        if returned is None:
            for each in (key, f"{step.name}: a model"):
                notes.write(each, trouble("none"))
            return
        match step.returns:
            case "module":
                self._same_module(key, returned, target)
            case "model":
                if not isinstance(returned, nn.Module):
                    for each in (key, f"{step.name}: a model"):
                        notes.write(each, instead(returned, "a model"))
                    return
                notes.write(f"{step.name}: a model", True)
                notes.write(key, "a new model" if returned is not target else "the model itself")
                if "returned" in self.networks:
                    notes.write(f"{step.name}: shared", shared(returned, self.networks["returned"]))
                self.networks["returned"] = returned
            case "tensor":
                notes.take(key, returned)
                if isinstance(returned, Tensor):
                    notes.write(f"{step.name}: asks for a gradient", returned.requires_grad)
                    notes.write(f"{step.name}: from inference mode", returned.is_inference())
            case "names":
                good = isinstance(returned, list | tuple) and all(type(each) is str for each in returned)
                notes.write(
                    key, [cut(each) for each in returned] if good else instead(returned, "a list of names")
                )
            case "number":
                notes.write(key, plain(returned))
            case "numbers":
                notes.write(key, numbers(returned, self.probe.dtype))
            case "groups":
                self._groups(step, returned)

    def _same_module(self, key: str, returned: Any, module: nn.Module) -> None:
        same = "the module itself" if returned is module else "another module"
        self.notes.write(key, same if isinstance(returned, nn.Module) else instead(returned, "the module"))

    def _groups(self, step: Call, returned: Any) -> None:
        """Parameter groups: the names in each, and the learning rates."""
        notes, key = self.notes, f"{step.name}: returns"
        wanted = "a list of dicts with params and lr"
        if not isinstance(returned, list | tuple) or not all(
            isinstance(group, Mapping) and {"params", "lr"} <= group.keys() for group in returned
        ):
            notes.write(key, instead(returned, wanted))
            return
        names = {id(p): n for n, p in self.networks[step.of].named_parameters()}
        groups, rates = [], []
        for group in returned:
            params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
            groups.append(" ".join(names.get(id(p), "a stranger") for p in params) or "an empty group")
            rates.append(group["lr"])
        notes.write(key, [cut(text) for text in groups])
        # As text: two right ways to multiply differ in the last digit, and numbers ask for work on tensors.
        floats = all(type(rate) in (int, float) for rate in rates)
        shown = [f"{rate:.6g}" for rate in rates] if floats else instead(rates[0], "a float as lr")
        notes.write(f"{step.name}: learning rates", shown)

    # --- Ours -----------------------------------------------------------------------------------------------

    def _train(self, step: Train, network: nn.Module) -> None:
        notes, name = self.notes, step.name
        model = self.networks["model"]
        before, others = bits(network), bits(model)
        if step.switch:
            network.train()
        network.zero_grad()
        output = network(step.x.clone())
        notes.take(f"{name}: output", output)
        if isinstance(output, Tensor) and output.requires_grad and output.shape == step.grad_output.shape:
            with unlogged():
                backpropagate(output, step.grad_output)
                _descend(network, step.lr)
        notes.write(f"{name}: moved", moved(before, network))
        if network is not model:
            notes.write(f"{name}, the given model: moved", moved(others, model))
        network.zero_grad()

    def _look(self, step: Look, network: nn.Module) -> None:
        notes, name = self.notes, step.name
        state = network.state_dict()
        notes.write(
            f"{name}: state_dict", [cut(f"{key} {tuple(value.shape)}") for key, value in state.items()]
        )
        asking = [key for key, p in network.named_parameters() if p.requires_grad]
        notes.write(f"{name}: asks for gradients", asking)
        modes = [key or ROOT for key, module in network.named_modules() if module.training]
        notes.write(f"{name}: training", modes)
        kinds = [f"{key or ROOT}: {type(module).__name__}" for key, module in network.named_modules()]
        notes.write(f"{name}: modules", [cut(each) for each in kinds])
        for key, value in state.items():
            notes.take(f"{name}: value of {key}", value)
        notes.write(f"{name}: shared", shared(network, self.networks["model"]))
        notes.write(f"{name}: rows of the given model", same_rows(state, self.probe.state))
        notes.write(f"{name}: dtypes", sorted({str(value.dtype) for value in state.values()}))


def backpropagate(output: Tensor, gradient: Tensor) -> None:
    """What `output.backward(gradient)` comes to; that imports sympy first, which takes up to 2 s."""
    Variable._execution_engine.run_backward(
        (output,),
        (gradient.to(output.dtype),),
        False,
        False,
        (),
        allow_unreachable=True,
        accumulate_grad=True,
    )


@torch.no_grad()
def _descend(network: nn.Module, lr: float, weight_decay: float = 0.1) -> None:
    """A step of SGD; torch's own optimizer would import its compiler first."""
    for parameter in network.parameters():
        if parameter.requires_grad and parameter.grad is not None:
            parameter -= lr * (parameter.grad + weight_decay * parameter)


class ShufflingLoader:
    """Batches that begin with another one each time, as those of a DataLoader that shuffles."""

    def __init__(self, batches: list[tuple[Tensor, Tensor]]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self._batches = [*self._batches[1:], self._batches[0]]
        return iter(self._batches)


def _handed_over(value: Any) -> Any:
    """An argument as the student's function gets it: tensors as copies, tuples of batches as lists."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, Views):
        return [VIEWS[name] for name in value.names]
    if isinstance(value, Loader):
        return ShufflingLoader(_handed_over(value.batches))
    if isinstance(value, tuple):
        return [tuple(_handed_over(item) for item in pair) for pair in value]
    return value
