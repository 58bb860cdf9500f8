"""A check in two processes: the messages between them, and what a hostile process can send."""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
import sys
import threading
import tracemalloc
import types
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from right_answers import RIGHT
from torch import Tensor, nn

from course.checks import EXERCISES, CheckFailed, check, examine, remote, report, wire
from course.checks.contract import takes_work
from course.checks.framework import tensors_in
from course.checks.judge import answer_book
from course.checks.observe import observe
from course.checks.plain import DTYPES, LARGEST, LONGEST_TEXT, is_observation, plain, trouble
from course.checks.wire import WireError, pack, unpack

# --- Messages -----------------------------------------------------------------------------------------------


def sent(value: object) -> Any:
    """The value after a round trip, its header written as strict JSON and read back."""
    header, buffers = pack(value)
    return unpack((json.loads(json.dumps(header, allow_nan=False)), buffers))


def equal(one: Any, other: Any) -> bool:
    """Equal down to types, dtypes, the order of memory and nan."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        same_numbers = torch.equal(one.nan_to_num(nan=7), other.nan_to_num(nan=7))
        same_nans = torch.equal(one.isnan(), other.isnan())
        return one.dtype == other.dtype and one.shape == other.shape and same_numbers and same_nans
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if dataclasses.is_dataclass(one):
        return equal(vars(one), vars(other))
    return one == other or one != one != other


integers = st.integers(-(2**63) + 1, 2**63 - 1)
numbers = st.none() | st.booleans() | integers | st.floats() | st.text(max_size=20)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    dtype = draw(st.sampled_from(DTYPES))
    tensor = torch.randint(-3, 4, shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    return tensor.permute(draw(st.permutations(range(len(shape)))))


values = st.recursive(
    numbers | tensors() | st.sampled_from(DTYPES),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_a_value_survives_the_way(value: object) -> None:
    assert equal(sent(value), value)


@pytest.mark.parametrize("name", EXERCISES)
def test_probes_survive_the_way(name: str) -> None:
    for probe, again in zip(*(EXERCISES[name].probes(3).values() for _ in range(2)), strict=True):
        assert equal(probe, again)  # the seed decides
        there = sent(probe)
        assert equal(there, probe)
        for one, other in zip(tensors_in(probe), tensors_in(there), strict=True):
            # What a student's function gets is a clone; that must not depend on the way either.
            assert other.clone().stride() == one.clone().stride()
            assert not other.requires_grad


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_transposed_tensor_stays_transposed(dtype: torch.dtype) -> None:
    there = sent(torch.arange(24).to(dtype).reshape(2, 3, 4).permute(1, 2, 0))
    assert there.stride() == (4, 1, 12)


def test_a_slice_comes_without_its_gaps_and_an_expanded_tensor_in_full() -> None:
    rows = torch.arange(12.0).reshape(6, 2)[::2]
    assert torch.equal(sent(rows), rows)
    assert sent(rows).is_contiguous()
    assert torch.equal(sent(torch.ones(1).expand(3, 2)), torch.ones(3, 2))


class Liar(float):
    def __eq__(self, other: object) -> bool:
        return True


@pytest.mark.parametrize(
    "value",
    [object(), {1: 2}, {1}, b"bytes", len, Liar(), nn.Parameter(torch.ones(1)), torch.ones(1).to_sparse()],
)
def test_what_is_not_plain_does_not_travel(value: object) -> None:
    with pytest.raises((TypeError, RuntimeError)):
        pack(value)


def test_plain_takes_the_number_out_of_a_subclass() -> None:
    assert type(plain(Liar(3.0))) is float
    assert type(plain(True)) is bool
    assert plain(10**30) == trouble("type", "an int of many digits")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(3).to_sparse(),
        torch.ones(3, device="meta"),
        torch.ones(1).expand(LARGEST + 1),
        torch.ones(3).to(torch.float8_e5m2),
        torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
    ],
    ids=["sparse", "meta", "large", "float8", "nested"],
)
def test_a_tensor_of_another_kind_becomes_a_sentence(tensor: Tensor) -> None:
    seen = plain(tensor)
    assert isinstance(seen, dict)
    assert seen["trouble"] == "type"


# --- Hostile messages ---------------------------------------------------------------------------------------

NUMBERS = torch.arange(6.0, dtype=torch.float64)
FULL = bytes(48)


@pytest.mark.parametrize(
    ("header", "buffer"),
    [
        (["tensor", "float64", [7]], FULL),
        (["tensor", "float64", [5]], FULL + bytes(16)),
        (["tensor", "float64", [-6]], FULL),
        (["tensor", "float64", [True, 6]], FULL),
        (["tensor", "float64", [6.0]], FULL),
        (["tensor", "float64", [2**62, 2**62]], FULL),
        (["tensor", "float64", [0, 2**62]], b""),
        (["tensor", "float64", [2**31, 2**31, 2**31, 2**31, 0]], b""),
        (["tensor", "float64", [1] * 100], bytes(16)),
        (["tensor", "float64", 6], FULL),
        (["tensor", "float63", [6]], FULL),
        (["tensor", ["float64"], [6]], FULL),
        (["tensor", "float64"], FULL),
        (["tensor", "float64", [2, 3], [0, 0]], FULL),
        (["tensor", "float64", [2, 3], [0]], FULL),
        (["tensor", "float64", [2, 3], [1, 2]], FULL),
        (["tensor", "float64", [2, 3], [True, False]], FULL),
        (["tensor", "float64", [2, 3], [1, 0], 1], FULL),
        (["tensor", "bool", [2]], b"\x01\x02" + bytes(14)),
        (["list", ["tensor", "float64", [6]], ["tensor", "float64", [6]]], FULL),
        (None, b"x"),
        (["dict", "a", 1, "a", 2], b""),
        (["dict", 1, 1], b""),
        (["dict", "a"], b""),
        (["dict", ["list"], 1], b""),
        ({"a": 1}, b""),
        ([], b""),
        ([1, 2], b""),
        (["set", 1], b""),
        (["eval", "1"], b""),
        (["object", "os.system", "true"], b""),
        (["dtype", "float"], b""),
        (["dtype", 3], b""),
        (["float", "1"], b""),
        (["float", []], b""),
        (float("nan"), b""),
        (2**64, b""),
        (10**400, b""),
        (b"bytes", b""),
        (object(), b""),
        (["CallProbe"], b""),
        (["Describe", "a", "b"], b""),
        (["Exercise", "a"], b""),
        (["tuple"] * 1, b"x"),
    ],
)
def test_a_malformed_message_is_one_kind_of_error(header: object, buffer: bytes) -> None:
    with pytest.raises(WireError):
        unpack((header, [buffer]))


@pytest.mark.parametrize(
    "message",
    [
        None,
        3,
        "ab",
        (),
        (1,),
        (1, 2, 3),
        (None, None),
        (None, []),
        (None, [b"", b""]),
        (None, ["a"]),
        (None, b"a"),
    ],
)
def test_a_message_has_a_header_and_one_buffer(message: object) -> None:
    with pytest.raises(WireError):
        unpack(message)


def test_containers_that_lie_deep_in_one_another_are_refused() -> None:
    header: list[object] = ["list"]
    for _ in range(100_000):
        header = ["list", header]
    with pytest.raises(WireError):
        unpack((header, [b""]))
    while len(header) > 1:  # or Python's own clearing of the list would be as deep
        header = header[1]  # type: ignore[assignment]


def test_a_message_takes_little_more_memory_than_its_own_length() -> None:
    """A header may claim what it likes."""
    header = ["list", *(["tensor", "float64", [2**40]] for _ in range(1000))]
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            unpack((header, [bytes(1000)]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


ANSWER = pack(
    [
        {"kind": "function", "origin": ["a.b"]},
        {
            "y": NUMBERS.reshape(2, 3).T,
            "n": 3,
            "r": 0.5,
            "error": trouble("error", "text"),
            "names": ["a", "b"],
        },
    ]
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**70)
    | st.floats()
    | st.sampled_from(["list", "dict", "tensor", "float64", "bool", "Forward", "CallProbe", "y", "dtype"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=20,
)


def spoilt(header: Any, chance: random.Random) -> Any:
    """A copy of a header in which something small is changed."""
    if not isinstance(header, list) or not header or chance.random() < 0.1:
        return chance.choice([None, True, 0, -1, 2**40, 0.5, "", "list", [], ["dict"], {}, header])
    copy = list(header)
    at = chance.randrange(len(copy))
    match chance.randrange(4):
        case 0:
            del copy[at]
        case 1:
            copy.insert(at, copy[chance.randrange(len(copy))])
        case _:
            copy[at] = spoilt(copy[at], chance)
    return copy


def read_or_refuse(header: object, buffer: bytes) -> None:
    try:
        value = unpack((header, [buffer]))
    except WireError:
        return
    for tensor in tensors_in(tuple(value) if isinstance(value, list) else value):
        assert tensor.numel() * tensor.element_size() <= len(buffer)


@given(st.randoms(use_true_random=False), st.integers(0, 100))
@settings(max_examples=500)
def test_spoilt_messages_are_read_or_refused(chance: random.Random, cut: int) -> None:
    header, (buffer,) = ANSWER
    read_or_refuse(spoilt(header, chance), buffer[: len(buffer) - cut // 2] if cut % 2 else buffer)


@given(json_values, st.binary(max_size=64))
@settings(max_examples=500)
def test_made_up_messages_are_read_or_refused(header: object, buffer: bytes) -> None:
    read_or_refuse(header, buffer)


# --- The same verdict as in one process ---------------------------------------------------------------------


class Child:
    """A student's process as far as a check sees it; `change` does what a student did to its answers."""

    def __init__(self, student: object, change: Callable[[Any], Any] = lambda answer: answer) -> None:
        self.student, self.change, self.asked = student, change, 0

    def ask(self, name: str, request: wire.Message) -> wire.Message:
        assert name == "student"
        self.asked += 1
        return pack(self.change(unpack(self.observe(request))))

    def observe(self, request: wire.Message) -> wire.Message:
        header, buffers = request
        return remote.observe(self.student, (json.loads(json.dumps(header, allow_nan=False)), buffers))


def remotely(exercise: str, child: Child, *arguments: Any, **options: Any) -> dict[str, Any]:
    return remote.check(child.ask, exercise, SimpleNamespace(name="student"), *arguments, **options)


SOME = {
    "right": RIGHT["BatchNorm2d"],
    "wrong": {m.name: m.implementation for m in EXERCISES["BatchNorm2d"].misconceptions[::5]},
    "no module": {"int": 3, "None": None, "function": lambda x: x, "instance": nn.BatchNorm2d(3)},
    "delegated": {"torch's": nn.BatchNorm2d},
}


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize(
    "student",
    [pytest.param(s, id=f"{kind}-{name}") for kind, each in SOME.items() for name, s in each.items()],
)
def test_a_remote_check_shows_and_says_what_a_check_does(
    student: object, hidden: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    child = Child(student)
    result = remotely("BatchNorm2d", child, hidden=hidden, seed=8)
    failure = None
    try:
        check("BatchNorm2d", student, hidden=hidden, seed=8)
    except CheckFailed as raised:
        failure = raised
    assert result["data"]["text/plain"] == capsys.readouterr().out.rstrip("\n")
    verdict = examine(EXERCISES["BatchNorm2d"], student, hidden=hidden, seed=8, own_work=True)
    assert result["data"] == report.bundle(verdict)
    expected = failure and {
        "ename": "CheckFailed",
        "evalue": str(failure),
        "traceback": failure._render_traceback_(),
    }
    assert result["error"] == expected
    assert child.asked == 1


@pytest.mark.parametrize("name", EXERCISES)
def test_right_answers_pass_every_hidden_check(name: str) -> None:
    for answer in RIGHT[name].values():
        child, memory = Child(answer), {}
        for group in EXERCISES[name].groups:
            result = remotely(name, child, group, hidden=True, seed=20_24, memory=memory)
            assert result["error"] is None
            assert result["delegation"] == ""


def handed_in(mistake: types.FunctionType) -> types.FunctionType:
    """The same function, as if a student had written it."""
    copied = types.FunctionType(
        mistake.__code__, mistake.__globals__, mistake.__name__, mistake.__defaults__, mistake.__closure__
    )
    copied.__module__ = "__main__"
    return copied


FUNCTIONS = [name for name, exercise in EXERCISES.items() if exercise.kind == "function"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_mistake_is_named_remotely(name: str) -> None:
    for mistake in EXERCISES[name].misconceptions:
        if isinstance(mistake.implementation, types.FunctionType):
            result = remotely(name, Child(handed_in(mistake.implementation)), hidden=True, seed=0)
            assert mistake.message in result["error"]["evalue"]
            return
    pytest.fail("no mistake is a function")


def test_a_wrong_name_is_told_before_anything_is_asked() -> None:
    child = Child(None)
    with pytest.raises(ValueError, match="Did you mean 'BatchNorm2d'"):
        remotely("BatchNorm2D", child)
    with pytest.raises(ValueError, match="no checks called 'backward'"):
        remotely("BatchNorm2d", child, "backward")
    assert child.asked == 0


def test_what_the_messenger_raises_passes_through() -> None:
    def ask(name: str, request: wire.Message) -> wire.Message:
        raise ConnectionError("the child is gone")

    with pytest.raises(ConnectionError):
        remote.check(ask, "BatchNorm2d", SimpleNamespace(name="student"))


def test_the_seed_is_that_of_the_hidden_inputs() -> None:
    requests = []

    def ask(name: str, request: wire.Message) -> wire.Message:
        requests.append(request)
        return pack([])

    for hidden, seed in (
        (False, 1),
        (False, 2),
        (False, None),
        (True, 1),
        (True, 1),
        (True, 2),
        (True, 2**64 + 1),
    ):
        student = SimpleNamespace(name="student")
        remote.check(ask, "channel_statistics", student, hidden=hidden, seed=seed)
    visible, hidden_ones = [r[1] for r in requests[:3]], [r[1] for r in requests[3:]]
    assert visible[0] == visible[1] == visible[2]
    assert hidden_ones[0] == hidden_ones[1] != hidden_ones[2]
    assert visible[0] not in hidden_ones


# --- What is remembered from check to check -----------------------------------------------------------------


TRAIN = next(iter(RIGHT["batch_norm_train"].values()))


def probes_asked(child: Child) -> list[int]:
    """Makes the child note how many probes each request holds."""
    counts: list[int] = []
    ask = child.ask

    def counting(name: str, request: wire.Message) -> wire.Message:
        counts.append(len(unpack(request)))
        return ask(name, request)

    child.ask = counting  # type: ignore[method-assign]
    return counts


def test_groups_share_their_probes_while_the_memory_lasts() -> None:
    child, memory = Child(TRAIN), {}
    counts = probes_asked(child)
    for group in ("forward", "gradients"):
        assert remotely("batch_norm_train", child, group, hidden=True, seed=5, memory=memory)["error"] is None
    assert len(counts) == 1  # all that "gradients" looks at was seen for "forward"
    memory.clear()
    remotely("batch_norm_train", child, "gradients", hidden=True, seed=5, memory=memory)
    assert counts[1] < counts[0]


@pytest.mark.parametrize("options", [{"hidden": False}, {"hidden": True, "seed": 6}, {"hidden": True}])
def test_other_numbers_are_asked_for_again(options: dict[str, Any]) -> None:
    child, memory = Child(TRAIN), {}
    remotely("batch_norm_train", child, hidden=True, seed=5, memory=memory)
    remotely("batch_norm_train", child, memory=memory, **options)
    assert child.asked == 2


def test_checks_without_a_seed_never_share_their_numbers() -> None:
    child, memory = Child(TRAIN), {}
    for _ in range(2):
        remotely("batch_norm_train", child, hidden=True, memory=memory)
    assert child.asked == 2


@pytest.mark.parametrize("name", EXERCISES)
def test_a_memory_changes_no_verdict(name: str) -> None:
    mistakes = EXERCISES[name].misconceptions
    student = mistakes[len(mistakes) // 2].implementation
    memory: dict[Any, Any] = {}
    for group in EXERCISES[name].groups:
        options: dict[str, Any] = {"hidden": True, "seed": 5, "diagnose": False}
        remembering = remotely(name, Child(student), group, memory=memory, **options)
        again = remotely(name, Child(student), group, **options)
        for result in (remembering, again):
            result["data"][report.render.MIME_TYPE].pop("measures", None)  # seconds differ
        assert remembering == again


def test_the_students_half_refuses_what_is_no_request() -> None:
    for value in (None, 3, [3], ["probe"], {"a": 1}):
        with pytest.raises(WireError):
            remote.observe(nn.BatchNorm2d, pack(value))


def test_after_a_timeout_the_rest_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course.checks.observe.observe.__defaults__", (0.1,), raising=True)

    def student(images):
        calls.append(1)
        while True:
            pass

    calls: list[int] = []
    result = remotely("channel_statistics", Child(student), hidden=True)
    assert len(calls) == 1
    assert "stopped after 0.1 seconds" in result["data"]["text/plain"]
    assert "Is there a loop that never ends, " in result["error"]["evalue"]
    assert result["delegation"] == ""


def test_nobody_waits_again_for_a_probe_that_ran_out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course.checks.observe.observe.__defaults__", (0.1,), raising=True)

    def student(grad_y, x, weight, eps=1e-5):
        calls.append(1)
        while True:
            pass

    calls: list[int] = []
    child, memory = Child(student), {}
    for group in EXERCISES["batch_norm_backward"].groups:
        result = remotely("batch_norm_backward", child, group, hidden=True, seed=5, memory=memory)
        assert "Is there a loop that never ends, " in result["error"]["evalue"]
    assert len(calls) == 1


def test_the_students_half_needs_no_catalogue() -> None:
    code = (
        "import sys; from course.checks import CheckFailed, check, remote;"
        "sys.exit(any('batch_norm' in name or 'judge' in name for name in sys.modules if 'checks' in name))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_visible_answers_stay_and_the_hidden_ones_make_room() -> None:
    books = {name: answer_book(exercise, 0) for name, exercise in EXERCISES.items()}
    hidden = answer_book(EXERCISES["BatchNorm2d"], 1)
    for seed in range(100, 140):
        answer_book(EXERCISES["channel_statistics"], seed)
    assert all(answer_book(EXERCISES[name], 0) is book for name, book in books.items())
    assert answer_book(EXERCISES["BatchNorm2d"], 1) is not hidden


# --- A process that lies ------------------------------------------------------------------------------------

NOTES = ("operators", "nodes", "course functions", "read-outs")


observed: dict[tuple[str, str, bytes], wire.Message] = {}
"""What right answers sent, by exercise and request: some of them train a network for it."""


class LyingChild(Child):
    """The process of a right answer, which changes what it sends."""

    def __init__(self, name: str, change: Callable[[Any], Any]) -> None:
        super().__init__(next(iter(RIGHT[name].values())), change)
        self.name = name

    def observe(self, request: wire.Message) -> wire.Message:
        header, buffers = request
        key = self.name, json.dumps(header), b"".join(buffers)
        if key not in observed:
            observed[key] = super().observe(request)
        return observed[key]


def lied_to(name: str, change: Callable[[Any], Any], **options: Any) -> dict[str, Any]:
    """The verdict on a right answer whose process changes what it sends."""
    return remotely(name, LyingChild(name, change), **{"hidden": True, "seed": 6, **options})


def without(*keys: str) -> Callable[[Any], Any]:
    def change(answer: Any) -> Any:
        return [answer[0], *({k: v for k, v in seen.items() if k not in keys} for seen in answer[1:])]

    return change


def with_all(key: str, value: object) -> Callable[[Any], Any]:
    return lambda answer: [answer[0], *({**seen, key: value} for seen in answer[1:])]


UNREADABLE = [None, 3, [], {}, [None], [{}, 3], [[], {}], [{"kind": ["function"]}], [{"kind": {}}], "text"]


@pytest.mark.parametrize("answer", UNREADABLE, ids=str)
def test_an_answer_that_is_none_does_not_pass(answer: object) -> None:
    result = lied_to("channel_statistics", lambda _: answer)
    assert result["data"][report.render.MIME_TYPE]["passed"] is False
    assert "was not what the check asked for" in result["error"]["evalue"]


@pytest.mark.parametrize(
    "value",
    [
        {"trouble": "error"},
        {"trouble": "error", "text": "a", "where": 3},
        {"a": "b", "text": "a", "where": ""},
        [1],
        ["a", None],
        ("a",),
        "x" * (LONGEST_TEXT + 1),
        torch.zeros(1).expand(LARGEST + 1),
        {"trouble": "error", "text": "x" * (LONGEST_TEXT + 1), "where": ""},
        torch.float64,
    ],
    ids=repr,
)
def test_an_observation_holds_plain_values_only(value: object) -> None:
    assert not is_observation({"y": value})
    result = lied_to("channel_statistics", with_all("mean_image", value))
    assert "was not what the check asked for" in result["error"]["evalue"]


@pytest.mark.parametrize("key", NOTES)
@pytest.mark.parametrize("value", [None, 3, "add", torch.ones(2), trouble("none")], ids=str)
def test_notes_of_another_type_are_not_accepted(key: str, value: object) -> None:
    for change in (with_all(key, value), without(key)):
        result = lied_to("BatchNorm2d", change)
        assert "was not what the check asked for" in result["error"]["evalue"]
        assert result["delegation"]


NOTHING_TO_COMPUTE = (
    *("calculate_fan_in_and_fan_out", "zero_init_residual", "parameter_groups", "count_parameters"),
    *("StepLR", "CosineAnnealingLR", "LinearWarmup", "EarlyStopping", "accuracy_with_error"),
    *("to_device", "benchmark_step", "build_model", "train_network"),
)
"""Numbers of Python's, constants, names, copies and calls take no operation on tensors; nor do networks that
are handed over whole, to be judged by what they do elsewhere."""


def computes(name: str) -> bool:
    """Whether anything in the exercise takes more than setting numbers to a constant."""
    book = answer_book(EXERCISES[name], 0)
    return any(
        takes_work(aspect, book.probes[aspect.probe], book.expected(aspect.probe))
        for aspect in EXERCISES[name].aspects
    )


def test_all_other_exercises_compute() -> None:
    assert {name for name in EXERCISES if not computes(name)} == {*NOTHING_TO_COMPUTE}


@pytest.mark.parametrize("name", [name for name in EXERCISES if name not in NOTHING_TO_COMPUTE])
def test_work_without_a_trace_was_done_out_of_sight(name: str) -> None:
    for operators in ([], ["detach", "clone", "empty"]):

        def change(answer: Any, operators: list[str] = operators) -> Any:
            return [answer[0], *({**seen, "operators": operators, "read-outs": []} for seen in answer[1:])]

        result = lied_to(name, change)
        assert "nothing that could compute them was seen" in result["delegation"]
        assert result["delegation"] in result["error"]["evalue"]


@pytest.mark.parametrize("name", EXERCISES)
def test_observations_that_are_missing_do_not_pass(name: str) -> None:
    # To name the mistake, where nothing is right, takes seconds.
    assert lied_to(name, lambda answer: answer[:1], diagnose=False)["error"]
    assert lied_to(name, lambda answer: answer[:-1])["error"]
    repeated = lied_to(name, lambda answer: answer[:2] * 30, diagnose=False)
    assert repeated["error"] or len(EXERCISES[name].probes(0)) == 1


def test_a_claimed_timeout_ends_in_a_verdict() -> None:
    for record in (trouble("timeout", "5 seconds"), trouble("timeout"), trouble("missing"), trouble("?")):
        result = lied_to("BatchNorm2d", lambda answer, record=record: [answer[0], {"error": record}])
        assert result["data"][report.render.MIME_TYPE]["passed"] is False


plain_values = (
    st.none()
    | st.booleans()
    | integers
    | st.floats()
    | st.text(max_size=30)
    | st.lists(st.text(max_size=10), max_size=5)
    | tensors()
    | st.sampled_from([1e308, -1e308, 5e-324]).map(
        lambda number: torch.full((3, 4), number, dtype=torch.float64)
    )
    | st.builds(
        trouble, st.sampled_from(["error", "timeout", "none", "count", "missing", "?"]), st.text(max_size=20)
    )
)


@st.composite
def lies(draw: st.DrawFn, seen: dict[str, Any]) -> tuple[str, Any]:
    """A key of an observation and another value for it, often of the right shape."""
    key = draw(st.sampled_from(sorted(seen)))
    value = seen[key]
    if isinstance(value, Tensor) and value.numel() and draw(st.booleans()):
        dtype = draw(st.sampled_from([value.dtype, *DTYPES]))
        number = draw(st.sampled_from([float("nan"), float("inf"), -1e308, 1e308, 17.0]))
        number = number if dtype == torch.float64 else 17.0
        return key, torch.full(value.shape, number, dtype=torch.float64).to(dtype)
    return key, draw(plain_values)


@pytest.mark.parametrize(
    "name", ["pca_whiten", "batch_norm_train", "BatchNorm1d", "LayerNorm", "fuse_linear_bn"]
)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_lie_ends_in_a_failed_verdict(name: str, data: st.DataObject) -> None:
    """Any plain value under any key that an aspect looks at."""

    def change(answer: Any) -> Any:
        seen = data.draw(st.sampled_from(answer[1:]))
        key, value = data.draw(lies({k: v for k, v in seen.items() if k not in NOTES}))
        changed.append(not equal(value, seen[key]) and key)
        return [answer[0], *({**each, key: value} if each is seen else each for each in answer[1:])]

    changed: list[Any] = []
    result = lied_to(name, change)
    passed = result["data"][report.render.MIME_TYPE]["passed"]
    assert passed is (result["error"] is None)
    assert not (passed and changed[0])


@given(st.dictionaries(st.text(max_size=5), plain_values), st.dictionaries(st.text(max_size=5), plain_values))
def test_made_up_observations_end_in_a_failed_verdict(described: Any, seen: Any) -> None:
    result = lied_to("batch_norm_eval", lambda answer: [{**answer[0], **described}, *[seen] * 9])
    assert result["error"] is not None


@pytest.mark.parametrize(
    "key", ["kind", "type", "signature", "origin", "is a module", "positional", "obligatory", "keywords"]
)
@pytest.mark.parametrize("value", [None, 3, [], "x", torch.ones(2), trouble("none"), float("nan")], ids=str)
def test_a_description_of_another_type_ends_in_a_verdict(key: str, value: object) -> None:
    def change(answer: Any) -> Any:
        return [{**answer[0], key: value}, *answer[1:]]

    result = lied_to("LayerNorm", change)
    assert isinstance(result["data"]["text/plain"], str)
    fewer = lied_to("LayerNorm", lambda a: [{k: v for k, v in a[0].items() if k != key}, *a[1:]])
    assert isinstance(fewer["data"]["text/plain"], str)


# --- Work out of sight --------------------------------------------------------------------------------------


def in_a_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        results: list[Any] = []
        work = threading.Thread(target=lambda: results.append(function(*arguments, **options)))
        work.start()
        work.join()
        return results[0]

    return run


def test_work_in_another_thread_is_out_of_sight() -> None:
    student = in_a_thread(RIGHT["channel_statistics"]["var_mean"])
    result = remotely("channel_statistics", Child(lambda images: student(images)), hidden=True)
    assert "nothing that could compute them was seen" in result["delegation"]


def test_torchs_layer_in_another_thread_is_named_by_its_graph() -> None:
    def batch_norm(x, weight, bias, eps):
        y = nn.functional.batch_norm(x, None, None, weight, bias, True, eps=eps)
        return y, x.mean(0), x.var(0, correction=0)

    student = in_a_thread(batch_norm)
    result = remotely(
        "batch_norm_train", Child(lambda x, weight, bias, eps=1e-5: student(x, weight, bias, eps))
    )
    assert "torch's own `NativeBatchNormBackward0`" in result["delegation"]


def idle_statistics(images):
    return images[0], images[0, :, 0, 0], images[0, :, 0, 0]


def idle_evaluation(x, running_mean, running_var, weight, bias, eps=1e-5):
    return x


def idle_fusion(linear, bn):
    return nn.Linear(linear.in_features, linear.out_features, dtype=linear.weight.dtype)


class IdleLayerNorm(nn.Module):
    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(normalized_shape)) if elementwise_affine else None
        self.bias = nn.Parameter(torch.zeros(normalized_shape)) if elementwise_affine and bias else None

    def forward(self, x):
        return x.clone()


@pytest.mark.parametrize(
    ("name", "student", "right"),
    [
        ("channel_statistics", idle_statistics, {"images left as they were"}),
        ("batch_norm_eval", idle_evaluation, {"inputs left as they were"}),
        ("fuse_linear_bn", idle_fusion, {"linear and bn left as they were", "one nn.Linear, and a new one"}),
        ("LayerNorm", IdleLayerNorm, {"input left as it was", "their shapes and first values"}),
    ],
)
def test_doing_nothing_is_not_taken_for_work_out_of_sight(
    name: str, student: Callable[..., object], right: set[str]
) -> None:
    """Some aspects are right without any work."""
    verdict = examine(EXERCISES[name], student, hidden=True, seed=2, own_work=True)
    assert verdict.problem == ""
    assert right <= {finding.aspect.label for finding in verdict.findings if finding.symptom is None}


def numpy_statistics(images):
    array = images.numpy()
    moments = array.mean(0), array.mean((0, 2, 3)), array.std((0, 2, 3))
    return tuple(torch.from_numpy(each) for each in moments)


def listed_statistics(images):
    channels = [
        [v for image in images.tolist() for row in image[c] for v in row] for c in range(images.shape[1])
    ]
    means = [sum(channel) / len(channel) for channel in channels]
    squares = [sum((v - m) ** 2 for v in channel) for channel, m in zip(channels, means, strict=True)]
    stds = [(s / len(channel)) ** 0.5 for channel, s in zip(channels, squares, strict=True)]
    return images.mean(0), torch.tensor(means, dtype=images.dtype), torch.tensor(stds, dtype=images.dtype)


def mapped_statistics(images):
    moments = torch.func.vmap(lambda x: (x.mean(), x.std(correction=0)), in_dims=1)(images)
    return images.mean(0), *moments


@pytest.mark.parametrize("student", [numpy_statistics, listed_statistics, mapped_statistics])
def test_unusual_ways_are_seen_to_be_work(student: Callable[..., object]) -> None:
    result = remotely("channel_statistics", Child(student), hidden=True)
    assert result["error"] is None, result["error"]["evalue"]


def test_a_read_out_is_noted_only_where_no_operator_computes() -> None:
    (probe, *_) = answer_book(EXERCISES["channel_statistics"], 0).probes.values()
    assert observe(numpy_statistics, probe)["read-outs"] == ["numpy"]
    assert observe(listed_statistics, probe)["read-outs"] == []
