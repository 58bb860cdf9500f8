"""The channel to a student's process: whole messages, from its other end, in order, in time; or an error."""

import json
import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.channel import Channel, ChannelClosed, ChannelError, ChannelTimeout

KEY = b"k" * 32
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    judge, child = Channel(one, KEY, judge=True, limit=100_000), Channel(other, KEY, judge=False)
    yield judge, child
    judge.close()
    child.close()


@given(JSON, st.lists(st.binary(max_size=200), max_size=4))
def test_a_message_arrives_as_it_was_sent(value, buffers):
    one, other = socket.socketpair()
    judge, child = Channel(one, KEY, judge=True), Channel(other, KEY, judge=False)
    child.send((value, buffers))
    assert judge.receive(5) == (value, buffers)
    judge.close()
    child.close()


def test_large_buffers_pass_in_both_directions(ends):
    judge, child = ends
    large = bytes(90_000)
    sender = threading.Thread(target=child.send, args=((["x"], [large]),))
    sender.start()
    assert judge.receive(5) == (["x"], [large])
    sender.join()
    judge.send(("back", []))
    assert child.receive(5) == ("back", [])


def frame(key=KEY, judge=False, message=("forged", [])):
    """The bytes of one frame, made by a channel of its own."""
    one, other = socket.socketpair()
    channel = Channel(one, key, judge=judge)
    channel.send(message)
    data = other.recv(65536)
    channel.close()
    other.close()
    return data


@pytest.mark.parametrize(
    "data",
    [
        b"printed by accident, and long enough to be a head of a frame",
        struct.pack(">Q", 2**40),
        struct.pack(">Q", 3) + b"abc",
        json.dumps({"passed": True}).encode() * 10,
        frame(key=b"another key" + bytes(21)),
        frame(judge=True),
    ],
    ids=["text", "too long", "too short", "json", "another key", "the other direction"],
)
def test_what_the_other_end_did_not_make_is_refused(data):
    one, other = socket.socketpair()
    judge = Channel(one, KEY, judge=True)
    other.sendall(data)
    other.shutdown(socket.SHUT_WR)
    with pytest.raises(ChannelError):
        judge.receive(5)
    judge.close()
    other.close()


def test_a_frame_that_is_sent_twice_is_refused():
    one, other = socket.socketpair()
    judge = Channel(one, KEY, judge=True)
    other.sendall(frame() * 2)
    assert judge.receive(5) == ("forged", [])
    with pytest.raises(ChannelError, match="did not make"):
        judge.receive(5)
    judge.close()
    other.close()


@pytest.mark.parametrize("text", [b"[1", b"[1, [5]]", b'[1, ["5"]]', b"[1, [-1]]", b"{}", b"[" * 100_000])
def test_an_authentic_frame_may_still_hold_nonsense(text):
    one, other = socket.socketpair()
    judge, child = Channel(one, KEY, judge=True), Channel(other, KEY, judge=False)
    tag = child._tag(b"child", 0, text, [])
    other_end = struct.pack(">Q16sI", 20 + len(text), tag, len(text)) + text
    sender = threading.Thread(target=other.sendall, args=(other_end,))
    sender.start()
    with pytest.raises(ChannelError, match="not well formed"):
        judge.receive(5)
    sender.join()
    judge.close()
    child.close()


def test_a_frame_over_the_limit_is_refused_before_it_is_read(ends):
    judge, child = ends
    threading.Thread(target=child.send, args=((None, [bytes(200_000)]),), daemon=True).start()
    with pytest.raises(ChannelError, match="limit is 100000"):
        judge.receive(5)


def test_waiting_has_an_end(ends):
    judge, _ = ends
    with pytest.raises(ChannelTimeout):
        judge.receive(0.05)


def test_half_a_frame_does_not_hold_the_reader(ends):
    judge, child = ends
    child._socket.sendall(struct.pack(">Q", 100) + b"x")
    with pytest.raises(ChannelTimeout):
        judge.receive(0.05)


def test_who_waits_can_look_around(ends):
    judge, _ = ends
    seen = []
    with pytest.raises(ChannelTimeout):
        judge.receive(0.35, while_waiting=lambda: seen.append(1))
    assert len(seen) >= 2


def test_a_closed_end_is_noticed(ends):
    judge, child = ends
    child.close()
    with pytest.raises(ChannelClosed):
        judge.receive(5)


def test_who_does_not_read_does_not_hold_the_sender(ends):
    judge, _ = ends
    with pytest.raises(ChannelTimeout):
        judge.send((None, [bytes(50_000_000)]), 0.2)


def test_json_has_a_limit_of_its_own():
    one, other = socket.socketpair()
    judge, child = Channel(one, KEY, judge=True, text_limit=1000), Channel(other, KEY, judge=False)
    child.send(("x" * 2000, []))
    with pytest.raises(ChannelError, match="bytes of JSON"):
        judge.receive(5)
    judge.close()
    child.close()
