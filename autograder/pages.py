"""What the feedback pages and the class report share: templates, colours, and how a verdict looks.

Jinja escapes every value, so nothing that a student chose becomes markup. The pages load nothing: style and
pictures are inside. The colours are those of Okabe and Ito, which colour-blind readers can tell apart; each
verdict has a symbol as well.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autograder.verdicts import Verdict

COLORS = {
    Verdict.RIGHT: "#009E73",
    Verdict.PARTLY: "#56B4E9",
    Verdict.WRONG: "#D55E00",
    Verdict.CRASHED: "#CC79A7",
    Verdict.TIMED_OUT: "#E69F00",
    Verdict.DELEGATED: "#0072B2",
    Verdict.NOT_ATTEMPTED: "#C4C4C4",
    Verdict.AWAITING: "#F0E442",
    Verdict.NOT_GRADED: "#555555",
}
SYMBOLS = {
    Verdict.RIGHT: "✓",
    Verdict.PARTLY: "◐",
    Verdict.WRONG: "✗",
    Verdict.CRASHED: "!",
    Verdict.TIMED_OUT: "◷",
    Verdict.DELEGATED: "↪",
    Verdict.NOT_ATTEMPTED: "–",
    Verdict.AWAITING: "✎",
    Verdict.NOT_GRADED: "?",
}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("autograder"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(colors=COLORS, symbols=SYMBOLS, Verdict=Verdict)
    environment.filters.update(points=points, sentence=sentence, breakable=breakable)
    return environment


def render(template: str, **values: Any) -> str:
    """A page from one of the templates in ``autograder/templates``."""
    return _environment().get_template(template).render(**values)


def sentence(text: str) -> str:
    """Text that starts with a capital letter, unless it starts with a name of the code such as num_groups."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first.isalpha() else text


def breakable(name: str) -> Markup:
    """A long name that a narrow screen may break after its underscores."""
    return Markup("_<wbr>").join(name.split("_"))


def points(number: float) -> str:
    """Points without needless zeros: 4, 2.5."""
    return f"{round(number, 2):g}"
