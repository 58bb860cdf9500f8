"""Row 22: honest work that looks odd. Every one of these earns all that it solves."""

from __future__ import annotations

from .attack import SOME, Attack, code


def beside(name: str, story: str, first: str = "", **options: object) -> Attack:
    """Exercises as in the lesson, and something odd beside them."""
    return Attack(name, 22, story, **{"solves": SOME, "first": code(first), **options})  # type: ignore[arg-type]


def own(name: str, story: str, **answers: str) -> Attack:
    """One exercise in other words, some as in the lesson."""
    rest = tuple(each for each in SOME if each not in answers)
    texts = {each: code(text) for each, text in answers.items()}
    return Attack(name, 22, story, solves=rest, answers=texts, earns=tuple(answers))


EVAL = "def batch_norm_eval(x, running_mean, running_var, weight, bias, eps=1e-5):"
RIGHT = "return weight * (x - running_mean) / torch.sqrt(running_var + eps) + bias"

_LOUD = (
    beside(
        "warnings",
        "warnings and text on stderr, in cells of its own",
        """
        import logging, sys, warnings
        warnings.warn("a warning")
        print("on stderr", file=sys.stderr)
        logging.warning("a line of a log")
    """,
    ),
    own(
        "loud-function",
        "prints, warns and writes to stderr inside a tested function",
        batch_norm_eval=f"""
        import os, sys, warnings
        {EVAL}
            print("shape", x.shape)
            print("careful", file=sys.stderr)
            os.write(2, b"from below")
            warnings.warn("numbers ahead")
            {RIGHT}
    """,
    ),
    beside(
        "plots",
        "plots, and shows tables and pictures",
        """
        from IPython.display import HTML, Markdown, display
        plt.plot([1, 2, 3])
        plt.show()
        fig, ax = plt.subplots()
        display(HTML("<b>table</b>"), Markdown("**text**"), fig)
        torch.arange(3)
    """,
    ),
    beside(
        "progress-bar",
        "a progress bar in text and one as a widget",
        """
        import tqdm, tqdm.notebook
        for _ in tqdm.tqdm(range(3)): pass
        for _ in tqdm.notebook.tqdm(range(3)): pass
    """,
    ),
    beside(
        "shell",
        "magics and commands of the shell",
        """
        %matplotlib inline
        !echo hello
        files = !ls
        %time x = 1
        %timeit -n 1 -r 1 x + 1
    """,
    ),
    own(
        "timed-cell",
        "a solution cell that begins with %%time",
        batch_norm_eval=f"%%time\n{EVAL}\n    {RIGHT}",
    ),
    beside(
        "debugging",
        "leaves breakpoints off, pdb and doctest imported, and asks for help",
        """
        import doctest, pdb
        help(max)
        max?
        %pinfo max
    """,
    ),
    beside(
        "await",
        "await at the top of a cell",
        """
        import asyncio
        await asyncio.sleep(0)
        async def later(): return 3
        print(await later())
    """,
    ),
)

_SLOW = (
    own(
        "slow",
        "slow but right: a tenth of a second each time",
        batch_norm_eval=f"""
        import time
        {EVAL}
            time.sleep(0.1)
            {RIGHT}
    """,
    ),
    own(
        "slow-loops",
        "right, number by number in Python",
        batch_norm_eval=f"""
        {EVAL}
            rows = []
            for row in x:
                rows.append(torch.stack([
                    weight[c] * (row[c] - running_mean[c]) / (running_var[c] + eps) ** 0.5 + bias[c]
                    for c in range(len(row))
                ]))
            return torch.stack(rows)
    """,
    ),
    beside(
        "slow-cell",
        "a cell of its own that computes for two seconds",
        """
        import time
        end = time.time() + 2
        while time.time() < end: torch.randn(100, 100) @ torch.randn(100, 100)
    """,
    ),
)

ATTACKS = _LOUD + _SLOW
