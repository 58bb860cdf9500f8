"""An executed notebook as safe HTML: what the student wrote, what it printed, what the tests said.

Safe means: whatever a student put into a cell or an output, the page has no script, no event handler and
loads nothing from elsewhere. Text is escaped; HTML and Markdown are rendered and then filtered through a list
of allowed tags; pictures are embedded as data.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import bleach
from bleach.css_sanitizer import CSSSanitizer
from markupsafe import Markup, escape
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from autograder.hidden import redact
from autograder.notebooks import grade_id, is_graded, is_solution, plain
from autograder.reports import CheckReport, parse_report

MAX_CHARACTERS = 5000
"""Longer text outputs are cut in the middle."""
MAX_PICTURE_BYTES = 2_000_000

_TAGS = frozenset(
    """
    a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5
    h6 hr i img kbd li ol p pre q s samp small span strong sub summary sup table tbody td tfoot th
    thead tr u ul var
    """.split()  # noqa: SIM905 — forty quoted words would hide the list
)
_ATTRIBUTES = {
    "*": ["style", "title"],
    "a": ["href", "title"],
    "img": ["src", "alt", "width", "height"],
    "td": ["colspan", "rowspan", "align"],
    "th": ["colspan", "rowspan", "align"],
}
_PROPERTIES = """
    background-color border border-collapse color font-family font-size font-style font-weight
    margin padding text-align text-decoration vertical-align white-space width
""".split()  # noqa: SIM905


@dataclass(frozen=True)
class CellView:
    """One cell as the feedback page shows it.

    Attributes:
        kind: "heading", "text", "code" or "test".
        source: the cell's text as safe HTML.
        outputs: its outputs as safe HTML.
        folded: it is part of the lesson, not the student's work; shown on demand.
        name: its grade_id, for solution and test cells.
    """

    kind: str
    source: Markup
    outputs: tuple[Markup, ...] = ()
    folded: bool = False
    name: str = ""


def code_style() -> str:
    """The style sheet of highlighted code."""
    return str(HtmlFormatter(style="default").get_style_defs(".highlight"))


def cell_views(notebook: NotebookNode, release: NotebookNode) -> Iterator[CellView]:
    """The cells that a feedback page shows, with everything hidden taken out.

    Of the lesson's unchanged text only the headings are shown, and unchanged code without outputs not at all.
    """
    lesson = {(cell.cell_type, cell.source) for cell in release.cells}
    headings: dict[int, str] = {}  # level → heading, of those that nothing was shown under yet
    for cell in notebook.cells:
        is_lesson = (cell.cell_type, cell.source) in lesson and not is_solution(cell)
        if is_lesson and cell.cell_type == "markdown":
            for level, heading in _headings(cell):
                headings = {upper: text for upper, text in headings.items() if upper < level} | {
                    level: heading
                }
            continue
        view = _text_view(cell) if cell.cell_type == "markdown" else _code_view(redact(cell), is_lesson)
        if view.outputs or not view.folded:
            yield from (CellView("heading", escape(text)) for text in headings.values())
            headings = {}
            yield view


def _headings(cell: NotebookNode) -> Iterator[tuple[int, str]]:
    """Level and text of the headings in a Markdown cell."""
    for marks, text in re.findall(r"^(#{1,6}) +(.*\S)", cell.source, re.MULTILINE):
        yield len(marks), text.replace("`", "")


def _text_view(cell: NotebookNode) -> CellView:
    return CellView("text", render_markdown(cell.source), name=grade_id(cell) or "")


def _code_view(cell: NotebookNode, is_lesson: bool) -> CellView:
    outputs = tuple(html for output in _worth_showing(cell) if (html := render_output(output)))
    kind = "test" if is_graded(cell) and not is_solution(cell) else "code"
    folded = is_lesson or kind == "test"
    return CellView(kind, render_code(cell.source), outputs, folded, grade_id(cell) or "")


def _worth_showing(cell: NotebookNode) -> Iterator[NotebookNode]:
    """The outputs without the error that a failed check raises after it has reported."""
    reported = False
    for output in cell.get("outputs", []):
        report = parse_report(output)
        reported |= report is not None and not report.passed
        if not (output.output_type == "error" and reported):
            yield output


def render_output(output: NotebookNode) -> Markup:
    """One output as safe HTML; empty where there is nothing to show."""
    if output.output_type == "stream":
        return _preformatted(
            output.get("text", ""), "warning" if output.get("name") == "stderr" else "printed"
        )
    if output.output_type == "error":
        trace = output.get("traceback") or [f"{output.get('ename', '')}: {output.get('evalue', '')}"]
        return _preformatted("\n".join(trace), "error")
    report = parse_report(output)
    data = output.get("data", {})
    return _render_data(data) if report is None else render_report(report, data.get("text/html"))


def _render_data(data: dict[str, object]) -> Markup:
    """The richest of an output's forms that can be made safe."""
    for kind in ("image/png", "image/jpeg"):
        if picture := _picture(data.get(kind), kind):
            return picture
    if isinstance(html := data.get("text/html"), str):
        return sanitize(html)
    if isinstance(markdown := data.get("text/markdown"), str):
        return render_markdown(markdown)
    text = data.get("text/plain", "")
    return _preformatted(text, "printed") if isinstance(text, str) and text else Markup()


def render_report(report: CheckReport, table: object = None) -> Markup:
    """What a check said: one line when all is right, otherwise each aspect and the likely mistake.

    Args:
        report: the check's report.
        table: the check's own HTML, where it has numbers that the student may see.
    """
    title = "Hidden test, with other inputs" if report.hidden else "Test"
    if report.passed:
        count = f"all {len(report.aspects)} aspects right" if len(report.aspects) > 1 else "right"
        return Markup('<p class="passed"><span class="yes">✓</span> {}: {}</p>').format(title, count)
    body = sanitize(table) if isinstance(table, str) else _aspects(report)
    likely = "Likely: " if report.misconception else ""
    message = Markup("<p>{}{}</p>").format(likely, report.message) if report.message else Markup()
    return Markup('<div class="check"><p class="small">{}</p>{}{}</div>').format(title, body, message)


def _aspects(report: CheckReport) -> Markup:
    signs = {True: Markup('<span class="yes">✓</span>'), False: Markup('<span class="no">✗</span>')}
    rows = (Markup("<li>{} {}</li>").format(signs[passed], name) for name, passed in report.aspects)
    return Markup("<ul>{}</ul>").format(Markup().join(rows))


@lru_cache(maxsize=4096)
def render_code(source: str) -> Markup:
    """Highlighted Python; pygments escapes the text."""
    return Markup(highlight(source, PythonLexer(), HtmlFormatter()))


@lru_cache(maxsize=4096)
def render_markdown(source: str) -> Markup:
    """Markdown as safe HTML; formulas stay in TeX."""
    return sanitize(markdown2html_mistune(source))


@lru_cache(maxsize=4096)
def sanitize(html: str) -> Markup:
    """HTML with only harmless tags, attributes and styles."""
    clean = bleach.clean(
        html,
        tags=_TAGS,
        attributes={**_ATTRIBUTES, "img": _image_attribute},
        protocols={"http", "https", "mailto", "data"},
        strip=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=_PROPERTIES),
    )
    return Markup(f'<div class="html">{clean}</div>')


def _image_attribute(_tag: str, name: str, value: str) -> bool:
    """Allow only embedded pictures: another address would tell its owner who reads the page."""
    return name in ("alt", "width", "height") or (name == "src" and value.startswith("data:image/"))


def _picture(content: object, kind: str) -> Markup:
    if not isinstance(content, str) or len(content) > MAX_PICTURE_BYTES:
        return Markup()
    try:
        data = base64.b64encode(base64.b64decode(content, validate=False)).decode("ascii")
    except (binascii.Error, ValueError):
        return Markup()
    return Markup('<img alt="Picture made by this cell" src="data:{};base64,{}">').format(kind, data)


def _preformatted(text: str, kind: str) -> Markup:
    text = plain(text)
    if len(text) > MAX_CHARACTERS:
        half = MAX_CHARACTERS // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
    return Markup('<pre class="{}">{}</pre>').format(kind, text) if text.strip() else Markup()
