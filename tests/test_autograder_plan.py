"""Which test cells are judged out of the student's reach, and what is run at all."""

import pytest
import tiny_course as tiny

from autograder.judging.plan import Proxy, check_calls, ends_with_value, is_skipped, is_test


def test_a_cell_of_checks_on_names_and_plain_values_is_judged():
    source = 'check("Layer", Layer, "forward")\n# why\ncheck("Layer", Layer, [1, (2, -3.5)], hidden=True)'
    first, second = check_calls(source, "check")
    assert first.arguments == ("Layer", Proxy("Layer"), "forward")
    assert second.arguments == ("Layer", Proxy("Layer"), [1, (2, -3.5)])
    assert second.keywords == (("hidden", True),)


@pytest.mark.parametrize(
    "source",
    [
        "assert f(1) == 2",
        'check("f", f)\nassert f(1) == 2',
        'check("f", f(1))',
        'check("f", module.f)',
        'check("f", [f for f in fs])',
        'check("f", f, **options)',
        'check("f", *fs)',
        'check("f")',
        'x = check("f", f)',
        'other("f", f)',
        'if True:\n    check("f", f)',
        'course.check("f", f)',
        'check("f", f',
        "%timeit check('f', f)",
        "",
        "# nothing",
    ],
)
def test_anything_else_runs_beside_the_students_code(source):
    assert check_calls(source, "check") is None


def test_a_course_without_a_check_has_none():
    assert check_calls('check("f", f)', "") is None


def test_only_experiments_are_skipped_and_never_a_test():
    notebook = tiny.source_notebook()
    assert [is_skipped(cell, "experiment") for cell in notebook.cells if cell.id == "try"] == [True]
    test = tiny.cell(notebook, "double-small")
    test.metadata.tags = ["experiment"]
    assert is_test(test)
    assert not is_skipped(test, "experiment")


@pytest.mark.parametrize(
    ("source", "value"),
    [("x\n2", True), ("f(x)", True), ("x = 2", False), ("assert x", False), ("%magic", True), ("", False)],
)
def test_a_partial_score_needs_a_last_line_with_a_value(source, value):
    assert ends_with_value(source) is value
