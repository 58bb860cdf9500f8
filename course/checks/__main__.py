"""Print the catalogue of mistakes as Markdown: `python -m course.checks > docs/common-mistakes.md`.

An instructor's list of what to watch for; made from the same entries that diagnose and that test the grader.
"""

from __future__ import annotations

from course.checks import EXERCISES, SECTIONS
from course.checks.framework import Exercise


def catalogue() -> str:
    """The whole page."""
    total = sum(len(exercise.misconceptions) for exercise in EXERCISES.values())
    return "\n".join(
        [
            "# Common mistakes",
            "",
            "Written by `python -m course.checks`; do not edit. Every mistake below is an implementation",
            "that the checks run beside the student's: when both give the same wrong numbers, the student",
            "reads the sentence. A test makes every mistake once and expects its sentence.",
            "",
            "| exercise | section | aspects (hidden) | mistakes |",
            "|---|---|---|---|",
            *(_summary(exercise) for exercise in EXERCISES.values()),
            f"| **all** | | | **{total}** |",
            "",
            *(_details(exercise) for exercise in EXERCISES.values()),
        ]
    )


def _summary(exercise: Exercise) -> str:
    hidden = sum(aspect.hidden for aspect in exercise.aspects)
    aspects = f"{len(exercise.aspects)} ({hidden})"
    return f"| `{exercise.name}` | {exercise.section} | {aspects} | {len(exercise.misconceptions)} |"


def _details(exercise: Exercise) -> str:
    rows = [
        f"| `{mistake.name}` | {mistake.message} | {mistake.section or exercise.section} |"
        for mistake in exercise.misconceptions
    ]
    heading = f'## {exercise.name}\n\nSection {exercise.section} "{SECTIONS[exercise.section]}".\n'
    return "\n".join(
        [heading, "| name | what the student reads | look again at |", "|---|---|---|", *rows, ""]
    )


if __name__ == "__main__":
    print(catalogue(), end="")
