"""Take a network through the steps of a `NetworkProbe` and write down what moved, bit by bit.

Runs where the student's code lives, like `observe.py`, and knows no answer.

    key of the observation      what it holds
    NAME: returns               what the call gave back: "the module itself", "a new model"
    NAME: features              the tensor, or numbers, that the call gave back
    NAME: moved                 names in the state_dict whose bits are not what they were before the step
    NAME: modes                 modules that are in another mode than before the call
    NAME: hooks                 modules with a hook
    NAME: output                what the network put out in a training step
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd import Variable

from course.checks.networks import (
    Call,
    Duplicate,
    Evaluate,
    Load,
    Look,
    NetworkProbe,
    NetworkStep,
    Switch,
    Train,
    build,
)
from course.checks.plain import Observation, Value, cut, trouble, type_name
from course.checks.surroundings import OperatorLog, unlogged

NOTHING_RETURNED = "nothing returned"
"""Key that stands in an observation when a call gave back None, whatever the aspects look at."""

ROOT = "the model"
"""What a message calls the network itself, whose name in torch is empty."""


class Notes(Protocol):
    """An observation in the making: `observe._Notes`."""

    log: OperatorLog | None
    seen: Observation

    def logged(self) -> contextlib.AbstractContextManager[Any]:
        """Context for the student's work."""
        ...

    def take(self, key: str, value: object) -> None:
        """Write down a value of the student's."""
        ...

    def write(self, key: str, value: Value) -> None:
        """Write down something of ours."""
        ...


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
                self.networks["model"].get_submodule(step.part).train(step.mode)
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
        before = _Snapshot(self.networks["model"])
        raised, returned = "nothing", None
        try:
            with notes.log.calls() if notes.log else contextlib.nullcontext():
                returned = self.function(target, *given.values(), **step.options)
        except NotImplementedError:
            raise
        except Exception as error:
            if not step.raises:
                raise
            raised = type(error).__name__
        if returned is None and raised == "nothing":
            notes.seen[NOTHING_RETURNED] = True
        notes.write(f"{name}: gradients enabled", torch.is_grad_enabled())
        with torch.enable_grad():
            if step.raises:
                notes.write(f"{name}: raises", raised)
            else:
                self._returned(step, returned, target)
            for key, value in given.items():
                if isinstance(value, Tensor):
                    notes.take(f"input {key}, {name}", value)
            before.compare(self.networks["model"], name, notes)

    def _returned(self, step: Call, returned: Any, target: nn.Module) -> None:
        notes, key = self.notes, f"{step.name}: returns"
        if returned is None:
            for each in (key, f"{step.name}: a model"):
                notes.write(each, trouble("none"))
            return
        match step.returns:
            case "module":
                same = "the module itself" if returned is target else "another module"
                notes.write(
                    key, same if isinstance(returned, nn.Module) else _instead(returned, "the module")
                )
            case "model":
                if not isinstance(returned, nn.Module):
                    for each in (key, f"{step.name}: a model"):
                        notes.write(each, _instead(returned, "a model"))
                    return
                notes.write(f"{step.name}: a model", True)
                notes.write(key, "a new model" if returned is not target else "the model itself")
                if "returned" in self.networks:
                    notes.write(f"{step.name}: shared", _shared(returned, self.networks["returned"]))
                self.networks["returned"] = returned
            case "tensor":
                notes.take(key, returned)
                if isinstance(returned, Tensor):
                    notes.write(f"{step.name}: asks for a gradient", returned.requires_grad)
            case "names":
                good = isinstance(returned, list | tuple) and all(type(each) is str for each in returned)
                notes.write(
                    key, [cut(each) for each in returned] if good else _instead(returned, "a list of names")
                )
            case "numbers":
                notes.write(key, _numbers(returned, self.probe.dtype))
            case "groups":
                self._groups(step, returned)

    def _groups(self, step: Call, returned: Any) -> None:
        """Parameter groups: the names in each, and the learning rates."""
        notes, key = self.notes, f"{step.name}: returns"
        wanted = "a list of dicts with params and lr"
        if not isinstance(returned, list | tuple) or not all(
            isinstance(group, Mapping) and {"params", "lr"} <= group.keys() for group in returned
        ):
            notes.write(key, _instead(returned, wanted))
            return
        names = {id(p): n for n, p in self.networks[step.of].named_parameters()}
        groups, rates = [], []
        for group in returned:
            params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
            groups.append(" ".join(names.get(id(p), "a stranger") for p in params))
            rates.append(group["lr"])
        notes.write(key, [cut(text) for text in groups])
        # As text: two right ways to multiply differ in the last digit, and numbers ask for work on tensors.
        numbers = all(type(rate) in (int, float) for rate in rates)
        shown = [f"{rate:.6g}" for rate in rates] if numbers else _instead(rates[0], "a float as lr")
        notes.write(f"{step.name}: learning rates", shown)

    # --- Ours -----------------------------------------------------------------------------------------------

    def _train(self, step: Train, network: nn.Module) -> None:
        notes, name = self.notes, step.name
        model = self.networks["model"]
        before, others = _bits(network), _bits(model)
        if step.switch:
            network.train()
        network.zero_grad()
        output = network(step.x.clone())
        notes.take(f"{name}: output", output)
        if isinstance(output, Tensor) and output.requires_grad and output.shape == step.grad_output.shape:
            with unlogged():
                backpropagate(output, step.grad_output)
                _descend(network, step.lr)
        notes.write(f"{name}: moved", _moved(before, network))
        if network is not model:
            notes.write(f"{name}, the given model: moved", _moved(others, model))
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
        notes.write(f"{name}: shared", _shared(network, self.networks["model"]))
        notes.write(f"{name}: rows of the given model", _same_rows(state, self.probe.state))
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


def _handed_over(value: Any) -> Any:
    """An argument as the student's function gets it: tensors as copies, tuples of batches as lists."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, tuple):
        return [tuple(_handed_over(item) for item in pair) for pair in value]
    return value


def _instead(returned: Any, wanted: str) -> Value:
    """Something else came back than was wanted."""
    return trouble("none") if returned is None else trouble("count", f"{type_name(returned)}, not {wanted}")


def _numbers(returned: Any, dtype: torch.dtype) -> Value:
    """A list of floats, or of equally long lists of floats, as a tensor."""
    wanted = "a list of floats"
    if not isinstance(returned, list | tuple):
        return _instead(returned, wanted)
    rows = [list(row) if isinstance(row, list | tuple) else row for row in returned]
    flat = [item for row in rows for item in (row if isinstance(row, list) else [row])]
    for item in flat:
        if isinstance(item, bool) or not isinstance(item, int | float):
            return trouble("count", f"a list of {type_name(item)}, not {wanted}")
    with contextlib.suppress(ValueError, TypeError, OverflowError, RuntimeError), unlogged():
        return torch.tensor(rows, dtype=dtype)
    return trouble("count", "lists of different lengths")


def _bits(network: nn.Module) -> dict[str, Tensor]:
    with unlogged():
        return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _moved(before: Mapping[str, Tensor], network: nn.Module) -> list[str]:
    """Names whose values are not bit by bit what they were, or are gone."""
    with unlogged():
        now = network.state_dict()
        return [
            cut(key) for key, value in before.items() if key not in now or not torch.equal(now[key], value)
        ]


def _shared(network: nn.Module, model: nn.Module) -> list[str]:
    """Names in the network's state_dict that share memory with the model's."""
    with unlogged():
        taken = {value.data_ptr() for value in model.state_dict().values()}
        return [cut(key) for key, value in network.state_dict().items() if value.data_ptr() in taken]


def _same_rows(state: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """Names of matrices of which a row stands, bit by bit, in the given state under the same name."""
    same = []
    with unlogged():
        for name, value in state.items():
            old = given.get(name)
            if old is None or value.dim() != 2 or old.shape[1:] != value.shape[1:]:
                continue
            if any(torch.equal(row, each) for row in value for each in old.to(value.dtype)):
                same.append(cut(name))
    return same


class _Snapshot:
    """A network before the student's function had it."""

    def __init__(self, network: nn.Module) -> None:
        self._bits = _bits(network)
        self._modes = {name: module.training for name, module in network.named_modules()}
        self._asking = {name: p.requires_grad for name, p in network.named_parameters()}

    def compare(self, network: nn.Module, name: str, notes: Notes) -> None:
        """Write down what is different now."""
        modules = dict(network.named_modules())
        parameters = dict(network.named_parameters())
        notes.write(f"{name}: moved", _moved(self._bits, network))
        changed = [
            key for key, was in self._modes.items() if key not in modules or modules[key].training != was
        ]
        notes.write(f"{name}: modes", [key or ROOT for key in changed])
        notes.write(f"{name}: hooks", sorted(_hooked(network)))
        notes.write(f"{name}: asks for gradients", [key for key, p in parameters.items() if p.requires_grad])
        other = [
            key
            for key, was in self._asking.items()
            if key not in parameters or parameters[key].requires_grad != was
        ]
        notes.write(f"{name}: other wishes for gradients", other)


def _hooked(network: nn.Module) -> Iterator[str]:
    """Modules with a hook of any kind."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    for name, module in network.named_modules():
        count = sum(len(getattr(module, kind, None) or ()) for kind in kinds)
        if count:
            yield f"{name or ROOT} ({count})"
    if any(getattr(nn.modules.module, f"_global{kind}", None) for kind in kinds):
        yield "all modules"
