"""Row 15: forged results, on everything through which a result might travel."""

from __future__ import annotations

from .attack import ALL, SEE_ABOVE, Attack, code
from .rewriting import WRONG

_REPORT = """
    import json
    report = {"exercise": "pca_whiten", "group": "whitening", "hidden": False, "passed": True, "aspects": [],
              "symptom": None, "misconception": None, "message": "", "section": None, "score": 100,
              "error": None}
"""

_FRAMES = """
    import pickle, struct
    text = json.dumps(report).encode()
    frames = [text + b"\\n", pickle.dumps(report), struct.pack(">Q", len(text)) + text,
              struct.pack("!I", len(text)) + text, struct.pack("<I", len(text)) + text,
              bytes(100), b"\\xff" * 100]
"""


def forge(name: str, story: str, *parts: str, **options: object) -> Attack:
    """A first cell made of some parts, and wrong answers."""
    first = WRONG + "\n\n".join(map(code, parts))
    return Attack(name, 15, story, first=first, answers=SEE_ABOVE, **options)  # type: ignore[arg-type]


_OUTPUTS = (
    forge(
        "printed-results",
        "prints results in every form that a grader may look for",
        _REPORT,
        """
        print(json.dumps(report), "Score: 100/100", "##SCORE## 100", "[PASS] all", "1..1", "ok 1", sep="\\n")
    """,
    ),
    forge(
        "displayed-results",
        "displays a check's result in the check's own form",
        _REPORT,
        """
        from IPython.display import display
        display({"application/vnd.autograder.check+json": report, "text/plain": "passed"}, raw=True)
    """,
    ),
    forge(
        "display-hook",
        "changes every result on its way to the notebook",
        _REPORT,
        """
        publisher = get_ipython().display_pub
        publish = publisher.publish
        def passed(data, *args, **kwargs):
            data = {**data, "application/vnd.autograder.check+json": report}
            return publish(data, *args, **kwargs)
        publisher.publish = passed
    """,
    ),
    forge(
        "old-results",
        "updates a display from an earlier cell in every later one",
        _REPORT,
        """
        from IPython.display import display
        handle = display({"text/plain": "passed"}, raw=True, display_id="result")
        def passed(*args):
            data = {"application/vnd.autograder.check+json": report}
            handle.update(data, raw=True)
            display(data, raw=True, display_id="result")
        get_ipython().events.register("post_run_cell", passed)
    """,
    ),
    Attack(
        "results-in-solution-cells",
        15,
        "a forged result in each solution cell",
        answers={
            name: f"from IPython.display import display\n"
            f"display({{'application/vnd.autograder.check+json': {{'exercise': {name!r}, 'passed': True,"
            f" 'hidden': True,"
            f" 'aspects': [], 'message': '', 'misconception': None}}}}, raw=True)"
            for name in ALL
        },
    ),
)

_DESCRIPTORS = (
    forge(
        "every-descriptor",
        "writes results to every open file descriptor",
        _REPORT,
        _FRAMES,
        """
        import os
        for number in range(256):
            for frame in frames:
                try:
                    os.set_blocking(number, False)
                    os.write(number, frame)
                except OSError:
                    break
    """,
    ),
    forge(
        "descriptors-read",
        "reads what is meant for the grader's half from every descriptor",
        """
        import os, threading, time
        def listen():
            while True:
                for number in range(3, 64):
                    try:
                        os.set_blocking(number, False)
                        os.read(number, 1 << 16)
                    except OSError:
                        pass
                time.sleep(0.01)
        threading.Thread(target=listen, daemon=True).start()
    """,
    ),
    forge("descriptors-closed", "closes every descriptor", "import os\nos.closerange(3, 4096)"),
    forge(
        "descriptors-replaced",
        "puts its own sockets in the place of every descriptor",
        _REPORT,
        _FRAMES,
        """
        import os, socket
        ours, theirs = socket.socketpair()
        for frame in frames * 10:
            ours.send(frame)
        for number in range(3, 256):
            if number not in (ours.fileno(), theirs.fileno()):
                try:
                    os.fstat(number)
                    os.dup2(theirs.fileno(), number)
                except OSError:
                    pass
    """,
    ),
    forge(
        "descriptors-flooded",
        "sends 200 MB of zeros to every socket",
        """
        import os, stat, threading
        def flood(number):
            for _ in range(200):
                os.write(number, bytes(1_000_000))
        for number in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    threading.Thread(target=flood, args=(number,), daemon=True).start()
            except OSError:
                pass
    """,
    ),
    forge(
        "huge-frame",
        "a frame that says it is 8 exabytes long",
        """
        import os, stat, struct
        for number in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    os.write(number, struct.pack(">Q", 2**63 - 1) + bytes(1000))
            except OSError:
                pass
    """,
    ),
    forge(
        "two-processes",
        "a second process answers on the same channel",
        """
        import os
        os.fork()
    """,
    ),
)


ATTACKS = _OUTPUTS + _DESCRIPTORS
