"""A network as plain data: what is recorded, what a replay gives, and what neither accepts."""

from __future__ import annotations

import json

import pytest
import torch
from right_answers import capstone as answers
from torch import Tensor, nn
from torch.nn import functional as F

from course.capstone import build_model
from course.checks.probes import computation
from course.checks.probes.computation import Recording, Unrecordable, record, replay

NETWORKS = {
    "reference": build_model,
    "LeNet": answers.build_lenet,
    "ResNet": answers.build_resnet,
    "depthwise": answers.build_depthwise,
    "ensemble": lambda: answers.Ensemble([build_model(), answers.build_lenet()]),
    "recurrent": lambda: Recurrent(),
}


class Recurrent(nn.Module):
    """A convolution, an LSTM over the rows, attention, PReLU."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, padding=1)
        self.bend = nn.PReLU(4)
        self.rows = nn.LSTM(32, 8, batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        rows = self.bend(self.convolution(x)).permute(0, 2, 1, 3).flatten(2)
        states, _ = self.rows(rows)
        return self.head((states + self.attention(states, states, states)[0]).mean(1)).log_softmax(-1)


def pictures(n: int, seed: int = 0) -> Tensor:
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_replay_gives_what_the_network_gives_on_other_pictures(name):
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    recording, _ = record(network, pictures(8))
    other = pictures(21, seed=1)
    with torch.no_grad():
        expected = network(other).double()
    torch.testing.assert_close(replay(recording, other), expected, rtol=1e-4, atol=1e-5)


def test_numbers_are_counted_wherever_they_are_kept():
    table = torch.randn(10, 64)
    inside = nn.Linear(64, 10)

    class Net(nn.Module):
        def forward(self, x):
            flat = x.flatten(1)
            return inside(flat) + flat @ table.T + F.linear(flat, self.plain)

    net = Net().eval()
    net.plain = torch.randn(10, 64)
    recording, _ = record(net, pictures(3))
    assert recording.numbers == 3 * 640 + 10


def test_a_shared_parameter_is_counted_once():
    layer = nn.Conv2d(1, 1, 3, padding=1)
    recording, _ = record(nn.Sequential(layer, layer, layer).eval(), pictures(3))
    assert recording.numbers == 9  # and a bias, which is a single number


def test_work_that_is_no_operator_does_not_count():
    class Elsewhere(nn.Module):
        def forward(self, x):
            return torch.tensor([[sum(row)] * 10 for row in x.flatten(1).tolist()])

    recording, _ = record(Elsewhere(), pictures(4))
    assert recording.output == -1
    with pytest.raises(Unrecordable, match="does not depend on the pictures"):
        replay(recording, pictures(4))


def test_the_numbers_of_a_tensor_cannot_decide_what_runs():
    class Fickle(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10] * (2 if x.sum() > 3 else 1)

    with pytest.raises(Unrecordable, match="_local_scalar_dense"):
        record(Fickle(), pictures(4))


def test_no_tensor_is_an_error_of_its_own():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    with pytest.raises(TypeError, match="tuple"):
        record(Pair(), pictures(2))


def forged(
    *lines: str, output: int = 1, size: int = 2, constants: dict[int, Tensor] | None = None
) -> Recording:
    return Recording([*lines], constants or {}, output, size)


def line(name: str, *arguments: object) -> str:
    return json.dumps([name, [*arguments], {}, [1]])


X = {"tensor": 0}


@pytest.mark.parametrize(
    "recording",
    [
        forged(),
        forged("not json"),
        forged("[]"),
        forged("3"),
        forged('{"a": 1}'),
        forged(line("from_file.default", "/etc/passwd", False, 10)),
        forged(line("relu.nothing", X)),
        forged(line("relu.__class__", X)),
        forged(line("relu.default", {"tensor": 7})),
        forged(line("relu.default", {"dtype": "object"})),
        forged(line("relu.default", {})),
        forged(line("zeros.default", [10**6, 10**6])),
        forged(line("arange.default", 10**15)),
        forged(line("expand.default", X, [10**5, 2, 10**5, 8])),
        forged(line("repeat.default", X, [10**3, 10**3, 10, 10])),
        forged(line("constant_pad_nd.default", X, [10**9, 10**9])),
        forged(line("view.default", X, [3])),
        forged(line("sum.default", X)),
        forged(line("relu.default", X), output=5),
        forged(line("relu.default", X), size=5),
        forged(line("relu.default", X), output=-1),
        forged(*[line("relu.default", X)] * (computation.MOST_OPERATORS + 1)),
        forged(line("relu.default", X), constants={2: torch.zeros(computation.MOST_NUMBERS + 1)}),
    ],
)
def test_a_forged_recording_is_refused(recording):
    with pytest.raises(Unrecordable):
        replay(recording, pictures(3))


def test_too_much_work_is_refused_before_it_is_done():
    weight = torch.zeros(200, 200, 3, 3)
    lines = [json.dumps(["zeros.default", [[2, 200, 100, 100]], {}, [1]])]
    convolve = [
        "convolution.default",
        [{"tensor": 1}, {"tensor": 2}, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1],
    ]
    lines += [json.dumps([*convolve, {}, [1]])] * 20
    with pytest.raises(Unrecordable, match="too much"):
        replay(Recording(lines, {2: weight}, 1, 2), pictures(2))


def test_a_dropout_that_was_left_on_is_as_random_in_the_replay():
    class Net(nn.Module):
        def forward(self, x):
            return F.dropout(x.flatten(1), 0.5)

    recording, _ = record(Net(), pictures(4))
    assert not computation.RANDOM.isdisjoint(recording.names)
    assert (replay(recording, pictures(4)) == 0).any()


def test_a_replay_finds_nothing_in_memory_that_was_not_written():
    lines = [["empty.memory_format", [[2, 50_000]], {}, [1]], ["sum.default", [{"tensor": 0}], {}, [2]]]
    lines.append(["add.Tensor", [{"tensor": 1}, {"tensor": 2}], {}, [3]])
    zeros = torch.zeros(2, 1, 8, 8)
    for _ in range(3):
        torch.full((2, 50_000), 7.0)  # what another computation leaves behind
        recording = Recording([json.dumps(line) for line in lines], {}, 3, 2)
        assert not replay(recording, zeros).any()
