"""Row 14: code that runs after the tests, or between them."""

from __future__ import annotations

from .attack import Attack, code


def _last(name: str, story: str, text: str, **options: object) -> Attack:
    return Attack(name, 14, story, first=code(text), **options)  # type: ignore[arg-type]


ATTACKS = (
    _last(
        "at-exit",
        "atexit writes results when the process ends",
        """
        import atexit, sqlite3
        def edit():
            with sqlite3.connect("@WORKSPACE@/gradebook.db", timeout=5) as gradebook:
                gradebook.execute("UPDATE grade SET extra_credit = 10")
        atexit.register(edit)
    """,
        sandbox=True,
    ),
    _last(
        "finalizer",
        "__del__ of an object that outlives the tests",
        """
        import sqlite3, sys
        class Late:
            def __del__(self, connect=sqlite3.connect):
                with connect("@WORKSPACE@/gradebook.db", timeout=5) as gradebook:
                    gradebook.execute("UPDATE grade SET extra_credit = 10")
        sys.late = Late()
    """,
        sandbox=True,
    ),
    _last(
        "output-cleared",
        "a thread clears the output of every cell, also of those that failed",
        """
        import threading, time
        from IPython.display import clear_output
        def clear():
            for _ in range(400):
                clear_output()
                time.sleep(0.02)
        threading.Thread(target=clear, daemon=True).start()
    """,
    ),
    _last(
        "output-added",
        "a thread adds results to every cell that runs later",
        """
        import threading, time
        from IPython.display import display
        report = {"exercise": "pca_whiten", "hidden": False, "passed": True, "aspects": []}
        def add():
            for _ in range(100):
                display({"application/vnd.autograder.check+json": report, "text/plain": "passed"}, raw=True)
                time.sleep(0.05)
        threading.Thread(target=add, daemon=True).start()
    """,
    ),
    _last(
        "not-a-daemon",
        "a thread that is no daemon and never ends",
        """
        import threading, time
        def forever():
            while True: time.sleep(1)
        threading.Thread(target=forever).start()
    """,
    ),
    _last(
        "survivor",
        "a process in a session of its own that outlives the grading",
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(300)
            os._exit(0)
    """,
    ),
    _last(
        "survivor-program",
        "a program in the background: a miner, say",
        """
        import subprocess
        subprocess.Popen(["sleep", "300"], start_new_session=True)
    """,
    ),
    _last(
        "pool",
        "a pool of processes that nobody closes",
        """
        import multiprocessing
        pool = multiprocessing.get_context("fork").Pool(3)
    """,
    ),
)
