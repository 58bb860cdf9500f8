"""Leaderboards: what is taken from a check's output, and how the class is ranked."""

from __future__ import annotations

import pytest

from autograder.findings import Finding, finding_from_json
from autograder.leaderboard import leaderboards
from autograder.reports import Measure, measures_from
from autograder.results import ClassResult, StudentResult
from autograder.verdicts import ExerciseResult, Verdict

GOOD = {"name": "accuracy", "value": 0.98, "better": "higher", "format": ".1%"}


def student(name: str, accuracy: float | None, size: float = 100.0) -> StudentResult:
    measures = ()
    if accuracy is not None:
        measures = (
            Measure("accuracy", accuracy, "higher", ".1%"),
            Measure("parameters", size, "lower", ",.0f"),
        )
    result = ExerciseResult("train", 5.0, 10.0, Verdict.PARTLY, measures=measures)
    return StudentResult(name, 5.0, 10.0, {"train": result}, (), True)


def test_the_best_come_first_and_equals_share_a_place() -> None:
    students = [
        student("ada", 0.9),
        student("bo", 0.95, 300),
        student("cy", 0.95, 200),
        student("di", 0.9),
        student("ed", 0.8),
        student("fay", None),
    ]
    (board,) = leaderboards(students)
    assert [(row.place, row.student) for row in board.rows] == [
        (1, "cy"),
        (2, "bo"),
        (3, "ada"),
        (3, "di"),
        (5, "ed"),
    ]
    assert board.columns == ("accuracy", "parameters")
    assert board.without == ("fay",)
    assert [round(row.share, 2) for row in board.rows] == [1.0, 1.0, 0.67, 0.67, 0.0]
    assert [measure.text for measure in board.rows[0].measures] == ["95.0%", "200"]


def test_nobody_measured_no_leaderboard() -> None:
    assert leaderboards([student("ada", None)]) == []
    assert leaderboards([]) == []


def test_measures_are_in_the_json_only_where_there_are_some() -> None:
    document = ClassResult("lesson", (student("ada", 0.9), student("bo", None))).to_json()
    first, second = (each["exercises"]["train"] for each in document["students"])
    assert first["measures"] == {"accuracy": 0.9, "parameters": 100.0}
    assert "measures" not in second


@pytest.mark.parametrize(
    "data",
    [
        None,
        "text",
        [None],
        [{}],
        [{**GOOD, "value": "0.9"}],
        [{**GOOD, "value": True}],
        [{**GOOD, "value": float("nan")}],
        [{**GOOD, "better": "louder"}],
        [{**GOOD, "format": "100000000d"}],
        [{**GOOD, "format": None}],
    ],
)
def test_what_is_no_measure_is_left_out(data: object) -> None:
    assert measures_from(data) == ()


def test_a_finding_keeps_its_measures_on_the_way_to_a_file() -> None:
    finding = Finding(False, measures=measures_from([GOOD]))
    assert finding_from_json(finding.to_json()) == finding
    assert finding_from_json({"untouched": True, "ending": "plain"}).measures == ()
