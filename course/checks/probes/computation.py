"""A trained network as plain data: the operators of one forward pass, and the numbers that they use.

A network is graded on pictures that the student's process must not see. So it is not the answers that cross
over, but the network itself. `record` runs it once in evaluation mode and writes down every operator below
autograd, with its arguments; tensors that nothing in this pass has computed (parameters, buffers, tables,
whatever it is and wherever it was kept) are its constants, and all of them are counted. `replay` does the
same operators on other pictures, in the process that judges.

    record ──► operators (texts), constants (tensors) ──► replay(other pictures)

So what comes out of a replay depends on the pictures and on the constants alone. A lookup in another process,
a second network in a closure, scikit-learn inside of `forward`: none of it is an operator, and it is gone.

Whoever wrote a recording may have meant harm. A replay does only what `OPERATORS` lists, which compute and
nothing else; it first goes through all of them without numbers (on torch's meta device), and stops where it
would need too much memory or time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

MOST_OPERATORS = 2_000
MOST_CONSTANTS = 200
MOST_NUMBERS = 500_000
"""Numbers in all constants together. A check's own budget is far below."""
MOST_MEMORY = 100_000_000
"""Numbers that a replay makes, all operators together."""
MOST_WORK = 20_000_000_000
"""Multiplications of a replay."""
LONGEST = 1_500
"""Characters of one operator with its arguments."""

_CONVOLVES = "convolution _convolution mkldnn_convolution"
_MULTIPLIES = "mm addmm bmm baddbmm addmv mv dot matmul linear"
_ATTENDS = (
    "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_attention_math "
    "_scaled_dot_product_efficient_attention _native_multi_head_attention _transformer_encoder_layer_fwd"
)
_NORMALIZES = (
    "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training _batch_norm_no_update "
    "_batch_norm_with_update native_layer_norm native_group_norm _fused_rms_norm linalg_vector_norm norm"
)
_POOLS = (
    "max_pool2d_with_indices avg_pool2d _adaptive_avg_pool2d adaptive_max_pool2d max_pool1d avg_pool1d "
    "max_pool2d im2col unfold upsample_nearest2d upsample_bilinear2d constant_pad_nd reflection_pad2d "
    "replication_pad2d pixel_shuffle pixel_unshuffle grid_sampler_2d affine_grid_generator"
)
_BENDS = (
    "relu relu_ leaky_relu leaky_relu_ elu elu_ celu celu_ gelu silu silu_ mish mish_ hardswish hardswish_ "
    "hardtanh hardtanh_ hardsigmoid hardsigmoid_ softplus log_sigmoid_forward sigmoid sigmoid_ tanh tanh_ "
    "threshold threshold_ _prelu_kernel _softmax _log_softmax glu clamp clamp_ clamp_min clamp_max "
    "clamp_min_ clamp_max_ softshrink hardshrink"
)
_COMPUTES = (
    "add add_ sub sub_ rsub mul mul_ div div_ pow pow_ neg abs sqrt rsqrt reciprocal exp expm1 log log1p "
    "square sin cos erf sign floor round maximum minimum where lerp addcmul addcdiv remainder logical_not "
    "logical_and eq ne lt le gt ge floor_divide bitwise_not bitwise_and atan2 fmod trunc ceil"
)
_REDUCES = (
    "mean sum amax amin max min argmax argmin var std var_mean std_mean prod logsumexp cumsum topk sort any "
    "all count_nonzero norm"
)
_MOVES = (
    "view _unsafe_view _reshape_alias reshape expand permute transpose t unsqueeze squeeze select slice "
    "split split_with_sizes unbind flip roll rot90 cat stack repeat repeat_interleave gather index "
    "index_select embedding clone copy_ fill_ zero_ _to_copy detach alias contiguous lift_fresh "
    "lift_fresh_copy diagonal one_hot masked_fill masked_fill_ scatter as_strided_copy "
    "mkldnn_rnn_layer lstm gru _thnn_fused_lstm_cell _thnn_fused_gru_cell tril triu"
)
_MAKES = (
    "zeros ones full empty zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty "
    "arange scalar_tensor eye linspace"
)
_UNINITIALIZED = ("empty", "empty_like", "new_empty")
_DRAWS = "native_dropout bernoulli bernoulli_ rand rand_like randn randn_like randperm"
"""What a dropout is that was left on: its answers are as random in the replay."""

OPERATORS = frozenset(
    " ".join(
        (
            *(_CONVOLVES, _MULTIPLIES, _ATTENDS, _NORMALIZES, _POOLS, _BENDS),
            *(_COMPUTES, _REDUCES, _MOVES, _MAKES, _DRAWS),
        )
    ).split()
)
"""Names of the operators that a replay does, in all their overloads."""

CONVOLUTIONS = frozenset(_CONVOLVES.split())
RANDOM = frozenset(_DRAWS.split())

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool)
}
_SKIPPED = {"device", "layout", "pin_memory"}
_ORDERS = {
    str(order).removeprefix("torch."): order
    for order in (torch.contiguous_format, torch.channels_last, torch.preserve_format)
}


class Unrecordable(Exception):
    """This computation cannot be written down, or a recording cannot be replayed; the text says why."""


@dataclass(frozen=True)
class Recording:
    """One forward pass.

    Args:
        operators: one JSON text each: [name, arguments, keyword arguments, numbers of its results].
        constants: the tensors that it uses and nothing in it has computed, by their numbers.
        output: number of the tensor that came out; -1 when it does not depend on the pictures.
        size: pictures that it takes at a time, which shapes in it may count on.
    """

    operators: list[str]
    constants: dict[int, Tensor]
    output: int
    size: int

    @property
    def names(self) -> list[str]:
        """Names of the operators without their overloads, in order."""
        return [json.loads(each)[0].partition(".")[0] for each in self.operators]

    @property
    def numbers(self) -> int:
        """How many numbers the network consists of: those of all constants but single ones (as an eps)."""
        return sum(tensor.numel() for tensor in self.constants.values() if tensor.numel() > 1)


# --- Recording ----------------------------------------------------------------------------------------------


class _Recorder(TorchDispatchMode):
    """Writes down the operators of a forward pass on `x`, which is tensor 0."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # see `surroundings.OperatorLog`

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.operators: list[str] = []
        self.constants: dict[int, Tensor] = {}
        self.depends = {0}
        self._number = {id(x): 0}
        self._kept = [x]  # so that no other tensor gets the id of one that is gone
        self._counted = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.__name__
        if name.partition(".")[0] not in OPERATORS:
            raise Unrecordable(f"the operator {name.partition('.')[0]}")
        if len(self.operators) >= MOST_OPERATORS:
            raise Unrecordable(f"more than {MOST_OPERATORS:,} operators")
        used: set[int] = set()
        given = [self._plain(each, used) for each in args]
        named = {key: self._plain(each, used) for key, each in kwargs.items() if key not in _SKIPPED}
        result = func(*args, **kwargs)
        results = result if isinstance(result, tuple | list) else [result]
        numbers = [self._number_of_result(each) for each in results]
        if self.depends & used:
            self.depends.update(number for number in numbers if number is not None)
        text = json.dumps([name, given, named, numbers])
        if len(text) > LONGEST:
            raise Unrecordable(f"very many arguments of {name}")
        self.operators.append(text)
        return result

    def _number_of_result(self, value: Any) -> int | None:
        if not isinstance(value, Tensor):
            return None
        if id(value) not in self._number:
            self._number[id(value)] = len(self._kept)
            self._kept.append(value)
        return self._number[id(value)]

    def _plain(self, value: Any, used: set[int]) -> Any:
        if isinstance(value, Tensor):
            if id(value) not in self._number:
                self._add_constant(value)
            number = self._number[id(value)]
            used.add(number)
            return {"tensor": number}
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if isfinite(value) else {"float": str(value)}
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if isinstance(value, list | tuple):
            return [self._plain(each, used) for each in value]
        if isinstance(value, torch.memory_format):
            return {"order": str(value).removeprefix("torch.")}
        if isinstance(value, torch.device | torch.layout):
            return None
        raise Unrecordable(f"an argument of type {type(value).__name__}")

    def _add_constant(self, value: Tensor) -> None:
        if type(value) not in (Tensor, nn.Parameter, nn.Buffer) or value.layout != torch.strided:
            raise Unrecordable(f"a tensor of type {type(value).__name__}")
        self._counted += value.numel()
        if self._counted > MOST_NUMBERS or len(self.constants) >= MOST_CONSTANTS:
            raise Unrecordable(f"more than {MOST_NUMBERS:,} numbers in the network")
        number = self._number[id(value)] = len(self._kept)
        self._kept.append(value)
        with torch._C._DisableTorchDispatch():
            self.constants[number] = value.detach().clone()


def record(network: nn.Module, x: Tensor) -> tuple[Recording, Tensor]:
    """Run a network once, in the mode that it is in, and write down what it does.

    Args:
        network: maps a batch to one tensor.
        x: the batch; a replay takes as many pictures at a time.

    Returns:
        The recording, and what came out.

    Raises:
        Unrecordable: it does something that cannot be written down.
        TypeError: it returns no tensor.
    """
    recorder = _Recorder(x)
    with torch.no_grad(), recorder:
        output = network(x)
    if not isinstance(output, Tensor):
        raise TypeError(type(output).__name__)
    number = recorder._number.get(id(output), -1)
    if number not in recorder.depends:
        number = -1
    return Recording(recorder.operators, recorder.constants, number, len(x)), output


# --- Replaying ----------------------------------------------------------------------------------------------


def replay(recording: Recording, x: Tensor) -> Tensor:
    """What the recorded network puts out for other pictures.

    Args:
        recording: from `record`, or from somebody who pretends so.
        x: (N, ...) with at least `recording.size` pictures, of the shape that was recorded.

    Returns:
        (N, ...), float64.

    Raises:
        Unrecordable: this is no recording, or it would take too much.
    """
    program = [_parse(text) for text in recording.operators]
    if recording.output < 0:
        raise Unrecordable("an output that does not depend on the pictures")
    starts = [*range(0, len(x) - recording.size, recording.size), len(x) - recording.size]
    if min(starts) < 0 or len(program) > MOST_OPERATORS or recording.numbers > MOST_NUMBERS:
        raise Unrecordable("its size")
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        _Budget().check(program, recording, x[: recording.size])
        parts = [_run(program, recording, x[start : start + recording.size].clone()) for start in starts]
    out = parts[0].new_empty(len(x), *parts[0].shape[1:])
    for start, part in zip(starts, parts, strict=True):
        if part.shape != parts[0].shape or len(part) != recording.size:
            raise Unrecordable("an output of another size")
        out[start : start + recording.size] = part
    return out.double()


_Line = tuple[Any, Sequence[Any], dict[str, Any], Sequence[int | None]]


def _parse(text: str) -> _Line:
    try:
        name, given, named, numbers = json.loads(text)
        packet, _, overload = name.partition(".")
        if packet not in OPERATORS:
            raise Unrecordable(f"the operator {packet[:50]}")
        function = getattr(getattr(torch.ops.aten, packet), overload)
        if not isinstance(given, list) or not isinstance(named, dict) or not isinstance(numbers, list):
            raise Unrecordable("a line that is none")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unrecordable("a line that is none") from error
    return function, given, named, numbers


def _run(program: Iterable[_Line], recording: Recording, x: Tensor, budget: _Budget | None = None) -> Tensor:
    """Go through the lines. With a budget, tensors have shapes and no numbers."""

    def place(value: Tensor) -> Tensor:
        return value.to("meta") if budget else value.clone()

    values: dict[Any, Any] = {number: place(tensor) for number, tensor in recording.constants.items()}
    values[0] = place(x)

    def real(value: Any) -> Any:
        if isinstance(value, dict):
            (kind, what), *_ = [*value.items(), ("", "")]
            if kind == "tensor":
                return values[what]
            if kind == "dtype":
                return _DTYPES[what]
            if kind == "order":
                return _ORDERS[what]
            return {"nan": torch.nan, "inf": torch.inf, "-inf": -torch.inf}[what]
        return [real(each) for each in value] if isinstance(value, list) else value

    for function, given, named, numbers in program:
        try:
            arguments = [real(each) for each in given]
            keywords = {str(key): real(each) for key, each in named.items()}
            if budget:
                budget.before(function, arguments)
                keywords |= budget.device(function)
            result = function(*arguments, **keywords)
            results = result if isinstance(result, tuple | list) else [result]
            if budget:
                budget.after(function, arguments, results)
            elif function.__name__.partition(".")[0] in _UNINITIALIZED:
                result.zero_()  # or a recording could read what this process has just forgotten
        except Unrecordable:
            raise
        except Exception as error:
            raise Unrecordable(f"{function}: {type(error).__name__}") from error
        for number, value in zip(numbers, results, strict=False):
            values[number] = value
    output = values.get(recording.output)
    if not isinstance(output, Tensor) or output.dim() == 0:
        raise Unrecordable("no output")
    return output


class _Budget:
    """What a replay may make and multiply."""

    def __init__(self) -> None:
        self._memory = self._work = 0

    def check(self, program: Iterable[_Line], recording: Recording, x: Tensor) -> None:
        """Go through the lines without numbers.

        Raises:
            Unrecordable: it would take too much.
        """
        _run(program, recording, x, self)

    def device(self, function: Any) -> dict[str, Any]:
        """Where a new tensor belongs while there are no numbers."""
        names = {argument.name for argument in function._schema.arguments}
        made = function.__name__.partition(".")[0] in _MAKES.split() + _DRAWS.split()
        return {"device": "meta"} if made and "device" in names else {}

    def before(self, function: Any, arguments: Sequence[Any]) -> None:
        """Refuse what is too much already by its arguments: meta kernels of arange and others may count."""
        sizes = [value for value in _flat(arguments) if isinstance(value, int)]
        if any(abs(value) > MOST_MEMORY for value in sizes if value not in (2**63 - 1, -(2**63))):
            raise Unrecordable("a huge size")

    def after(self, function: Any, arguments: Sequence[Any], results: Sequence[Any]) -> None:
        """Count what was made, and the work."""
        made = sum(value.numel() for value in results if isinstance(value, Tensor))
        self._memory += made
        name = function.__name__.partition(".")[0]
        tensors = [value for value in _flat(arguments) if isinstance(value, Tensor)]
        each = 1
        if name in CONVOLUTIONS and len(tensors) > 1:
            each = prod(tensors[1].shape[1:])
        elif name in _MULTIPLIES.split() or name in _ATTENDS.split():
            each = max((max(tensor.shape, default=1) for tensor in tensors), default=1)
        self._work += made * each
        if self._memory > MOST_MEMORY or self._work > MOST_WORK:
            raise Unrecordable("too much work")


def _flat(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        found += _flat(value) if isinstance(value, list | tuple) else [value]
    return found
