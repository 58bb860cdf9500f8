"""From outputs and grades to verdicts: one rule after the other, without running anything."""

import pytest
import tiny_course as tiny
from nbformat.v4 import new_markdown_cell, new_output

from autograder.assignment import Assignment, find_exercises
from autograder.bridge import Grade
from autograder.errors import AssignmentError
from autograder.findings import find
from autograder.hidden import redact
from autograder.reports import CHECK_MIME, parse_report
from autograder.verdicts import Verdict, judge


@pytest.fixture
def assignment() -> Assignment:
    source = tiny.source_notebook()
    return Assignment(tiny.NAME, "A tiny lesson", find_exercises(source), source)


def report(**given):
    basis = {"exercise": "double", "group": "small", "hidden": False, "passed": False, "aspects": []}
    return new_output("display_data", data={CHECK_MIME: {**basis, **given}})


def error(name="ValueError", value="no", traceback=()):
    return new_output("error", ename=name, evalue=value, traceback=list(traceback))


def result(assignment, outputs, scores, exercise="double", manual=None, unchanged=()):
    notebook = tiny.source_notebook()
    for name, each in outputs.items():
        tiny.cell(notebook, name).outputs = each
    maximum = {"double-small": 3, "double-text": 1, "last-item": 2, "why": 4}
    grades = {
        name: Grade(scores.get(name, 0), points, manual if name == "why" else None, False)
        for name, points in maximum.items()
    }
    findings = find(assignment.exercises, notebook, unchanged)
    return judge(assignment, findings, grades, {"double": "Nice try"})[exercise]


def test_exercises_know_their_tests_points_and_section(assignment):
    double, last, why = assignment.exercises
    assert double.points == {"double-small": 3, "double-text": 1}
    assert (double.section, last.section) == ("1.1 Doubling", "1.2 The last one")
    assert (why.manual, why.points, double.manual) == (True, {"why": 4}, False)
    assert assignment.max_score == 10


def test_the_section_to_read_again_is_not_the_heading_of_the_exercise_itself():
    source = tiny.source_notebook()
    tiny.cell(source, "why").source = "### Question: why? (4 points)\n\nThey are the same."
    at = source.cells.index(tiny.cell(source, "last"))
    source.cells.insert(at, new_markdown_cell("### Exercise `last`, 2 points", id="exercise"))
    assert [each.section for each in find_exercises(source)] == [
        "1.1 Doubling",
        "1.2 The last one",
        "1.3 Think",
    ]


def test_a_test_belongs_to_the_longest_matching_exercise():
    source = tiny.source_notebook()
    tiny.cell(source, "last").metadata.nbgrader.grade_id = "double-text"
    tiny.cell(source, "double-text").metadata.nbgrader.grade_id = "double-text-length"
    tiny.cell(source, "last-item").metadata.nbgrader.grade_id = "double-text-item"
    points = {exercise.name: list(exercise.points) for exercise in find_exercises(source)}
    assert points["double"] == ["double-small"]
    assert points["double-text"] == ["double-text-length", "double-text-item"]


def test_a_test_without_an_exercise_is_an_error():
    source = tiny.source_notebook()
    tiny.cell(source, "last-item").metadata.nbgrader.grade_id = "lost"
    with pytest.raises(AssignmentError, match="'lost' belongs to no exercise"):
        find_exercises(source)


def test_full_points_are_right_whatever_was_printed(assignment):
    noise = [new_output("stream", name="stdout", text="loud"), report(passed=True)]
    found = result(assignment, {"double-small": noise}, {"double-small": 3, "double-text": 1})
    assert (found.verdict, found.message, found.misconception) == (Verdict.RIGHT, "", None)


def test_a_recognised_mistake_is_told_before_an_unrecognised_one(assignment):
    outputs = {
        "double-small": [report(message="The result is wrong.")],
        "double-text": [report(message="You square.", misconception="squares", section="1.1 Doubling")],
    }
    found = result(assignment, outputs, {})
    assert (found.misconception, found.message) == ("squares", "You square.")
    assert (found.verdict, found.section) == (Verdict.WRONG, "1.1 Doubling")


def test_a_timeout_in_a_test_is_a_timeout(assignment):
    found = result(assignment, {"double-small": [error("CellTimeoutError", "")]}, {})
    assert found.verdict is Verdict.TIMED_OUT


def test_a_loop_that_a_check_stopped_is_a_timeout_told_in_the_checks_words(assignment):
    stopped = report(message="Your code ran for more than 5 seconds.", symptom="timeout")
    found = result(assignment, {"double-small": [stopped, error("CheckFailed")]}, {})
    assert (found.verdict, found.message) == (Verdict.TIMED_OUT, "Your code ran for more than 5 seconds.")


def test_an_assertion_is_wrong_and_another_error_is_a_crash(assignment):
    assert result(assignment, {"double-small": [error("AssertionError")]}, {}).verdict is Verdict.WRONG
    assert result(assignment, {"double-small": [error("NameError")]}, {}).verdict is Verdict.CRASHED


def test_a_warning_that_costs_the_points_is_explained(assignment):
    warning = new_output("stream", name="stderr", text="UserWarning: beware")
    found = result(assignment, {"last-item": [warning]}, {}, exercise="last")
    assert "counts as a failure: UserWarning: beware" in found.message


@pytest.mark.parametrize(
    ("manual", "verdict"), [(None, "awaiting manual grading"), (4, "right"), (1, "partly"), (0, "wrong")]
)
def test_a_written_answer_waits_for_a_person(assignment, manual, verdict):
    found = result(assignment, {}, {"why": manual or 0}, exercise="why", manual=manual)
    assert (found.verdict, found.score) == (verdict, manual or 0)


def test_a_graders_comment_reaches_the_result(assignment):
    assert result(assignment, {}, {}).comment == "Nice try"


@pytest.mark.parametrize(
    "payload", ["text", 7, None, [], {"aspects": 3}, {"message": ["x"], "passed": "yes", "aspects": [1, {}]}]
)
def test_a_malformed_report_is_never_a_pass_and_never_an_error(payload):
    found = parse_report(new_output("display_data", data={CHECK_MIME: payload}))
    assert found is None or not found.passed


# --- What students may see --------------------------------------------------------------------------------


def hidden_test(*outputs):
    cell = tiny.cell(tiny.source_notebook(), "double-small")
    cell.outputs = list(outputs)
    return cell


def test_the_hidden_lines_go_and_the_visible_stay():
    source = redact(hidden_test()).source
    assert source == 'check("double", double, "small", [(1, 2), (3, 6)])'


def test_what_the_students_code_printed_in_a_hidden_test_goes():
    printed = new_output("stream", name="stdout", text="called with 424242")
    shown = redact(hidden_test(report(passed=True), printed, report(hidden=True, passed=True)))
    assert [parse_report(output).hidden for output in shown.outputs] == [False, True]


def test_a_hidden_report_keeps_a_recognised_mistake_only():
    quoted = report(hidden=True, message="expected 848484 for 424242")
    named = report(hidden=True, message="You square.", misconception="squares")
    assert [parse_report(o).message for o in redact(hidden_test(quoted, named)).outputs] == [
        "",
        "You square.",
    ]


def test_the_text_of_an_error_is_kept_only_where_it_comes_from_a_visible_line():
    visible = error(value="seen", traceback=['----> 1 check("double", double, "small", [(1, 2), (3, 6)])'])
    hidden = error(
        value="424242",
        traceback=['----> 3 check("double", double, "small", [(424242, 2 * 424242)], hidden=True)'],
    )
    kept, dropped = redact(hidden_test(visible)).outputs[0], redact(hidden_test(hidden)).outputs[0]
    assert (kept.evalue, kept.traceback) == ("seen", [])
    assert "hidden test" in dropped.evalue


def test_the_student_is_told_less_than_the_instructor(assignment):
    found = result(assignment, {"double-small": [report(hidden=True, message="424242 is wrong")]}, {})
    assert found.message == "424242 is wrong"
    assert found.told.startswith("A hidden test failed")
