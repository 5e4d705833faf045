"""The comparison's page: whole, closed to the network, and safe whatever the names are."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from registry import curves
from registry.common_rows import pair_of
from registry.compare import compare
from registry.report import page
from registry.svg import ticks
from tests.registry.facts import shown_facts
from tests.registry.recorded_of import recorded, schema_of, target_of
from training.evaluate import SELECTION
from training.schema import Column

NASTY = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a & b", "</svg><b>", "'quoted'",
    "]]>", "<!-- x", "\x00\x1b[31m", "年齢 €", "&lt;", "http://evil.example/x.js", "x" * 500,
)  # fmt: skip


def made(task: str = "binary", name: str = "age", apart: bool = False, **given: Any) -> str:
    """A page of two versions, with `name` wherever a user's text may stand."""
    target = replace(target_of(task), name=name)
    if target.classes:
        target = replace(target, classes=[f"{label}{name}" for label in target.classes])
    schemas = [
        schema_of(task, target=target, columns=(Column(name, "numeric", dtype),))
        for dtype in ("float64", "int64")
    ]
    first, second = (
        shown_facts(
            number, task=task, metric=SELECTION[task], schema=schema, source=name, trainer=name,
            candidate=name, importance=[(name, 0.1), ("other", -0.01)], params={name: number},
            requirements=f"{name}=={number}",
        )
        for number, schema in zip(("5", "7"), schemas, strict=True)
    )  # fmt: skip
    gate = {"gate": name, "outcome": "failed", "enforce": "warn", "sentence": name}
    rows = range(1_000, 1_300) if apart else range(400)
    items = (
        recorded(task, 0.2, params={name: name}),
        recorded(task, 0.5, rows, gates=[gate], gates_outcome="refused", **given),
    )
    pair = pair_of(first, second, items)
    comparison = compare(first, second, items, pair)
    figures = curves.of_versions((first, second), items, pair)
    return page(comparison, figures, curves.importances(first.importance, second.importance))


def tree(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.replace("<!DOCTYPE html>", "", 1))


class _Elements(HTMLParser):
    """As a browser would see the page, which is not as XML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_users_text_is_text(task: str, name: str) -> None:
    text = made(task, name)

    root = tree(text)
    plain = "".join(root.itertext())
    shown = re.sub("[\x00-\x08\x0b-\x1f]", "\ufffd", name)
    assert plain.count(shown) >= 8
    allowed = {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "section", "div",
        "span", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "svg", "path",
        "text", "polyline", "rect",
    }  # fmt: skip
    found = _Elements(text).found
    assert {tag for tag, _ in found} <= allowed
    assert not [key for _, attributes in found for key in attributes if key.startswith("on")]


@pytest.mark.parametrize("name", NASTY)
def test_nothing_is_loaded_from_anywhere(name: str) -> None:
    text = made(name=name)

    loading = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}
    found = _Elements(text).found
    assert not [tag for tag, attributes in found if loading & attributes.keys()]
    (style,) = tree(text).iter("style")
    assert "url(" not in (style.text or "")
    assert "@import" not in (style.text or "")
    policies = [a["content"] for tag, a in found if "http-equiv" in a]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


@pytest.mark.parametrize(
    ("task", "titles"),
    [
        ("binary", ["ROC curve", "Precision-recall", "Calibration", "Predicted probabilities"]),
        ("multiclass", ["ROC curve", "Precision-recall", "Calibration", "Predicted probabilities"]),
        ("regression", ["Predicted against actual", "Residuals"]),
    ],
)
@pytest.mark.parametrize("apart", [True, False])
def test_both_versions_have_curves(task: str, titles: list[str], apart: bool) -> None:
    root = tree(made(task, apart=apart))

    shown = {figure.findtext("figcaption"): figure for figure in root.iter("figure")}
    assert list(shown) == [*titles, "Permutation importance"]
    for title in titles:
        drawn = [part.get("class", "") for part in shown[title].iter()]
        for kind in ("first", "second"):
            assert any(kind in name.split() for name in drawn), title


def test_it_says_which_rows_it_is_about() -> None:
    same = "".join(tree(made()).itertext())
    apart = "".join(tree(made(apart=True)).itertext())

    assert "On the 400 rows that both were tested on." in same
    assert "Gain on 400 rows of both" in same
    assert "which are different ones" in apart
    assert "Gain on" not in apart


def test_versions_that_predict_different_things_have_no_curves() -> None:
    first = shown_facts("5", task="binary", schema=schema_of("binary"))
    second = shown_facts("7", task="regression", metric="rmse", schema=schema_of("regression"))
    items = (recorded("binary", 0.2), recorded("regression", 0.4))
    pair = pair_of(first, second, items)

    assert curves.of_versions((first, second), items, pair) == []
    text = page(compare(first, second, items, pair), [])
    assert "Curves" not in [heading.text for heading in tree(text).iter("h2")]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_predictions_all_alike_are_drawn(value: float) -> None:
    first, second = (shown_facts(n, schema=schema_of("binary")) for n in ("5", "7"))
    item = recorded("binary", 0.2)
    flat = replace(item, prediction=np.column_stack([1 - np.full(400, value), np.full(400, value)]))
    figures = curves.of_versions((first, second), (flat, flat), "none")

    assert all(ElementTree.fromstring(figure.svg) is not None for figure in figures)
    assert "nan" not in "".join(figure.svg for figure in figures)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-0.02, 1.02), (1e-9, 2e-9), (-3e12, 5e12), (99, 101), (5, 5.0001)]
)
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)

    assert 2 <= len(found) <= 8
    assert all(low - 1e-9 * abs(low) <= tick <= high + 1e-9 * abs(high) for tick in found)
    assert found == sorted(set(found))
