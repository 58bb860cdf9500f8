"""Rows 10 and 11: use up time, memory, processes, output or disk.

The bombs stop by themselves (at 4 GB, 300 processes, 300 MB), so that a machine survives a grader that sets
no limits; where one gets that far, it prints its loot.
"""

from __future__ import annotations

from .attack import ALL, SOME, Attack, code

_DEF = "def pca_whiten(train, x, eps=1e-5):\n"


def in_a_cell(row: int, name: str, story: str, text: str, says: str = "") -> Attack:
    """In a cell; others are right."""
    return Attack(
        f"{name}-in-a-cell",
        row,
        f"{story}, in a cell",
        solves=SOME,
        says=says,
        answers={"pca_whiten": code(text)},
    )


def in_a_function(row: int, name: str, story: str, text: str, says: str = "") -> Attack:
    """Inside a tested function; others are right."""
    body = "\n".join(f"    {line}" for line in code(text).splitlines())
    return Attack(
        f"{name}-in-a-function",
        row,
        f"{story}, inside a tested function",
        solves=SOME,
        says=says,
        answers={"pca_whiten": _DEF + body},
    )


_BOMBS = (
    *(
        kind(11, name, story, text, says)
        for name, story, says, text in (
            (
                "memory-bomb",
                "lists until the memory is full",
                "memory|Stopped",
                """
                hoard = []
                for _ in range(40):
                    hoard.append(b"x" * 100_000_000)
                print("LOOT: 4 GB of memory")
            """,
            ),
            (
                "tensor-bomb",
                "tensors until the memory is full",
                "memory|alloc|Stopped",
                """
                hoard = [torch.ones(25_000_000) for _ in range(40)]
                print("LOOT: 4 GB of memory")
            """,
            ),
            (
                "fork-bomb",
                "processes until there are no more",
                "process",
                """
                import os, time
                children = globals().setdefault("children", [])
                while len(children) < 300:
                    try:
                        children.append(os.fork())
                    except OSError:
                        raise RuntimeError("no more processes")
                    if children[-1] == 0:
                        time.sleep(60)
                        os._exit(0)
                print("LOOT: 300 processes")
            """,
            ),
            (
                "thread-bomb",
                "threads until there are no more",
                "",
                """
                import threading
                wait = threading.Event()
                for _ in range(1000):
                    threading.Thread(target=wait.wait, daemon=True).start()
                print("LOOT: 1000 threads")
            """,
            ),
            ("print-bomb", "50 MB of output by print", "", "print('x' * 50_000_000)"),
            (
                "write-bomb",
                "50 MB of output past Python, by os.write(1)",
                "",
                """
                import os
                for _ in range(50):
                    os.write(1, b"x" * 1_000_000)
                    os.write(2, b"x" * 1_000_000)
            """,
            ),
            (
                "display-bomb",
                "50 MB of output by display",
                "",
                """
                from IPython.display import HTML, display
                display(HTML("<b>x</b>" * 6_000_000))
            """,
            ),
            (
                "many-outputs",
                "100,000 small outputs",
                "",
                """
                from IPython.display import display
                for number in range(100_000):
                    display(number)
            """,
            ),
            (
                "disk-bomb",
                "300 MB of files",
                "",
                """
                import tempfile
                for folder in (".", tempfile.gettempdir()):
                    with open(f"{folder}/@TOKEN@", "wb") as file:
                        for _ in range(150):
                            file.write(b"x" * 2_000_000)
                print("LOOT: 300 MB of disk, twice")
            """,
            ),
            (
                "shared-memory-bomb",
                "300 MB of shared memory that nobody frees",
                "",
                """
                import mmap, os
                with open("/dev/shm/@TOKEN@", "wb") as file:
                    for _ in range(150):
                        file.write(b"x" * 2_000_000)
                print("LOOT: 300 MB of shared memory")
            """,
            ),
            (
                "many-files",
                "20,000 empty files",
                "",
                """
                import os
                for number in range(20_000):
                    os.close(os.open(f"file-{number}", os.O_CREAT | os.O_WRONLY))
            """,
            ),
            (
                "open-files-bomb",
                "files opened until there are no more descriptors",
                "",
                """
                import os
                hoard = []
                try:
                    while len(hoard) < 50_000:
                        hoard.append(os.open("/dev/null", os.O_RDONLY))
                    print("LOOT: 50,000 open files")
                except OSError as error:
                    raise RuntimeError(error)
            """,
            ),
            (
                "deep-recursion",
                "recursion until the stack is full",
                "",
                """
                import sys
                sys.setrecursionlimit(10**9)
                def deeper(*args): return deeper(*args)
                deeper()
            """,
            ),
        )
        for kind in (in_a_cell, in_a_function)
    ),
    in_a_function(
        11,
        "huge-answer",
        "an answer of 8 TB that takes no memory until somebody copies it",
        "return torch.zeros(1, dtype=torch.float64).expand(10**6, 10**6)",
    ),
    in_a_function(
        11, "large-answer", "an answer of 800 MB", "return torch.zeros(10**8, dtype=torch.float64)"
    ),
    in_a_function(
        11, "many-answers", "ten million answers where one is expected", "return (0,) * 10_000_000"
    ),
    in_a_function(11, "long-error", "an error with a text of 200 MB", "raise ValueError('x' * 200_000_000)"),
    in_a_function(
        11, "long-name", "an answer whose type has a name of 50 MB", "return type('x' * 50_000_000, (), {})()"
    ),
    Attack(
        "memory-of-many",
        11,
        "forty processes that are small by themselves take 4 GB together",
        solves=SOME,
        says="memory|Stopped",
        answers={
            "pca_whiten": code("""
                import os, time
                reader, writer = os.pipe()
                for _ in range(40):
                    if os.fork() == 0:
                        hoard = b"x" * 100_000_000
                        os.write(writer, b"x")
                        time.sleep(60)
                        os._exit(0)
                held = sum(len(os.read(reader, 1)) for _ in range(40))
                print("LOOT: 4 GB of memory")
            """)
        },
    ),
    Attack(
        "busy-processes",
        11,
        "twenty processes that compute for ever beside the rest of the notebook",
        solves=SOME,
        at_most=True,
        first=code("""
            import os
            for _ in range(20):
                if os.fork() == 0:
                    os.setsid()
                    while True: pass
        """),
    ),
    Attack(
        "output-limit-lifted",
        11,
        "takes the limit off its own output, then prints 30 MB in every cell",
        answers=dict.fromkeys(ALL, "print('x' * 30_000_000)"),
        first=code("""
            import gc, sys
            for each in gc.get_objects():
                if type(each).__name__ == "Collector" and hasattr(each, "limit"):
                    each.limit = sys.maxsize
        """),
    ),
    Attack(
        "many-parameters",
        11,
        "a layer with a hundred thousand parameters",
        solves=SOME,
        answers={
            "GroupNorm": code("""
            class GroupNorm(nn.Module):
                def __init__(self, num_groups, num_channels, eps=1e-5, affine=True):
                    super().__init__()
                    self.all = nn.ParameterList(torch.ones(1) for _ in range(100_000))
                def forward(self, x): return x
        """)
        },
    ),
)

ATTACKS = _BOMBS
