"""Markdown that shows users' text as it is written.

Read by MLflow's renderer, which follows GitHub's dialect but takes no backslash before `<`, `>`,
`&` or `$`: these are written as entities.
"""

import re
from collections.abc import Iterable, Sequence

#: Longer text in a cell is cut.
_LONGEST = 200


def escape(text: object, longest: int = _LONGEST) -> str:
    """Text on one line that Markdown shows as it is, in a table's cell and a list's item too.

    Parameters
    ----------
    text : object
        Anything; its `str` is written, white space as single spaces.
    longest : int, default 200
        Characters after which it is cut.
    """
    line = " ".join(str(text).split())
    line = line if len(line) <= longest else f"{line[:longest]}…"
    line = (
        line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")
    )
    line = re.sub(r"([\\`*_{}\[\]|~])", r"\\\1", line)
    line = re.sub(r"^([-+#=])(?!\d)", r"\\\1", line)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def pairs(what: str, facts: Iterable[tuple[str, str | None]]) -> list[str]:
    """A table of names and values in a list, without the empty ones; no table if all are."""
    rows = [(name, value) for name, value in facts if value]
    return [table((what, "Value"), rows)] if rows else []


def bullets(sentences: Iterable[str]) -> str:
    """A list of sentences, escaped."""
    return "\n".join(f"- {escape(sentence, 2_000)}" for sentence in sentences)


def python(lines: Iterable[str]) -> str:
    """A block of Python."""
    return "\n".join(("```python", *lines, "```"))
