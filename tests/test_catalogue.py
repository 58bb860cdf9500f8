"""The catalogue of mistakes: each is rejected with its own message, and no right answer is."""

from __future__ import annotations

import pytest
from right_answers import RIGHT

from course.checks import EXERCISES, LESSONS, SECTIONS, examine
from course.checks.framework import Exercise, Misconception
from course.checks.judge import answer_book, judge
from course.normalization import pca_whiten

SEEDS = (0, 20_24)  # the visible checks' seed, and one that a hidden check might draw

MISTAKES = [
    pytest.param(exercise, mistake, id=f"{name}-{mistake.name}")
    for name, exercise in EXERCISES.items()
    for mistake in exercise.misconceptions
]
ANSWERS = [
    pytest.param(EXERCISES[name], answer, id=f"{name}-{way}")
    for name, ways in RIGHT.items()
    for way, answer in ways.items()
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES)
def test_a_mistake_is_rejected_with_its_own_message(
    exercise: Exercise, mistake: Misconception, seed: int
) -> None:
    book = answer_book(exercise, seed)
    names = {id(probe): name for name, probe in book.probes.items()}

    verdict = judge(exercise, None, True, seed, lambda probe: book.mistaken(mistake, names[id(probe)]))

    assert not verdict.passed
    assert verdict.misconception is mistake
    assert verdict.message == mistake.message


@pytest.mark.parametrize(("exercise", "answer"), ANSWERS)
def test_a_right_answer_passes_every_visible_check(exercise: Exercise, answer: object) -> None:
    """The hidden ones, which are asked from another process, are in `test_remote`."""
    groups = (None,) if exercise.evaluate else exercise.groups  # each would train a network anew
    for group in groups:
        verdict = examine(exercise, answer, group, own_work=True)
        assert verdict.passed, verdict.message


@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d"])
@pytest.mark.parametrize(
    ("mistake", "costs"),
    [
        ("momentum_reversed", {"running-stats"}),
        ("biased_running_var", {"running-stats"}),
        ("counter_stands", {"running-stats"}),
        ("statistics_detached", {"forward"}),
        ("mean_of_squares", {"forward", "running-stats"}),
        ("eps_outside_root", {"forward", "evaluation"}),
        ("updates_in_evaluation", {"evaluation"}),
        ("batch_statistics_in_evaluation", {"evaluation"}),
        ("plain_attributes", {"interface"}),
        ("running_var_starts_at_zero", {"interface", "running-stats"}),
    ],
)
def test_a_mistake_costs_the_points_of_its_own_groups(name: str, mistake: str, costs: set[str]) -> None:
    exercise = EXERCISES[name]
    (wrong,) = [each for each in exercise.misconceptions if each.name == mistake]
    verdicts = {
        group: examine(exercise, wrong.implementation, group, hidden=True) for group in exercise.groups
    }
    assert {group for group, verdict in verdicts.items() if not verdict.passed} == costs


@pytest.mark.parametrize("name", EXERCISES)
def test_the_oracle_passes_every_check(name: str) -> None:
    assert examine(EXERCISES[name], EXERCISES[name].oracle, hidden=True, seed=1).passed


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_right_answers_and_mistakes_enough(name: str) -> None:
    assert len(RIGHT[name]) >= 3
    assert len(EXERCISES[name].misconceptions) >= 3


def test_names_of_exercises_and_numbers_of_sections_are_unique_over_the_lessons() -> None:
    assert len(EXERCISES) == sum(len(lesson.EXERCISES) for lesson in LESSONS)
    assert len(SECTIONS) == sum(len(lesson.SECTIONS) for lesson in LESSONS)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_names_within_an_exercise_differ(name: str) -> None:
    names = [mistake.name for mistake in EXERCISES[name].misconceptions]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", EXERCISES)
def test_a_message_is_short_and_points_at_a_section(name: str) -> None:
    for mistake in EXERCISES[name].misconceptions:
        assert len(mistake.message) <= 200, mistake.name
        assert mistake.message.endswith("."), mistake.name
        assert (mistake.section or EXERCISES[name].section) in SECTIONS, mistake.name


def test_there_are_sixty_mistakes_and_more(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(name, len(exercise.misconceptions), len(RIGHT[name])) for name, exercise in EXERCISES.items()]
    total = sum(mistakes for _, mistakes, _ in rows)
    with capsys.disabled():
        print(f"\n{'exercise':<22}{'mistakes':>10}{'right answers':>15}")
        for row in [*rows, ("all", total, sum(right for *_, right in rows))]:
            print("{:<22}{:>10}{:>15}".format(*row))
    assert total >= 60


def test_free_signs_do_not_turn_on_rounding() -> None:
    """Two entries of a column are nearly equal and opposite here; it once cost a right answer 5 points."""
    exercise = EXERCISES["pca_whiten"]
    for answer in RIGHT["pca_whiten"].values():
        assert examine(exercise, answer, hidden=True, seed=10769853).passed
    assert examine(exercise, pca_whiten, hidden=True, seed=10769853).passed
