"""Row 5: the gradebook is edited while grading runs."""

from __future__ import annotations

from .attack import Attack, code

_EDIT = """
    import pathlib, sqlite3

    def edit(path):
        with sqlite3.connect(path, timeout=5) as gradebook:
            gradebook.execute("UPDATE grade SET manual_score = 9, needs_manual_grade = 0")
            gradebook.execute("UPDATE grade SET extra_credit = 10")
"""


def _edit(name: str, story: str, text: str) -> Attack:
    return Attack(name, 5, story, first=code(_EDIT) + "\n\n" + code(text), sandbox=True)


_GRADEBOOK = (
    _edit(
        "gradebook-edited",
        "opens gradebook.db, whose path it knows, and raises its scores",
        """
        edit("@WORKSPACE@/gradebook.db")
    """,
    ),
    _edit(
        "gradebook-found",
        "looks for gradebook.db upwards from the current folder",
        """
        for folder in pathlib.Path.cwd().parents:
            if (folder / "gradebook.db").is_file():
                edit(folder / "gradebook.db")
    """,
    ),
    _edit(
        "gradebook-by-thread",
        "a thread edits the gradebook while the tests run",
        """
        import threading, time
        def again_and_again():
            for _ in range(40):
                time.sleep(0.25)
                edit("@WORKSPACE@/gradebook.db")
        threading.Thread(target=again_and_again, daemon=True).start()
    """,
    ),
    _edit(
        "gradebook-by-daemon",
        "a process of its own session edits the gradebook afterwards",
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for _ in range(40):
                    time.sleep(0.25)
                    try:
                        edit("@WORKSPACE@/gradebook.db")
                    except sqlite3.Error:
                        pass
            os._exit(0)
    """,
    ),
    Attack(
        "gradebook-replaced",
        5,
        "puts an older gradebook in the place of the new one",
        sandbox=True,
        first=code("""
            import os, shutil
            shutil.copy("@WORKSPACE@/gradebook.db", "@WORKSPACE@/@TOKEN@.db")
            print("LOOT: a copy of the gradebook")
        """),
    ),
)

ATTACKS = _GRADEBOOK
