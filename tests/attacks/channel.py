"""Row 15: forged messages between the two halves of this grader.

`autograder.channel` is open source, so an attacker knows the form of its messages, and finds the key in the
memory of a process that is the attacker's own. What may come through all the same is an observation, which
the other side compares with the right numbers.
"""

from __future__ import annotations

from .attack import Attack, code
from .forging import forge


def _message(name: str, story: str, text: str) -> Attack:
    """Changes what is sent, by the channel's own means; nothing happens where there is no such channel."""
    return forge(
        f"channel-{name}",
        story,
        """
        import sys, time
        import autograder.channel
        Channel = sys.modules["autograder.channel"].Channel
        real = Channel.send
        def changed(value, change):
            if isinstance(value, dict):
                return {key: changed(each, change) for key, each in value.items()}
            if isinstance(value, (list, tuple)):
                return [changed(each, change) for each in value]
            return change(value)
    """,
        code(text) + "\nChannel.send = send",
        inside=True,
    )


_MESSAGES = (
    _message(
        "twice",
        "every answer comes twice",
        """
        def send(self, message):
            real(self, message)
            real(self, message)
    """,
    ),
    _message(
        "replayed",
        "the same bytes are sent again, as an answer to the next question",
        """
        def send(self, message):
            stream, sent = self._socket, []
            class Recorder:
                def sendall(self, data): sent.append(data); stream.sendall(data); stream.sendall(data)
                def __getattr__(self, name): return getattr(stream, name)
            self._socket = Recorder()
            real(self, message)
            self._socket = stream
    """,
    ),
    _message(
        "passed",
        "every answer says that it passed, with no error and no delegation",
        """
        def send(self, message):
            value = message[0] if isinstance(message[0], dict) else {}
            report = {"passed": True, "error": None, "delegation": "", "score": 100, "data": {}}
            real(self, ({**value, **report}, message[1]))
    """,
    ),
    _message(
        "late",
        "every answer takes three seconds",
        """
        def send(self, message):
            time.sleep(3)
            real(self, message)
    """,
    ),
    _message(
        "slow-drip",
        "an answer that comes byte by byte",
        """
        def send(self, message):
            stream = self._socket
            class Dripping:
                def sendall(self, data):
                    for byte in data[:2000]:
                        stream.send(bytes([byte]))
                        time.sleep(0.05)
                def __getattr__(self, name): return getattr(stream, name)
            self._socket = Dripping()
            real(self, message)
    """,
    ),
    _message(
        "none",
        "no answer",
        """
        def send(self, message):
            pass
    """,
    ),
    _message(
        "closed",
        "the channel is closed instead of an answer",
        """
        def send(self, message):
            self._socket.close()
    """,
    ),
    _message(
        "half",
        "half an answer, then nothing",
        """
        def send(self, message):
            stream = self._socket
            class Half:
                def sendall(self, data): stream.sendall(data[: len(data) // 2]); time.sleep(10**6)
                def __getattr__(self, name): return getattr(stream, name)
            self._socket = Half()
            real(self, message)
    """,
    ),
    _message(
        "nested",
        "an answer nested 100,000 deep",
        """
        class Nested(str): pass
        import json
        dumps = json.dumps
        def nested(value, *args, **kwargs):
            return "[" * 100_000 + "]" * 100_000
        def send(self, message):
            sys.modules["autograder.channel"].json.dumps = nested
            real(self, message)
    """,
    ),
    _message(
        "nested-some",
        "an answer nested 900 deep, which JSON still reads",
        """
        def send(self, message):
            deep = []
            for _ in range(900): deep = [deep]
            value = message[0]
            value = {**value, **{key: deep for key in value}} if isinstance(value, dict) else deep
            real(self, (value, message[1]))
    """,
    ),
    _message(
        "many-lists",
        "60 MB of empty lists: gigabytes once they are read",
        """
        def send(self, message):
            value = message[0] if isinstance(message[0], dict) else {}
            sys.modules["autograder.channel"].json.dumps = lambda value: "[[" + "[]," * 20_000_000 + "[]],[]]"
            real(self, message)
    """,
    ),
    _message(
        "long-text",
        "every text of an answer is ten thousand times as long",
        """
        def send(self, message):
            real(self, (changed(message[0], lambda v: v * 10_000 if isinstance(v, str) else v), message[1]))
    """,
    ),
    _message(
        "nan",
        "every number of an answer is nan",
        """
        def send(self, message):
            nan = float("nan")
            real(self, (changed(message[0], lambda v: nan if type(v) in (int, float) else v), message[1]))
    """,
    ),
    _message(
        "negative",
        "every number of an answer is negative",
        """
        def send(self, message):
            real(self, (changed(message[0], lambda v: -1 if type(v) in (int, float) else v), message[1]))
    """,
    ),
    _message(
        "huge-numbers",
        "every number of an answer is 10**300",
        """
        def send(self, message):
            real(self, (changed(message[0], lambda v: 10**300 if type(v) in (int, float) else v), message[1]))
    """,
    ),
    _message(
        "wrong-types",
        "every text is a number and every number a text",
        """
        def send(self, message):
            real(self, (changed(message[0], lambda v: 7 if isinstance(v, str) else "seven"), message[1]))
    """,
    ),
    _message(
        "empty",
        "every value of an answer is empty",
        """
        def send(self, message):
            real(self, (changed(message[0], lambda v: None), []))
    """,
    ),
    _message(
        "nothing-inside",
        "an answer of the wrong form altogether",
        """
        def send(self, message):
            real(self, ([], [b""]))
    """,
    ),
    _message(
        "short-buffers",
        "the numbers of every tensor are cut off",
        """
        def send(self, message):
            real(self, (message[0], [each[:-3] for each in message[1]]))
    """,
    ),
    _message(
        "many-buffers",
        "a hundred thousand buffers too many",
        """
        def send(self, message):
            real(self, (message[0], [*message[1], *[b""] * 100_000]))
    """,
    ),
    _message(
        "html",
        "HTML, colours and lone surrogates in every text",
        """
        bad = "<script>steal()</script>\\x1b[31m\\ud800\\x00"
        def send(self, message):
            real(self, (changed(message[0], lambda v: v + bad if isinstance(v, str) else v), message[1]))
    """,
    ),
    _message(
        "more-outputs",
        "a cell with outputs that no notebook can hold",
        """
        bad = [{"output_type": "error"}, {"output_type": "stream", "name": 3, "text": {}}, 7, None,
               {"output_type": "display_data", "data": {"text/html": 3}, "metadata": None}]
        def send(self, message):
            value = message[0]
            if isinstance(value, dict) and "outputs" in value:
                value = {**value, "outputs": bad}
            real(self, (value, message[1]))
    """,
    ),
    _message(
        "key-sent",
        "sends the channel's key and everything that it finds to be read later",
        """
        def send(self, message):
            value = message[0]
            if isinstance(value, dict) and "outputs" in value:
                text = f"key {self._key.hex()}"
                value = {**value, "outputs": [{"output_type": "stream", "name": "stdout", "text": text}]}
            real(self, (value, message[1]))
    """,
    ),
)

_DEAF = Attack(
    "channel-deaf",
    15,
    "never listens again, while a cell of 10 MB is to be sent to it",
    inside=True,
    first=code("""
        import sys, time
        import autograder.channel
        sys.modules["autograder.channel"].Channel.receive = lambda *args: time.sleep(10**6)
    """),
    before={"pca_whiten": "x = '" + "x" * 10_000_000 + "'"},
)

ATTACKS = (*_MESSAGES, _DEAF)
