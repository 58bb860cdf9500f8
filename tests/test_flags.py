"""Flags: what a submission says that no exercise needs, and which submissions agree more than is usual."""

import ast
import inspect
import io
import json
import random
import subprocess
import sys
import tokenize
from pathlib import Path

import numpy as np
import pytest
from independent_answers import answers
from right_answers import RIGHT

from autograder.config import find_course
from autograder.flags import Flag
from autograder.flags import tokens as tokens_module
from autograder.flags.cells import given_texts, own_cells
from autograder.flags.fingerprints import Fingerprints, fingerprint, know, package_texts
from autograder.flags.page import flagged_views, pair_views
from autograder.flags.pairs import Pair, similar_pairs
from autograder.flags.reading import Reading, statements
from autograder.flags.similarity import matches
from autograder.flags.source import Lesson, scan
from autograder.flags.tokens import tokens
from autograder.notebooks import grade_id, is_graded, is_solution, read_notebook
from autograder.pages import _environment
from autograder.solve import unsolved
from course.checks import EXERCISES, batch_norm
from demo import sample_class
from demo.classes import CLASSES
from demo.sample_class import ANSWERS, PROJECT, own_answers
from demo.students import Student

LESSON = "03_batch_norm"
PLAIN = "def scale(x):\n    mean = x.mean(0)\n    return (x - mean) / x.std(0, unbiased=False)"
RENAMED = '''
# my own idea
def scale(values):
    """Another text."""
    m = values.mean(
        0)
    return (values - m) / values.std(0, unbiased=False)  # done
'''


@pytest.fixture(scope="module")
def lesson():
    """The project's lesson as students get it: (release, its code and solution that everybody has)."""
    source = unsolved(read_notebook(find_course(PROJECT).source_notebook(LESSON)))
    given = [*given_texts(source), *package_texts("course")]
    release = unsolved(read_notebook(find_course(PROJECT).source_notebook(LESSON)))
    for cell in release.cells:
        if is_solution(cell) and cell.cell_type == "code":
            cell.source = "raise NotImplementedError"
    return release, know(given)


@pytest.fixture(scope="module")
def given(lesson):
    return lesson[1]


class Disguise(ast.NodeTransformer):
    """Another student's work with new names, other docstrings, other order and lines that do nothing."""

    def __init__(self, text: str, seed: int, dead: float) -> None:
        self.random = random.Random(seed)
        self.dead = dead
        nodes = list(ast.walk(ast.parse(text)))
        own = {node.arg for node in nodes if isinstance(node, ast.arg)}
        own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        self.names = {name: f"{name[::-1]}_{self.random.randrange(9)}" for name in own - {"self"}}

    def visit_Name(self, node):
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node):
        node.arg = self.names.get(node.arg, node.arg)
        return node

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        body = [ast.Expr(ast.Constant("I wrote this."))]
        for statement in node.body:
            if self.random.random() < self.dead:
                body += ast.parse(self.random.choice(["k = 0", "pass", "unused = [3]", "assert True"])).body
            body.append(statement)
        node.body = body
        return node

    def visit_ClassDef(self, node):
        self.generic_visit(node)
        self.random.shuffle(node.body)
        return node


def disguised(texts: dict[str, str], seed: int = 0, dead: float = 0.15) -> dict[str, str]:
    """All answers of a student, as a copyist hands them in."""
    return {
        name: "# mine\n"
        + ast.unparse(ast.fix_missing_locations(Disguise(text, seed, dead).visit(ast.parse(text))))
        for name, text in texts.items()
    }


_FINGERPRINTS: dict[int, Fingerprints] = {}


def class_of(number: int, given) -> dict[str, Fingerprints]:
    """Students who never met."""
    for seed in range(len(_FINGERPRINTS), number):
        _FINGERPRINTS[seed] = fingerprint(answers(seed), given)
    return {f"student{seed:03}": _FINGERPRINTS[seed] for seed in range(number)}


def found(fingerprints: dict[str, Fingerprints]) -> list[tuple[str, str, str]]:
    return [(match.first, match.second, match.exercise) for match in matches(fingerprints)]


# --- Tokens -------------------------------------------------------------------------------------------------


def test_new_names_comments_and_line_breaks_change_no_token():
    assert [text for text, _, _ in tokens(PLAIN)] == [text for text, _, _ in tokens(RENAMED)]


def test_what_carries_the_computation_stays():
    text = [
        text for text, _, _ in tokens("y = torch.softmax(x, dim=1) if self.scale(x) else F.relu(3.5 * x)")
    ]
    assert {".softmax", "dim=", "1", "if", "else", "*", "number", ".relu"} <= set(text)
    assert not {"y", "x", "torch", "F"} & set(text)


@pytest.mark.parametrize("path", sorted((PROJECT / "autograder").glob("*.py")), ids=lambda path: path.stem)
def test_text_is_cut_as_python_cuts_it(path: Path):
    kinds = (tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING)
    text = path.read_text(encoding="utf-8")
    if sys.version_info >= (3, 12):
        pytest.skip("from 3.12 on, Python cuts f-strings into parts")
    wanted = [
        each.string for each in tokenize.generate_tokens(io.StringIO(text).readline) if each.type in kinds
    ]
    cut = [each[each.lastgroup] for each in tokens_module._LEXEME.finditer(text)]
    assert [each for each in cut if each.strip() and not each.startswith(("#", "\\"))] == wanted


@pytest.mark.parametrize(
    "text", ["def f(:\n  return (x", "'''never closed", '"a\\', "x = [1,\ndef g():\n  pass", "%%bash"]
)
def test_broken_text_has_tokens_too(text: str):
    tokens(text)


# --- Fingerprints -------------------------------------------------------------------------------------------


def test_names_count_for_the_wording_only():
    cells = {
        "plain": fingerprint({"a": PLAIN * 3}, know([])),
        "renamed": fingerprint({"a": RENAMED * 3}, know([])),
    }
    assert cells["plain"].structure.tolist() == cells["renamed"].structure.tolist() != []
    assert not set(cells["plain"].wording["a"].tolist()) & set(cells["renamed"].wording["a"].tolist())


def test_which_name_stands_where_counts():
    swapped = PLAIN.replace("(x - mean)", "(mean - x)")
    plain, other = (fingerprint({"a": text}, know([])).structure.tolist() for text in (PLAIN, swapped))
    assert plain != other


def test_what_everybody_has_leaves_no_fingerprint():
    one = fingerprint({"a": RENAMED}, know([PLAIN]))
    assert len(one.structure) == len(one.wording["a"]) == 0


def test_a_shared_passage_is_found_wherever_it_stands():
    first, second = (
        fingerprint({"a": text}, know([])) for text in (answers(1)["BatchNorm2d"], answers(2)["LayerNorm"])
    )
    both = fingerprint({"b": answers(2)["LayerNorm"] + "\n" + answers(1)["BatchNorm2d"]}, know([]))
    for one in (first, second):
        assert np.isin(one.structure, both.structure).mean() > 0.9


def test_fingerprints_survive_as_json():
    one = fingerprint(answers(1), know([]))
    again = Fingerprints.from_json(json.loads(json.dumps(one.to_json())))
    assert again.structure.tolist() == one.structure.tolist()
    assert {name: each.tolist() for name, each in again.wording.items()} == {
        name: each.tolist() for name, each in one.wording.items()
    }


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"structure": "?", "wording": {}},
        {"structure": "", "wording": []},
        {"structure": 3, "wording": {}},
    ],
)
def test_damaged_fingerprints_are_refused(data):
    with pytest.raises(ValueError, match="no fingerprints"):
        Fingerprints.from_json(data)


def test_fingerprints_are_the_same_in_every_process():
    code = f"""from autograder.flags.fingerprints import *
print(fingerprint({{'a': {PLAIN!r}}}, know([])).to_json())"""
    command = [sys.executable, "-c", code]
    printed = {
        subprocess.run(
            command, env={"PYTHONHASHSEED": seed}, cwd=PROJECT, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert printed == {f"{fingerprint({'a': PLAIN}, know([])).to_json()}\n"}


# --- Similar pairs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 5, 30, 120])
def test_students_who_never_met_are_not_named(number: int, given):
    assert found(class_of(number, given)) == []


@pytest.mark.parametrize("number", [2, 5, 30, 120])
@pytest.mark.parametrize("dead", [0.0, 0.15])
def test_a_disguised_copy_is_named(number: int, dead: float, given):
    students = class_of(number, given)
    students["zoe"] = fingerprint(disguised(answers(1), dead=dead), given)
    assert found(students) == [("student001", "zoe", "")]


def test_one_answer_handed_on_as_it_is_is_named(given):
    students = class_of(30, given)
    students["zoe"] = fingerprint({**answers(99), "BatchNorm1d": answers(1)["BatchNorm1d"]}, given)
    assert found(students) == [("student001", "zoe", "BatchNorm1d")]


def test_of_a_group_everyone_is_named_with_the_nearest(given):
    students = class_of(30, given)
    for name, seed in (("xena", 1), ("yuri", 2), ("zoe", 3)):
        students[name] = fingerprint(disguised(answers(1), seed, dead=0.05), given)
    pairs = found(students)
    assert len(pairs) == 3
    assert {name for first, second, _ in pairs for name in (first, second)} == {
        "student001",
        "xena",
        "yuri",
        "zoe",
    }


def test_what_half_of_a_class_wrote_names_nobody(given):
    students = {f"student{seed}": fingerprint(answers(1), given) for seed in range(10)}
    assert found(students) == []


def test_empty_submissions_are_no_pair(given):
    assert found({name: fingerprint({}, given) for name in "abc"}) == []
    assert matches({}) == []


def test_the_right_answers_and_the_demo_answers_are_independent(given):
    students: dict[str, dict[str, str]] = {}
    for exercise, ways in RIGHT.items():
        for number, way in enumerate(ways.values()):
            students.setdefault(f"right{number}", {})[exercise] = inspect.getsource(way)
    students |= {path.stem: own_answers(LESSON, path.stem) for path in ANSWERS.glob(f"{LESSON}/*.py")}
    assert found({name: fingerprint(texts, given) for name, texts in students.items()}) == []


def demo_class(release) -> dict[str, dict[str, str]]:
    solutions = sample_class.solution_texts(find_course(PROJECT), LESSON)
    return {
        student.name: own_cells(sample_class.answer(release, student, solutions, LESSON), release)
        for student in CLASSES[LESSON]
        if not student.damage
    }


def test_in_the_demo_only_those_are_named_who_handed_in_the_same_file(lesson):
    """Most of that class has the published solution, and three have `biased_running_var`, word for word."""
    release, given = lesson
    students = demo_class(release)
    assert len(students) > 15
    assert found({name: fingerprint(cells, given) for name, cells in students.items()}) == [
        ("chen", "ivan", ""),
        ("chen", "rosa", ""),
    ]


def test_evidence_shows_the_lines_that_agree(given):
    texts = {"ada": {"BatchNorm1d": answers(1)["BatchNorm1d"], "LayerNorm": answers(1)["LayerNorm"]}}
    texts["bob"] = {"cell 4": disguised(texts["ada"], dead=0.0)["BatchNorm1d"]}
    fingerprints = {name: fingerprint(cells, given) for name, cells in texts.items()}
    [pair] = similar_pairs(fingerprints, texts.__getitem__, given)
    assert Pair.from_json(json.loads(json.dumps(pair.to_json()))) == pair
    evidence = pair.evidence[0]
    assert (evidence.first.cell, evidence.second.cell) == ("BatchNorm1d", "cell 4")
    lines = evidence.first.text.split("\n")
    assert "if self.training" in "".join(lines[number - 1] for number in evidence.first.lines)
    assert not any(lines[number - 1].lstrip().startswith(("#", '"""')) for number in evidence.first.lines)
    assert len(evidence.second.lines) > 10


# --- A student's own cells ----------------------------------------------------------------------------------


def test_own_cells_are_those_that_are_not_as_released(lesson):
    release, _ = lesson
    assert own_cells(release, release) == {}
    notebook = sample_class.answer(
        release, Student("x", ""), sample_class.solution_texts(find_course(PROJECT), LESSON), LESSON
    )
    imports = next(cell for cell in notebook.cells if cell.source.startswith("import copy"))
    imports.source += "\nimport gc"
    cells = own_cells(notebook, release)
    assert {"BatchNorm2d", "LayerNorm"} <= set(cells)
    assert [name for name in cells if name.startswith("cell ")] == [
        f"cell {notebook.cells.index(imports) + 1}"
    ]
    tests = {grade_id(cell) for cell in notebook.cells if is_graded(cell) and not is_solution(cell)}
    assert not tests & set(cells)


# --- Names and constants, read without running --------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "'batch' + '_norm'",
        "'_'.join(['batch', 'norm'])",
        "'mron_hctab'[::-1]",
        "''.join(reversed('mron_hctab'))",
        "f\"{'batch'}_norm\"",
        "'%s_%s' % ('batch', 'norm')",
        "'BATCH-NORM'.lower().replace('-', '_')",
        "''.join(chr(c) for c in [98, 97, 116, 99, 104, 95, 110, 111, 114, 109])",
        "''.join(map(chr, [98, 97, 116, 99, 104, 95, 110, 111, 114, 109]))",
        "bytes([98, 97, 116, 99, 104, 95, 110, 111, 114, 109]).decode()",
        "bytes.fromhex('62617463685f6e6f726d').decode()",
        "base64.b64decode('YmF0Y2hfbm9ybQ==').decode()",
        "codecs.decode('ongpu_abez', 'rot13')",
    ],
)
def test_a_name_in_pieces_is_put_together(expression: str):
    body = statements(
        f"import base64, codecs\nimport torch.nn.functional as F\nname = {expression}\nf = getattr(F, name)"
    )
    reading = Reading()
    reading.learn_imports(body)
    last = body[-1].node
    assert isinstance(last, ast.Assign)
    here = reading.in_cell(body, {"name": 1, "f": 1})
    assert here.dotted(last.value) == "torch.nn.functional.batch_norm"


@pytest.mark.parametrize(
    "text",
    [
        "x0 = ''\n" + "\n".join(f"x{n + 1} = x{n} + x{n}" for n in range(60)) + "\ngetattr(F, x60)",
        "getattr(F, 'a'.replace('', 'b' * 10**9))",
        "getattr(F, '%999999999d' % 1)",
        "getattr(F, " + "'a' + " * 3000 + "'b')",
        "F" + ".a" * 5000,
        "(" * 5000,
    ],
)
def test_text_cannot_keep_the_grader_busy(text: str):
    scan({"cell 1": text, "cell 2": "import torch.nn.functional as F"}, Lesson())


# --- What a submission says ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def norms(lesson) -> Lesson:
    counterparts = {name: exercise.shortcuts for name, exercise in EXERCISES.items()}
    return Lesson(counterparts, given_texts(lesson[0]), "course.checks")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("BatchNorm2d = nn.BatchNorm2d", "torch.nn.BatchNorm2d"),
        ("class BatchNorm2d(reference.BatchNorm2d): pass", "course.normalization.BatchNorm2d"),
        ("from torch.nn import BatchNorm2d", "torch.nn.BatchNorm2d"),
        ("def forward(x): return F.batch_norm(x, None, None)", "torch.nn.functional.batch_norm"),
        ("f = torch.ops.aten.native_batch_norm", "torch.ops"),
        ("functions = torch._C._VariableFunctions\ny = functions.batch_norm", "torch._C"),
        ("f = getattr(nn, 'Batch' + 'Norm2d')", "hides the name"),
        ("f = vars(nn)['BatchNorm2d']", "hides the name"),
        ("import importlib\nf = importlib.import_module('torch.nn').BatchNorm2d", "torch.nn.BatchNorm2d"),
        ("f = next(vars(F)[n] for n in vars(F) if len(n) == 10)", "made while it runs"),
        ("f = getattr(F, input())", "made while it runs"),
        ("f = eval('mron_hctab.F'[::-1])", "torch.nn.functional.batch_norm"),
        (
            "import base64\nexec(base64.b64decode('bm9ybWFsaXplID0gRi5iYXRjaF9ub3Jt'))",
            "torch.nn.functional.batch_norm",
        ),
    ],
)
def test_delegation_is_named(text: str, says: str, norms: Lesson):
    flags = scan({"BatchNorm2d": text}, norms)
    assert {flag.kind for flag in flags} == {"delegation"}
    assert {flag.exercise for flag in flags} == {"BatchNorm2d"}
    assert any(says in flag.sentence for flag in flags)
    assert all("line " in flag.evidence for flag in flags)


def test_the_name_of_an_exercise_counts_where_no_counterparts_are_known():
    [flag] = scan({"GroupNorm": "from torch import nn\nclass GroupNorm(nn.GroupNorm): pass"}, Lesson())
    assert flag.sentence == "The cell of GroupNorm uses what does the whole exercise: torch.nn.GroupNorm."
    assert flag.exercise == "GroupNorm"


def test_an_answer_in_a_cell_of_its_own_is_looked_at_as_well(norms: Lesson):
    [flag] = scan({"BatchNorm2d": "# see above", "cell 9": "class BatchNorm2d(nn.BatchNorm2d): pass"}, norms)
    assert flag.exercise == "BatchNorm2d"
    assert flag.sentence.startswith("Cell 9, in the answer to BatchNorm2d, uses")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import ctypes", "ctypes"),
        ("import gc\nfor each in gc.get_objects(): pass", "gc.get_objects"),
        ("import sys\nframe = sys._getframe()\nframe.f_back", "sys._getframe, f_back"),
        ("from inspect import stack as s\ns()", "inspect.stack"),
        ("print(In[-1])", "In"),
        ("get_ipython().history_manager", "history_manager"),
        ("shell = get_ipython()", "get_ipython()"),
        ("get_ipython().events.register('post_run_cell', print)", "events"),
        ("torch.testing.assert_close = print", "torch.testing.assert_close"),
        ("import builtins\nbuiltins.isinstance = lambda *_: True", "builtins.isinstance"),
        ("setattr(torch, 'allclose', print)", "replaces a part of a module: torch"),
        ("import course.checks\ncourse.checks.judge.compare = print", "course.checks.judge"),
        ("check = lambda *args, **kwargs: None", "another meaning: check"),
        ("import sys\nsys.displayhook(2)", "sys.displayhook"),
        ("import sys\nsys.modules['course.checks'] = 3", "sys.modules"),
        ("import atexit", "atexit"),
        ("import os\nos._exit(0)", "os._exit"),
        ("import os as system\nsystem.fork()", "os.fork"),
        ("import subprocess", "subprocess"),
        ("!curl example.org", "gives a command"),
        ("%%bash\nrm -rf /", "gives a command"),
        ("from socket import socket", "socket"),
        ("import threading", "threading"),
        ("path = 'gradebook' + '.db'", "names files of the grader"),
        ("open('../../x')", "outside its folder"),
        ("class A:\n    def __eq__(self, other): return True", "__eq__"),
        ("class A:\n    def __torch_function__(self): pass", "__torch_function__"),
        ("import pickle", "pickle"),
        ("import autograder", "autograder"),
        ("exec('x = 1')", "runs text as code"),
        ("f = getattr(F, 'batch' + '_norm')", "hides the name"),
    ],
)
def test_reaching_for_the_grader_is_named(text: str, says: str, norms: Lesson):
    flags = scan({"cell 3": text}, norms)
    assert any(says in flag.sentence for flag in flags), flags
    assert all(flag.exercise is None and flag.evidence for flag in flags)


def test_one_flag_has_all_the_lines_of_a_thing(norms: Lesson):
    [flag] = scan({"cell 3": "import threading\nx = 3\n" + "threading.Thread()\n" * 9}, norms)
    assert flag.sentence == "Cell 3 starts threads: threading."
    assert flag.evidence.split("\n")[:2] == ["line 1: import threading", "line 3: threading.Thread()"]
    assert flag.evidence.endswith("and 5 more")


HONEST = """
%matplotlib inline
%timeit x = 1
!pip install tqdm
import os, sys, time, math, copy, warnings, functools, collections, pathlib
import numpy as np
torch.backends.cudnn.benchmark = True
plt.rcParams["figure.figsize"] = (8, 3)
np.random.seed(0)
torch.manual_seed(0)
warnings.filterwarnings("ignore")
sys.path.append(".")
numbers = open("numbers.csv").read()
model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
my_layer = reference.BatchNorm1d
print(help(max), os.getcwd(), time.time())
if "google.colab" in sys.modules: print("on Colab")
with torch.no_grad(): model[0].weight.copy_(torch.eye(3))
model.forward = lambda x: x
"""


def test_an_honest_cell_is_not_flagged(norms: Lesson):
    assert scan({"cell 3": HONEST}, norms) == []


def test_a_comparison_below_the_answer_is_not_flagged(norms: Lesson):
    answer = RIGHT["BatchNorm2d"]["plain, copy_ and .data"]
    text = (
        inspect.getsource(answer) + "\nprint(BatchNorm2d(3)(x) - nn.BatchNorm2d(3)(x))\nassert nn.BatchNorm2d"
    )
    assert scan({"BatchNorm2d": text}, norms) == []


def test_warnings_about_the_text_are_not_the_graders(norms: Lesson):
    assert scan({"cell 3": "x = '\\d'\nassert (x, 'always true')\nx is 3"}, norms) == []


def test_released_lines_are_not_flagged(norms: Lesson):
    lesson = Lesson(norms.counterparts, ["import threading\nimport gc", *norms.given], norms.checks)
    assert scan({"cell 3": "import threading\nx = 3"}, lesson) == []


def test_a_module_of_the_students_own_may_have_any_name_in_it(norms: Lesson):
    text = "import my_norms\nf = my_norms.batch_norm_rows"
    assert scan({"BatchNorm2d": text}, norms) != []
    assert (
        scan({"BatchNorm2d": text}, Lesson(norms.counterparts, norms.given, norms.checks, ["my_norms"])) == []
    )


def test_no_right_answer_is_flagged(norms: Lesson):
    for exercise, ways in RIGHT.items():
        for way in ways.values():
            kinds = [flag.kind for flag in scan({exercise: inspect.getsource(way)}, norms)]
            # To give an object another class is right there, and so is torch.load; both are worth a look.
            worth_a_look = way.__name__ in ("freeze_by_class", "StoppingByFile")
            assert kinds == (["tampering"] if worth_a_look else []), way


def test_no_answer_of_the_demo_and_of_the_lesson_is_flagged(lesson, norms: Lesson):
    for path in ANSWERS.glob(f"{LESSON}/*.py"):
        assert scan(own_answers(LESSON, path.stem), norms) == []
    solution = unsolved(read_notebook(find_course(PROJECT).source_notebook(LESSON)))
    assert len(own_cells(solution, lesson[0])) == len(batch_norm.EXERCISES)
    assert scan(own_cells(solution, lesson[0]), norms) == []


def test_flags_survive_as_json():
    for flag in (
        Flag("tampering", None, "Cell 3 starts threads.", "line 1"),
        Flag("delegation", "GroupNorm", "…"),
    ):
        assert Flag.from_json(json.loads(json.dumps(flag.to_json()))) == flag


# --- As an instructor sees them -----------------------------------------------------------------------------


def page(flags: dict[str, list[Flag]], pairs: list[Pair], most: int = 200) -> str:
    template = """{% from "flags.html.j2" import flagged_section, pairs_section %}
        {{ flagged_section(flagged, most) }}{{ pairs_section(pairs) }}"""
    views = {"flagged": flagged_views(flags), "pairs": pair_views(pairs), "most": most}
    return _environment().from_string(template).render(**views)


def test_flagged_students_come_with_their_evidence():
    delegation = Flag("delegation", "LayerNorm", "The cell of LayerNorm uses x.", "line 1: a\nline 2: b")
    threads = Flag("tampering", None, "Cell 3 starts threads.", "")
    views = flagged_views({"ada": [], "bob": [delegation], "cy": [delegation, threads, threads]})
    assert [view.student for view in views] == ["cy", "bob"]  # reaching for the grader first
    assert views[0].kinds == [("tampering", "!", 2), ("delegation", "⇄", 1)]
    assert views[1].flags[0].evidence == ("line 1: a", "line 2: b")
    shown = page({"ada": [], "bob": [delegation]}, [])
    assert "line 2: b" in shown
    assert "ada" not in shown


def test_a_large_class_is_shown_in_part():
    flags = {f"student{number}": [Flag("tampering", None, "Cell 3 starts threads.")] for number in range(5)}
    assert "And 2 more students" in page(flags, [], most=3)


def test_a_pair_is_shown_side_by_side(given):
    texts = {"ada": answers(1), "bob": disguised(answers(1), dead=0.1)}
    fingerprints = {name: fingerprint(cells, given) for name, cells in texts.items()}
    [view] = pair_views(similar_pairs(fingerprints, texts.__getitem__, given))
    assert (view.first, view.second) == ("ada", "bob")
    assert 60 <= view.percent <= 100
    assert view.agreeing > 20
    left, right = view.sides[0]
    assert left.student == "ada"
    assert right.student == "bob"
    same = [line.text.strip() for line in left.lines if line.agrees]
    assert same
    assert all(line.number for line in left.lines if line.agrees)
    assert "whole submission" not in view.where


def test_nothing_that_a_student_wrote_becomes_markup():
    evil = "<script>alert(1)</script>"
    flag = Flag(evil, evil, evil, evil)
    side = {"cell": evil, "text": evil, "lines": [1]}
    pair = Pair.from_json(
        {
            "first": evil,
            "second": evil,
            "similarity": 1,
            "exercise": evil,
            "evidence": [{"first": side, "second": side}],
        }
    )
    shown = page({evil: [flag]}, [pair])
    assert "alert(1)" in shown
    assert "<script" not in shown


def test_an_ordinary_class_has_two_short_sentences():
    shown = page({"ada": []}, [])
    assert "Nothing unusual was seen." in shown
    assert "No two submissions agree more than is usual" in shown
