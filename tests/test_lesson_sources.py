"""What every notebook in source_notebooks/ keeps to: stable, small, gradable, in reading order."""

import ast
import builtins
import json
import re
from pathlib import Path

import nbformat
import pytest

SOURCES = sorted(Path(__file__).parent.parent.glob("source_notebooks/*/*.ipynb"))
TAGS = {"experiment", "gpu", "nbval-ignore-output", "nbval-skip"}
SECTIONS_OF_03 = [
    "3.1 Why inputs are normalized",
    "3.2 Preprocessing a data set",
    "3.3 Normalize a batch",
    "3.4 The gradient, by hand",
    "3.5 Two modes, two variances",
    "3.6 BatchNorm1d, a layer that remembers",
    "3.7 BatchNorm2d, one statistic per channel",
    "3.8 Other norms, other axes",
    "3.9 Inference: fold the norm away",
    "3.10 What batch norm changes",
    "3.11 On the real data",
    "3.12 Why does it work?",
    "3.13 Summary",
]


def grading(cell):
    return cell.metadata.get("nbgrader", {})


def tags(cell):
    return set(cell.metadata.get("tags", []))


def is_test(cell):
    return cell.cell_type == "code" and grading(cell).get("grade", False)


def is_exercise(cell):
    return cell.cell_type == "code" and grading(cell).get("solution", False)


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture
def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_is_a_lesson():
    assert SOURCES


def test_the_format_is_valid_and_every_cell_has_a_readable_id(path, notebook):
    assert json.loads(path.read_text())["nbformat_minor"] == 5
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_-]+", cell.id), cell.id
        assert not re.fullmatch(r"[0-9a-f]{8,}", cell.id), f"{cell.id} is a random id"


def test_the_kernel_is_python3(notebook):
    assert notebook.metadata.kernelspec.name == "python3"


def test_no_outputs_no_counts_no_timestamps(notebook, code):
    for cell in code:
        assert cell.outputs == []
        assert cell.execution_count is None
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"nbgrader", "tags"}, f"{cell.id}: {set(cell.metadata)}"


def test_code_cells_are_short(code):
    for cell in code:
        lines = [line for line in cell.source.splitlines() if line.strip() and "### " not in line]
        assert len(lines) <= 25, f"{cell.id} has {len(lines)} lines"


def test_tags_are_known(notebook):
    for cell in notebook.cells:
        assert tags(cell) <= TAGS, f"{cell.id}: {tags(cell) - TAGS}"


def test_a_skipped_cell_says_why(code):
    for cell in code:
        if "nbval-skip" in tags(cell):
            assert cell.source.startswith("# Skipped by nbval:"), cell.id


def test_pictures_and_gpu_timings_are_not_compared(code):
    for cell in code:
        if "plt.show()" in cell.source or "gpu" in tags(cell):
            assert "nbval-ignore-output" in tags(cell), cell.id


def test_the_points_sum_to_100(notebook):
    assert sum(grading(cell).get("points", 0) for cell in notebook.cells) == 100


def test_grade_ids_are_unique(notebook):
    ids = [grading(cell)["grade_id"] for cell in notebook.cells if grading(cell)]
    assert len(ids) == len(set(ids))


def test_every_exercise_defines_what_its_grade_id_says_and_keeps_its_docstring(code):
    for cell in filter(is_exercise, code):
        definition = ast.parse(cell.source).body[0]
        assert definition.name == grading(cell)["grade_id"]
        assert ast.get_docstring(definition), cell.id
        assert cell.source.count("### BEGIN SOLUTION") == cell.source.count("### END SOLUTION") >= 1


def test_every_exercise_is_followed_by_its_tests(code):
    for position, cell in enumerate(code):
        if is_exercise(cell):
            assert is_test(code[position + 1]), cell.id
            assert grading(code[position + 1])["grade_id"].startswith(grading(cell)["grade_id"] + "-")


def test_test_cells_call_the_visible_and_the_hidden_check(code):
    for cell in filter(is_test, code):
        exercise, group = grading(cell)["grade_id"].split("-", 1)
        call = f'check("{exercise}", {exercise}, "{group}"'
        hidden = f"### BEGIN HIDDEN TESTS\n{call}, hidden=True)\n### END HIDDEN TESTS"
        assert cell.source == f"{call})\n{hidden}"
        assert grading(cell)["locked"]


def test_a_written_answer_is_graded_by_hand(notebook):
    written = [cell for cell in notebook.cells if cell.cell_type == "markdown" and grading(cell)]
    assert written
    for cell in written:
        assert grading(cell)["grade"]
        assert grading(cell)["solution"]
        # nbgrader accepts a mark scheme outside of a task cell only where it goes away with the solution.
        answer = re.search(r"### BEGIN SOLUTION\n(.+)### END SOLUTION", cell.source, re.DOTALL)[1]
        assert "### BEGIN MARK SCHEME" in answer
        assert "### END MARK SCHEME" in answer


def test_experiments_stay_out_of_grading(code):
    for cell in code:
        if "experiment" in tags(cell):
            assert not grading(cell), cell.id


def assigned(tree):
    """Names that running the cell binds at the top level."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names


def used(tree):
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


@pytest.mark.parametrize("with_experiments", [True, False], ids=["all cells", "graded cells only"])
def test_a_cell_uses_only_what_the_cells_before_it_define(code, with_experiments):
    known = set(dir(builtins))
    for cell in code:
        if "experiment" in tags(cell) and not with_experiments:
            continue
        tree = ast.parse(cell.source)
        known |= assigned(tree)
        assert used(tree) <= known, f"{cell.id} uses {used(tree) - known} before any cell defines it"


def test_fold_outs_are_closed_and_leave_a_blank_line_for_markdown(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert cell.source.count("<details>") == cell.source.count("</details>"), cell.id
            for summary in re.finditer(r"</summary>(.{0,2})", cell.source, re.DOTALL):
                assert summary[1] == "\n\n", f"{cell.id}: a blank line must follow </summary>"


def test_every_exercise_names_difficulty_minutes_and_points(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for cell in filter(is_exercise, notebook.cells):
        name = grading(cell)["grade_id"]
        heading = re.search(
            rf"^### Exercise `{name}` (●○○|●●○|●●●) \d+ minutes, (\d+) points?$", text, re.MULTILINE
        )
        assert heading, f"no heading for {name}"
        points = [
            grading(other)["points"]
            for other in notebook.cells
            if grading(other).get("grade_id", "").startswith(f"{name}-")
        ]
        assert int(heading[2]) == sum(points), name


def test_the_batch_norm_lesson_has_the_sections_that_the_checks_point_to():
    notebook = nbformat.read(next(p for p in SOURCES if p.stem == "03_batch_norm"), as_version=4)
    headings = [
        line for cell in notebook.cells for line in cell.source.splitlines() if line.startswith("## 3.")
    ]
    assert headings == [f"## {section}" for section in SECTIONS_OF_03]
