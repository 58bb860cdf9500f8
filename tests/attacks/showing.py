"""Row 18: HTML and JavaScript for whoever opens the feedback or the graded notebook.

Each tries to run ``steal()`` in the reader's browser.
"""

from __future__ import annotations

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output

from .attack import Attack, code

_MARKDOWN = """
<script>steal()</script>
<img src=x onerror=steal()>
<a href="javascript:steal()">my solution</a>
<iframe src="data:text/html,<script>steal()</script>"></iframe>
<svg onload=steal()></svg>
[link](javascript:steal())
![x](x"onerror="steal())
<style>body { display: none }</style>
"""


def _markdown_cell(notebook: NotebookNode) -> None:
    notebook.cells.insert(1, new_markdown_cell(_MARKDOWN))


def _written_answer(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.get("id") == "internal_covariate_shift":
            cell.source = _MARKDOWN


def _old_outputs(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [new_output("display_data", data={"text/html": _MARKDOWN})]


def _names(notebook: NotebookNode) -> None:
    notebook.metadata["title"] = "</title><script>steal()</script>"
    notebook.metadata["authors"] = [{"name": "<script>steal()</script>"}]
    notebook.metadata.setdefault("kernelspec", {})["display_name"] = "<script>steal()</script>"


def _shows(name: str, story: str, text: str = "", **options: object) -> Attack:
    return Attack(f"html-{name}", 18, story, first=code(text), for_the_reader=True, **options)  # type: ignore[arg-type]


ATTACKS = (
    _shows(
        "display",
        "display(HTML) and display(Javascript)",
        """
        from IPython.display import HTML, Javascript, display
        display(HTML("<script>steal()</script><img src=x onerror=steal()>"))
        display(Javascript("steal()"))
        display({"application/javascript": "steal()", "text/html": "<svg onload=steal()>"}, raw=True)
    """,
    ),
    _shows(
        "svg",
        "an image that is a program",
        """
        from IPython.display import SVG, display
        program = "<script>steal()</script>"
        display(SVG(data=f"<svg xmlns='http://www.w3.org/2000/svg' onload='steal()'>{program}</svg>"))
        display({"image/png": "x' onerror='steal()"}, raw=True)
    """,
    ),
    _shows(
        "latex-and-markdown",
        "Markdown and LaTeX as output",
        f"""
        from IPython.display import Latex, Markdown, display
        display(Markdown({_MARKDOWN!r}), Latex("$<script>steal()</script>$"))
    """,
    ),
    _shows(
        "printed",
        "colours of a terminal with HTML between them",
        r"""
        print("\x1b[31m<script>steal()</script>\x1b[0m\x1b]8;;javascript:steal()\x07link\x1b]8;;\x07")
    """,
    ),
    _shows(
        "error",
        "an error with HTML in its name and its text",
        answers={
            "pca_whiten": code("""
        kind = type("<script>steal()</script>", (Exception,), {})
        def pca_whiten(train, x, eps=1e-5):
            raise kind("<script>steal()</script><img src=x onerror=steal()>")
    """)
        },
    ),
    _shows(
        "type",
        "an answer whose type has HTML for a name",
        answers={
            "pca_whiten": code("""
        def pca_whiten(train, x, eps=1e-5):
            return type("<img src=x onerror=steal()>", (), {"__module__": "<script>steal()</script>"})()
    """)
        },
    ),
    _shows("markdown", "HTML in a Markdown cell", spoil=_markdown_cell),
    _shows("answer", "HTML in the written answer", spoil=_written_answer),
    _shows("old-outputs", "HTML in outputs that came with the file", spoil=_old_outputs),
    _shows("metadata", "HTML in the notebook's title and kernel", spoil=_names),
    _shows(
        "comment",
        "HTML in comments and texts of the code",
        answers={
            "pca_whiten": code("""
        def pca_whiten(train, x, eps=1e-5):
            "</pre><script>steal()</script>"
            # </span><script>steal()</script>
            return "<script>steal()</script>"
    """)
        },
    ),
)
