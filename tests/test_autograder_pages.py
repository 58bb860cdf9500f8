"""Feedback pages and the class report: right numbers, nothing hidden, nothing that could run."""

import html
import io
import json
import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
import tiny_course as tiny
from nbformat.v4 import new_code_cell, new_markdown_cell
from rich.console import Console

from autograder.assignment import load_assignment
from autograder.charts import bin_scores, exercise_counts
from autograder.console import class_table, totals
from autograder.errors import NotGradedYet
from autograder.feedback import write_feedback
from autograder.grade import grade
from autograder.overview import rows, write_reports
from autograder.pages import render
from autograder.release import release
from autograder.rendering import sanitize
from autograder.report import misconceptions, students_in_need, summarize, write_report
from autograder.results import ClassResult, StudentResult, collect
from autograder.verdicts import ExerciseResult, Verdict

EVIL = "<script>alert('evil')</script><img src=x onerror=alert(1)><a href='javascript:alert(1)'>click</a>"
SPY = "seen = []\ndef double(x):\n    print('spied', x)\n    seen.append(x)\n    return x * x"
EVIL_CELL = f'''
from IPython.display import HTML, Javascript, display
display(HTML("""{EVIL}"""))
display(Javascript("alert(1)"))
'''


class _Tags(HTMLParser):
    """Collects what could run or load something."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "iframe", "object", "embed", "link", "base", "form"):
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or "javascript:" in (value or ""):
                self.found.append(f"{tag} {name}")
            if name in ("src", "href") and not (value or "").startswith(("data:image/", "#")) and tag != "a":
                self.found.append(f"{tag} {name}={value}")


def what_could_run(page: str) -> list[str]:
    parser = _Tags()
    parser.feed(page)
    return parser.found


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A graded class of four: right, evil, a broken file, and one with a markup name."""
    course = tiny.make_course(tmp_path_factory.mktemp("pages"))
    release(course, tiny.NAME)
    student_version = tiny.released(course)
    tiny.hand_in(course, "right", tiny.answer(deepcopy(student_version), **tiny.RIGHT, why="**The same.**"))
    evil = tiny.answer(
        deepcopy(student_version), double=SPY, last=tiny.RIGHT["last"], why=f"My answer {EVIL}"
    )
    evil.cells += [new_code_cell(EVIL_CELL), new_markdown_cell(EVIL), new_code_cell("print('own cell')")]
    tiny.hand_in(course, "evil", evil)
    tiny.hand_in(course, "<script>name", b"")
    return course, grade(course, tiny.NAME)


@pytest.fixture(scope="module")
def pages(graded):
    """Student → feedback page."""
    paths = write_feedback(graded[0], tiny.NAME)
    return {path.parent.parent.name: path.read_text(encoding="utf-8") for path in paths}


@pytest.mark.notebook
def test_every_student_has_a_page_where_nbgrader_looks_for_it(graded, pages):
    assert set(pages) == {"right", "evil", "<script>name"}
    assert (graded[0].feedback / "right" / tiny.NAME / f"{tiny.NAME}.html").is_file()


@pytest.mark.notebook
def test_no_page_has_anything_that_could_run_or_load(pages):
    assert [what for page in pages.values() for what in what_could_run(page)] == []


@pytest.mark.notebook
def test_no_page_shows_a_hidden_test_or_its_inputs(pages):
    for page in pages.values():
        for secret in (tiny.HIDDEN_PROBE, "HIDDEN", "hidden=True"):
            assert secret not in page


@pytest.mark.notebook
def test_the_summary_has_score_mistake_and_section(pages):
    summary = re.sub(r"<[^>]+>|\s+", " ", pages["evil"].split("Your notebook")[0])
    summary = " ".join(summary.split())
    assert "2 of 10 points" in summary
    assert "You square the number." in summary
    assert "Read again: 1.1 Doubling" in summary
    assert "1 written answer is still to be read by a person" in summary


@pytest.mark.notebook
def test_the_students_own_work_is_on_the_page_and_the_lessons_text_is_not(pages):
    assert "own cell" in pages["evil"]
    assert "My answer" in pages["evil"]
    assert "<strong>The same.</strong>" in pages["right"]
    assert "experiments are not run" not in pages["right"]


@pytest.mark.notebook
def test_a_broken_submission_gets_a_page_with_the_reason(pages):
    assert "is empty (0 bytes)" in pages["<script>name"]
    assert "&lt;script&gt;name" in pages["<script>name"]


@pytest.mark.notebook
def test_the_report_has_the_numbers_of_the_json_document(graded):
    course, result = graded
    page = write_report(course, tiny.NAME).read_text(encoding="utf-8")
    assert what_could_run(page) == []
    assert not re.search(r"code\.\w", page)  # a space between two sentences
    document = json.loads(json.dumps(result.to_json()))
    scores = [each["score"] for each in document["students"] if not each["problems"]]
    tiles = re.findall(r'class="tile"><b>([^<]+)</b><span>([^<]+)', page)
    assert dict((name, value) for value, name in tiles) == {
        "submissions": str(len(document["students"])),
        "graded": str(len(scores)),
        "mean score": f"{10 * sum(scores) / len(scores)} %",
        "median score": f"{10 * sum(sorted(scores)) / 2} %",
        "with everything right": "1",
        "flagged": "0",
        "answers wait for a person": "2",
    }
    counted = exercise_counts(collect(course, load_assignment(course, tiny.NAME)))
    for name, counts in counted.items():
        for verdict, count in counts.items():
            told = sum(each["exercises"][name]["verdict"] == verdict for each in document["students"])
            assert count == told
            assert not count or f"<title>{name}: {count} {verdict}</title>" in page
    assert "squares" in page
    assert "You square the number." in page


@pytest.mark.notebook
def test_nbgraders_own_feedback_hides_the_hidden_tests_too(graded):
    """formgrader's button writes over the pages of `autograder feedback`, so it must not give more away."""
    course, _ = graded
    own_folder = "--CourseDirectory.feedback_directory=workspace/stock"
    run = subprocess.run(
        [sys.executable, "-m", "nbgrader", "generate_feedback", tiny.NAME, own_folder],
        cwd=course.root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    texts = {
        student: (course.workspace / "stock" / student / tiny.NAME / f"{tiny.NAME}.html").read_text("utf-8")
        for student in ("right", "evil")
    }
    for page in texts.values():  # nbgrader's style sheet has the colour #424242
        assert not re.search(rf"(?<!#){tiny.HIDDEN_PROBE}|HIDDEN TESTS|hidden=True", page)
    assert "Hidden test, with other inputs: right" in texts["right"]


def test_the_lines_of_a_comment_stay_lines(tmp_path):
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    result = replace(exercise("double", 4, Verdict.RIGHT), comment="Well done.\nGo on.")
    page = render(
        "feedback.html.j2",
        assignment=load_assignment(course, tiny.NAME),
        student=student("ada", result),
        cells=[],
        code_style="",
    )
    assert '<span class="comment">Well done.\nGo on.</span>' in page
    assert ".comment { white-space: pre-line; }" in page


def test_the_terminal_and_the_report_give_the_same_mean():
    screen = Console(width=100, record=True, file=io.StringIO())
    screen.print(class_table(CLASS))
    footer = screen.export_text().strip().splitlines()[-1]
    assert footer.split()[:2] == ["graded", f"{8 * summarize(CLASS).mean:.1f}"]


def test_one_answer_waits_and_two_answers_wait():
    assert "1 answer waits for a person" in str(totals(CLASS))
    two = ClassResult("tiny", (*CLASS.students, CLASS.students[3]))
    assert "2 answers wait for a person" in str(totals(two))


def test_pages_before_grading_are_refused(tmp_path):
    course = tiny.make_course(tmp_path)
    release(course, tiny.NAME)
    for write in (write_feedback, write_report, write_reports):
        with pytest.raises(NotGradedYet, match="Run `autograder grade tiny` first"):
            write(course, tiny.NAME)
    with pytest.raises(NotGradedYet, match="Nothing is graded yet"):
        write_reports(course)


# --- All lessons ------------------------------------------------------------------------------------------


@pytest.mark.notebook
def test_the_overview_leads_to_the_report_of_each_lesson_and_to_each_students_page(graded):
    course, result = graded
    write_feedback(course, tiny.NAME)
    lesson, overview = write_reports(course)
    page = overview.read_text(encoding="utf-8")
    assert what_could_run(page) == []
    links = {unquote(html.unescape(link)) for link in re.findall('href="([^"]+)"', page)}
    assert links == {
        f"reports/{tiny.NAME}.html",
        *(f"feedback/{each.student}/{tiny.NAME}/{tiny.NAME}.html" for each in result.students),
    }
    assert all((overview.parent / link).is_file() for link in links)
    back = re.search('href="([^"]+)">Class report', lesson.read_text(encoding="utf-8")).group(1)
    assert (lesson.parent / back).resolve() == overview


def test_a_student_has_the_points_of_all_lessons_together_also_where_one_was_not_handed_in():
    other = ClassResult("other", (student("ada", exercise("c", 3, Verdict.PARTLY)), student("zoe")))
    table = {row.student: row for row in rows([CLASS, other])}
    assert [table[name].score for name in ("ada", "bob", "zoe")] == [11, 1, 0]
    assert [each is None for each in table["bob"].results] == [False, True]
    assert [each is None for each in table["zoe"].results] == [True, False]


# --- The numbers of the report, without notebooks ---------------------------------------------------------


def student(name, *results, graded=True):
    exercises = {each.name: each for each in results}
    score, most = sum(each.score for each in results), sum(each.max_score for each in results)
    return StudentResult(name, score, most, exercises, () if graded else ("broken",), graded)


def exercise(name, score, verdict, misconception=None):
    return ExerciseResult(name, score, 4, verdict, misconception, message=f"about {misconception}")


CLASS = ClassResult(
    "tiny",
    (
        student("ada", exercise("a", 4, Verdict.RIGHT), exercise("b", 4, Verdict.RIGHT)),
        student("bob", exercise("a", 0, Verdict.WRONG, "swap"), exercise("b", 1, Verdict.PARTLY, "swap")),
        student("cleo", exercise("a", 0, Verdict.WRONG, "sign"), exercise("b", 4, Verdict.RIGHT)),
        student("dan", exercise("a", 2, Verdict.PARTLY, "sign"), exercise("b", 4, Verdict.AWAITING)),
        student(
            "eve", exercise("a", 0, Verdict.NOT_GRADED), exercise("b", 0, Verdict.NOT_GRADED), graded=False
        ),
    ),
)


def test_misconceptions_are_counted_by_student_the_most_frequent_first():
    found = [(each.name, each.students, each.exercises) for each in misconceptions(CLASS)]
    assert found == [("sign", ["cleo", "dan"], ["a"]), ("swap", ["bob"], ["a", "b"])]


def test_broken_submissions_do_not_pull_the_mean_down():
    summary = summarize(CLASS)
    assert (summary.students, summary.graded, summary.awaiting) == (5, 4, 1)
    assert summary.mean == pytest.approx((8 + 1 + 4 + 6) / 4 / 8)
    assert summary.full_marks == 1


def test_those_with_few_points_are_listed_with_where_they_are_stuck():
    listed = [(each.student, stuck) for each, stuck in students_in_need(CLASS)]
    assert listed == [("bob", "wrong: a; partly: b")]


def test_every_score_falls_into_one_bin():
    assert bin_scores([0, 0.05, 0.1, 0.3, 0.7, 0.95, 1]) == [2, 1, 0, 1, 0, 0, 0, 1, 0, 2]


@pytest.mark.parametrize(
    ("html", "gone"),
    [
        (EVIL, "alert(1)>"),
        ("<svg onload=alert(1)>", "onload"),
        ("<p style='background-image:url(https://spy.example)'>x</p>", "spy.example"),
        ("<img src='https://spy.example/pixel.png'>", "spy.example"),
        ("<iframe src='https://spy.example'></iframe>", "spy.example"),
        ("<form action='https://spy.example'><input></form>", "spy.example"),
    ],
)
def test_sanitizing_leaves_nothing_that_runs_or_calls_home(html, gone):
    clean = sanitize(html)
    assert what_could_run(clean) == []
    assert gone not in clean
