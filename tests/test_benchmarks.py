"""The benchmarks measure what they say: made-up classes, straight lines, comparisons, processes."""

from __future__ import annotations

import ast
import builtins
import contextlib
import dis
import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from autograder.config import find_course
from autograder.release import release
from benchmarks import bare, kill, otter, page, processes, scaling
from benchmarks.answers import mistakes, right_answers, right_sets
from benchmarks.classes import BLOCK, LESSON, Lesson, fill, make_class, notebook_of, read_lesson
from benchmarks.figures import fit_line, spread, table
from benchmarks.gradebooks import Grades, differences, notebook_differences, read_grades
from demo.sample_class import PROJECT

SOURCE = PROJECT / "source_notebooks" / LESSON / f"{LESSON}.ipynb"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with the lesson's release and a gradebook in which nobody has been graded."""
    course = find_course(PROJECT, tmp_path_factory.mktemp("workspace"))
    release(course, LESSON)
    return course.workspace


@pytest.fixture(scope="module")
def lesson(workspace) -> Lesson:
    return read_lesson(workspace / "release" / LESSON / f"{LESSON}.ipynb", SOURCE)


# --- Answers ------------------------------------------------------------------------------------------------


def every_text():
    yield from ((name, {name: text}) for name, texts in right_answers().items() for text in texts)
    yield from (("right set", texts) for texts in right_sets())
    yield from mistakes()


def test_every_exercise_has_several_right_answers(lesson):
    assert right_answers().keys() == lesson.solutions.keys()
    assert min(len(texts) for texts in right_answers().values()) >= 3


def test_mistakes_are_many_and_named_once(lesson):
    names = [name for name, _ in mistakes()]
    assert len(names) > 100
    assert len(set(names)) == len(names)
    assert all(texts.keys() <= lesson.solutions.keys() for _, texts in mistakes())


def test_every_answer_is_a_cell_that_stands_alone():
    import copy

    import torch
    import torch.nn.functional as F
    from torch import nn

    for story, texts in every_text():
        for exercise, text in texts.items():
            names = {"torch": torch, "nn": nn, "F": F, "copy": copy, "__name__": "__main__"}
            code = compile(text, story, "exec")
            exec(code, names)
            assert names[exercise].__name__ == exercise, story
            assert not global_names(code) - names.keys() - vars(builtins).keys(), story


def global_names(code) -> set[str]:
    """Names that a piece of code looks up outside of its functions."""
    steps = list(dis.get_instructions(code))
    stored = {step.argval for step in steps if step.opname == "STORE_NAME"}
    looked_up = {step.argval for step in steps if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    nested = [each for each in code.co_consts if isinstance(each, type(code))]
    return (looked_up - stored).union(*map(global_names, nested))


# --- Classes ------------------------------------------------------------------------------------------------


def test_a_class_is_the_same_each_time_and_begins_like_a_larger_one(lesson):
    assert list(make_class(lesson, 25)) == list(make_class(lesson, 40))[:25]
    assert list(make_class(lesson, 5, seed=2)) != list(make_class(lesson, 5, seed=1))


def test_a_class_has_right_wrong_and_unfinished_work_in_fixed_proportions(lesson):
    kinds = [member.kind for member in make_class(lesson, 100)]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "right": 60,
        "one mistake": 25,
        "half finished": 10,
        "untouched": 5,
    }
    assert kinds[:20] != kinds[20:40]


def test_no_two_submissions_are_equal(lesson, tmp_path):
    fill(lesson, tmp_path, 60)
    contents = {path.read_bytes() for path in tmp_path.rglob("*.ipynb")}
    assert len(contents) == 60


def test_a_submission_differs_from_the_release_in_the_students_cells_only(lesson):
    member = next(member for member in make_class(lesson, 40) if member.kind == "right" and not member.trial)
    before, after = lesson.released["cells"], notebook_of(lesson, member)["cells"]
    changed = [old for old, new in zip(before, after, strict=True) if old["source"] != new["source"]]
    solutions = [cell for cell in changed if cell["metadata"].get("nbgrader", {}).get("solution")]
    assert len(solutions) == len(lesson.solutions) + len(lesson.written)
    assert len(changed) == len(solutions) + 1  # the cell of imports holds the name


def passed_cells(lesson: Lesson, member) -> dict[str, bool]:
    """Which test cells pass when the notebook's cells are executed one after the other."""
    tests = bare.hidden_tests(json.loads(SOURCE.read_text(encoding="utf-8")))
    names = {"__name__": "__main__"}
    passed = {}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, text in bare.cells_to_run(notebook_of(lesson, member), tests):
            try:
                exec(compile(text, name or "cell", "exec"), names)
                success = True
            except Exception:
                success = False
            if name:
                passed[name] = success
    return passed


@pytest.mark.parametrize("kind", [kind for kind in dict.fromkeys(BLOCK) if kind != "untouched"])
def test_a_student_gets_what_the_story_says(lesson, kind):
    member = next(member for member in make_class(lesson, 40) if member.kind == kind)
    passed = passed_cells(lesson, member)
    exercises = list(lesson.solutions)
    wrong = {name.split("-")[0] for name, success in passed.items() if not success}
    if kind == "right":
        assert not wrong
    elif kind == "half finished":
        assert wrong == set(exercises[len(member.texts) :])
    else:
        assert wrong == set(dict(mistakes())[member.story])


# --- Figures ------------------------------------------------------------------------------------------------


def test_a_straight_line_is_found_and_called_straight():
    line = fit_line([1, 2, 4, 8], [5, 7, 11, 19])
    assert line.slope == pytest.approx(2)
    assert line.start == pytest.approx(3)
    assert line.straightness == pytest.approx(1)
    assert line.bend == pytest.approx(0)


def test_quadratic_growth_is_not_called_straight():
    sizes = [250, 500, 1000, 2000]
    line = fit_line(sizes, [size**2 for size in sizes])
    assert line.straightness < 0.97
    assert line.bend > 0.5


def test_a_line_needs_two_sizes():
    with pytest.raises(ValueError, match="two different"):
        fit_line([3, 3], [1, 2])


def test_a_spread_is_the_median_and_the_range():
    measured = spread([3.0, 1.0, 2.0])
    assert (measured.median, measured.low, measured.high) == (2, 1, 3)
    assert str(measured.per(2)) == "1 (0.5–1.5)"


def test_columns_of_a_table_are_aligned():
    lines = table(["name", "s"], [["long name", 1], ["x", 100]]).splitlines()
    assert lines[2] == "long name    1"
    assert lines[3] == "x          100"


# --- Comparisons --------------------------------------------------------------------------------------------


def grades(score: float = 2.0) -> Grades:
    return Grades(
        cells={("ada", "f"): (score, None, None, 0, 2.0), ("bo", "f"): (0.0, None, None, 0, 2.0)},
        comments={("ada", "f"): (None, "Well seen.")},
        submissions={"ada": (None, None, 0.0, 0), "bo": (None, None, 0.0, 0)},
        students=frozenset({"ada", "bo"}),
    )


def test_equal_gradebooks_have_no_difference():
    assert differences(grades(), grades()) == []
    assert grades().scores() == {"ada": 2.0, "bo": 0.0}


def test_a_changed_a_missing_and_a_doubled_grade_are_named():
    assert differences(grades(), grades(1.0)) == [
        "the grade of ada for f: (2.0, None, None, 0, 2.0) and (1.0, None, None, 0, 2.0)"
    ]
    lost = grades().only(["ada"])
    assert [each.split(":")[0] for each in differences(grades(), lost)] == [
        "the grade of bo for f",
        "the submission of bo",
        "students differ",
    ]
    twice = Grades(**{**vars(grades()), "doubled": ("grade of ada for f",)})
    assert differences(grades(), twice) == ["grade of ada for f is there twice"]


def test_a_gradebook_of_nbgrader_is_read(workspace, tmp_path):
    from nbgrader.api import Gradebook

    database = tmp_path / "gradebook.db"
    database.write_bytes((workspace / "gradebook.db").read_bytes())
    with warnings.catch_warnings(), Gradebook(f"sqlite:///{database}", "course") as gradebook:
        warnings.simplefilter("ignore")
        gradebook.add_student("ada")
        submission = gradebook.add_submission(LESSON, "ada", timestamp="2026-01-14 08:00:00 UTC")
        submission.notebooks[0].grades[0].auto_score = 3.5
        gradebook.db.commit()
    found = read_grades(database, LESSON)
    assert found.students == {"ada"}
    assert found.scores() == {"ada": 3.5}
    assert len(found.cells) == 24
    assert found.submissions["ada"][0].startswith("2026-01-14 08:00:00")
    assert found.doubled == ()


def executed(path: Path, text: str) -> Path:
    output = {"output_type": "stream", "name": "stdout", "text": [text]}
    cell = {"id": "a", "cell_type": "code", "source": ["f"], "metadata": {}, "outputs": [output]}
    path.write_text(json.dumps({"cells": [cell]}))
    return path


def test_notebooks_differ_by_what_they_print_but_not_by_addresses(tmp_path):
    one = executed(tmp_path / "1", "<f at 0x7f00aa00> 3")
    assert notebook_differences(one, executed(tmp_path / "2", "<f at 0x7f11bb11> 3")) == []
    assert notebook_differences(one, executed(tmp_path / "3", "<f at 0x7f00aa00> 4")) == [
        "cell a differs in outputs"
    ]
    assert notebook_differences(one, tmp_path / "4") == ["4 is missing"]


def test_students_who_wrote_the_same_must_get_the_same(lesson):
    members = list(make_class(lesson, 40))
    scores = {member.name: float(len(member.story)) for member in members}
    assert scaling.unequal_scores(members, scores) == []
    right = [member.name for member in members if member.kind == "right"]
    scores[right[-1]] = 1.0
    assert [each.split(":")[0] for each in scaling.unequal_scores(members, scores)] == ["right"]


# --- Processes ----------------------------------------------------------------------------------------------

linux = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").is_file(), reason="needs Linux's /proc")


@linux
def test_the_tree_of_a_process_holds_its_children():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = processes.tree(os.getpid())
        child.kill()
    assert found[0].pid == os.getpid()
    assert child.pid in {process.pid for process in found}


@linux
def test_memory_is_read_where_the_process_is_there():
    assert processes.pss(os.getpid()) > 1e6
    assert processes.pss(2**22 + 1) is None


def test_processes_of_a_grader_are_told_apart():
    server = f"python -m {processes.FORK_SERVER}"
    pool = f"python -c from {processes.POOL} import main"
    outside = [
        processes.Process(10, 1, "autograder grade"),
        processes.Process(14, 10, pool),
        processes.Process(15, 14, pool),
        processes.Process(11, 10, server),
        processes.Process(12, 11, server),
    ]
    inside = [processes.Process(13, 12, server), processes.Process(16, 13, "sh")]
    around = ["main", "pool", "worker", "fork server"]
    assert list(processes.roles(outside + inside).values()) == [
        *around,
        "fork server",
        "submission",
        "submission",
    ]
    assert list(processes.roles(outside).values()) == [*around, "submission"]
    assert list(processes.roles(outside, frozenset({12})).values()) == [*around, "fork server"]


def test_memory_that_grows_is_seen():
    flat = [processes.Sample(t, {"main": 100_000_000, "submission": t * 10**6}, {}) for t in range(101)]
    result = scaling.memory(flat)
    assert result["grader_growth"] == pytest.approx(0)
    assert result["total_growth"] == pytest.approx(100)
    assert result["total_peak"] == 200


# --- otter and kill -----------------------------------------------------------------------------------------


def test_otter_runs_the_same_checks_for_the_same_points():
    source = json.loads(SOURCE.read_text(encoding="utf-8"))
    files = otter.test_files(source)
    assert len(files) == 23
    text = files["BatchNorm2d-running-stats"]
    assert text.count("    check(") == 2
    assert "points = 5" in text
    assert "hidden=True)" in text
    for each in files.values():
        ast.parse(each)


def test_otter_gets_the_students_cells_and_leaves_experiments_out(lesson):
    member = next(iter(make_class(lesson, 1)))
    cells = otter.converted(notebook_of(lesson, member))["cells"]
    assert not any("nbgrader" in cell["metadata"] for cell in cells)
    assert sum("otter" in cell["metadata"] for cell in cells) == 23
    skipped = [cell for cell in cells if otter.IGNORED in cell["metadata"].get("tags", ())]
    assert skipped
    assert all("experiment" in cell["metadata"]["tags"] for cell in skipped)


def test_a_killed_run_is_equal_only_without_a_fault():
    clean = {**{kind: [] for kind in kill.COMPARED}, "left over": [], "ended": 0}
    assert kill.faults(clean) == []
    assert kill.faults({**clean, "grades": ["lost"], "left over": ["python"], "ended": 1}) == [
        "grades: lost",
        "process left over: python",
        "the last attempt ended with 1",
    ]


def test_half_of_the_killed_runs_lose_their_whole_group_or_a_helper():
    assert kill.TARGETS.count("group") * 2 >= len(kill.TARGETS) - 2
    assert {"main", "group", "worker", "fork server"} == set(kill.TARGETS)


# --- The page -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not page.PAGE.is_file(), reason="nothing was measured yet")
def test_the_page_holds_the_figures_that_were_kept():
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "run: python -m benchmarks.page"


def test_the_page_is_made_of_the_results_that_are_there(tmp_path):
    options = scaling.parser().parse_args([])
    run = {"submissions": 10, "wall": 2.0, "per_second": 5.0, "wrong": [], "roles": {}}
    result = scaling.summarize([run, {**run, "submissions": 20, "wall": 3.0}], options)
    (tmp_path / "scaling.json").write_text(json.dumps(result))
    text = page.page(tmp_path)
    assert "## Large classes" in text
    assert "0.1 s a submission" in text
    assert "## Killed runs" not in text
