"""A check without torch, in its two halves, for a tiny course whose tests are judged out of reach."""

from __future__ import annotations

from pathlib import Path

import tiny_course as tiny

MODULE = '''
"""Compare function(x) with 2 * x for a few numbers that come from the seed."""

MIME = "application/vnd.autograder.check+json"


def check(ask, exercise, student, group="small", *, hidden=False, seed=0, diagnose=True, memory=None):
    numbers = [seed % 1000 + n for n in range(3)] if hidden else [1, 3]
    answer, buffers = ask(student.name, ({"numbers": numbers}, [b"raw"]))
    wrong = [n for n, got in zip(numbers, answer["values"]) if got != 2 * n]
    message = "" if not wrong else f"The result for {wrong[0]} is wrong."
    report = {"exercise": exercise, "group": group, "hidden": hidden, "passed": not wrong,
              "aspects": [{"name": "values", "passed": not wrong}], "symptom": "value" if wrong else None,
              "misconception": None, "message": message, "section": "1.1 Doubling"}
    error = {"ename": "CheckFailed", "evalue": message, "traceback": [message]} if wrong else None
    delegation = "This is operator.mul." if "mul" in answer["called"] else ""
    return {"data": {MIME: report, "text/plain": str(numbers)}, "error": error, "delegation": delegation}


def observe(function, request):
    header, buffers = request
    values = [function(n) for n in header["numbers"]]
    return {"values": values, "called": list(getattr(function, "__code__", None).co_names)}, buffers
'''

SETTINGS = """
check = "tiny_checks:check"
observe = "tiny_checks:observe"
check_timeout = 2
memory_megabytes = 300
"""

FIRST = "def check(*_, **__):\n    raise RuntimeError('the tests are not judged here')"


def make_course(root: Path, settings: str = "") -> tiny.Course:
    """The tiny course, with tests of `double` that are made of checks."""
    (root / "tiny_checks.py").write_text(MODULE)
    notebook = tiny.source_notebook()
    notebook.cells[1].source = FIRST
    hidden = "### BEGIN HIDDEN TESTS\ncheck('double', double, 'small', hidden=True)\n### END HIDDEN TESTS"
    tiny.answer(
        notebook,
        **{
            "double-small": f"check('double', double, 'small')\n{hidden}",
            "double-text": "check('double', double, 'text')",
        },
    )
    return tiny.make_course(root, notebook, SETTINGS + settings)
