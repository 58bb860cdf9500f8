"""Charts as inline SVG: text stays text, nothing is loaded, and they print well.

Every chart has a title for screen readers; all texts are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from autograder.pages import COLORS, SYMBOLS
from autograder.results import ClassResult
from autograder.verdicts import Verdict

INK = "#1f2430"
SOFT = "#5c6370"
LINE = "#e3e6ea"
BLUE = "#0072B2"
WIDTH = 760
BINS = 10


@dataclass(frozen=True)
class _Text:
    """How a piece of text stands: "start", "middle" or "end" of it lies at x."""

    anchor: str = "start"
    color: str = INK
    size: int = 13


def score_histogram(result: ClassResult) -> Markup:
    """How many graded submissions have a score in each tenth of the points."""
    counts = bin_scores([student.fraction for student in result.students if student.graded])
    left, top, height, bottom = 56, 16, 210, 56
    step = (WIDTH - left - 16) / BINS
    ceiling = max(1, *counts)

    def y(count: int) -> float:
        return top + height * (1 - count / ceiling)

    parts: list[Markup] = []
    for tick in _ticks(ceiling):
        parts.append(_line(left, y(tick), WIDTH - 16, y(tick)))
        parts.append(_text(left - 8, y(tick) + 4, tick, _Text("end", SOFT)))
    for index, count in enumerate(counts):
        x = left + index * step
        label = f"{count} students with {10 * index} to {10 * index + 10} % of the points"
        parts.append(_rect(x + 2, y(count), step - 4, top + height - y(count), BLUE, label))
        if count:
            parts.append(
                _text(
                    x + step / 2,
                    y(count) - 4 if count < ceiling else y(count) + 15,
                    count,
                    _Text("middle", INK if count < ceiling else "#ffffff"),
                )
            )
        parts.append(_text(x, top + height + 18, 10 * index, _Text("middle", SOFT)))
    parts.append(_text(WIDTH - 16, top + height + 18, 100, _Text("middle", SOFT)))
    parts.append(
        _text(
            (left + WIDTH) / 2,
            top + height + 42,
            "Score (% of the points), graded submissions",
            _Text("middle"),
        )
    )
    parts.append(
        Markup('<g transform="translate(16 {}) rotate(-90)">{}</g>').format(
            top + height / 2, _text(0, 0, "Students", _Text("middle"))
        )
    )
    return _svg(parts, top + height + bottom, "Histogram of the scores")


def success_by_exercise(result: ClassResult) -> Markup:
    """For every exercise, how many students got which verdict; with the mean score at the right."""
    rows = exercise_counts(result)
    used = [verdict for verdict in COLORS if any(counts[verdict] for counts in rows.values())]
    left, right, row = 190, 76, 30
    scale = (WIDTH - left - right) / max(1, len(result.students))
    parts, top = _legend(used)
    for index, (name, counts) in enumerate(rows.items()):
        y = top + index * row
        parts.append(_text(left - 10, y + 17, name, _Text("end")))
        x = float(left)
        for verdict in used:
            if count := counts[verdict]:
                parts.append(
                    _rect(x, y + 2, count * scale - 1, row - 8, COLORS[verdict], f"{name}: {count} {verdict}")
                )
                if count * scale > 18:
                    parts.append(
                        _text(x + count * scale / 2, y + 17, count, _Text("middle", _on(verdict), 12))
                    )
                x += count * scale
        mean = mean_success(result, name)
        parts.append(_text(WIDTH - 4, y + 17, "–" if mean is None else f"{100 * mean:.0f} %", _Text("end")))
    bottom = top + len(rows) * row
    parts.append(_text(left, bottom + 18, "Students by verdict", _Text("start", SOFT)))
    parts.append(_text(WIDTH - 4, bottom + 18, "mean score", _Text("end", SOFT)))
    return _svg(parts, bottom + 30, "Verdicts by exercise")


def bin_scores(fractions: Iterable[float]) -> list[int]:
    """How many scores (0 to 1) lie in each tenth; full marks belong to the last."""
    counts = [0] * BINS
    for fraction in fractions:
        counts[min(BINS - 1, int(fraction * BINS + 1e-9))] += 1
    return counts


def exercise_counts(result: ClassResult) -> Mapping[str, Mapping[Verdict, int]]:
    """Exercise → verdict → number of students."""
    names = [name for student in result.students[:1] for name in student.exercises]
    return {
        name: {
            verdict: sum(s.exercises[name].verdict is verdict for s in result.students) for verdict in Verdict
        }
        for name in names
    }


def mean_success(result: ClassResult, name: str) -> float | None:
    """Mean score in an exercise, as a part of its points; None while nobody's answer has been graded.

    Submissions and answers that are not graded (yet) do not count.
    """
    results = [student.exercises[name] for student in result.students if student.graded]
    graded = [each for each in results if each.verdict is not Verdict.AWAITING]
    if len(graded) < len(results) and all(each.verdict is Verdict.NOT_ATTEMPTED for each in graded):
        return None
    return sum(each.score for each in graded) / max(1e-9, sum(each.max_score for each in graded))


def _ticks(ceiling: int) -> Sequence[int]:
    """At most six whole numbers from 0 to the largest count."""
    step = next(
        step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if ceiling / step <= 6 or step == 10**9
    )
    return range(0, ceiling + 1, step)


def _legend(verdicts: Sequence[Verdict]) -> tuple[list[Markup], int]:
    """Colour, symbol and name of each verdict, in as many lines as needed; and where the chart can begin."""
    parts: list[Markup] = []
    x, y = 4.0, 10
    for verdict in verdicts:
        label = f"{SYMBOLS[verdict]} {verdict}"
        width = 36 + 6.6 * len(label)
        if x + width > WIDTH:
            x, y = 4.0, y + 22
        parts.append(_rect(x, y, 12, 12, COLORS[verdict], str(verdict)))
        parts.append(_text(x + 17, y + 11, label, _Text(size=12)))
        x += width
    return parts, y + 34


_DARK = (Verdict.RIGHT, Verdict.WRONG, Verdict.DELEGATED, Verdict.NOT_GRADED)


def _on(verdict: Verdict) -> str:
    """A text colour that can be read on the verdict's colour."""
    return "#ffffff" if verdict in _DARK else INK


def _svg(parts: Iterable[Markup], height: float, title: str) -> Markup:
    return Markup('<svg viewBox="0 0 {} {:.0f}" role="img" aria-label="{}"><title>{}</title>{}</svg>').format(
        WIDTH, height, title, title, Markup("\n").join(parts)
    )


def _rect(x: float, y: float, width: float, height: float, color: str, title: str) -> Markup:
    return Markup(
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2" fill="{}"><title>{}</title></rect>'
    ).format(x, y, max(0.0, width), max(0.0, height), color, title)


def _line(x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}"/>').format(
        x1, y1, x2, y2, LINE
    )


def _text(x: float, y: float, text: object, how: _Text) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}" fill="{}" font-size="{}">{}</text>').format(
        x, y, how.anchor, how.color, how.size, escape(text)
    )
