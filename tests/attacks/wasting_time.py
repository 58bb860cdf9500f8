"""Row 10: loops that never end."""

from __future__ import annotations

from .attack import ALL, SOME, Attack, code
from .exhausting import in_a_cell, in_a_function

TOO_LONG = r"Stopped after|stopped after|ran longer"

_LOOPS = {
    "loop": ("a loop that never ends", "while True: pass"),
    "stubborn-loop": (
        "a loop that swallows every exception, KeyboardInterrupt too",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    ),
    "deaf-loop": (
        "a loop that ignores and blocks signals",
        """
        import signal
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
        while True: pass
        """,
    ),
    "loop-in-c": (
        "a loop in C that never lets go of the interpreter",
        "import itertools\nsum(itertools.repeat(0))",
    ),
    "sleep": ("sleeps for ever", "import time\ntime.sleep(10**6)"),
    "deadlock": (
        "waits for itself",
        "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    ),
    "stopped-clock": (
        "stops the clock by which it could be measured, and its timers",
        """
        import signal, time
        time.time = time.monotonic = time.perf_counter = lambda: 0.0
        signal.setitimer = signal.alarm = signal.signal = lambda *args: None
        while True: pass
        """,
    ),
}

_TIME = (
    *(in_a_cell(10, name, story, text, TOO_LONG) for name, (story, text) in _LOOPS.items()),
    *(in_a_function(10, name, story, text, TOO_LONG) for name, (story, text) in _LOOPS.items()),
    Attack(
        "slow-everywhere",
        10,
        "every tested function sleeps a little less than a check's time",
        says=TOO_LONG,
        answers={name: f"import time\ndef {name}(*args, **kwargs):\n    time.sleep(4.5)" for name in ALL},
    ),
    *(
        kind(
            10,
            "starves-itself",
            "starts busy processes, so that it waits for a processor and its clock stands still, and loops",
            """
            import os
            for _ in range(30):
                if os.fork() == 0:
                    while True: pass
            while True: pass
            """,
            TOO_LONG,
        )
        for kind in (in_a_cell, in_a_function)
    ),
    Attack(
        "loop-in-every-cell",
        10,
        "a loop that never ends in every cell",
        says=TOO_LONG,
        answers=dict.fromkeys(ALL, "while True: pass"),
    ),
    Attack(
        "loop-at-exit",
        10,
        "a loop that never ends when the process is asked to end",
        solves=SOME,
        last="import atexit\ndef forever():\n    while True: pass\natexit.register(forever)",
    ),
    in_a_function(
        10,
        "loop-in-an-error",
        "an error whose text never ends",
        """
        class Endless(Exception):
            def __str__(self):
                while True: pass
        raise Endless
    """,
        TOO_LONG,
    ),
    Attack(
        "loop-when-looked-at",
        10,
        "a class whose attributes never end",
        solves=SOME,
        says=TOO_LONG,
        answers={
            "pca_whiten": code("""
            class Endless:
                def __getattribute__(self, name):
                    while True: pass
                def __call__(self, *args): pass
            pca_whiten = Endless()
        """)
        },
    ),
)

ATTACKS = _TIME
