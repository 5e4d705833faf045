"""Self-contained pages: no script, nothing from the network, light and dark.

What is called a text is escaped here: names, labels and levels are users'. A part is HTML already.
"""

import html
import re
from collections.abc import Iterable
from pathlib import Path

_STYLE = Path(__file__).with_name("html.css")
#: A page may load nothing, whatever a user's text has in it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
#: What no XML may hold, in whatever form.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(title: str, parts: Iterable[str], *styles: Path) -> str:
    """A whole page, well-formed as XML too.

    Parameters
    ----------
    title : str
        Text; also the heading.
    parts : iterable of str
        What is below the heading.
    *styles : Path
        Files of CSS beside that of all pages.

    Returns
    -------
    str
    """
    style = "\n".join(path.read_text(encoding="utf-8") for path in (_STYLE, *styles))
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n<body>\n"
        f"{body}\n</body></html>\n"
    )


def escape(text: str) -> str:
    """A user's text for HTML and SVG, in an element or in an attribute."""
    return html.escape(_FORBIDDEN.sub("\ufffd", text))


def section(title: str, *parts: str) -> str:
    """Parts below a heading."""
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def paragraph(text: str, kind: str) -> str:
    """A paragraph of a class."""
    return f'<p class="{kind}">{escape(text)}</p>'


def note(text: str) -> str:
    """A paragraph in small letters."""
    return paragraph(text, "note")


def left_out(count: int, where: str = "") -> str:
    """How many more there are than are shown, and where; nothing if there are none."""
    return note(f"… and {count:,} more{where}") if count > 0 else ""


def key(text: str, kind: str) -> str:
    """A name with the colour that its side has in the charts: `first` or `second`."""
    return f'<span class="key {kind}">{escape(text)}</span>'


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells, which are parts."""
    lines = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{"".join(head)}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def cell(text: str, kind: str = "") -> str:
    """A cell with a text, of a class if `kind` is given."""
    named = f' class="{kind}"' if kind else ""
    return f"<td{named}>{escape(text)}</td>"


def heading(text: str) -> str:
    """A cell that says what a column or a row is."""
    return f"<th>{escape(text)}</th>"


def figure(caption: str, svg: str) -> str:
    """A chart below its caption, which is a part."""
    return f"<figure><figcaption>{caption}</figcaption>{svg}</figure>"


def figures(drawn: Iterable[str]) -> str:
    """Figures beside each other."""
    return f'<div class="figures">{"".join(drawn)}</div>'
