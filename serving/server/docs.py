"""The page at `/docs`: what this version takes and answers, in one file without scripts."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from serving.server.answers import Answers
from serving.server.bundle import Bundle
from serving.server.openapi import describe, example

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 56rem; padding: 0 1rem;
  color: #1b1f24; background: #fff; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d5d9de;
  vertical-align: top; overflow-wrap: anywhere; }
pre { background: #f4f5f7; padding: .8rem; overflow-x: auto; border-radius: .3rem; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e8eb; background: #16191d; } pre { background: #22262c; }
  th, td { border-color: #3a4048; } a { color: #8ab4f8; } }
"""


def docs_page(bundle: Bundle, document: dict[str, Any]) -> str:
    """The page as HTML; all of it comes from the bundle.

    Parameters
    ----------
    bundle : Bundle
    document : dict
        What `openapi` made of it.
    """
    answers = Answers(bundle.schema)
    columns = "".join(
        f"<tr><td><code>{escape(column.name)}</code><td>{column.kind}<td>{escape(describe(column))}"
        for column in bundle.schema.used
    )
    classes = (
        f"<p>Labels: {escape(', '.join(answers.names))}. Probabilities by "
        '<code>"params": {"predict_method": "predict_proba"}</code>.'
        if answers.names
        else ""
    )
    body = f"""<p>Predicts <code>{escape(bundle.schema.target.name)}</code>. {escape(bundle.why)}
See also <a href="openapi.json">openapi.json</a>.
{classes}
<h2>A request</h2><pre>{escape(curl_of(example(bundle)))}</pre>
<h2>Columns</h2>
<p>Other columns are ignored. What is null, cannot be read or is unknown counts as missing.
<table><tr><th>Name<th>Kind<th>Values{columns}</table>"""
    return page_of(bundle, body, document)


def curl_of(request: Mapping[str, Any]) -> str:
    """A command that sends a request for predictions."""
    body = json.dumps(request, ensure_ascii=False)
    return (
        "curl http://HOST:PORT/invocations -H 'content-type: application/json' \\\n"
        f"  -d '{body.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}'"
    )


def page_of(bundle: Bundle, body: str, document: dict[str, Any]) -> str:
    """The page of any version, around what it takes."""
    title = escape(f"{bundle.model}, version {bundle.version}")
    paths = "".join(
        f"<tr><td>{' '.join(item).upper()}<td><code>{escape(path)}</code>"
        f"<td>{escape(next(iter(item.values()))['summary'])}"
        for path, item in document["paths"].items()
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>
<h1>{title}</h1>
{body}
<h2>Paths</h2><table><tr><th>Method<th>Path<th>Answers{paths}</table>
</html>
"""
